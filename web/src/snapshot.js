import { IteraError } from './errors.js'
import { completeOptions } from './options.js'

/**
 * A saved conversation, little endian:
 *
 *   0   magic "ITERACHT"
 *   8   version u32
 *   12  J u32, bytes of JSON
 *   16  N u32, tokens
 *   20  S u32, bytes of state
 *   24  checksum u64, the core's hash of everything before the state, with this field zero
 *   32  JSON [J], which is SavedChat, with white space up to a multiple of 8
 *       tokens [N] i32: what the state has read, then zero where N is odd
 *       state [S]: the core's own snapshot, with a checksum of its own and the identity of its model
 *
 * The files come from anywhere: every field is checked, also where the checksums are right.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 * @typedef {import('./checkpoints.js').Place} Place
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 *
 * @typedef {object} SavedChat
 * @property {ChatMessage[]} messages
 * @property {number} opening  how many of them came before anybody spoke
 * @property {import('../types.d.ts').GenerateOptions} options
 * @property {number} contextTokens
 * @property {number} checkpointBytes
 * @property {string | null} text  what tokens and `pending` stand for
 * @property {number} answerAt
 * @property {number[]} pending
 * @property {Place[]} places  checkpoints, without their states
 * @property {number} seed
 * @property {number[] | null} random  the place in the random sequence: 32 bytes
 */

const MAGIC = 'ITERACHT'
const VERSION = 1
const HEADER_BYTES = 32
const CHECKSUM_AT = 24

/** No conversation comes near; beyond it a file only wants memory. */
const MAX_JSON_BYTES = 1 << 28

const utf8 = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** @param {number} bytes */
const roundUp = bytes => Math.ceil(bytes / 8) * 8

/** @param {string} message */
const bad = message => new IteraError('snapshot', message)

/**
 * Everything before the state.
 *
 * @param {Wasm} wasm
 * @param {SavedChat} saved
 * @param {number[]} tokens
 * @param {number} stateBytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeSnapshot(wasm, saved, tokens, stateBytes) {
  const json = encoder.encode(JSON.stringify({ ...saved, options: infinitiesToText(saved.options) }))
  const jsonBytes = roundUp(json.length)
  const bytes = new Uint8Array(HEADER_BYTES + jsonBytes + roundUp(4 * tokens.length))
  const view = new DataView(bytes.buffer)
  encoder.encodeInto(MAGIC, bytes)
  view.setUint32(8, VERSION, true)
  view.setUint32(12, jsonBytes, true)
  view.setUint32(16, tokens.length, true)
  view.setUint32(20, stateBytes, true)
  bytes.set(json, HEADER_BYTES)
  bytes.fill(0x20, HEADER_BYTES + json.length, HEADER_BYTES + jsonBytes)
  new Int32Array(bytes.buffer, HEADER_BYTES + jsonBytes, tokens.length).set(tokens)
  view.setBigUint64(CHECKSUM_AT, checksum(wasm, bytes), true)
  return bytes
}

/** @param {Wasm} wasm @param {Uint8Array} bytes  the checksum's own field zero */
function checksum(wasm, bytes) {
  const hash = BigInt(`0x${wasm.hash(bytes)}`)
  wasm.dropStaging()
  return hash
}

/**
 * @param {Wasm} wasm
 * @param {Uint8Array} bytes
 * @param {number} vocabulary
 * @returns {{ saved: SavedChat, tokens: number[], state: Uint8Array }}
 */
