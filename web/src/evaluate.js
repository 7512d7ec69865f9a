import { IteraError } from './errors.js'
import { breathe } from './platform.js'

/**
 * Feeding given tokens to an empty session and looking at what comes out: for evaluation and for research.
 *
 * @typedef {import('./engine.js').Engine} Engine
 */

/**
 * @param {Engine} engine
 * @param {{ tokens: number[], piece: number, step: boolean }} args  piece 0: all tokens at once
 * @param {AbortSignal} signal
 * @returns {Promise<Float32Array<ArrayBuffer>>} logits [tokens, vocabulary]
 */
export async function computeLogits(engine, { tokens, piece, step }, signal) {
  const checked = checkTokens(tokens, engine.vocabulary)
  const V = engine.vocabulary
  const all = new Float32Array(checked.length * V)
  const session = engine.newSession(checked.length)
  try {
    const size = step ? 1 : piece || checked.length
    for (let start = 0; start < checked.length; start += size) {
      if (start > 0) await breathe()
      if (signal.aborted) throw new IteraError('aborted', 'the computation was aborted')
      const part = checked.subarray(start, start + size)
      const out = all.subarray(start * V, (start + part.length) * V)
      if (step) {
        session.feed(part)
        session.logits(out)
      } else {
        session.feedAll(part, out)
      }
    }
    return all
  } finally {
    session.free()
    engine.wasm.dropStaging()
  }
}

/**
 * @param {Engine} engine
 * @param {{ tokens: number[] }} args
 * @returns {Float32Array<ArrayBuffer>} -ln p of every token but the first
 */
export function computeScore(engine, { tokens }) {
  const checked = checkTokens(tokens, engine.vocabulary)
  const session = engine.newSession(checked.length)
  try {
    return session.score(checked)
  } finally {
    session.free()
  }
}

/**
 * @param {ArrayLike<number>} tokens
 * @param {number} vocabulary
 * @returns {Int32Array}
 */
export function checkTokens(tokens, vocabulary) {
  const bad = Array.prototype.find.call(tokens, id => !(Number.isInteger(id) && id >= 0 && id < vocabulary))
  if (bad === undefined) return Int32Array.from(tokens)
  throw new IteraError('token', `${String(bad)} is not a token of this vocabulary of ${vocabulary}`)
}
