/**
 * One conversation's state in the C core: what has been fed, and the logits after it.
 *
 * Prompts are fed in pieces, with a turn of the event loop between them, so that an abort is seen soon
 * even while a long prompt is read.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 */
import { breathe } from './platform.js'

/** As many tokens as the core takes through its layers at once: smaller pieces would be slower. */
export const PREFILL_PIECE = 64

export class Session {
  #wasm

  /**
   * @param {Wasm} wasm
   * @param {number} model
   * @param {number} [context]  tokens the KV cache holds; 0 leaves it to the model, pure state-space models ignore it
   */
  constructor(wasm, model, context = 0) {
    this.#wasm = wasm
    /** Tokens there is room for, as asked. */
    this.context = context
    this.handle = wasm.checkHandle(wasm.exports.itera_session_create(model, context))
  }

  get position() { return this.#wasm.exports.itera_session_position(this.handle) }

  get bytes() { return this.#wasm.exports.itera_session_bytes(this.handle) }

  reset() { this.#wasm.exports.itera_session_reset(this.handle) }

  free() {
    if (this.handle) this.#wasm.exports.itera_session_free(this.handle)
    this.handle = 0
  }

  /**
   * Feeds tokens in one call.
   *
   * @param {ArrayLike<number>} tokens
   */
  feed(tokens) {
    const pointer = this.#wasm.stageTokens(tokens)
    this.#wasm.check(this.#wasm.exports.itera_session_feed(this.handle, pointer, tokens.length))
  }

  /**
   * Feeds tokens piece by piece.
   *
   * @param {Int32Array} tokens
   * @param {AbortSignal} [signal]
   * @param {(tokens: Int32Array) => void} [onFed]  told of each piece once it is part of the state
   * @returns {Promise<boolean>} false when aborted before the end
   */
  async prefill(tokens, signal, onFed) {
    for (let start = 0; start < tokens.length; start += PREFILL_PIECE) {
      if (start > 0) await breathe()
      if (signal?.aborted) return false
      const piece = tokens.subarray(start, start + PREFILL_PIECE)
      this.feed(piece)
      onFed?.(piece)
    }
    return true
  }

  /**
   * Feeds tokens and copies the logits of every one to `out`.
   *
   * @param {Int32Array} tokens
   * @param {Float32Array} out  [tokens, vocabulary]
   */
  feedAll(tokens, out) {
    const wasm = this.#wasm
    const pointer = wasm.stageTokens(tokens, out.length * 4)
    const logits = pointer + tokens.length * 4
    wasm.check(wasm.exports.itera_session_feed_all(this.handle, pointer, tokens.length, logits))
    out.set(wasm.f32(logits, out.length))
  }

  /**
   * -ln p of every token but the first.
   *
   * @param {Int32Array} tokens
   * @returns {Float32Array<ArrayBuffer>}
   */
  score(tokens) {
    const wasm = this.#wasm
    const count = Math.max(tokens.length - 1, 0)
    const pointer = wasm.stageTokens(tokens, count * 4)
    const out = pointer + tokens.length * 4
    wasm.check(wasm.exports.itera_session_score(this.handle, pointer, tokens.length, out))
    return wasm.f32(out, count).slice()
  }

  /**
   * A copy of the logits of the last token.
   *
   * @param {Float32Array} out  [vocabulary]
   */
  logits(out) {
    out.set(this.#wasm.f32(this.#wasm.exports.itera_session_logits(this.handle), out.length))
  }
}
