import { IteraError } from '../errors.js'

/**
 * Chunks of a completion as they are written. Leaving the loop, or aborting the controller, ends the work.
 *
 * @template T
 */
export class CompletionStream {
  #chunks
  #begun = false

  /**
   * @param {AsyncGenerator<T, void, void>} chunks
   * @param {AbortController} controller
   */
  constructor(chunks, controller) {
    this.#chunks = chunks
    this.controller = controller
  }

  /** @returns {AsyncGenerator<T, void, void>} */
  [Symbol.asyncIterator]() {
    if (this.#begun) throw new IteraError('argument', 'a stream can be read once')
    this.#begun = true
    return this.#chunks
  }

  /** The chunks as lines of JSON. @returns {ReadableStream<Uint8Array>} */
  toReadableStream() {
    const chunks = this[Symbol.asyncIterator]()
    const encoder = new TextEncoder()
    return new ReadableStream({
      async pull(target) {
        try {
          const { done, value } = await chunks.next()
          if (done) target.close()
          else target.enqueue(encoder.encode(`${JSON.stringify(value)}\n`))
        } catch (error) {
          target.error(error)
        }
      },
      async cancel() { await chunks.return() },
    })
  }
}
