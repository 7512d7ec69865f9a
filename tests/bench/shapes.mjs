// The models that are measured: sizes of published ones, in llama.cpp's keys and tensor names. Nothing here has
// weights; models.mjs fills the shapes with random numbers.
//
// D width, E inner width, H heads, G groups, N state, K conv taps, R dt rank, F feed-forward width, X experts.

/**
 * @typedef {object} Tensor
 * @property {string} name
 * @property {number[]} dims  fastest first
 *
 * @typedef {object} Model
 * @property {string} architecture
 * @property {number} vocabulary
 * @property {string} pre  name of the pre-tokenizer that the published model has
 * @property {number} layers
 * @property {{ count: number, used: number }} experts  zeros where there are none
 * @property {Record<string, number | boolean | number[]>} u32  metadata of the architecture: whole numbers and lists
 * @property {Record<string, number>} f32  and fractions
 * @property {Tensor[]} tensors
 */

const range = count => Array.from({ length: count }, (_, i) => i)

/** One Mamba-2 mixer. */
const mamba2Layer = (i, { D, E, H, N, G = 1, K = 4 }) => [
  { name: `blk.${i}.attn_norm.weight`, dims: [D] },
  { name: `blk.${i}.ssm_in.weight`, dims: [D, 2 * E + 2 * G * N + H] },
  { name: `blk.${i}.ssm_conv1d.weight`, dims: [K, E + 2 * G * N] },
  { name: `blk.${i}.ssm_conv1d.bias`, dims: [E + 2 * G * N] },
  { name: `blk.${i}.ssm_dt.bias`, dims: [H] },
  { name: `blk.${i}.ssm_a`, dims: [1, H] },
  { name: `blk.${i}.ssm_d`, dims: [1, H] },
  { name: `blk.${i}.ssm_norm.weight`, dims: [E / G, G] },
  { name: `blk.${i}.ssm_out.weight`, dims: [E, D] },
]

/** One Mamba-1 mixer. */
const mamba1Layer = (i, { D, E, N, R, K = 4 }) => [
  { name: `blk.${i}.attn_norm.weight`, dims: [D] },
  { name: `blk.${i}.ssm_in.weight`, dims: [D, 2 * E] },
  { name: `blk.${i}.ssm_conv1d.weight`, dims: [K, E] },
  { name: `blk.${i}.ssm_conv1d.bias`, dims: [E] },
  { name: `blk.${i}.ssm_x.weight`, dims: [E, R + 2 * N] },
  { name: `blk.${i}.ssm_dt.weight`, dims: [R, E] },
  { name: `blk.${i}.ssm_dt.bias`, dims: [E] },
  { name: `blk.${i}.ssm_a`, dims: [N, E] },
  { name: `blk.${i}.ssm_d`, dims: [E] },
  { name: `blk.${i}.ssm_out.weight`, dims: [E, D] },
]

const attentionLayer = (i, { D, heads, kvHeads }) => [
  { name: `blk.${i}.attn_norm.weight`, dims: [D] },
  { name: `blk.${i}.attn_q.weight`, dims: [D, D] },
  { name: `blk.${i}.attn_k.weight`, dims: [D, D / heads * kvHeads] },
  { name: `blk.${i}.attn_v.weight`, dims: [D, D / heads * kvHeads] },
  { name: `blk.${i}.attn_output.weight`, dims: [D, D] },
]

const denseLayer = (i, { D, F }, suffix = '') => [
  { name: `blk.${i}.ffn_gate${suffix}.weight`, dims: [D, F] },
  { name: `blk.${i}.ffn_up${suffix}.weight`, dims: [D, F] },
  { name: `blk.${i}.ffn_down${suffix}.weight`, dims: [F, D] },
]

const expertLayer = (i, { D, F, X, shared }) => [
  { name: `blk.${i}.ffn_gate_inp.weight`, dims: [D, X] },
  { name: `blk.${i}.ffn_gate_exps.weight`, dims: [D, F, X] },
  { name: `blk.${i}.ffn_up_exps.weight`, dims: [D, F, X] },
  { name: `blk.${i}.ffn_down_exps.weight`, dims: [F, D, X] },
  ...denseLayer(i, { D, F: shared }, '_shexp'),
]

