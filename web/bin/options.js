import { IteraError } from '../src/errors.js'
import { completeOptions } from '../src/options.js'
import { UsageError } from './usage.js'

/**
 * Options that several commands share, in the form of node:util's parseArgs, and how their values are read.
 *
 * @typedef {Record<string, any>} Values
 */

export const modelOptions = {
  model: { type: 'string', short: 'm' },
  simd: { type: 'string' },
  threads: { type: 'string' },
}

/** The line of usage texts for it. */
export const threadsUsage = '--threads N               threads to use; otherwise what the machine and the model make worth while'

export const samplingOptions = {
  'max-tokens': { type: 'string', short: 'n' },
  temperature: { type: 'string' },
  'top-k': { type: 'string' },
  'top-p': { type: 'string' },
  'min-p': { type: 'string' },
  'repetition-penalty': { type: 'string' },
  'presence-penalty': { type: 'string' },
  'frequency-penalty': { type: 'string' },
  seed: { type: 'string' },
  stop: { type: 'string', multiple: true },
  context: { type: 'string' },
}

export const samplingUsage = `
  -n, --max-tokens N        most tokens to write (128; -1: no limit)
  --temperature T           0 always takes the most probable token (0.8)
  --top-k K  --top-p P  --min-p P                 which tokens to choose among (40, 0.95, 0.05)
  --repetition-penalty R  --presence-penalty P  --frequency-penalty F   against repetition (1, 0, 0)
  --seed N                  the same seed gives the same text
  --stop TEXT               stop there; may be given several times
  --context N               most tokens, prompt included, on models with attention (as many as they were made for)`.trim()

/** What the library calls them. @type {Record<string, string>} */
const libraryNames = {
  'max-tokens': 'maxTokens',
  temperature: 'temperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'min-p': 'minP',
  'repetition-penalty': 'repetitionPenalty',
  'presence-penalty': 'presencePenalty',
  'frequency-penalty': 'frequencyPenalty',
  seed: 'seed',
  context: 'contextTokens',
}

/**
 * Checked before anything is loaded.
 *
 * @param {Values} values
 * @returns {import('../types.d.ts').GenerateOptions}
 */
export function readSampling(values) {
  const numbers = Object.entries(libraryNames).map(([flag, name]) => [name, number(values, flag)])
  /** @type {import('../types.d.ts').GenerateOptions} */
  const { maxTokens = 128, ...others } = Object.fromEntries(numbers)
  const sampling = { ...others, maxTokens: maxTokens === -1 ? Infinity : maxTokens, stop: values.stop }
  try {
    completeOptions(sampling)
  } catch (error) {
    if (!(error instanceof IteraError)) throw error
    const flagOf = (/** @type {string} */ name) => Object.keys(libraryNames).find(flag => libraryNames[flag] === name) ?? name
    throw new UsageError(error.message.replace(/^\w+/, name => `--${flagOf(name)}`))
  }
  return sampling
}

/**
 * @template {number | undefined} [Fallback=undefined]
 * @param {Values} values
 * @param {string} name
 * @param {Fallback} [fallback]
 * @returns {number | Fallback}
 */
export function number(values, name, fallback) {
  const text = values[name]
  if (text === undefined) return /** @type {Fallback} */ (fallback)
  const value = text.trim() === '' ? NaN : Number(text)
  if (Number.isNaN(value)) throw new UsageError(`--${name} needs a number, not '${text}'`)
  return value
}

/**
 * @param {Values} values
 * @param {string} name
 * @param {number} fallback
 * @param {number} [least]
 * @returns {number}
 */
export function count(values, name, fallback, least = 0) {
  const value = number(values, name, fallback)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} needs a whole number of at least ${least}, not '${values[name]}'`)
}

/**
 * @param {Values} values
 * @param {string} name
 * @param {string} flag  as it is usually written
 * @returns {string}
 */
export function required(values, name, flag = `--${name}`) {
  if (values[name] === undefined) throw new UsageError(`${flag} is missing`)
  return values[name]
}

/** @param {Values} values @returns {any} */
export function simd(values) {
  const names = ['auto', 'scalar', 'simd128', 'relaxed']
  if (values.simd === undefined || names.includes(values.simd)) return values.simd
  throw new UsageError(`--simd is one of ${names.join(', ')}, not '${values.simd}'`)
}

/** @param {Values} values @returns {number | 'auto' | undefined} */
export function threads(values) {
  return values.threads === undefined || values.threads === 'auto' ? values.threads : count(values, 'threads', 1, 1)
}

/** @param {string[]} positionals */
export function noMore(positionals) {
  if (positionals.length) throw new UsageError(`unexpected argument '${positionals[0]}'`)
}
