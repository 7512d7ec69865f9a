import { chunkLength, chunkLine, factsLine, keptBytes, parseLog, sha256 } from './log.js'

/**
 * One download in the cache: chunks, each believed only as far as its hash goes. Held by one reader at a time.
 *
 * @typedef {import('./log.js').Facts} Facts
 */
export class Entry {
  #files
  /** @type {Map<number, string>} */
  #hashes = new Map()
  /** Chunks that are fetched again only to see whether the file is the same. @type {Set<number>} */
  #doubted = new Set()

  /** @param {import('./store.js').EntryFiles} files */
  constructor(files) {
    this.#files = files
    /** @type {Facts | null} */
    this.facts = null
  }

  /** @param {import('./store.js').EntryFiles} files @param {string} url */
  static async read(files, url) {
    const entry = new Entry(files)
    const text = await files.readLog()
    const known = await parseLog(text)
    if (known?.facts.url !== url) {
      if (text) await files.reset()                     // damaged where nothing can be saved
      return entry
    }
    if (!text.endsWith('\n')) await files.appendLog('\n')
    entry.facts = known.facts
    entry.#hashes = known.hashes
    return entry
  }

  get complete() {
    if (!this.facts || this.facts.total === undefined) return false
    return this.#hashes.size >= Math.ceil(this.facts.total / this.facts.chunkBytes)
  }

  /** How much is there. */
  get bytes() { return this.facts ? keptBytes(this.facts, this.#hashes) : 0 }

  /** @param {number} chunk */
  has(chunk) { return this.#hashes.has(chunk) && !this.#doubted.has(chunk) }

  /** The first chunk behind this one that is there, or Infinity. @param {number} chunk */
  nextKept(chunk) {
    let next = Infinity
    for (const kept of this.#hashes.keys()) if (kept > chunk && kept < next && this.has(kept)) next = kept
    return next
  }

  /** Without a version, the last chunk must tell whether the file is still the same. */
  doubtLast() {
    if (this.#hashes.size) this.#doubted.add(Math.max(...this.#hashes.keys()))
  }

  /** Adds to what is known. @param {Partial<Facts>} facts */
  async note(facts) {
    const line = await factsLine({ ...facts, updated: Date.now() })
    await this.#files.appendLog(line)
    this.facts = /** @type {Facts} */ ({ ...this.facts, ...facts })
  }

  /**
   * A chunk that is what it was; null where it is not, and must be fetched.
   *
   * @param {number} chunk
   * @param {Uint8Array} buffer  where it may be
   * @returns {Promise<Uint8Array | null>}
   */
  async chunk(chunk, buffer) {
    const facts = /** @type {Facts} */ (this.facts)
    if (!this.has(chunk)) return null
    const bytes = await this.#files.read(chunk * facts.chunkBytes, chunkLength(facts, chunk), buffer).catch(() => null)
    if (bytes && await sha256(bytes) === this.#hashes.get(chunk)) return bytes
    this.#hashes.delete(chunk)
    return null
  }

  /**
   * @param {number} chunk
   * @param {Uint8Array} bytes
   * @returns {Promise<boolean>} false when the chunk shows that the file is another one
   */
  async keep(chunk, bytes) {
    const facts = /** @type {Facts} */ (this.facts)
    const hash = await sha256(bytes)
    if (this.#doubted.delete(chunk)) return hash === this.#hashes.get(chunk)
    // First the bytes, then the word for them: a kill in between leaves a chunk that nobody counts on.
    await this.#files.write(chunk * facts.chunkBytes, bytes)
    await this.#files.appendLog(chunkLine(chunk, hash))
    this.#hashes.set(chunk, hash)
    return true
  }

  /** Forgets everything. */
  async reset() {
    this.facts = null
    this.#hashes.clear()
    this.#doubted.clear()
    await this.#files.reset()
  }

  close() { return this.#files.close() }
}
