/**
 * The one error class of the package. `code` is stable and meant for programs, `message` for people.
 *
 * Codes that begin in the C core keep their names ("corrupt", "unsupported", ...); the rest belong to
 * this layer. The full list is the `ErrorCode` type in types.d.ts.
 *
 * @typedef {import('../types.d.ts').ErrorCode} ErrorCode
 */
export class IteraError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options)
    this.name = 'IteraError'
    /** @type {ErrorCode} */
    this.code = code
  }
}

/**
 * The plain form of any thrown value, fit for postMessage.
 *
 * @param {unknown} thrown
 * @returns {{ code: ErrorCode, message: string }}
 */
export function describeError(thrown) {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { code: errorCode(thrown), message }
}

/**
 * @param {unknown} thrown
 * @returns {ErrorCode}
 */
export function errorCode(thrown) {
  if (thrown instanceof IteraError) return thrown.code
  // A trap leaves the wasm instance in an unknown state: nothing in that worker can be trusted any more.
  if (typeof WebAssembly !== 'undefined' && thrown instanceof WebAssembly.RuntimeError) return 'crashed'
  if (thrown instanceof Error && thrown.name === 'AbortError') return 'aborted'
  // The engine's own word for "no memory left" is a RangeError about lengths and allocation.
  if (thrown instanceof RangeError && /alloc|memory|length/i.test(thrown.message)) return 'memory'
  return 'internal'
}

/**
 * An IteraError for any thrown value; one that already is comes back unchanged.
 *
 * @param {unknown} thrown
 * @returns {IteraError}
 */
export function toIteraError(thrown) {
  if (thrown instanceof IteraError) return thrown
  const { code, message } = describeError(thrown)
  return new IteraError(code, message, { cause: thrown })
}
