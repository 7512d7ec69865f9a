import { IteraError } from './errors.js'
import { MOST_SPARE_BYTES, Request } from './protocol.js'
import { Helpers } from './helpers.js'
import { startWorker } from './workers.js'

/**
 * The main thread's end of the protocol: one client, one worker, one model.
 *
 * @typedef {object} Pending
 * @property {(result: any) => void} resolve
 * @property {(error: IteraError) => void} reject
 * @property {((event: string, data: any) => void) | undefined} onEvent
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal]  asks the worker to end the request early
 * @property {(event: string, data: any) => void} [onEvent]
 * @property {ArrayBuffer[]} [transfer]  what of `args` goes over to the worker
 */

export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map()
  #nextId = 1
  /** Why no further request can be served, once that is so. @type {IteraError | null} */
  #ended = null
  /** @type {import('./workers.js').WorkerHandle | null} */
  #worker = null
  /** Memory of the last file, for the next. @type {ArrayBuffer | null} */
  #spare = null
  #helpers = new Helpers(reason => this.#end(new IteraError('crashed', `a thread crashed: ${reason}`)))

  /** @type {(reason: IteraError) => void} */
  #lose = () => {}
  /** Resolves to why no further request can be served, once that is so. @type {Promise<IteraError>} */
  lost = new Promise(resolve => { this.#lose = resolve })

  /** The same, now. */
  get error() { return this.#ended }

  /** @returns {Promise<Client>} */
  static async start() {
    const client = new Client()
    try {
      client.#worker = await startWorker({
        onMessage: message => client.#receive(message),
        onCrash: (reason, code) => client.#end(new IteraError(code ?? 'crashed', `the worker crashed: ${reason}`)),
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new IteraError('crashed', `the worker cannot be started: ${reason}`, { cause: error })
    }
    return client
  }

  /**
   * @param {string} type
   * @param {any} args
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(type, args, options = {}) {
    return this.#send(type, args, options).reply
  }

  /**
   * A request for a file. New memory takes longer than what is written into it, so the worker is lent that of the file
   * before, as `args.spare`.
   *
   * @param {string} type
   * @param {any} args
   * @param {CallOptions} [options]
   * @returns {Promise<Blob>}
   */
  async file(type, args, options) {
    const spare = this.#spare
    this.#spare = null
    const file = await this.call(type, { ...args, spare }, { ...options, transfer: spare ? [spare] : [] })
    const blob = new Blob([file], { type: 'application/octet-stream' })
    if (!this.#ended && file.buffer.byteLength <= MOST_SPARE_BYTES) this.#spare = file.buffer
    return blob
  }

  /**
   * A request whose events are iterated over; its result is the generator's return value. Leaving the loop
   * early ends the request.
   *
   * @param {string} type
   * @param {any} args
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<any, any, void>}
   */
  async * stream(type, args, signal) {
    /** @type {any[]} */
    const queue = []
    let wake = () => {}
    const { id, reply } = this.#send(type, args, {
      signal,
      onEvent: (_, data) => {
        queue.push(data)
        wake()
      },
    })
    let ended = false
    const end = reply.finally(() => {
      ended = true
      wake()
    })
    end.catch(() => {})                                 // reported below, where somebody is waiting
    try {
      for (;;) {
        while (queue.length) yield queue.shift()
        if (ended) return await reply
        await new Promise(resolve => { wake = () => resolve(undefined) })
      }
    } finally {
      if (!ended) {
        this.#abort(id)
        // The next request must find the conversation idle.
        await end.catch(() => {})
      }
    }
  }

  /**
   * Starts one more thread of the engine and tells the worker how that went.
   *
   * @param {import('./helper.js').HelperStart} start
   */
  async startHelper(start) {
    const { thread } = start
    const error = await this.#helpers.start(start).then(() => undefined, error => {
      this.#helpers.end()                               // all or none: the engine goes on with one thread
      return String(error?.message ?? error)
    })
    // Ended meanwhile: nobody is waiting.
    this.call(Request.helperStarted, { thread, error }).catch(() => {})
  }

  /** Ends the worker; everything pending and everything later is rejected. */
  dispose() {
    this.#end(new IteraError('disposed', 'the model was disposed'))
  }

  /**
   * @param {string} type
   * @param {any} args
   * @param {CallOptions} options
   * @returns {{ id: number, reply: Promise<any> }}
   */
  #send(type, args, { signal, onEvent, transfer }) {
    const id = this.#nextId++
    if (this.#ended) return { id, reply: Promise.reject(this.#ended) }
    const reply = new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent })
      try {
        this.#worker?.post({ id, type, args, aborted: signal?.aborted }, transfer)
        this.#worker?.hold(true)
      } catch (error) {
        this.#settle(id)
        const reason = error instanceof Error ? error.message : String(error)
        reject(new IteraError('argument', `the worker cannot be given this: ${reason}`))
      }
    })
    if (!signal || signal.aborted) return { id, reply }
    const abort = () => this.#abort(id)
    signal.addEventListener('abort', abort, { once: true })
    return { id, reply: reply.finally(() => signal.removeEventListener('abort', abort)) }
  }

  /** @param {number} target */
  #abort(target) {
    if (this.#pending.has(target)) this.#send(Request.abort, { target }, {}).reply.catch(() => {})
  }

  /** @param {any} message */
  #receive({ id, event, data, result, error }) {
    const pending = this.#pending.get(id)
    if (!pending) return
    if (event) {
      try {
        pending.onEvent?.(event, data)
      } catch (error) {                                 // of the caller's own function: the caller is told
        this.#abort(id)
        this.#settle(id)
        pending.reject(/** @type {any} */ (error))
      }
      return
    }
    this.#settle(id)
    if (!error) return pending.resolve(result)
    const failure = new IteraError(error.code, error.message)
    pending.reject(failure)
    // A trap inside the engine: what else it holds cannot be trusted. Its memory is given back.
    if (error.code === 'crashed') this.#end(failure)
  }

  /** @param {number} id */
  #settle(id) {
    this.#pending.delete(id)
    if (!this.#pending.size) this.#worker?.hold(false)
  }

  /** @param {IteraError} reason */
  #end(reason) {
    if (this.#ended) return
    this.#ended = reason
    this.#spare = null
    this.#lose(reason)
    this.#worker?.terminate()
    this.#helpers.end()
    for (const { reject } of this.#pending.values()) reject(reason)
    this.#pending.clear()
  }
}
