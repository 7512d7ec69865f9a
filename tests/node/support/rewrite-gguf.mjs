// A copy of a GGUF file with more in its metadata, through the engine's own reader and writer.
import { loadWasm } from '../../../web/src/wasm.js'

/**
 * @param {Uint8Array} bytes  a whole file
 * @param {Record<string, string>} additions  texts to add, by key
 * @returns {Promise<Uint8Array>}
 */
export async function addToMetadata(bytes, additions) {
  const wasm = await loadWasm({ simd: 'scalar' })
  const x = wasm.exports
  const gguf = wasm.checkHandle(x.itera_gguf_create())
  const input = wasm.alloc(bytes.length)
  wasm.u8(input, bytes.length).set(bytes)
  wasm.check(x.itera_gguf_push(gguf, input, bytes.length))
  const writer = wasm.checkHandle(x.itera_gguf_writer_create())

  for (let i = 0; i < x.itera_gguf_kv_count(gguf); i++) {
    const type = x.itera_gguf_kv_type(gguf, i)
    const elements = x.itera_gguf_kv_element_type(gguf, i)
    const count = x.itera_gguf_kv_length(gguf, i)
    wasm.check(x.itera_gguf_writer_add(writer, x.itera_gguf_kv_key(gguf, i), x.itera_gguf_kv_key_length(gguf, i),
      type, elements, count, x.itera_gguf_kv_data(gguf, i), valueBytes(wasm, gguf, i, elements, count)))
  }
  for (const [key, text] of Object.entries(additions)) {
    const name = Buffer.from(key)
    const value = Buffer.alloc(8 + Buffer.byteLength(text))
    value.writeBigUInt64LE(BigInt(value.length - 8))
    value.write(text, 8)
    const pointer = wasm.stage(Buffer.concat([name, value]))
    wasm.check(x.itera_gguf_writer_add(writer, pointer, name.length, 8, 8, 1, pointer + name.length, value.length))
  }
  const tensors = x.itera_gguf_tensors(gguf)
  for (let i = 0; i < tensors; i++) {
    const n = x.itera_gguf_tensor_dims(gguf, i)
    const dims = wasm.stage(new Uint8Array(Float64Array.from({ length: n }, (_, d) => x.itera_gguf_tensor_dim(gguf, i, d)).buffer))
    wasm.check(x.itera_gguf_writer_tensor(writer, x.itera_gguf_tensor_name(gguf, i), x.itera_gguf_tensor_name_length(gguf, i),
      n, dims, x.itera_gguf_tensor_type(gguf, i)))
  }
  const out = wasm.staging(4)
  const length = x.itera_gguf_writer_header(writer, out) >>> 0
  const header = wasm.u8(wasm.u32(out, 1)[0], length)
  const file = new Uint8Array(length + x.itera_gguf_writer_tensor_offset(writer, tensors))
  file.set(header)
  for (let i = 0; i < tensors; i++) {
    const from = x.itera_gguf_tensor_offset_f64(gguf, i)
    file.set(bytes.subarray(from, from + x.itera_gguf_tensor_bytes_f64(gguf, i)), length + x.itera_gguf_writer_tensor_offset(writer, i))
  }
  return file
}

/** How long a value is as it stands in the file. */
function valueBytes(wasm, gguf, i, elements, count) {
  const sizes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }
  if (elements !== 8) return sizes[elements] * count
  const out = wasm.staging(8 * count)
  wasm.exports.itera_gguf_kv_strings(gguf, i, out)
  const pairs = wasm.u32(out, 2 * count)
  return pairs.filter((_, at) => at % 2).reduce((sum, bytes) => sum + bytes + 8, 0)
}
