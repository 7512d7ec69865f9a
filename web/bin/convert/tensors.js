/**
 * The tensors of the seed model: for each its name in GGUF, its sizes, and where a PyTorch checkpoint has it.
 * GGUF lists sizes fastest first, so PyTorch's [rows, columns] is [columns, rows] here, over the same bytes.
 *
 * @typedef {import('./presets.js').SeedConfig} SeedConfig
 *
 * @typedef {object} PlannedTensor
 * @property {string} name
 * @property {number[]} dims        fastest first
 * @property {string[]} sources     names in the checkpoint; several are stacked, slowest last
 * @property {number[]} shape       each source's sizes in PyTorch's order
 * @property {boolean} matrix       keeps the checkpoint's type; everything else is small and becomes F32
 * @property {(x: number) => number} [map]  applied to every value
 */

/**
 * @param {SeedConfig} config
 * @returns {PlannedTensor[]}
 */
export function planTensors(config) {
  const { width: D, layers, vocabulary: V, positions: P } = config
  const plan = [matrix('token_embd.weight', 'embedding.weight', V, D)]
  // Read row by row and added as it is, so the positions stay F32.
  if (P) plan.push({ ...matrix('position_embd.weight', 'position_embedding.weight', P, D), matrix: false })
  for (let i = 0; i < layers; i++) {
    plan.push(...(config.kind === 'itera' ? iteraLayer(config, i) : transformerLayer(config, i)))
  }
  plan.push(...norm('output_norm', 'norm', D))
  return plan
}

/**
 * The head, for a checkpoint in which it is not tied to the embedding.
 *
 * @param {SeedConfig} config
 */
export const planHead = ({ vocabulary, width }) => matrix('output.weight', 'lm_head.weight', vocabulary, width)

/** @param {SeedConfig} config @param {number} i @returns {PlannedTensor[]} */
function iteraLayer({ width: D, inner: E, state: N, taps: K, ...config }, i) {
  const to = `blk.${i}.`
  const from = `layers.${i}.ssm.`
  return [
    ...norm(`${to}attn_norm`, `${from}norm`, D),
    matrix(`${to}ssm_in.weight`, `${from}in_proj.weight`, 2 * E, D),
    { name: `${to}ssm_conv1d.weight`, dims: [K, E], sources: [`${from}conv1d.weight`], shape: [E, 1, K], matrix: false },
    vector(`${to}ssm_conv1d.bias`, `${from}conv1d.bias`, E),
    matrix(`${to}ssm_dt.weight`, `${from}ssm.delta_proj.weight`, E, E),
    vector(`${to}ssm_dt.bias`, `${from}ssm.delta_proj.bias`, E),
    { ...vector(`${to}ssm_a`, `${from}ssm.A_log`, N), map: x => -Math.exp(x) },
    matrix(`${to}ssm_b.weight`, `${from}ssm.B`, N, E),
    matrix(`${to}ssm_c.weight`, `${from}ssm.C`, E, N),
    vector(`${to}ssm_d`, `${from}ssm.D`, E),
    matrix(`${to}ssm_out.weight`, `${from}out_proj.weight`, D, E),
    ...(config.moeLayers.includes(i) ? expertLayer(D, config, i) : denseLayer(D, config.feedForward, i)),
  ]
}

/** @param {number} D @param {number} F @param {number} i @returns {PlannedTensor[]} */
function denseLayer(D, F, i) {
  const from = `layers.${i}.moe.`
  return [
    ...norm(`blk.${i}.ffn_norm`, `${from}norm`, D),
    matrix(`blk.${i}.ffn_up.weight`, `${from}ffn.w1.weight`, F, D),
    matrix(`blk.${i}.ffn_down.weight`, `${from}ffn.w2.weight`, D, F),
  ]
}

/**
 * @param {number} D
 * @param {Pick<SeedConfig, 'experts' | 'feedForward'>} config
 * @param {number} i
 * @returns {PlannedTensor[]}
 */
function expertLayer(D, { experts: X, feedForward: F }, i) {
  const from = `layers.${i}.moe.layer.`
  return [
    ...norm(`blk.${i}.ffn_norm`, `${from}norm`, D),
    matrix(`blk.${i}.ffn_gate_inp.weight`, `${from}router.gate.weight`, X, D),
    stack(`blk.${i}.ffn_up_exps.weight`, e => `${from}experts.${e}.w1.weight`, X, F, D),
    stack(`blk.${i}.ffn_down_exps.weight`, e => `${from}experts.${e}.w2.weight`, X, D, F),
  ]
}

/** @param {SeedConfig} config @param {number} i @returns {PlannedTensor[]} */
function transformerLayer({ width: D, feedForward: F }, i) {
  const to = `blk.${i}.`
  const from = `blocks.${i}.`
  return [
    ...norm(`${to}attn_norm`, `${from}ln1`, D),
    matrix(`${to}attn_qkv.weight`, `${from}attention.qkv.weight`, 3 * D, D),
    matrix(`${to}attn_output.weight`, `${from}attention.out_proj.weight`, D, D),
    ...norm(`${to}ffn_norm`, `${from}ln2`, D),
    matrix(`${to}ffn_up.weight`, `${from}ffn.w1.weight`, F, D),
    matrix(`${to}ffn_down.weight`, `${from}ffn.w2.weight`, D, F),
  ]
}

/** @param {string} name @param {string} source @param {number} rows @param {number} columns @returns {PlannedTensor} */
function matrix(name, source, rows, columns) {
  return { name, dims: [columns, rows], sources: [source], shape: [rows, columns], matrix: true }
}

/** @param {string} name @param {string} source @param {number} length @returns {PlannedTensor} */
function vector(name, source, length) {
  return { name, dims: [length], sources: [source], shape: [length], matrix: false }
}

/** @param {string} name @param {string} source @param {number} D @returns {PlannedTensor[]} */
function norm(name, source, D) {
  return ['weight', 'bias'].map(part => vector(`${name}.${part}`, `${source}.${part}`, D))
}

/**
 * @param {string} name
 * @param {(index: number) => string} source
 * @param {number} count
 * @param {number} rows
 * @param {number} columns
 * @returns {PlannedTensor}
 */
function stack(name, source, count, rows, columns) {
  return {
    name, dims: [columns, rows, count], sources: Array.from({ length: count }, (_, e) => source(e)),
    shape: [rows, columns], matrix: true,
  }
}
