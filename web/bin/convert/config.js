import { readFile } from 'node:fs/promises'
import { IteraError } from '../../src/errors.js'
import { fileError } from '../../src/source.js'
import { oddLayers } from './presets.js'

/**
 * Reads the config.json of a checkpoint.
 *
 * @typedef {import('./presets.js').SeedConfig} SeedConfig
 *
 * @param {string} path
 * @param {Map<string, import('./safetensors.js').SafeTensor>} tensors  decide what the file leaves open
 * @returns {Promise<SeedConfig>}
 */
export async function readConfig(path, tensors) {
  const json = await readJson(path)
  const count = (/** @type {string} */ key, /** @type {number | undefined} */ fallback = undefined) =>
    checkCount(path, key, json[key] ?? fallback)
  const transformer = json.kind === 'transformer' || tensors.has('blocks.0.attention.qkv.weight')
  const width = count('hidden_size')
  const layers = count('num_layers')
  const common = {
    name: typeof json.name === 'string' ? json.name : '',
    vocabulary: count('vocab_size'),
    width,
    layers,
    positions: tensors.has('position_embedding.weight') ? count('max_seq_length') : 0,
    normEpsilon: checkEpsilon(path, json.layer_norm_eps ?? 1e-5),
  }
  if (transformer) {
    const heads = count('num_attention_heads')
    if (width % heads) throw new IteraError('corrupt', `${path}: hidden_size ${width} does not divide into ${heads} heads`)
    return {
      ...common, kind: 'transformer', heads, feedForward: count('intermediate_size'),
      inner: 0, state: 0, taps: 0, experts: 0, activeExperts: 0, moeLayers: [],
    }
  }
  const moeLayers = json.moe_layers ?? oddLayers(layers)
  if (!Array.isArray(moeLayers) || !moeLayers.every(i => Number.isInteger(i) && i >= 0 && i < layers)) {
    throw new IteraError('corrupt', `${path}: moe_layers must list layers below ${layers}`)
  }
  const experts = moeLayers.length ? count('num_experts') : 0
  const activeExperts = moeLayers.length ? count('top_k_experts', 2) : 0
  if (activeExperts > experts) {
    throw new IteraError('corrupt', `${path}: top_k_experts ${activeExperts} is more than num_experts ${experts}`)
  }
  return {
    ...common, kind: 'itera', heads: 0, feedForward: count('expert_size'), experts, activeExperts, moeLayers,
    inner: width * count('ssm_expand_factor', 2), state: count('ssm_state_size'), taps: count('ssm_conv_kernel', 4),
  }
}

/** @param {string} path @returns {Promise<Record<string, any>>} */
export async function readJson(path) {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw fileError(error, path)
  }
  try {
    const value = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw new IteraError('corrupt', `${path} does not hold a JSON object`)
}

/** No size of a model comes near this; it keeps every product below exact. */
const MAX_COUNT = 1 << 22

/** @param {string} path @param {string} key @param {unknown} value @returns {number} */
function checkCount(path, key, value) {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_COUNT) return Number(value)
  const found = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`
  throw new IteraError('corrupt', `${path}: ${key} ${found}, not a whole number from 1 to ${MAX_COUNT}`)
}

/** @param {string} path @param {unknown} value @returns {number} */
function checkEpsilon(path, value) {
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new IteraError('corrupt', `${path}: layer_norm_eps is ${JSON.stringify(value)}, not a small number`)
}
