import { open } from 'node:fs/promises'
import { IteraError } from '../../src/errors.js'
import { fileError } from '../../src/source.js'

/**
 * Safetensors, with every number of the header doubted:
 *
 *   u64 length of the header; the header, JSON: { name: { dtype, shape, data_offsets: [begin, end] }, ... };
 *   the data, in which the tensors must lie side by side without gap or overlap
 *
 * @typedef {object} SafeTensor
 * @property {string} name
 * @property {DataType} dtype
 * @property {number[]} shape
 * @property {number} offset  in the file
 * @property {number} bytes
 *
 * @typedef {'F32' | 'F16' | 'BF16'} DataType
 */

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000

/** @type {Record<string, number>} */
const elementBytes = {
  BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4,
  I64: 8, U64: 8, F64: 8,
}

export class SafetensorsFile {
  /**
   * @param {import('node:fs/promises').FileHandle} file
   * @param {string} path
   * @param {Map<string, SafeTensor>} tensors
   */
  constructor(file, path, tensors) {
    this.file = file
    this.path = path
    this.tensors = tensors
  }

  /** @param {string} path @returns {Promise<SafetensorsFile>} */
  static async open(path) {
    /** @type {import('node:fs/promises').FileHandle | undefined} */
    let file
    try {
      file = await open(path, 'r')
      const { size } = await file.stat()
      const length = size >= 8 ? Number((await readExactly(file, 0, 8)).readBigUInt64LE(0)) : Infinity
      if (length > size - 8) throw corrupt(path, 'is too short to be safetensors')
      if (length > MAX_HEADER_BYTES) throw corrupt(path, `has a header of ${length} bytes, more than the format allows`)
      const header = await readExactly(file, 8, length)
      return new SafetensorsFile(file, path, readHeader(path, header.toString('utf8'), 8 + length, size))
    } catch (error) {
      await file?.close()
      throw fileError(error, path)
    }
  }

  /** @param {SafeTensor} tensor @returns {Promise<Uint8Array>} */
  async read(tensor) {
    try {
      return await readExactly(this.file, tensor.offset, tensor.bytes)
    } catch (error) {
      throw fileError(error, this.path)
    }
  }

  close() { return this.file.close() }
}

/**
 * @param {string} path
 * @param {string} text
 * @param {number} dataStart
 * @param {number} fileBytes
 * @returns {Map<string, SafeTensor>}
 */
function readHeader(path, text, dataStart, fileBytes) {
  let header
  try {
    header = JSON.parse(text)
  } catch {
    throw corrupt(path, 'has a header that is not JSON')
  }
  if (!isObject(header)) throw corrupt(path, 'has a header that is not an object')
  const tensors = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(path, name, entry, dataStart))
    .sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)
  let at = dataStart
  for (const { name, offset, bytes } of tensors) {
    if (offset !== at) throw corrupt(path, `has ${offset < at ? 'overlapping data' : 'a gap'} before tensor '${name}'`)
    at += bytes
  }
  if (at !== fileBytes) {
    throw corrupt(path, `${at > fileBytes ? 'is cut short' : 'has data behind its tensors'}: ` +
      `its header describes ${at} bytes, the file has ${fileBytes}`)
  }
  return new Map(tensors.map(tensor => [tensor.name, tensor]))
}

/**
 * @param {string} path
 * @param {string} name
 * @param {any} entry
 * @param {number} dataStart
 * @returns {SafeTensor}
 */
function readEntry(path, name, entry, dataStart) {
  const { dtype, shape, data_offsets: offsets } = isObject(entry) ? entry : {}
  const size = Object.hasOwn(elementBytes, dtype) ? elementBytes[dtype] : 0
  if (!size) throw new IteraError('unsupported', `${path}: tensor '${name}' has the unknown type ${String(dtype)}`)
  const isCount = (/** @type {unknown} */ n) => Number.isSafeInteger(n) && /** @type {number} */ (n) >= 0
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(isCount)) {
    throw corrupt(path, `has tensor '${name}' with sizes that are not a list of whole numbers`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw corrupt(path, `has tensor '${name}' without a valid range of data`)
  }
  const [begin, end] = offsets
  // Beyond 2^53 the product is no longer exact, but then it is no file's size either.
  if (shape.reduce((product, n) => product * n, size) !== end - begin) {
    throw corrupt(path, `has tensor '${name}' of ${end - begin} bytes, which is not what its sizes and type need`)
  }
  return { name, dtype, shape, offset: dataStart + begin, bytes: end - begin }
}

/** @param {any} value */
const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)

/** @param {string} path @param {string} what */
const corrupt = (path, what) => new IteraError('corrupt', `${path} ${what}`)

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} position
 * @param {number} length
 */
async function readExactly(file, position, length) {
  const buffer = Buffer.alloc(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await file.read(buffer, at, length - at, position + at)
    if (!bytesRead) throw new Error('the file ended early')
    at += bytesRead
  }
  return buffer
}
