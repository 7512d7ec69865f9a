import { open } from 'node:fs/promises'
import { IteraError } from '../../src/errors.js'
import { fileError } from '../../src/source.js'
import { GgufWriter } from '../convert/gguf-writer.js'
import { writeWhole } from '../output.js'
import { tensorTypes } from './types.js'

/**
 * A GGUF file written anew with other tensor types. Weights pass through in pieces, so memory does not grow with
 * the model; everything else in the file is copied.
 *
 * @typedef {import('../../src/wasm.js').Wasm} Wasm
 * @typedef {import('./types.js').TensorTypeName} TensorTypeName
 *
 * @typedef {object} SourceTensor
 * @property {string} name
 * @property {TensorTypeName} type
 * @property {number[]} dims  fastest first
 * @property {number} offset  in the file
 * @property {number} bytes
 *
 * @typedef {object} WrittenTensor
 * @property {string} name
 * @property {TensorTypeName} from
 * @property {TensorTypeName} type
 * @property {number} bytes
 * @property {number} error  root of the mean squared error, relative to that of the weights; 0 for a copy
 */

/** Weights converted at a time: whole blocks of every type. */
const PIECE = 1 << 18

/** Version of the quantized formats, the second of which is the one in use. */
const QUANTIZATION_VERSION = 2

/** @param {Wasm} wasm @param {number} gguf  a complete header @returns {SourceTensor[]} */
export function listTensors(wasm, gguf) {
  const x = wasm.exports
  return Array.from({ length: x.itera_gguf_tensors(gguf) }, (_, i) => ({
    name: wasm.string(x.itera_gguf_tensor_name(gguf, i), x.itera_gguf_tensor_name_length(gguf, i)),
    type: /** @type {TensorTypeName} */ (wasm.cString(x.itera_gguf_tensor_type_name(gguf, i))),
    dims: Array.from({ length: x.itera_gguf_tensor_dims(gguf, i) }, (_, d) => x.itera_gguf_tensor_dim(gguf, i, d)),
    offset: x.itera_gguf_tensor_offset_f64(gguf, i),
    bytes: x.itera_gguf_tensor_bytes_f64(gguf, i),
  }))
}

/**
 * @param {object} job
 * @param {Wasm} job.wasm  the scalar module, the only one that can quantize
 * @param {number} job.gguf  header of the input
 * @param {string[]} job.keys  of its metadata, in order
 * @param {string} job.input
 * @param {string} job.output
 * @param {SourceTensor[]} job.tensors  of the input
 * @param {TensorTypeName[]} job.types  one for each
 * @param {number} job.fileType  for general.file_type
 * @param {(done: number, total: number) => void} job.onProgress  in bytes read
 * @returns {Promise<{ bytes: number, tensors: WrittenTensor[] }>}
 */
export async function rewriteGguf({ wasm, gguf, keys, input, output, tensors, types, fileType, onProgress }) {
  const writer = new GgufWriter(wasm)
  const source = await open(input).catch(error => { throw fileError(error, input) })
  try {
    copyMetadata(wasm, gguf, keys, writer, fileType)
    tensors.forEach(({ name, dims }, i) => writer.tensor(name, dims, tensorTypes[types[i]].id))
    const header = writer.header()
    const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
    let done = 0
    return await writeWhole(output, async file => {
      await file.write(header, 0, header.length, 0)
      const written = []
      for (const [i, tensor] of tensors.entries()) {
        const at = header.length + writer.offset(i)
        written.push(await writeTensor(wasm, { source, input, file, at, tensor, type: types[i] }, bytes => {
          done += bytes
          onProgress(done, total)
        }))
      }
      // The data section ends on its alignment, like every tensor in it.
      const bytes = header.length + writer.offset(tensors.length)
      await file.truncate(bytes)
      return { bytes, tensors: written }
    })
  } finally {
    wasm.dropStaging()
    writer.free()
    await source.close()
  }
}

/**
 * Every entry as it is, but for the two that say what the tensors are, and for an alignment other than the writer's.
 *
 * @param {Wasm} wasm
 * @param {number} gguf
 * @param {string[]} keys
 * @param {GgufWriter} writer
 * @param {number} fileType
 */