export function decodeSnapshot(wasm, bytes, vocabulary) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_BYTES || String.fromCharCode(...bytes.subarray(0, 8)) !== MAGIC) {
    throw bad('this is not a saved conversation')
  }
  const version = view.getUint32(8, true)
  if (version !== VERSION) throw bad(`the saved conversation has version ${version}; this package reads version ${VERSION}`)
  const jsonBytes = view.getUint32(12, true)
  const count = view.getUint32(16, true)
  const before = HEADER_BYTES + jsonBytes + roundUp(4 * count)
  const whole = before + view.getUint32(20, true)
  if (jsonBytes > MAX_JSON_BYTES || jsonBytes % 8 || whole !== bytes.length) {
    throw bad(`the saved conversation should have ${whole} bytes and has ${bytes.length}`)
  }
  const described = bytes.slice(0, before)
  described.fill(0, CHECKSUM_AT, HEADER_BYTES)
  if (checksum(wasm, described) !== view.getBigUint64(CHECKSUM_AT, true)) {
    throw bad('the saved conversation is damaged: its checksum does not match')
  }
  const tokens = Array.from(new Int32Array(described.buffer, HEADER_BYTES + jsonBytes, count))
  const saved = readJson(described.subarray(HEADER_BYTES, HEADER_BYTES + jsonBytes))
  const isTokens = (/** @type {unknown} */ list) => listOf(list, id => isWhole(id, vocabulary - 1))
  // The file is whole, so tokens that this model does not have are another's.
  if (!isTokens(tokens)) throw bad('the saved conversation was made with another model')
  if (!isSavedChat(saved, tokens.length, isTokens)) throw bad('the saved conversation contradicts itself')
  return { saved: checkOptions(saved), tokens, state: bytes.subarray(before) }
}

/** @param {Uint8Array} bytes @returns {any} */
function readJson(bytes) {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    throw bad('the saved conversation cannot be read')
  }
}

// ---- Checks

/** @param {unknown} value @param {number} [most] @returns {boolean} */
const isWhole = (value, most = Number.MAX_SAFE_INTEGER) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most

/** @param {unknown} list @param {(item: any) => boolean} check */
const listOf = (list, check) => Array.isArray(list) && list.every(check)

/**
 * @param {any} value
 * @param {number} tokens
 * @param {(list: unknown) => boolean} isTokens
 * @returns {value is SavedChat}
 */
function isSavedChat(value, tokens, isTokens) {
  if (typeof value !== 'object' || value === null) return false
  const { messages, opening, options, contextTokens, checkpointBytes, text, answerAt, pending, places, seed, random } = value
  const most = text === null ? 0 : text?.length
  return listOf(messages, message => typeof message?.role === 'string' && typeof message.content === 'string') &&
    isWhole(opening, messages.length) && typeof options === 'object' && options !== null &&
    isWhole(contextTokens, 2 ** 31 - 1) && isWhole(checkpointBytes) && isWhole(seed) &&
    (text === null || typeof text === 'string') && isWhole(answerAt, most) && isTokens(pending) &&
    (random === null || listOf(random, byte => isWhole(byte, 255)) && random.length === 32) &&
    listOf(places, place => isPlace(place, tokens, most, isTokens))
}

/**
 * @param {any} place
 * @param {number} tokens
 * @param {number} characters
 * @param {(list: unknown) => boolean} isTokens
 */
function isPlace(place, tokens, characters, isTokens) {
  return ['opening', 'prompt', 'turn'].includes(place?.kind) && isWhole(place.position, tokens) &&
    (place.length === null || isWhole(place.length, characters)) && isWhole(place.answerAt) && isWhole(place.messages) &&
    isTokens(place.pending)
}

/** @param {SavedChat} saved @returns {SavedChat} */
function checkOptions(saved) {
  const given = infinitiesFromText(saved.options)
  // Nothing else: a file must not bring what only a caller may ask for.
  let options = {}
  try {
    const known = Object.keys(completeOptions(given))
    options = Object.fromEntries(Object.entries(given).filter(([name]) => known.includes(name)))
  } catch (error) {
    throw bad(`the saved conversation has a bad option: ${/** @type {Error} */ (error).message}`)
  }
  return { ...saved, options }
}

// ---- JSON has no infinities; two options do

/** @param {any} options */
const infinitiesToText = ({ maxTokens, logitBias, ...options }) => ({
  ...options,
  ...maxTokens !== undefined && { maxTokens: maxTokens === Infinity ? 'Infinity' : maxTokens },
  ...logitBias && { logitBias: Object.fromEntries(Object.entries(logitBias).map(([id, value]) => [id, String(value)])) },
})

/** @param {any} options */
const infinitiesFromText = ({ maxTokens, logitBias, signal, ...options }) => ({
  ...options,
  ...maxTokens !== undefined && { maxTokens: maxTokens === 'Infinity' ? Infinity : maxTokens },
  ...logitBias && { logitBias: Object.fromEntries(Object.entries(logitBias).map(([id, value]) => [id, Number(value)])) },
})