/** All four have the embedding as their head. */
const ends = (D, V) => [{ name: 'token_embd.weight', dims: [D, V] }, { name: 'output_norm.weight', dims: [D] }]

/** @returns {Model} */
function mamba({ architecture, V, L, layer, sizes, rank }) {
  const { D, E, N } = sizes
  return {
    architecture, vocabulary: V, pre: 'olmo', layers: L, experts: { count: 0, used: 0 },
    u32: {
      vocab_size: V, context_length: 1048576, embedding_length: D, block_count: L, feed_forward_length: 0,
      'attention.head_count': 0, 'ssm.conv_kernel': 4, 'ssm.inner_size': E, 'ssm.state_size': N,
      'ssm.time_step_rank': rank, ...architecture === 'mamba2' && { 'ssm.group_count': 1 },
    },
    f32: { 'attention.layer_norm_rms_epsilon': 1e-5 },
    tensors: [...ends(D, V), ...range(L).flatMap(i => layer(i, sizes))],
  }
}

/** @returns {Model} */
function granite({ V = 100352, L, sizes, heads = 12, kvHeads = 4, attention, scales }) {
  const { D, E, H, N, F, X = 0, used = 0, shared = 0 } = sizes
  return {
    architecture: 'granitehybrid', vocabulary: V, pre: 'dbrx', layers: L, experts: { count: X, used },
    u32: {
      vocab_size: V, context_length: 1048576, embedding_length: D, block_count: L, feed_forward_length: F,
      'attention.head_count': heads,
      'attention.head_count_kv': range(L).map(i => attention.includes(i) ? kvHeads : 0),
      'ssm.conv_kernel': 4, 'ssm.inner_size': E, 'ssm.state_size': N, 'ssm.time_step_rank': H, 'ssm.group_count': 1,
      'rope.dimension_count': D / heads, 'rope.scaling.finetuned': false,       // no positions
      expert_count: X, expert_used_count: used, ...shared && { expert_shared_feed_forward_length: shared },
    },
    f32: { 'attention.layer_norm_rms_epsilon': 1e-5, 'rope.freq_base': 10000, ...scales },
    tensors: [
      ...ends(D, V),
      ...range(L).flatMap(i => [
        ...attention.includes(i) ? attentionLayer(i, { D, heads, kvHeads }) : mamba2Layer(i, { D, E, H, N }),
        { name: `blk.${i}.ffn_norm.weight`, dims: [D] },
        ...X ? expertLayer(i, { D, F, X, shared }) : denseLayer(i, { D, F }),
      ]),
    ],
  }
}

/** @type {Record<string, () => Model>} */
export const shapes = {
  'granite-4.0-h-350m': () => granite({
    L: 32, attention: [10, 13, 17, 27], sizes: { D: 768, E: 1536, H: 48, N: 128, F: 2048 },
    scales: { 'attention.scale': 1 / 64, embedding_scale: 12, residual_scale: 0.246, logit_scale: 3 },
  }),
  'mamba2-130m': () => mamba({
    architecture: 'mamba2', V: 50288, L: 24, layer: mamba2Layer, sizes: { D: 768, E: 1536, H: 24, N: 128 }, rank: 24,
  }),
  // Eight of the forty layers: one of attention among them, as in the whole.
  'granite-4.0-h-tiny-8l': () => granite({
    L: 8, attention: [5], sizes: { D: 1536, E: 3072, H: 48, N: 128, F: 512, X: 64, used: 6, shared: 1024 },
    scales: { 'attention.scale': 1 / 128, embedding_scale: 12, residual_scale: 0.22, logit_scale: 6 },
  }),
  'mamba-130m': () => mamba({
    architecture: 'mamba', V: 50280, L: 24, layer: mamba1Layer, sizes: { D: 768, E: 1536, N: 16, R: 48 }, rank: 48,
  }),
}
