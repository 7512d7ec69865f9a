/**
 * Memory for saved conversations, on the worker's side. The system takes longer to give new memory than the engine takes
 * to fill it: so some is made ready once a conversation has an answer, and later files come in what the one before came
 * in, which the main thread lends (`Client.file`).
 */
import { MOST_SPARE_BYTES } from './protocol.js'

/** How long after the first answer memory is made ready: not while what follows an answer is under way. */
const PREPARE_MS = 20

const PAGE_BYTES = 4096

/** With room for some turns more: tokens are saved too, and the KV cache of models that have one. @param {number} bytes */
const withMargin = bytes => bytes + Math.floor(bytes / 8) + (64 << 10)

/** What is too large to be kept needs no margin. @param {number} bytes */
const bytesFor = bytes => withMargin(bytes) <= MOST_SPARE_BYTES ? withMargin(bytes) : bytes

export class Room {
  /** @type {ArrayBuffer | null} */
  #ready = null
  #prepared = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /**
   * Makes memory ready, once and soon.
   *
   * @param {number} bytes  of a file now
   */
  prepare(bytes) {
    if (this.#prepared || withMargin(bytes) > MOST_SPARE_BYTES) return
    this.#prepared = true
    this.#timer = setTimeout(() => {
      try {
        const memory = new Uint8Array(withMargin(bytes))
        // A page is given when it is first written to.
        for (let i = 0; i < memory.length; i += PAGE_BYTES) memory[i] = 1
        this.#ready = memory.buffer
      } catch { /* no memory: a save will tell */ }
    }, PREPARE_MS)
  }

  /**
   * @param {number} bytes
   * @param {ArrayBuffer | null} [lent]  taken where it is enough
   * @returns {Uint8Array<ArrayBuffer>} with anything in it
   */
  take(bytes, lent) {
    this.#prepared = true
    clearTimeout(this.#timer)                           // what comes after this file is lent
    const own = this.#ready
    this.#ready = null
    const memory = [lent, own].find(one => one && one.byteLength >= bytes) ?? new ArrayBuffer(bytesFor(bytes))
    return new Uint8Array(memory, 0, bytes)
  }
}
