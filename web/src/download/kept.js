import { checkRoom, storageError } from '../cache/store.js'
import { isVersioned } from './answer.js'
import { Restart } from './trouble.js'

/** @type {Uint8Array} */
const EMPTY = new Uint8Array()

/**
 * A file that is partly in the cache and partly on a server: what is there and whole is read, what is missing or damaged
 * is fetched and kept, chunk by chunk. A cache that fails on the way costs nothing but the cache.
 *
 * @typedef {import('../cache/entry.js').Entry} Entry
 * @typedef {import('./remote.js').RemoteFile} RemoteFile
 * @typedef {import('./url.js').State} State
 */
export class KeptFile {
  #remote
  #entry
  #state
  #change
  #chunkBytes = 0
  /** The fetching under way, the chunk that comes next in it, and the one before which it ends. @type {AsyncGenerator<Uint8Array, void, void> | null} */
  #stream = null
  #streamAt = 0
  #streamEnd = 0
  /** What came with the last piece and belongs to the next chunk. */
  #rest = EMPTY
  /** For even and odd chunks: one is worked on while the next is read. */
  #buffers = [EMPTY, EMPTY]
  /** A kept chunk, read and checked while the one before is worked on. @type {Promise<Uint8Array | null> | null} */
  #ahead = null

  /**
   * @param {RemoteFile} remote
   * @param {Entry} entry
   * @param {State} state
   * @param {(changes: Partial<State>) => void} change
   */
  constructor(remote, entry, state, change) {
    this.#remote = remote
    this.#entry = entry
    this.#state = state
    this.#change = change
  }

  /**
   * Asks the server where that is needed before anything can be read.
   *
   * @param {{ url: string, revalidate: boolean, chunkBytes: number }} options
   */
  async begin({ url, revalidate, chunkBytes }) {
    const { facts } = this.#entry
    this.#chunkBytes = facts?.chunkBytes ?? chunkBytes
    if (!facts) {
      await this.#remote.open(0)
      const { version, total } = this.#remote
      await this.#orUnkept(() => this.#entry.note({ url, chunkBytes, ...version, total }))
    } else if (revalidate) {
      await this.#orReset(() => this.#remote.check())
    } else if (!this.#entry.complete && !isVersioned(facts)) {
      this.#entry.doubtLast()
    }
    const { total = 0 } = this.#remote
    if (!this.#entry.complete) await this.#orUnkept(() => checkRoom(total - this.#entry.bytes))
    this.#change({ total: this.#remote.total })
  }

  /** @returns {AsyncGenerator<Uint8Array, void, void>} a chunk at a time */
  async * pieces() {
    try {
      for (let chunk = 0; ; chunk++) {
        const known = await (this.#ahead ?? this.#known(chunk))
        this.#ahead = this.#known(chunk + 1)
        this.#ahead.catch(() => {})                     // told when its turn comes
        if (known?.length) {
          this.#change({ loaded: this.#state.loaded + known.length, cached: this.#state.cached + known.length })
          yield known
          continue
        }
        const bytes = await this.#orReset(() => this.#fetch(chunk))
        if (!bytes.length) {
          await this.#orUnkept(() => this.#noteTotal())
          return
        }
        await this.#keep(chunk, bytes)
        yield bytes
      }
    } finally {
      await this.#ahead?.catch(() => {})
      await this.#stream?.return()
      this.#remote.close()
    }
  }

  /** @param {number} chunk @returns {Promise<Uint8Array | null>} null where it must be fetched */
  async #known(chunk) {
    return this.#entry.facts && this.#entry.chunk(chunk, this.#bufferOf(chunk))
  }

  /** @param {number} chunk */
  #bufferOf(chunk) {
    const which = chunk % 2
    if (!this.#buffers[which].length) this.#buffers[which] = new Uint8Array(this.#chunkBytes)
    return this.#buffers[which]
  }

  /**
   * @param {number} chunk
   * @returns {Promise<Uint8Array>} empty behind the end of the file
   */
  async #fetch(chunk) {
    if (!this.#stream || this.#streamAt !== chunk || chunk >= this.#streamEnd) {
      await this.#stream?.return()
      this.#rest = EMPTY
      this.#streamEnd = this.#entry.nextKept(chunk)
      this.#stream = this.#remote.read(chunk * this.#chunkBytes, this.#streamEnd * this.#chunkBytes)
    }
    const buffer = this.#bufferOf(chunk)
    let length = 0
    while (length < this.#chunkBytes) {
      let piece = this.#rest
      if (!piece.length) {
        const { done, value } = await this.#stream.next()
        if (done) {
          this.#change({ total: this.#remote.total })
          break
        }
        piece = value
        this.#change({ loaded: this.#state.loaded + piece.length, total: this.#remote.total })
      }
      const taken = piece.subarray(0, this.#chunkBytes - length)
      buffer.set(taken, length)
      length += taken.length
      this.#rest = piece.subarray(taken.length)
    }
    this.#streamAt = chunk + 1
    return buffer.subarray(0, length)
  }

  /** @param {number} chunk @param {Uint8Array} bytes */
  async #keep(chunk, bytes) {
    const entry = this.#entry
    if (this.#state.cacheError || !entry.facts) return
    const same = await this.#orUnkept(async () => {
      await this.#noteTotal()
      return entry.keep(chunk, bytes)
    })
    if (same !== false) return
    await this.#orReset(() => {
      throw new Restart('changed', `${this.#remote.name} changed on the server while it was read`)
    })
  }

  /** The size may be known at the end only. */
  async #noteTotal() {
    const { facts } = this.#entry
    const { total } = this.#remote
    if (facts && facts.total === undefined && total !== undefined) await this.#entry.note({ total })
  }

  /**
   * @template T
   * @param {() => Promise<T>} work  on the cache
   * @returns {Promise<T | undefined>}
   */
  async #orUnkept(work) {
    try {
      return await work()
    } catch (error) {
      this.#change({ cacheError: /** @type {'quota' | 'storage'} */ (storageError(error).code) })
    }
  }

  /**
   * @template T
   * @param {() => T | Promise<T>} work  that may find another file than the one that is kept
   * @returns {Promise<T>}
   */
  async #orReset(work) {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Restart) await this.#orUnkept(() => this.#entry.reset())
      throw error
    }
  }
}
