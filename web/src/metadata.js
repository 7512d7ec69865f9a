import { IteraError } from './errors.js'

/**
 * The key-value part of a GGUF header, read through the C parser: `get(key)` gives a string, number,
 * boolean, or an array of strings or numbers, and undefined for a key that is not there.
 *
 * Values are read when first asked for and kept. The bytes behind them belong to the C core, which frees
 * them once the model is complete: `detach` reads what is small before that, so that the metadata of a
 * loaded model can still be looked at; arrays that nobody asked for are gone then.
 *
 * @typedef {string | number | boolean | string[] | ArrayLike<number>} MetadataValue
 */
export class Metadata {
  /** @type {Map<string, number>} */
  #indices = new Map()
  /** @type {Map<string, any>} */
  #values = new Map()
  #wasm
  #gguf

  /**
   * @param {import('./wasm.js').Wasm} wasm
   * @param {number} gguf  a complete header
   */
  constructor(wasm, gguf) {
    this.#wasm = wasm
    this.#gguf = gguf
    const { itera_gguf_kv_count: count, itera_gguf_kv_key: key, itera_gguf_kv_key_length: length } = wasm.exports
    const n = count(gguf)
    for (let i = 0; i < n; i++) this.#indices.set(wasm.string(key(gguf, i), length(gguf, i)), i)
  }

  /** @param {string} key */
  has(key) { return this.#indices.has(key) }

  /** @returns {string[]} */
  keys() { return [...this.#indices.keys()] }

  /**
   * @param {string} key
   * @returns {any} a MetadataValue or undefined
   */
  get(key) {
    const index = this.#indices.get(key)
    if (index === undefined) return undefined
    if (!this.#values.has(key)) {
      if (!this.#gguf) throw new IteraError('argument', `the array ${key} was released after loading`)
      this.#values.set(key, readValue(this.#wasm, this.#gguf, index))
    }
    return this.#values.get(key)
  }

  /** Reads every scalar, then lets go of the header. */
  detach() {
    for (const [key, index] of this.#indices) {
      if (this.#wasm.exports.itera_gguf_kv_type(this.#gguf, index) !== ValueType.array) this.get(key)
    }
    this.#gguf = 0
  }

  /**
   * Drops the arrays that were read, which the tokenizer by now has in its own form.
   *
   * @param {string[]} keys
   */
  forget(keys) {
    for (const key of keys) this.#values.delete(key)
  }
}

/** GGUF value type ids. */
export const ValueType = Object.freeze({
  u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12,
})

/** @type {Record<number, new (buffer: ArrayBuffer) => ArrayLike<number>>} */
const typedArrays = {
  0: Uint8Array, 1: Int8Array, 2: Uint16Array, 3: Int16Array, 4: Uint32Array, 5: Int32Array, 6: Float32Array,
  12: Float64Array,
}
/** @type {Record<number, number>} */
const elementBytes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 12: 8 }

/**
 * @param {import('./wasm.js').Wasm} wasm
 * @param {number} gguf
 * @param {number} index
 * @returns {MetadataValue}
 */
function readValue(wasm, gguf, index) {
  const x = wasm.exports
  const type = x.itera_gguf_kv_type(gguf, index)
  if (type === ValueType.string) return readStrings(wasm, gguf, index, 1)[0]
  if (type === ValueType.bool) return x.itera_gguf_kv_number(gguf, index, 0) !== 0
  if (type !== ValueType.array) return x.itera_gguf_kv_number(gguf, index, 0)

  const length = x.itera_gguf_kv_length(gguf, index)
  const elements = x.itera_gguf_kv_element_type(gguf, index)
  if (elements === ValueType.string) return readStrings(wasm, gguf, index, length)
  const View = typedArrays[elements]
  if (View) {
    // Copied out first: elements inside a header are not aligned.
    const bytes = wasm.u8(x.itera_gguf_kv_data(gguf, index), length * elementBytes[elements])
    return new View(bytes.slice().buffer)
  }
  return Array.from({ length }, (_, i) => x.itera_gguf_kv_number(gguf, index, i))
}

/**
 * @param {import('./wasm.js').Wasm} wasm
 * @param {number} gguf
 * @param {number} index
 * @param {number} count
 * @returns {string[]}
 */
function readStrings(wasm, gguf, index, count) {
  const x = wasm.exports
  const out = wasm.staging(count * 8)
  x.itera_gguf_kv_strings(gguf, index, out)
  const pairs = wasm.u32(out, count * 2)
  const base = x.itera_gguf_kv_data(gguf, index) >>> 0
  /** @type {string[]} */
  const strings = new Array(count)
  for (let i = 0; i < count; i++) strings[i] = wasm.string(base + pairs[2 * i], pairs[2 * i + 1])
  return strings
}
