import { IteraError } from '../errors.js'
import { controllerFor } from '../signal.js'
import {
  canTell, contentLength, contentRange, isPassing, isVersioned, retryAfter, sameVersion, strongVersion, unsatisfiedTotal,
  versionOf,
} from './answer.js'
import { isLasting } from './names.js'
import { cannotBeRead, Interruption, pause, Restart, shorten } from './trouble.js'

/**
 * A file on a server, read from any offset on and with patience: whatever interrupts a connection, the next one goes on
 * where it ended. A file that changed in between ends the reading with a Restart.
 *
 * @typedef {import('./answer.js').Version} Version
 *
 * @typedef {object} Patience
 * @property {number} retries  attempts in a row without a new byte
 * @property {number} retryDelay  the first wait, in ms
 * @property {number} stallTimeout  the longest wait for a byte, in ms
 *
 * @typedef {object} RemoteOptions
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} signal
 * @property {Patience} patience
 * @property {{ least: number, most: number }} span  how much to ask for at once
 * @property {boolean} kept  somebody else keeps it: the browser need not
 * @property {{ version: Version, total: number | undefined }} [known]  from an earlier reading
 * @property {(status: 'downloading' | 'retrying') => void} [onStatus]
 *
 * @typedef {object} Answer  a response that fits what was asked
 * @property {number} at  where in the file its bytes begin
 * @property {number} skip  how many of them were not asked for
 * @property {number | undefined} end  where they should end
 * @property {boolean} whole  not a part, whatever was asked for
 * @property {ReadableStreamDefaultReader<Uint8Array>} reader
 * @property {number} latency  ms until it came
 * @property {() => void} close
 */

/** Without any answer at all it is most likely a wrong address, or CORS: patience would only hide that. */
const RETRIES_UNANSWERED = 2
/** The longest wait between two attempts, unless the server asks for more, and the longest that it may ask for. */
const LONGEST_DELAY = 10_000
const LONGEST_RETRY_AFTER = 120_000
/** A round trip that takes longer than so much of a request is worth a larger request. */
const LATENCY_SHARE = 0.15

export class RemoteFile {
  #url
  #options
  /** Why the file is being read in vain, so often in a row. */
  #failures = 0
  #answered = false
  /** false once the server has shown that it sends whole files only. */
  #ranges = true
  /** true after a first attempt that failed: where a Range is no simple header, another origin may have to allow it first. */
  #shy = false
  /** true where the size can be learned from an answer up to the end only. */
  #toTheEnd = false
  #span
  /** Did any answer come yet, now or in an earlier reading? Before, there is nothing to compare one with. */
  #comparable
  /** @type {Answer | null} */
  #open = null

  /** @param {string} url @param {RemoteOptions} options */
  constructor(url, options) {
    this.#url = url
    this.#options = options
    this.#span = options.span.least
    this.name = shorten(url)
    /** @type {Version} */
    this.version = options.known?.version ?? { etag: null, modified: null }
    /** @type {number | undefined} */
    this.total = options.known?.total
    this.#comparable = options.known !== undefined
    /** How often a connection was taken up again. */
    this.resumed = 0
  }

  /**
   * The first contact: afterwards version and, mostly, size are known. What comes is kept for `read` from there.
   *
   * @param {number} at
   * @param {number} [end]
   */
  async open(at, end = Infinity) {
    this.#open = await this.#connect(at, end)
  }

  /**
   * Asks whether the file is still the one that is known; throws a Restart when it is not. Silence counts as yes.
   */
  async check() {
    try {
      const answer = await this.#ask(0, 1)
      answer?.close()
    } catch (error) {
      if (!(error instanceof Interruption)) throw error
    }
  }

