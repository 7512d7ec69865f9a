import { ValueType } from '../../src/metadata.js'

/**
 * A GGUF header in the making, through the C writer, so that what is written is what the C reader accepts.
 *
 * @typedef {import('../../src/wasm.js').Wasm} Wasm
 */

/** GGUF tensor types that are written here. */
export const TensorType = Object.freeze({ F32: 0, F16: 1, BF16: 30 })

const encoder = new TextEncoder()

export class GgufWriter {
  #wasm
  #handle

  /** @param {Wasm} wasm */
  constructor(wasm) {
    this.#wasm = wasm
    this.#handle = wasm.checkHandle(wasm.exports.itera_gguf_writer_create())
  }

  free() {
    if (this.#handle) this.#wasm.exports.itera_gguf_writer_free(this.#handle)
    this.#handle = 0
  }

  /** @param {string} key @param {string} value */
  string(key, value) { this.#add(key, ValueType.string, ValueType.string, 1, encodeString(value)) }

  /** @param {string} key @param {number} value */
  u32(key, value) { this.#add(key, ValueType.u32, ValueType.u32, 1, bytesOf(Uint32Array.of(value))) }

  /** @param {string} key @param {number} value */
  f32(key, value) { this.#add(key, ValueType.f32, ValueType.f32, 1, bytesOf(Float32Array.of(value))) }

  /** @param {string} key @param {boolean} value */
  bool(key, value) { this.#add(key, ValueType.bool, ValueType.bool, 1, Uint8Array.of(value ? 1 : 0)) }

  /** @param {string} key @param {string[]} values */
  strings(key, values) {
    this.#add(key, ValueType.array, ValueType.string, values.length, joinBytes(values.map(encodeString)))
  }

  /** @param {string} key @param {Int32Array} values */
  i32s(key, values) { this.#add(key, ValueType.array, ValueType.i32, values.length, bytesOf(values)) }

  /**
   * Adds an entry of another file as it is. Only the scalar module can.
   *
   * @param {number} gguf  its header
   * @param {number} index
   */
  copy(gguf, index) { this.#wasm.check(this.#wasm.exports.itera_gguf_writer_copy(this.#handle, gguf, index)) }

  /**
   * @param {string} key
   * @param {number} type
   * @param {number} elementType
   * @param {number} count
   * @param {Uint8Array} data
   */
  #add(key, type, elementType, count, data) {
    const wasm = this.#wasm
    const name = encoder.encode(key)
    const pointer = wasm.stage(joinBytes([name, data]))
    wasm.check(wasm.exports.itera_gguf_writer_add(
      this.#handle, pointer, name.length, type, elementType, count, pointer + name.length, data.length))
  }

  /**
   * Tensors follow one another in the order in which they are added.
   *
   * @param {string} name
   * @param {number[]} dims  fastest first
   * @param {number} type
   */
  tensor(name, dims, type) {
    const wasm = this.#wasm
    const text = encoder.encode(name)
    const pointer = wasm.stage(joinBytes([bytesOf(Float64Array.from(dims)), text]))
    wasm.check(wasm.exports.itera_gguf_writer_tensor(
      this.#handle, pointer + dims.length * 8, text.length, dims.length, pointer, type))
  }

  /** The whole header, up to the first byte of the first tensor. @returns {Uint8Array} */
  header() {
    const wasm = this.#wasm
    const out = wasm.staging(4)
    const length = wasm.exports.itera_gguf_writer_header(this.#handle, out) >>> 0
    if (!length) throw wasm.error(wasm.exports.itera_last_status() || -2)
    return wasm.u8(wasm.u32(out, 1)[0], length).slice()
  }

  /** Where tensor `index` begins, from the end of the header. @param {number} index */
  offset(index) { return this.#wasm.exports.itera_gguf_writer_tensor_offset(this.#handle, index) }
}

/** @param {ArrayBufferView} view */
const bytesOf = view => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** A string as GGUF has it: length in 64 bits, then UTF-8. @param {string} text */
function encodeString(text) {
  const bytes = encoder.encode(text)
  return joinBytes([bytesOf(BigUint64Array.of(BigInt(bytes.length))), bytes])
}

/** @param {Uint8Array[]} parts */
function joinBytes(parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
