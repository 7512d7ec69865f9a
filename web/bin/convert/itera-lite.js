import { IteraError } from '../../src/errors.js'
import { writeWhole } from '../output.js'
import { toFloat32 } from './float16.js'
import { GgufWriter, TensorType } from './gguf-writer.js'
import { planHead, planTensors } from './tensors.js'

/**
 * The seed model as a GGUF file of architecture "itera-lite".
 *
 * @typedef {import('./presets.js').SeedConfig} SeedConfig
 * @typedef {import('./tensors.js').PlannedTensor} PlannedTensor
 * @typedef {import('./safetensors.js').SafetensorsFile} SafetensorsFile
 * @typedef {import('./safetensors.js').DataType} DataType
 */

/**
 * Everything in the metadata that the sizes decide.
 *
 * @param {GgufWriter} writer
 * @param {SeedConfig} config
 */
export function writeMetadata(writer, config) {
  const attention = config.kind === 'transformer'
  writer.string('general.architecture', 'itera-lite')
  if (config.name) writer.string('general.name', config.name)
  writer.u32('itera-lite.vocab_size', config.vocabulary)
  writer.u32('itera-lite.context_length', config.positions)
  writer.u32('itera-lite.embedding_length', config.width)
  writer.u32('itera-lite.block_count', config.layers)
  writer.u32('itera-lite.feed_forward_length', config.feedForward)
  writer.strings('itera-lite.mixer', Array.from({ length: config.layers }, () => attention ? 'attention' : 'ssm'))
  writer.f32('itera-lite.attention.layer_norm_epsilon', config.normEpsilon)
  if (attention) {
    writer.u32('itera-lite.attention.head_count', config.heads)
    return
  }
  writer.u32('itera-lite.ssm.conv_kernel', config.taps)
  writer.u32('itera-lite.ssm.inner_size', config.inner)
  writer.u32('itera-lite.ssm.state_size', config.state)
  writer.u32('itera-lite.expert_count', config.experts)
  writer.u32('itera-lite.expert_used_count', config.activeExperts)
}

/**
 * The tensors that this checkpoint needs, each checked against what is there.
 *
 * @param {SafetensorsFile} checkpoint
 * @param {SeedConfig} config
 * @returns {Promise<(PlannedTensor & { dtype: DataType })[]>}
 */
export async function planCheckpoint(checkpoint, config) {
  const plan = planTensors(config)
  if (checkpoint.tensors.has('lm_head.weight') && !await sameData(checkpoint, 'lm_head.weight', 'embedding.weight')) {
    plan.push(planHead(config))
  }
  return plan.map(planned => {
    const found = planned.sources.map(name => findTensor(checkpoint, name, planned.shape))
    const { dtype } = found[0]
    const mixed = found.find(tensor => tensor.dtype !== dtype)
    if (mixed) throw new IteraError('unsupported', `'${mixed.name}' is ${mixed.dtype}, its sisters are ${dtype}`)
    return { ...planned, dtype: planned.matrix ? dtype : 'F32' }
  })
}

/**
 * @param {SafetensorsFile} checkpoint
 * @param {string} name
 * @param {number[]} shape
 */
function findTensor({ tensors, path }, name, shape) {
  const tensor = tensors.get(name)
  if (!tensor) throw new IteraError('incomplete', `${path} has no tensor '${name}'`)
  if (tensor.shape.join() !== shape.join()) {
    throw new IteraError('corrupt', `${path}: '${name}' is [${tensor.shape}], but config.json asks for [${shape}]`)
  }
  if (!Object.hasOwn(TensorType, tensor.dtype)) {
    throw new IteraError('unsupported', `${path}: '${name}' is ${tensor.dtype}; supported are F32, F16, BF16`)
  }
  return tensor
}

/**
 * @param {SafetensorsFile} checkpoint
 * @param {string} a
 * @param {string} b
 */
async function sameData(checkpoint, a, b) {
  const [first, second] = [a, b].map(name => checkpoint.tensors.get(name))
  if (!first || !second || first.dtype !== second.dtype || first.bytes !== second.bytes) return false
  return Buffer.compare(await checkpoint.read(first), await checkpoint.read(second)) === 0
}

/**
 * @param {string} path
 * @param {GgufWriter} writer  with metadata and without tensors
 * @param {SafetensorsFile} checkpoint
 * @param {(PlannedTensor & { dtype: DataType })[]} plan
 * @param {(done: number, total: number) => void} onProgress
 * @returns {Promise<number>} bytes written
 */
export async function writeGguf(path, writer, checkpoint, plan, onProgress) {
  for (const { name, dims, dtype } of plan) writer.tensor(name, dims, TensorType[dtype])
  const header = writer.header()
  return writeWhole(path, async file => {
    await file.write(header, 0, header.length, 0)
    for (const [i, planned] of plan.entries()) {
      let at = header.length + writer.offset(i)
      for (const source of planned.sources) {
        const bytes = await tensorBytes(checkpoint, planned, source)
        await file.write(bytes, 0, bytes.length, at)
        at += bytes.length
      }
      onProgress(i + 1, plan.length)
    }
    // The data section ends on its alignment, like every tensor in it.
    const size = header.length + writer.offset(plan.length)
    await file.truncate(size)
    return size
  })
}

/**
 * @param {SafetensorsFile} checkpoint
 * @param {PlannedTensor & { dtype: DataType }} planned
 * @param {string} source
 * @returns {Promise<Uint8Array>}
 */
async function tensorBytes(checkpoint, { dtype, map, shape }, source) {
  const tensor = findTensor(checkpoint, source, shape)
  const bytes = await checkpoint.read(tensor)
  if (tensor.dtype === dtype && !map) return bytes
  const values = toFloat32(bytes, tensor.dtype)
  return new Uint8Array((map ? values.map(map) : values).buffer)
}
