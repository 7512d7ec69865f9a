import process from 'node:process'
import { modelNumbers } from '../../src/engine.js'
import { loadWasm } from '../../src/wasm.js'
import { GgufWriter, TensorType } from '../convert/gguf-writer.js'
import { writeMetadata } from '../convert/itera-lite.js'
import { presetConfig, presetNames } from '../convert/presets.js'
import { planTensors } from '../convert/tensors.js'
import { openHeader } from '../header.js'
import { megabytes, printJson } from '../io.js'
import { count, modelOptions, simd } from '../options.js'
import { UsageError } from '../usage.js'

/**
 * Every published checkpoint was trained at this length, whatever its preset allows, and published parameter
 * counts include positions: so presets are counted with as many.
 */
const PUBLISHED_POSITIONS = 128

export const usage = `
usage: itera inspect MODEL
       itera inspect --preset NAME [--vocab N] [--positions N]

Shows what a model is made of and what it needs, without loading its weights.

  --preset NAME             ${presetNames.join(', ')}
  --vocab N                 another vocabulary than the preset's own
  --positions N             learned positions; the length of the published checkpoints, ${PUBLISHED_POSITIONS}, unless given
  --json                    { architecture, parameters, flops_per_token, state_bytes, memory_bytes, tensors, ... }`

export const options = {
  simd: modelOptions.simd,
  preset: { type: 'string' },
  vocab: { type: 'string' },
  positions: { type: 'string' },
}

/** Tokens for which a KV cache is counted into the memory, where there is one. */
const USUAL_CONTEXT = 4096

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  if (positionals.length !== (values.preset === undefined ? 1 : 0)) throw new UsageError('give either MODEL or --preset NAME')
  const { wasm, gguf, ...described } = values.preset === undefined
    ? await openModel(positionals[0], values)
    : await openPreset(values)
  const tensors = listTensors(wasm, gguf)
  const model = wasm.checkHandle(wasm.exports.itera_model_create(gguf))
  const n = modelNumbers(wasm, model)
  wasm.exports.itera_model_free(model)
  const context = Math.min(n.contextLength || USUAL_CONTEXT, USUAL_CONTEXT)
  const result = {
    ...described,
    parameters: { total: n.parameters, active: n.activeParameters, embedding: n.embeddingParameters },
    vocabulary: n.vocabulary,
    layers: n.layers,
    width: n.width,
    context_length: n.contextLength,
    flops_per_token: n.flopsPerToken,
    weight_bytes: n.weightBytes,
    state_bytes: n.stateBytes,
    kv_bytes_per_token: n.kvBytesPerToken,
    scratch_bytes: n.scratchBytes,
    memory_bytes: n.weightBytes + n.stateBytes + n.scratchBytes + n.kvBytesPerToken * context,
    tensors,
  }
  if (values.json) printJson(result)
  else printTable(result)
}

/** @param {string} path @param {import('../options.js').Values} values */
async function openModel(path, values) {
  const { wasm, gguf, metadata, fileBytes } = await openHeader(path, values)
  return {
    wasm,
    gguf,
    architecture: String(metadata.get('general.architecture') ?? ''),
    name: String(metadata.get('general.name') ?? ''),
    file_bytes: fileBytes,
    tokenizer: String(metadata.get('tokenizer.ggml.pre') ?? metadata.get('tokenizer.ggml.model') ?? 'none'),
    chat_template: metadata.has('tokenizer.chat_template'),
  }
}

/**
 * A preset is a file without data: its header goes the way of any other.
 *
 * @param {import('../options.js').Values} values
 */
async function openPreset(values) {
  const config = presetConfig(values.preset, {
    vocabulary: values.vocab === undefined ? undefined : count(values, 'vocab', 0, 1),
    positions: values.positions === undefined ? PUBLISHED_POSITIONS : count(values, 'positions', 0),
  })
  const wasm = await loadWasm({ simd: simd(values) })
  const writer = new GgufWriter(wasm)
  writeMetadata(writer, config)
  for (const { name, dims } of planTensors(config)) writer.tensor(name, dims, TensorType.F32)
  const header = writer.header()
  writer.free()
  const gguf = wasm.checkHandle(wasm.exports.itera_gguf_create())
  wasm.check(wasm.exports.itera_gguf_push(gguf, wasm.stage(header), header.length))
  return {
    wasm, gguf, architecture: 'itera-lite', name: config.name,
    file_bytes: wasm.exports.itera_gguf_file_size_f64(gguf), tokenizer: 'none', chat_template: false,
  }
}

/**
 * @param {import('../../src/wasm.js').Wasm} wasm
 * @param {number} gguf
 */
function listTensors(wasm, gguf) {
  const x = wasm.exports
  return Array.from({ length: x.itera_gguf_tensors(gguf) }, (_, i) => ({
    name: wasm.string(x.itera_gguf_tensor_name(gguf, i), x.itera_gguf_tensor_name_length(gguf, i)),
    type: wasm.cString(x.itera_gguf_tensor_type_name(gguf, i)),
    dims: Array.from({ length: x.itera_gguf_tensor_dims(gguf, i) }, (_, d) => x.itera_gguf_tensor_dim(gguf, i, d)),
    bytes: x.itera_gguf_tensor_bytes_f64(gguf, i),
  }))
}

/** @param {any} result */
function printTable({ parameters, tensors, ...rest }) {
  const rows = [
    ['architecture', rest.architecture],
    ['name', rest.name || '-'],
    ['parameters', `${parameters.total} (${parameters.active} active, ${parameters.embedding} embedding)`],
    ['shape', `${rest.layers} layers, width ${rest.width}, vocabulary ${rest.vocabulary}`],
    ['context', rest.context_length || 'no limit'],
    ['file', megabytes(rest.file_bytes)],
    ['memory', `${megabytes(rest.memory_bytes)}: weights ${megabytes(rest.weight_bytes)}, ` +
      `state ${(rest.state_bytes / 1e3).toFixed(1)} kB, scratch ${megabytes(rest.scratch_bytes)}`],
    ['KV cache', rest.kv_bytes_per_token ? `${rest.kv_bytes_per_token} bytes a token` : 'none'],
    ['work', `${(rest.flops_per_token / 1e6).toFixed(1)} MFLOP a token`],
    ['tokenizer', rest.tokenizer],
    ['chat template', rest.chat_template ? 'yes' : 'no'],
  ]
  for (const [name, value] of rows) process.stdout.write(`${String(name).padEnd(15)}${value}\n`)
  process.stdout.write(`\n${tensors.length} tensors\n`)
  for (const { name, type, dims } of tensors) {
    process.stdout.write(`  ${name.padEnd(34)}${type.padEnd(6)}${dims.join(' x ')}\n`)
  }
}
