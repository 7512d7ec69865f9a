/**
 * One conversation's state in the C core: what has been fed, and the logits after it.
 *
 * Prompts are fed in pieces, with a turn of the event loop between them, so that an abort is seen soon
 * even while a long prompt is read.
 *
 * The KV cache of a model with attention grows as it fills, by doubling: what a text will come to is not known before,
 * and the engine's memory does not shrink. Growing changes no result.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 *
 * @typedef {object} Growth  of a KV cache
 * @property {number} limit  the most positions
 * @property {number} bytes  of one
 * @property {() => boolean} relieve  frees what is only kept for later; false: there is nothing
 */
import { IteraError } from './errors.js'
import { breathe } from './platform.js'

/**
 * How numbers are saved: f32 exactly; f16 in half the space, each off by at most a 2048th of itself.
 *
 * @typedef {import('../types.d.ts').SnapshotForm} SnapshotForm
 */
const forms = Object.freeze({ f32: 0, f16: 1 })

/** Larger pieces save the head's product at the end of each, but an abort has to wait for the end of one. */
const LARGEST_PIECE = 512
const PIECE_MS = 60

/** What a KV cache holds at least: the first turns of a conversation need not move it. */
const LEAST_ROOM = 1024

/** Where there is no memory for twice as many positions, there may be for so many more than are needed. */
const SMALL_STEP = 256

/** As the core cuts them: ITERA_SNAPSHOT_PIECE. */
const SAVE_PIECE = 1 << 20

export class Session {
  #wasm
  #firstPiece
  #growth
  /** Positions that the KV cache holds. */
  #room

  /**
   * @param {Wasm} wasm
   * @param {number} model
   * @param {number} [context]  tokens the KV cache holds; 0 leaves it to the model, pure state-space models ignore it
   * @param {number} [batch]  tokens that the core takes through its layers at once: smaller pieces would be slower
   * @param {Growth | null} [growth]  null: none
   */
  constructor(wasm, model, context = 0, batch = LARGEST_PIECE, growth = null) {
    this.#wasm = wasm
    this.#firstPiece = batch
    this.#growth = growth
    this.#room = context
    this.handle = wasm.checkHandle(wasm.exports.itera_session_create(model, context))
  }

