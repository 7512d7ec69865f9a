/**
 * The OpenAI interface to a model: the shapes of that API, answered by this one. What it takes to answer is loaded with
 * the first request.
 *
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('./types.d.ts').OpenAIFacade} OpenAIFacade
 * @typedef {(body: unknown, options?: { signal?: AbortSignal | null }) => Promise<any>} Create
 */
import { IteraError } from '../errors.js'

/** What states of earlier prompts may take, until somebody sets `cacheBytes`. */
const CACHE_BYTES = 128 << 20

/**
 * @param {Model} model
 * @param {string | URL} [grammarLibrary]  where it is; looked for otherwise
 * @returns {OpenAIFacade}
 */
export function createOpenAI(model, grammarLibrary) {
  const requests = async () => {
    const { createRequests } = await import('./requests.js').catch(cause => {
      throw new IteraError('network', `the OpenAI interface cannot be read: ${cause.message}`, { cause })
    })
    return createRequests(model, { grammarLibrary, cacheBytes: () => facade.cacheBytes })
  }
  /** @type {Create} */
  const chat = async (body, options) => (await requests()).chat(body, options)
  /** @type {Create} */
  const complete = async (body, options) => (await requests()).complete(body, options)

  const facade = /** @type {OpenAIFacade} */ ({
    cacheBytes: CACHE_BYTES,
    chat: { completions: { create: chat } },
    completions: { create: complete },
  })
  return facade
}
