import { realpath } from 'node:fs/promises'
import process from 'node:process'
import { IteraError } from '../../src/errors.js'
import { openHeader } from '../header.js'
import { megabytes, printJson, StatusLine } from '../io.js'
import { required } from '../options.js'
import { mainType, planTypes, recipeNames } from '../quantize/policy.js'
import { listTensors, rewriteGguf } from '../quantize/rewrite.js'
import { tensorTypes } from '../quantize/types.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera quantize IN.gguf OUT.gguf --type TYPE

Makes a smaller file of the same model. IN may be of any type that can be read; the fewer bits it has, the less
there is to keep. Norms, convolutions, routers and vectors stay as they are.

  --type TYPE               f16     16 bits a weight
                            q8_0    8.5 bits, practically without loss
                            q4_0    4.5 bits, the head with more
                            q4_k_m  4 to 6 bits, as files of this name usually are
                            mixed   4 to 8 bits by what a tensor is for: the best for small models
  --json                    { output, type, bytes, input_bytes, bits_per_weight, tensors: [{ name, from, type,
                              bytes, error }] }; error: relative root mean square`

export const options = { type: { type: 'string' } }

/**
 * What `general.file_type` says of a recipe; `mixed` has no number and goes by its most frequent type.
 * @type {Record<string, number>}
 */
const fileTypes = { f16: 1, q4_0: 2, q8_0: 7, q4_k_m: 15 }

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  if (positionals.length !== 2) throw new UsageError('give IN.gguf and OUT.gguf')
  const [input, output] = positionals
  const recipe = required(values, 'type').toLowerCase()
  if (!recipeNames.includes(recipe)) {
    throw new UsageError(`--type is one of ${recipeNames.join(', ')}, not '${values.type}'`)
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(input)) throw new UsageError(`${input} is no path: download it first`)
  if (await sameFile(input, output)) throw new UsageError('IN and OUT are the same file')

  const header = await openHeader(input, { simd: 'scalar' })
  const line = new StatusLine()
  try {
    const { wasm, gguf, metadata, fileBytes } = header
    const described = wasm.exports.itera_gguf_file_size_f64(gguf)
    if (fileBytes < described) {
      throw new IteraError('incomplete', `${input} has ${fileBytes} bytes, but its header describes ${described}`)
    }
    const tensors = listTensors(wasm, gguf)
    const architecture = metadata.get('general.architecture')
    const types = planTypes(tensors, recipe, {
      layers: metadata.get(`${architecture}.block_count`) ?? 0,
      experts: metadata.get(`${architecture}.expert_count`) ?? 0,
    })
    const written = await rewriteGguf({
      wasm, gguf, keys: metadata.keys(), input, output, tensors, types,
      fileType: fileTypes[recipe] ?? tensorTypes[mainType(tensors, types)].fileType,
      onProgress: (done, total) => line.show(`quantizing ${megabytes(done)} of ${megabytes(total)}`),
    })
    line.clear()
    const weights = tensors.reduce((sum, { dims }) => sum + dims.reduce((product, n) => product * n, 1), 0)
    const result = {
      output, type: recipe, bytes: written.bytes, input_bytes: fileBytes,
      bits_per_weight: weights ? 8 * written.tensors.reduce((sum, { bytes }) => sum + bytes, 0) / weights : 0,
      tensors: written.tensors,
    }
    if (values.json) printJson(result)
    else process.stdout.write(`${summary(result)}\n`)
  } finally {
    line.clear()
    header.close()
  }
}

/** @param {string} a @param {string} b */
async function sameFile(a, b) {
  const [first, second] = await Promise.all([a, b].map(path => realpath(path).catch(() => null)))
  return first !== null && first === second
}

/** @param {any} result */
function summary({ output, bytes, input_bytes: inputBytes, bits_per_weight: bits, tensors }) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { type } of tensors) counts.set(type, (counts.get(type) ?? 0) + 1)
  const list = [...counts].map(([type, count]) => `${count} ${type}`).join(', ')
  return `${output}: ${megabytes(bytes)}, ${(100 * bytes / inputBytes).toFixed(0)}% of ${megabytes(inputBytes)}, ` +
    `${bits.toFixed(2)} bits a weight; tensors: ${list}`
}
