// Writes GGUF files of the true shapes with random weights: node tests/bench/models.mjs [name...] [--types q8_0,...]
//
// Types are given out as llama.cpp's quantizer does, by the same policy as `itera quantize`. The files go to
// build/bench/models, are the same everywhere, and are kept: an existing one of the right size is not written again.

import { mkdir, open, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { GgufWriter } from '../../web/bin/convert/gguf-writer.js'
import { mainType, planTypes } from '../../web/bin/quantize/policy.js'
import { tensorTypes } from '../../web/bin/quantize/types.js'
import { loadWasm } from '../../web/src/wasm.js'
import { Random, randomTensor, tensorBytes } from './random-tensors.mjs'
import { shapes } from './shapes.mjs'
import { createVocabulary } from './vocabulary.mjs'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
export const modelFolder = path.join(root, 'build/bench/models')
export const mixes = ['q8_0', 'q4_0', 'q4_k_m']
export const shapeNames = Object.keys(shapes)

/**
 * What a token costs: bytes of weights that decoding it reads, and multiplications of reading one of a prompt (the
 * head works for the last token only).
 *
 * @typedef {object} Cost
 * @property {number} decodeBytes
 * @property {number} prefillMacs
 *
 * @param {string} shape
 * @param {string} mix
 * @returns {Promise<{ file: string, bytes: number, seconds: number, cost: Cost }>}
 */
export async function writeModel(shape, mix) {
  const model = shapes[shape]()
  const plain = model.tensors.map(tensor => ({ ...tensor, type: 'F32' }))
  const types = planTypes(plain, mix, { layers: model.layers, experts: model.experts.count })
  return writeFile(path.join(modelFolder, `${shape}-${mix}.gguf`), plain, types, cost(model, types), writer => {
    writer.string('general.architecture', model.architecture)
    writer.string('general.name', shape)
    writer.string('general.description', 'random weights, for measuring speed')
    writer.u32('general.quantization_version', 2)
    writer.u32('general.file_type', tensorTypes[mainType(plain, types)].fileType)
    for (const [key, value] of Object.entries(model.u32)) writeWhole(writer, `${model.architecture}.${key}`, value)
    for (const [key, value] of Object.entries(model.f32)) writer.f32(`${model.architecture}.${key}`, value)
    writeTokenizer(writer, model)
  })
}

/** @param {GgufWriter} writer @param {string} key @param {number | boolean | number[]} value */
function writeWhole(writer, key, value) {
  if (Array.isArray(value)) writer.i32s(key, Int32Array.from(value))
  else if (typeof value === 'boolean') writer.bool(key, value)
  else writer.u32(key, value)
}

/** @param {GgufWriter} writer @param {import('./shapes.mjs').Model} model */
function writeTokenizer(writer, { vocabulary, pre }) {
  const { tokens, kinds, merges, end } = createVocabulary(vocabulary)
  writer.string('tokenizer.ggml.model', 'gpt2')
  writer.string('tokenizer.ggml.pre', pre)
  writer.strings('tokenizer.ggml.tokens', tokens)
  writer.i32s('tokenizer.ggml.token_type', kinds)
  writer.strings('tokenizer.ggml.merges', merges)
  writer.u32('tokenizer.ggml.bos_token_id', end)
  writer.u32('tokenizer.ggml.eos_token_id', end)
  writer.bool('tokenizer.ggml.add_bos_token', false)
}

/** @param {import('./shapes.mjs').Model} model @param {string[]} types @returns {Cost} */
function cost({ tensors, experts }, types) {
  const total = { decodeBytes: 0, prefillMacs: 0 }
  tensors.forEach(({ name, dims }, i) => {
    const values = dims.reduce((product, n) => product * n, 1)
    const share = name.includes('_exps.') ? experts.used / experts.count : 1
    total.decodeBytes += tensorBytes(types[i], values) * share
    if (dims.length > 1 && /^blk.*(?<!conv1d)\.weight$/.test(name)) total.prefillMacs += values * share
  })
  return total
}

/**
 * @param {string} file
 * @param {import('./shapes.mjs').Tensor[]} tensors
 * @param {string[]} types
 * @param {Cost} costs
 * @param {(writer: GgufWriter) => void} writeMetadata
 */
export async function writeFile(file, tensors, types, costs, writeMetadata) {
  const started = performance.now()
  const writer = new GgufWriter(await loadWasm({ simd: 'scalar' }))
  writeMetadata(writer)
  tensors.forEach(({ name, dims }, i) => writer.tensor(name, dims, tensorTypes[types[i]].id))
  const header = writer.header()
  const sizes = tensors.map(({ dims }, i) => tensorBytes(types[i], dims.reduce((product, n) => product * n, 1)))
  const offsets = tensors.map((_, i) => header.length + writer.offset(i))
  const bytes = offsets.at(-1) + sizes.at(-1)
  writer.free()
  const found = await stat(file).catch(() => null)
  if (found?.size !== bytes) await writeData({ file, header, tensors, types, offsets })
  return { file, bytes, seconds: (performance.now() - started) / 1000, cost: costs }
}

async function writeData({ file, header, tensors, types, offsets }) {
  await mkdir(path.dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}`           // a run cut short leaves no file that looks whole
  const output = await open(unfinished, 'w')
  const random = new Random(20260101)
  try {
    await output.write(header, 0, header.length, 0)
    for (let i = 0; i < tensors.length; i++) {
      let position = offsets[i]
      for (const piece of randomTensor(tensors[i], types[i], random)) {
        await output.write(piece, 0, piece.length, position)
        position += piece.length
      }
    }
  } finally {
    await output.close()
  }
  await rename(unfinished, file)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { types: { type: 'string' } } })
  for (const shape of positionals.length ? positionals : shapeNames) {
    if (!shapes[shape]) throw new Error(`no shape '${shape}'; shapes are ${shapeNames.join(', ')}`)
    for (const mix of values.types?.split(',') ?? mixes) {
      const { file, bytes, seconds, cost: { decodeBytes, prefillMacs } } = await writeModel(shape, mix)
      console.log(`${path.relative(root, file)}: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s; a token ` +
        `reads ${(decodeBytes / 1e6).toFixed(0)} MB, a token of a prompt takes ${(prefillMacs / 1e6).toFixed(0)} M products`)
    }
  }
}
