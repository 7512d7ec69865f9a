import { tensorTypes } from './types.js'

/**
 * Which tensor gets which type. `q8_0`, `q4_0`, `q4_k_m` and `f16` follow llama.cpp tensor by tensor, so that such
 * a file is what people expect of its name; `mixed` is our own.
 *
 * @typedef {import('./types.js').TensorTypeName} TensorTypeName
 *
 * @typedef {object} SourceTensor
 * @property {string} name
 * @property {TensorTypeName} type
 * @property {number[]} dims  fastest first
 *
 * @typedef {object} Shape  of the whole model
 * @property {number} layers
 * @property {number} experts  0: none
 * @property {boolean} tied    the embedding is the head as well
 * @property {number} mixers   layers with attention
 */

/** @type {Record<string, (tensor: SourceTensor, shape: Shape, count: Counter) => TensorTypeName>} */
const recipes = {
  f16: () => 'F16',
  q8_0: () => 'Q8_0',
  q4_0: q4Plain,
  q4_k_m: q4Medium,
  mixed,
}

export const recipeNames = Object.keys(recipes)

/**
 * @param {SourceTensor[]} tensors  in the order of the file
 * @param {string} recipe  one of recipeNames
 * @param {{ layers: number, experts: number }} counts
 * @returns {TensorTypeName[]}
 */
export function planTypes(tensors, recipe, { layers, experts }) {
  const shape = {
    layers, experts,
    tied: !tensors.some(({ name }) => name === 'output.weight'),
    mixers: tensors.filter(({ name }) => /\.attn_(v|qkv)\.weight$/.test(name)).length,
  }
  const count = new Counter()
  return tensors.map(tensor => {
    if (!isQuantized(tensor)) return tensor.type
    return fitting(recipes[recipe](tensor, shape, count), tensor.dims[0])
  })
}

/** The type that most of the weights have. @param {SourceTensor[]} tensors @param {TensorTypeName[]} types */
export function mainType(tensors, types) {
  /** @type {Map<TensorTypeName, number>} */
  const weights = new Map()
  types.forEach((type, i) => {
    weights.set(type, (weights.get(type) ?? 0) + tensors[i].dims.reduce((product, n) => product * n, 1))
  })
  return [...weights].reduce((most, one) => one[1] > most[1] ? one : most)[0]
}

/** Small, or of a kind that bears no rounding: these stay as they are. */
const keptNames = [
  /_norm\.weight$/, /^(position_embd|token_types)\.weight$/, /\.ffn_gate_inp(_shexp)?\.weight$/, /\.ssm_conv1d\.weight$/,
  /\.shortconv\.conv\.weight$/, /\.time_mix_(first|w[012]|v[012]|a[012]|g[12]|decay_w[12]|lerp_fused)\.weight$/,
]

/** @param {SourceTensor} tensor */
function isQuantized({ name, dims }) {
  return dims.length >= 2 && name.endsWith('.weight') && !keptNames.some(pattern => pattern.test(name))
}

/**
 * What takes the place of a type whose blocks do not divide a row.
 * @type {Partial<Record<TensorTypeName, TensorTypeName>>}
 */
const narrower = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' }

/** @param {TensorTypeName} type @param {number} rowLength @returns {TensorTypeName} */
function fitting(type, rowLength) {
  const divides = (/** @type {TensorTypeName} */ one) => rowLength % tensorTypes[one].block === 0
  if (divides(type)) return type
  const other = narrower[type]
  return other && divides(other) ? other : 'F16'
}

/** @param {SourceTensor} tensor @param {TensorTypeName} wide @param {TensorTypeName} otherwise */
const wideOr = ({ dims }, wide, otherwise) => dims[0] % 256 === 0 ? wide : otherwise

/** @param {SourceTensor} tensor @param {Shape} shape */
const isHead = ({ name }, { tied }) => name === (tied ? 'token_embd.weight' : 'output.weight')

/** Numbers the tensors of one kind in the order of the file. */
class Counter {
  /** @type {Map<string, number>} */
  #seen = new Map()

  /** @param {string} kind */
  next(kind) {
    const index = this.#seen.get(kind) ?? 0
    this.#seen.set(kind, index + 1)
    return index
  }
}

/** The first and the last eighth of the layers, and every third of those between. @param {number} i @param {number} n */
const sensitive = (i, n) => {
  const eighth = Math.floor(n / 8)
  return i < eighth || i >= Math.floor(7 * n / 8) || (i - eighth) % 3 === 2
}

/**
 * 4 bits for all but the head.
 *
 * @param {SourceTensor} tensor
 * @param {Shape} shape
 * @returns {TensorTypeName}
 */
function q4Plain(tensor, shape) {
  if (isHead(tensor, shape)) return wideOr(tensor, 'Q6_K', 'Q8_0')
  // Beside eight experts these two are too small to save on.
  return shape.experts === 8 && /\.attn_[kv]\.weight$/.test(tensor.name) ? 'Q8_0' : 'Q4_0'
}

/**
 * 4 bits for most, 6 for the head and for half of what carries values into and out of the residual stream.
 *
 * @param {SourceTensor} tensor
 * @param {Shape} shape
 * @param {Counter} count
 * @returns {TensorTypeName}
 */
function q4Medium(tensor, shape, count) {
  const { name } = tensor
  if (isHead(tensor, shape)) return wideOr(tensor, 'Q6_K', 'Q8_0')
  const eightExperts = shape.experts === 8
  if (/\.attn_v\.weight$/.test(name)) {
    return eightExperts ? 'Q8_0' : sensitive(count.next('values'), shape.mixers) ? 'Q6_K' : 'Q4_K'
  }
  if (/\.attn_k\.weight$/.test(name)) return eightExperts ? 'Q8_0' : 'Q4_K'
  if (/\.attn_output\.weight$/.test(name)) return eightExperts ? 'Q5_K' : 'Q4_K'
  if (/\.attn_qkv\.weight$/.test(name)) return 'Q5_K'
  if (/\.ffn_down(_\w+)?\.weight$/.test(name)) {
    const layer = shape.experts > 1 ? Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) : count.next('down')
    return sensitive(layer, shape.layers) ? 'Q6_K' : 'Q4_K'
  }
  return 'Q4_K'
}

/**
 * The best quality for the bytes, measured on a small model of our own: each kind of tensor in turn was given each
 * type, and the bits went where a byte saves the most nats. The file is as large as q4_0's, within 1%, and loses
 * less than half as much. Experts bear rounding best: a token visits a few, and the sum of their outputs averages
 * the errors. What was not measured keeps 8 bits.
 *
 * @param {SourceTensor} tensor
 * @returns {TensorTypeName}
 */
function mixed(tensor) {
  const { name } = tensor
  if (/^(token_embd|output)\.weight$/.test(name)) return wideOr(tensor, 'Q6_K', 'Q5_1')
  if (/\.ffn_(gate|up|down)_exps\.weight$/.test(name)) return wideOr(tensor, 'Q4_K', 'Q4_0')
  if (/\.(ssm_in|ssm_out|attn_\w+|ffn_\w+)\.weight$/.test(name)) return wideOr(tensor, 'Q5_K', 'Q5_0')
  return 'Q8_0'
}