  get position() { return this.#wasm.exports.itera_session_position(this.handle) }

  get bytes() { return this.#wasm.exports.itera_session_bytes(this.handle) }

  reset() { this.#wasm.exports.itera_session_reset(this.handle) }

  /** What bounds the growth of the cache; 0 where nothing grows. */
  get limit() { return this.#growth?.limit ?? 0 }

  /**
   * Lets the KV cache hold more tokens: `context-full` where they are too many, `memory` where there is none; the
   * session is then as before.
   *
   * @param {number} tokens
   * @param {number} [likely]  tokens after them, for which room is made at once where that can be
   */
  makeRoom(tokens, likely = 0) {
    const growth = this.#growth
    if (!growth) return
    const { position } = this
    if (position + tokens > growth.limit) {
      throw new IteraError('context-full',
        `${tokens} more tokens after ${position} exceed the context of ${growth.limit}`)
    }
    this.#hold(position + tokens, likely)
  }

  /** Bytes that `makeRoom` would take. @param {number} tokens @param {number} likely */
  roomBytes(tokens, likely) {
    const needed = this.position + tokens
    if (!this.#growth || needed > this.limit) return 0
    return (this.#roomFor(needed + likely) - this.#room) * this.#growth.bytes
  }

  /** @param {number} positions */
  #roomFor(positions) {
    if (positions <= this.#room) return this.#room
    const wanted = Math.max(LEAST_ROOM, 2 ** Math.ceil(Math.log2(positions)))
    return Math.max(this.#room, Math.min(wanted, this.limit))
  }

  /** @param {number} positions  within the limit @param {number} [likely] */
  #hold(positions, likely = 0) {
    const room = this.#roomFor(positions + likely)
    if (!this.#growth || room === this.#room) return
    const reserve = (/** @type {number} */ size) => {
      this.#wasm.check(this.#wasm.exports.itera_session_reserve(this.handle, size))
      this.#room = size
    }
    // What is only likely is worth nothing that others keep, and no failure.
    const needed = positions > this.#room
    try {
      if (needed) withRelief(this.#growth.relieve, () => reserve(room))
      else reserve(room)
    } catch (error) {
      if (!isMemoryError(error)) throw error
      if (needed) reserve(Math.min(positions + SMALL_STEP, room))
    }
  }

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
    this.makeRoom(tokens.length)
    const pointer = this.#wasm.stageTokens(tokens)
    this.#wasm.check(this.#wasm.exports.itera_session_feed(this.handle, pointer, tokens.length))
    this.#wasm.fedTokens += tokens.length
  }

  /**
   * Feeds tokens piece by piece.
   *
   * @param {Int32Array} tokens
   * @param {AbortSignal} [signal]
   * @param {(tokens: Int32Array) => void} [onFed]  told of each piece once it is part of the state
   * @param {number[]} [cuts]  places, ascending, at which a piece must end
   * @returns {Promise<boolean>} false when aborted before the end
   */
  async prefill(tokens, signal, onFed, cuts = []) {
    this.makeRoom(tokens.length)
    let size = this.#firstPiece
    for (let start = 0, end = 0; start < tokens.length; start = end) {
      if (start > 0) await breathe()
      if (signal?.aborted) return false
      end = Math.min(start + size, tokens.length, cuts.find(cut => cut > start) ?? Infinity)
      const piece = tokens.subarray(start, end)
      const begun = performance.now()
      this.feed(piece)
      if (performance.now() - begun < PIECE_MS / 2) size = Math.min(2 * size, LARGEST_PIECE)
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
    this.makeRoom(tokens.length)
    const wasm = this.#wasm
    const pointer = wasm.stageTokens(tokens, out.length * 4)
    const logits = pointer + tokens.length * 4
    wasm.check(wasm.exports.itera_session_feed_all(this.handle, pointer, tokens.length, logits))
    wasm.fedTokens += tokens.length
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
    this.makeRoom(count)
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

  /** Records what each pass does, or no longer. @param {boolean} on */
  trace(on) { this.#wasm.check(this.#wasm.exports.itera_session_trace(this.handle, on ? 1 : 0)) }

  /**
   * What the last pass did; null where there was none since recording began.
   *
   * @param {number} length  of it
   * @returns {Float32Array | null} valid until the next call
   */
  traceValues(length) {
    const pointer = this.#wasm.exports.itera_session_trace_values(this.handle)
    return pointer ? this.#wasm.f32(pointer, length) : null
  }

  /** Makes this session continue where another of the same model is. @param {Session} other */
  copy(other) {
    this.#hold(other.position)
    this.#wasm.check(this.#wasm.exports.itera_session_copy(this.handle, other.handle))
  }

  /** Bytes of a mark. */
  get markBytes() { return this.#wasm.exports.itera_session_mark_size(this.handle) }

  /**
   * Remembers this place, without the KV cache: good while no other tokens are fed before it.
   *
   * @returns {number} a pointer the caller frees; 0 when there is no memory for it
   */
  mark() {
    const x = this.#wasm.exports
    const pointer = x.itera_alloc(this.markBytes) >>> 0
    if (pointer) x.itera_session_mark(this.handle, pointer)
    return pointer
  }

  /** Goes back to a mark. @param {number} mark */
  rewind(mark) { this.#wasm.check(this.#wasm.exports.itera_session_rewind(this.handle, mark)) }

  /** Bytes of the state when saved. @param {SnapshotForm} form */
  saveBytes(form) { return this.#wasm.exports.itera_session_save_size(this.handle, forms[form]) }

  /**
   * Writes the state piece by piece: so that there is never a second copy of all of it in the engine's memory, which
   * would not shrink again.
   *
   * @param {SnapshotForm} form
   * @param {Uint8Array} out  as long as `saveBytes` says
   */
  save(form, out) {
    const wasm = this.#wasm
    const pointer = wasm.alloc(SAVE_PIECE + 8)
    try {
      const sum = pointer + SAVE_PIECE
      wasm.u8(sum, 8).fill(0)
      for (let offset = 0; offset < out.length; offset += SAVE_PIECE) {
        const length = Math.min(SAVE_PIECE, out.length - offset)
        wasm.check(wasm.exports.itera_session_save_piece(this.handle, forms[form], offset, pointer, length, sum))
        out.set(wasm.u8(pointer, length), offset)
      }
    } finally {
      wasm.free(pointer)
    }
  }

  /**
   * Continues where a saved session was. Bytes that do not fit are refused and change nothing.
   *
   * @param {Uint8Array} bytes
   * @param {number} [tokens]  that it says it has read
   */
  restore(bytes, tokens = 0) {
    const wasm = this.#wasm
    // No position takes less than f16 does: for a lie no more room is made than for the truth.
    if (this.#growth) this.#hold(Math.min(tokens, this.limit, Math.ceil(2 * bytes.length / this.#growth.bytes)))
    const pointer = wasm.alloc(bytes.length)
    try {
      wasm.u8(pointer, bytes.length).set(bytes)
      wasm.check(wasm.exports.itera_session_restore(this.handle, pointer, bytes.length))
    } finally {
      wasm.free(pointer)
    }
  }
}

/**
 * Tries again once where memory ran out and some could be freed.
 *
 * @template T
 * @param {Growth['relieve']} relieve
 * @param {() => T} attempt
 * @returns {T}
 */
export function withRelief(relieve, attempt) {
  try {
    return attempt()
  } catch (error) {
    if (!isMemoryError(error) || !relieve()) throw error
    return attempt()
  }
}

/** @param {unknown} error */
const isMemoryError = error => error instanceof IteraError && error.code === 'memory'
