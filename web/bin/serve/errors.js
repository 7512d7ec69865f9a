import { toIteraError } from '../../src/errors.js'

/**
 * Errors in the shape that clients of OpenAI know, with the status that tells them whether to try again.
 *
 * @typedef {{ error: { message: string, type: string, param: string | null, code: string | null } }} ErrorBody
 */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string | null} code
   * @param {string} message
   * @param {{ param?: string | null, headers?: Record<string, string> }} [more]
   */
  constructor(status, code, message, { param = null, headers = {} } = {}) {
    super(message)
    this.status = status
    this.headers = headers
    this.code = code
    this.param = param
  }

  /** @returns {ErrorBody} */
  get body() {
    const { status, message, param, code } = this
    const type = status >= 500 ? 'server_error' : status === 401 ? 'authentication_error' : 'invalid_request_error'
    return { error: { message, type, param, code } }
  }
}

/** Error codes of the runtime that are the fault of a request; all others are the server's. */
const requestCodes = new Set([
  'argument', 'token', 'template', 'grammar', 'no-grammar', 'no-tokenizer', 'unsupported', 'context-full',
])

/** What OpenAI calls them, where it has a name. @type {Record<string, string | null>} */
const names = { argument: null, 'context-full': 'context_length_exceeded', 'no-grammar': 'grammar_library_missing' }

/** Codes of states that pass. */
const passing = new Set(['memory', 'busy', 'crashed', 'disposed', 'aborted'])

/** @param {unknown} thrown @returns {HttpError} */
export function toHttpError(thrown) {
  if (thrown instanceof HttpError) return thrown
  const { code, message, param = null } = /** @type {any} */ (toIteraError(thrown))
  const name = code in names ? names[code] : code.replaceAll('-', '_')
  if (requestCodes.has(code)) return new HttpError(400, name, message, { param })
  return passing.has(code)
    ? new HttpError(503, name, message, { headers: { 'retry-after': '2' } })
    : new HttpError(500, name, message)
}