  /**
   * The bytes from `start` to `end`, or to the end of the file.
   *
   * @param {number} start
   * @param {number} [end]
   * @returns {AsyncGenerator<Uint8Array, void, void>}
   */
  async * read(start, end = Infinity) {
    let at = start
    while (at < Math.min(end, this.total ?? Infinity)) {
      const answer = this.#takeOpen(at) ?? await this.#connect(at, end)
      if (!answer) return                               // the file ends here
      const began = performance.now()
      const stopAt = Math.min(end, answer.whole ? Infinity : answer.end ?? Infinity)
      let position = answer.at
      try {
        while (position < stopAt) {
          const piece = await this.#next(answer)
          if (!piece) break
          const from = Math.max(0, at - position)
          position += piece.length
          if (from >= piece.length) continue            // what a server without ranges sends again
          const bytes = piece.subarray(from, piece.length - Math.max(0, position - stopAt))
          at += bytes.length
          this.#failures = 0
          this.#options.onStatus?.('downloading')
          yield bytes
        }
        if (position < stopAt) this.#endAt(position, answer.end)
        this.#adapt(answer.latency, performance.now() - began)
      } catch (error) {
        await this.#recover(error)
      } finally {
        answer.close()
      }
    }
  }

  /**
   * An answer is over: where nothing else told how long the file is, its end does.
   *
   * @param {number} position
   * @param {number | undefined} end  where it should be
   */
  #endAt(position, end) {
    const expected = end ?? this.total ?? position
    if (position < expected) throw new Interruption(`${this.name} cannot be read: the connection ended early`)
    if (position > expected) throw this.#changed()
    this.total = position
  }

  /** Lets go of what `open` fetched. */
  close() {
    this.#open?.close()
    this.#open = null
  }

  /** @param {number} at */
  #takeOpen(at) {
    const answer = this.#open
    this.#open = null
    if (answer && answer.at + answer.skip === at) return answer
    answer?.close()
    return null
  }

  /** @param {number} at @param {number} end @returns {Promise<Answer | null>} */
  async #connect(at, end) {
    // Up to the end of a chunk, also where a broken connection left off inside of one.
    const border = at - at % this.#options.span.least
    for (;;) {
      try {
        return await this.#ask(at, Math.min(end, border + this.#span))
      } catch (error) {
        await this.#recover(error)
      }
    }
  }

  /**
   * Waits before another attempt, or throws when there shall be none.
   *
   * @param {unknown} error
   */
  async #recover(error) {
    if (!(error instanceof Interruption)) throw error
    const { patience: { retries, retryDelay }, onStatus, signal } = this.#options
    const asked = error.wait ?? 0
    const most = this.#answered ? retries : Math.min(retries, RETRIES_UNANSWERED)
    if (this.#failures >= most || asked > LONGEST_RETRY_AFTER) throw error
    const delay = Math.max(asked, Math.min(retryDelay * 2 ** this.#failures, LONGEST_DELAY))
    this.#failures++
    this.resumed++
    onStatus?.('retrying')
    await pause(delay, signal)
  }

  /**
   * One request.
   *
   * @param {number} at
   * @param {number} end
   * @returns {Promise<Answer | null>} null where the file ends at `at`
   */
  async #ask(at, end) {
    const { signal, kept, patience: { stallTimeout } } = this.#options
    if (signal.aborted) throw new IteraError('aborted', 'loading was aborted')
    const { controller: connection, release } = controllerFor(signal)
    const close = () => {
      release()
      connection.abort()
    }
    const began = performance.now()
    const timer = setTimeout(() => connection.abort(), stallTimeout)
    try {
      const headers = this.#headers(at, end)
      const response = await fetch(this.#url, {
        headers, signal: connection.signal, cache: kept ? 'no-store' : 'default',
      })
      clearTimeout(timer)
      this.#answered = true
      const extent = this.#judge(response, at, headers.has('Range'))
      if (extent === 'again') {
        close()
        return await this.#ask(at, Infinity)
      }
      if (extent === 'end' || !response.body) {
        close()
        return null
      }
      return { ...extent, reader: response.body.getReader(), latency: performance.now() - began, close }
    } catch (error) {
      clearTimeout(timer)
      close()
      throw this.#reason(error)
    }
  }

  /** @param {number} at @param {number} end @returns {Headers} */
  #headers(at, end) {
    const headers = new Headers(this.#options.headers)
    if (!this.#ranges || (this.#shy && at === 0) || !isLasting(this.#url)) return headers
    headers.set('Range', `bytes=${at}-${end === Infinity || this.#toTheEnd ? '' : end - 1}`)
    // Another origin would have to allow this header beforehand; there the version is compared afterwards only.
    const same = strongVersion(this.version)
    const origin = globalThis.location?.origin
    if (same && at > 0 && (!origin || origin === new URL(this.#url).origin)) headers.set('If-Range', same)
    return headers
  }

  /**
   * What a response means for a request from `at` on.
   *
   * @param {Response} response
   * @param {number} at
   * @param {boolean} ranged  a part was asked for
   * @returns {{ at: number, skip: number, end: number | undefined, whole: boolean } | 'end' | 'again'}
   */
  #judge(response, at, ranged) {
    const { status } = response
    if (status === 206) {
      const range = contentRange(response)
      const length = contentLength(response)
      if (range && range.start !== at) {
        this.#ranges = false
        throw new Interruption(`${this.name} cannot be read: the server sent another part than was asked for`)
      }
      const total = range?.total ?? (this.#toTheEnd && length !== undefined ? at + length : undefined)
      if (total === undefined && this.total === undefined && !this.#toTheEnd) {
        this.#toTheEnd = true                           // the size cannot be seen, except from what is left
        return 'again'
      }
      this.#compare(response, total)
      return { at, skip: 0, end: range?.end ?? (length === undefined ? undefined : at + length), whole: false }
    }
    if (status === 416) {
      const total = unsatisfiedTotal(response)
      this.#compare(response, total)
      if (total === undefined || total > at) throw this.#failure(response)
      this.total = total
      return 'end'
    }
    if (!response.ok) throw this.#failure(response)
    if (isVersioned(this.version) && !canTell(versionOf(response), this.version)) {
      // Nothing shows that it is the file, and much else may come here: the page where a network wants a login.
      throw new Interruption(`${this.name} cannot be read: the server does not say which file it sends`)
    }
    if (ranged) this.#ranges = false
    const length = contentLength(response)
    this.#compare(response, length)
    if (at > 0 && !isVersioned(this.version)) {
      // It may be the same file, but nobody can tell.
      throw new Restart('network', `${this.name} cannot be read: the connection broke, and the server cannot resume`)
    }
    return { at: 0, skip: at, end: length, whole: true }
  }

  /**
   * Learns what file this is, or makes sure that it is still the same.
   *
   * @param {Response} response
   * @param {number | undefined} total
   */
  #compare(response, total) {
    const version = versionOf(response)
    if (this.#comparable) {
      const size = total === undefined || this.total === undefined || total === this.total
      if (!size || !sameVersion(version, this.version)) throw this.#changed()
    }
    this.#comparable = true
    if (!isVersioned(this.version)) this.version = version
    this.total ??= total
  }

  #changed() { return new Restart('changed', `${this.name} changed on the server while it was read`) }

  /** @param {Response} response @returns {IteraError} */
  #failure(response) {
    const { status, statusText } = response
    const message = `${this.name} answered with HTTP status ${status} ${statusText}`.trimEnd()
    if (isPassing(status)) return new Interruption(message, { wait: retryAfter(response) })
    return new IteraError(status === 404 || status === 410 ? 'not-found' : 'network', message)
  }

  /** @param {Answer} answer @returns {Promise<Uint8Array | undefined>} */
  async #next({ reader, close }) {
    const timer = setTimeout(close, this.#options.patience.stallTimeout)
    try {
      const { done, value } = await reader.read()
      return done ? undefined : value
    } catch (error) {
      throw this.#reason(error)
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * What an error of the platform means.
   *
   * @param {unknown} error
   * @returns {IteraError}
   */
  #reason(error) {
    if (error instanceof IteraError) return error
    if (this.#options.signal.aborted) return new IteraError('aborted', 'loading was aborted')
    if (error instanceof Error && error.name === 'AbortError') {
      return new Interruption(`${this.name} cannot be read: no byte came in ${this.#options.patience.stallTimeout / 1000} s`)
    }
    this.#shy = !this.#answered
    return new Interruption(cannotBeRead(this.name, error), { cause: error })
  }

  /** Round trips that are long for what they bring are made fewer. @param {number} latency @param {number} transfer */
  #adapt(latency, transfer) {
    const wasteful = latency > LATENCY_SHARE * (latency + transfer)
    if (wasteful) this.#span = Math.min(this.#span * 2, this.#options.span.most)
  }
}
