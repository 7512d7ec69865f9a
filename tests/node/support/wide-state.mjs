// A Mamba-2 model of little weight and much state: for measuring what a state costs.
import { GgufWriter, TensorType } from '../../../web/bin/convert/gguf-writer.js'
import { loadWasm } from '../../../web/src/wasm.js'
import { golden } from './golden-tokenizer.mjs'
import { createRandom } from './random.mjs'

const D = 64
const E = 2048
const N = 256
const heads = 16
const taps = 4
const width = E + 2 * N

/** @returns {[string, number[]][]} */
const layer = i => [
  ['attn_norm.weight', [D]], ['ssm_in.weight', [D, E + width + heads]], ['ssm_conv1d.weight', [taps, width]],
  ['ssm_conv1d.bias', [width]], ['ssm_dt.bias', [heads]], ['ssm_a', [1, heads]], ['ssm_d', [1, heads]],
  ['ssm_norm.weight', [E, 1]], ['ssm_out.weight', [E, D]],
].map(([name, dims]) => [`blk.${i}.${name}`, dims])

/**
 * @param {number} layers  each with 2.1 MB of state
 * @returns {Promise<Uint8Array>} a GGUF file with the tokenizer of the oracle models
 */
export async function wideStateModel(layers) {
  const writer = new GgufWriter(await loadWasm({ simd: 'scalar' }))
  writer.string('general.architecture', 'mamba2')
  const sizes = {
    embedding_length: D, block_count: layers, 'ssm.conv_kernel': taps, 'ssm.inner_size': E, 'ssm.state_size': N,
    'ssm.time_step_rank': heads, 'ssm.group_count': 1,
  }
  for (const [key, value] of Object.entries(sizes)) writer.u32(`mamba2.${key}`, value)
  for (const [key, value] of Object.entries(golden.metadata)) {
    if (typeof value === 'string') writer.string(key, value)
    else if (typeof value === 'boolean') writer.bool(key, value)
    else if (typeof value === 'number') writer.u32(key, value)
    else if (typeof value[0] === 'string') writer.strings(key, value)
    else writer.i32s(key, Int32Array.from(value))
  }
  const vocabulary = golden.metadata['tokenizer.ggml.tokens'].length
  const tensors = [['token_embd.weight', [D, vocabulary]], ['output_norm.weight', [D]],
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat()]
  for (const [name, dims] of tensors) writer.tensor(name, dims, TensorType.F32)
  const header = writer.header()
  const file = new Uint8Array(header.length + writer.offset(tensors.length))
  file.set(header)
  const random = createRandom(1)
  tensors.forEach(([name, dims], i) => {
    const count = dims.reduce((a, b) => a * b)
    const values = Float32Array.from({ length: count }, () => name.endsWith('ssm_a') ? -0.01 : (random() - 0.5) * 0.2)
    file.set(new Uint8Array(values.buffer), header.length + writer.offset(i))
  })
  writer.free()
  return file
}
