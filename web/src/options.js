import { IteraError } from './errors.js'

/**
 * Options of a generation, with the defaults of llama.cpp, which users of this field know. Checked on the
 * main thread, so that a mistake is reported before any work begins.
 */
const defaults = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyWindow: 64,
  maxTokens: 512,
}

/** Lowest and highest value of each; a token count is a whole number. */
const ranges = /** @type {const} */ ({
  temperature: [0, 100],
  topK: [0, 2 ** 31 - 1],
  topP: [0, 1],
  minP: [0, 1],
  repetitionPenalty: [0.01, 100],
  presencePenalty: [-100, 100],
  frequencyPenalty: [-100, 100],
  penaltyWindow: [0, 4096],
  maxTokens: [1, Infinity],
})

const wholeNumbers = new Set(['topK', 'penaltyWindow', 'maxTokens'])

/** The most alternatives that `logprobs` lists, as in the OpenAI interface. */
const MAX_LOGPROBS = 20

/** The largest seed: whole doubles are exact up to here. */
const MAX_SEED = Number.MAX_SAFE_INTEGER

/**
 * @typedef {typeof defaults & {
 *   seed: number,
 *   stop: string[],
 *   logitBias: Record<string, number>,
 *   logprobs: number,
 *   parseSpecial: boolean,
 *   ignoreEndOfText: boolean,
 *   contextTokens: number,
 *   trace: boolean,
 * }} GenerationOptions  complete, as the worker gets them; logprobs is -1 when off, else the number of alternatives
 */

/**
 * What an app has said, checked to be something of that kind: undefined stands for nothing.
 *
 * @template {object} [T={}]
 * @param {T} [options]
 * @returns {T}
 */
export function givenOptions(options) {
  if (options === undefined) return /** @type {T} */ ({})
  if (typeof options === 'object' && options !== null) {
    return /** @type {T} */ (Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)))
  }
  throw new IteraError('argument', `options must be an object; got ${String(options)}`)
}

/**
 * @param {unknown} messages
 * @returns {asserts messages is import('../types.d.ts').ChatMessage[]}
 */
export function checkMessages(messages) {
  if (Array.isArray(messages) && messages.every(message => typeof message === 'object' && message !== null)) return
  throw new IteraError('argument', 'messages must be a list of { role, content }')
}

/**
 * Fills in defaults and checks everything.
 *
 * @param {import('../types.d.ts').GenerateOptions} [given]
 * @returns {GenerationOptions}
 */
export function completeOptions(given = {}) {
  const numbers = { ...defaults }
  for (const name of /** @type {(keyof typeof defaults)[]} */ (Object.keys(defaults))) {
    if (given[name] !== undefined) numbers[name] = checkNumber(name, given[name], ranges[name], wholeNumbers.has(name))
  }
  return {
    ...numbers,
    seed: given.seed === undefined ? randomSeed() : checkNumber('seed', given.seed, [0, MAX_SEED], true),
    stop: checkStop(given.stop),
    logitBias: checkLogitBias(given.logitBias),
    logprobs: checkLogprobs(given.logprobs),
    parseSpecial: Boolean(given.parseSpecial),
    ignoreEndOfText: Boolean(given.ignoreEndOfText),
    trace: Boolean(given.trace),
    contextTokens: checkNumber('contextTokens', given.contextTokens ?? 0, [0, 2 ** 31 - 1], true),
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {readonly [number, number]} range
 * @param {boolean} whole
 * @returns {number}
 */
function checkNumber(name, value, [low, high], whole) {
  const fits = typeof value === 'number' && value >= low && value <= high
  if (fits && (!whole || Number.isInteger(value) || value === Infinity)) return value
  const kind = whole ? 'a whole number' : 'a number'
  const bounds = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`
  throw new IteraError('argument', `${name} must be ${kind} ${bounds}; got ${String(value)}`)
}

/** Not from Math.random alone: two pages opened at once must not tell the same story. */
function randomSeed() {
  return globalThis.crypto.getRandomValues(new Uint32Array(1))[0]
}

/**
 * @param {string | string[]} [stop]
 * @returns {string[]}
 */
function checkStop(stop = []) {
  const list = Array.isArray(stop) ? stop : [stop]
  if (list.every(text => typeof text === 'string' && text.length > 0)) return list
  throw new IteraError('argument', 'stop must be a string or a list of strings, none of them empty')
}

/**
 * @param {Record<string, number>} [bias]
 * @returns {Record<string, number>}
 */
function checkLogitBias(bias = {}) {
  for (const [token, value] of Object.entries(bias)) {
    if (!/^\d{1,9}$/.test(token)) throw new IteraError('argument', `logitBias has '${token}', which is no token id`)
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw new IteraError('argument', `logitBias of token ${token} must be a number; got ${String(value)}`)
    }
  }
  return bias
}

/**
 * @param {boolean | number} [logprobs]
 * @returns {number}
 */
function checkLogprobs(logprobs = false) {
  if (logprobs === false) return -1
  if (logprobs === true) return 0
  return checkNumber('logprobs', logprobs, [0, MAX_LOGPROBS], true)
}