function copyMetadata(wasm, gguf, keys, writer, fileType) {
  /** @type {Map<string, number>} */
  const own = new Map([['general.file_type', fileType], ['general.quantization_version', QUANTIZATION_VERSION]])
  keys.forEach((key, i) => {
    if (own.has(key)) writer.u32(key, /** @type {number} */ (own.get(key)))
    else if (key !== 'general.alignment') writer.copy(gguf, i)
    own.delete(key)
  })
  for (const [key, value] of own) writer.u32(key, value)
}

/**
 * @param {Wasm} wasm
 * @param {object} job
 * @param {import('node:fs/promises').FileHandle} job.source
 * @param {string} job.input
 * @param {import('node:fs/promises').FileHandle} job.file
 * @param {number} job.at  place in the output
 * @param {SourceTensor} job.tensor
 * @param {TensorTypeName} job.type
 * @param {(bytes: number) => void} onRead
 * @returns {Promise<WrittenTensor>}
 */
async function writeTensor(wasm, { source, input, file, at, tensor, type }, onRead) {
  const { name, dims, type: from } = tensor
  const x = wasm.exports
  const bytesOf = (/** @type {TensorTypeName} */ one, /** @type {number} */ weights) =>
    weights / tensorTypes[one].block * x.itera_type_bytes(tensorTypes[one].id)
  const weights = dims.reduce((product, n) => product * n, 1)
  const sums = [0, 0]
  const buffer = new Uint8Array(bytesOf(from, Math.min(PIECE, weights)))
  for (let first = 0; first < weights; first += PIECE) {
    const count = Math.min(PIECE, weights - first)
    const bytes = buffer.subarray(0, bytesOf(from, count))
    await readExactly(source, input, bytes, tensor.offset + bytesOf(from, first))
    onRead(bytes.length)
    const converted = from === type ? bytes : convert(wasm, bytes, tensor, type, count, bytesOf(type, count), sums)
    await file.write(converted, 0, converted.length, at + bytesOf(type, first))
  }
  return { name, from, type, bytes: bytesOf(type, weights), error: sums[1] ? Math.sqrt(sums[0] / sums[1]) : 0 }
}

/**
 * @param {Wasm} wasm
 * @param {Uint8Array} bytes
 * @param {SourceTensor} tensor
 * @param {TensorTypeName} type
 * @param {number} count
 * @param {number} outputBytes
 * @param {number[]} sums  of squares: of the errors, of the weights
 * @returns {Uint8Array} a view of the heap, valid until the next call
 */
function convert(wasm, bytes, { name, type: from }, type, count, outputBytes, sums) {
  const x = wasm.exports
  const room = 16 + Math.ceil(bytes.length / 16) * 16        // the sums, the input, then the output
  const pointer = wasm.staging(room + outputBytes)
  wasm.u8(pointer, 16).fill(0)
  wasm.u8(pointer + 16, bytes.length).set(bytes)
  const status = x.itera_quantize(
    pointer + room, tensorTypes[type].id, pointer + 16, tensorTypes[from].id, count, pointer)
  if (status < 0) {
    const code = /** @type {any} */ (wasm.cString(x.itera_status_code(status)))
    throw new IteraError(code, `'${name}' cannot become ${type}: ${wasm.cString(x.itera_quantize_error_text())}`)
  }
  const [errors, squares] = new Float64Array(wasm.u8(pointer, 16).slice().buffer)
  sums[0] += errors
  sums[1] += squares
  return wasm.u8(pointer + room, outputBytes)
}

/**
 * @param {import('node:fs/promises').FileHandle} source
 * @param {string} path
 * @param {Uint8Array} bytes  filled
 * @param {number} position
 */
async function readExactly(source, path, bytes, position) {
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await source.read(bytes, filled, bytes.length - filled, position + filled)
      .catch(error => { throw fileError(error, path) })
    if (!bytesRead) throw new IteraError('incomplete', `${path} ends inside its tensors`)
    filled += bytesRead
  }
}
