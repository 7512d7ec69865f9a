import { bool, f32, i32s, string, strings, u32 } from '../fixtures/gguf-bytes.mjs'

/**
 * Headers of the smallest models of every architecture, without data: the fuzzer makes that up.
 */

/** Bytes a block and elements a block of the types used here. */
const types = /** @type {Record<number, [bytes: number, elements: number]>} */ ({
  0: [4, 1], 1: [2, 1], 2: [18, 32], 8: [34, 32], 30: [2, 1],
})
const V = 12
const D = 32

/**
 * @param {string} architecture
 * @param {Record<string, any>} hyperparameters
 * @param {[name: string, dims: number[], type?: number][]} shapes
 */
function model(architecture, hyperparameters, shapes) {
  let offset = 0
  const tensors = shapes.map(([name, dims, type = 0]) => {
    const tensor = { name, dims, type, offset }
    const [bytes, elements] = types[type]
    offset += Math.ceil(dims.reduce((a, b) => a * b) / elements * bytes / 32) * 32
    return tensor
  })
  const kvs = Object.entries(hyperparameters).map(([key, value]) =>
    [`${architecture}.${key}`, typeof value === 'number' ? (Number.isInteger(value) ? u32(value) : f32(value)) : value])
  return { kvs: /** @type {any} */ ([['general.architecture', string(architecture)], ...kvs]), tensors }
}

/** @returns {[string, number[], number?][]} */
const mamba1 = (/** @type {string} */ b, E = 32, N = 4, R = 2) => [
  [`${b}.attn_norm.weight`, [D]], [`${b}.ssm_in.weight`, [D, 2 * E], 8], [`${b}.ssm_conv1d.weight`, [4, E]],
  [`${b}.ssm_conv1d.bias`, [E]], [`${b}.ssm_x.weight`, [E, R + 2 * N], 1], [`${b}.ssm_dt.weight`, [R, E]],
  [`${b}.ssm_dt.bias`, [E]], [`${b}.ssm_a`, [N, E]], [`${b}.ssm_d`, [E]], [`${b}.ssm_out.weight`, [E, D], 30],
]

/** @returns {[string, number[], number?][]} */
const mamba2 = (/** @type {string} */ b, E = 64, N = 8, heads = 4, groups = 2) => [
  [`${b}.attn_norm.weight`, [D]], [`${b}.ssm_in.weight`, [D, 2 * E + 2 * groups * N + heads], 8],
  [`${b}.ssm_conv1d.weight`, [4, E + 2 * groups * N]], [`${b}.ssm_conv1d.bias`, [E + 2 * groups * N]],
  [`${b}.ssm_dt.bias`, [heads]], [`${b}.ssm_a`, [1, heads]], [`${b}.ssm_d`, [1, heads]],
  [`${b}.ssm_norm.weight`, [E / groups, groups]], [`${b}.ssm_out.weight`, [E, D], 2],
]

const mamba2Sizes = {
  embedding_length: D, 'ssm.conv_kernel': 4, 'ssm.inner_size': 64, 'ssm.state_size': 8, 'ssm.time_step_rank': 4,
  'ssm.group_count': 2,
}
const common = [['token_embd.weight', [D, V], 8], ['output_norm.weight', [D]]]

/** @returns {Record<string, any>} by name, as buildGguf takes them */
export function modelSeeds() {
  const first = /** @type {[string, number[], number?][]} */ (common)
  return {
    mamba: model('mamba', {
      embedding_length: D, block_count: 1, 'ssm.conv_kernel': 4, 'ssm.inner_size': 32, 'ssm.state_size': 4,
      'ssm.time_step_rank': 2, 'ssm.dt_b_c_rms': bool(true),
    }, [...first, ...mamba1('blk.0')]),
    mamba2: model('mamba2', { ...mamba2Sizes, block_count: 1 }, [...first, ['output.weight', [D, V]], ...mamba2('blk.0')]),
    'granite-moe': model('granitehybrid', {
      ...mamba2Sizes, block_count: 1, 'attention.head_count': 4, 'attention.head_count_kv': i32s([0]),
      expert_count: 3, expert_used_count: 2, embedding_scale: 12.5, residual_scale: 0.25, logit_scale: 3.5,
    }, [...first, ...mamba2('blk.0'), ['blk.0.ffn_norm.weight', [D]], ['blk.0.ffn_gate_inp.weight', [D, 3]],
      ['blk.0.ffn_gate_exps.weight', [D, 32, 3], 8], ['blk.0.ffn_up_exps.weight', [D, 32, 3], 2],
      ['blk.0.ffn_down_exps.weight', [32, D, 3]], ['blk.0.ffn_gate_shexp.weight', [D, 32]],
      ['blk.0.ffn_up_shexp.weight', [D, 32]], ['blk.0.ffn_down_shexp.weight', [32, D]]]),
    'granite-attention': model('granitehybrid', {
      ...mamba2Sizes, block_count: 1, context_length: 64, 'attention.head_count': 4,
      'attention.head_count_kv': i32s([2]), 'attention.scale': 0.125, 'rope.dimension_count': 8,
      'rope.freq_base': 10000.5, 'rope.scaling.finetuned': bool(true),
    }, [...first, ['blk.0.attn_norm.weight', [D]], ['blk.0.attn_q.weight', [D, D], 8],
      ['blk.0.attn_k.weight', [D, 16]], ['blk.0.attn_v.weight', [D, 16], 1], ['blk.0.attn_output.weight', [D, D]],
      ['blk.0.ffn_norm.weight', [D]], ['blk.0.ffn_gate.weight', [D, 32]], ['blk.0.ffn_up.weight', [D, 32], 8],
      ['blk.0.ffn_down.weight', [32, D]]]),
    'itera-lite': model('itera-lite', {
      embedding_length: D, context_length: 8, block_count: 2, mixer: strings(['ssm', 'attention']),
      'attention.head_count': 4, 'ssm.conv_kernel': 4, 'ssm.inner_size': 32, 'ssm.state_size': 4, expert_count: 2,
      expert_used_count: 1,
    }, [...first, ['output_norm.bias', [D]], ['position_embd.weight', [D, 8]], ...norm('blk.0.attn_norm'),
      ['blk.0.ssm_in.weight', [D, 64]], ['blk.0.ssm_conv1d.weight', [4, 32]], ['blk.0.ssm_conv1d.bias', [32]],
      ['blk.0.ssm_dt.weight', [32, 32], 8], ['blk.0.ssm_dt.bias', [32]], ['blk.0.ssm_a', [4]],
      ['blk.0.ssm_b.weight', [32, 4]], ['blk.0.ssm_c.weight', [4, 32]], ['blk.0.ssm_d', [32]],
      ['blk.0.ssm_out.weight', [32, D]], ...norm('blk.0.ffn_norm'), ['blk.0.ffn_up.weight', [D, 32]],
      ['blk.0.ffn_down.weight', [32, D]], ...norm('blk.1.attn_norm'), ['blk.1.attn_qkv.weight', [D, 3 * D]],
      ['blk.1.attn_output.weight', [D, D]], ...norm('blk.1.ffn_norm'), ['blk.1.ffn_gate_inp.weight', [D, 2]],
      ['blk.1.ffn_up_exps.weight', [D, 32, 2]], ['blk.1.ffn_down_exps.weight', [32, D, 2]]]),
  }
}

/** @returns {[string, number[]][]} */
function norm(/** @type {string} */ name) {
  return [[`${name}.weight`, [D]], [`${name}.bias`, [D]]]
}
