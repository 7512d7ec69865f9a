/**
 * A small reader of GGUF metadata for tests, so that they need no wasm: little-endian GGUF v2 and v3, key-value pairs
 * only. It trusts its input; the reader that ships is the C one.
 *
 *   "GGUF"  u32 version  u64 tensor count  u64 pair count, then per pair:
 *   string key  u32 type  value        string = u64 length, bytes; array = u32 element type, u64 count, elements
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const types = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12 }

/**
 * @param {string} path
 * @returns {{ get(key: string): any, keys(): string[] }}
 */
export function readGgufMetadata(path) {
  const bytes = readStart(path, 16 << 20) // no header of the test files is longer
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  let at = 0

  const u32 = () => view.getUint32((at += 4) - 4, true)
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true))
  const string = () => {
    const length = u64()
    return utf8.decode(bytes.subarray(at, at += length))
  }
  const value = type => {
    switch (type) {
      case types.u8: return view.getUint8(at++)
      case types.i8: return view.getInt8(at++)
      case types.bool: return view.getUint8(at++) !== 0
      case types.u16: return view.getUint16((at += 2) - 2, true)
      case types.i16: return view.getInt16((at += 2) - 2, true)
      case types.u32: return u32()
      case types.i32: return view.getInt32((at += 4) - 4, true)
      case types.f32: return view.getFloat32((at += 4) - 4, true)
      case types.u64: return u64()
      case types.i64: return Number(view.getBigInt64((at += 8) - 8, true))
      case types.f64: return view.getFloat64((at += 8) - 8, true)
      case types.string: return string()
      case types.array: {
        const element = u32()
        return Array.from({ length: u64() }, () => value(element))
      }
      default: throw new Error(`${path}: unknown value type ${type}`)
    }
  }

  if (utf8.decode(bytes.subarray(0, 4)) !== 'GGUF') throw new Error(`${path} is not a GGUF file`)
  at = 4
  const version = u32()
  if (version !== 2 && version !== 3) throw new Error(`${path}: GGUF version ${version}`)
  u64() // tensors
  const pairs = new Map(Array.from({ length: u64() }, () => [string(), value(u32())]))
  return { get: key => pairs.get(key), keys: () => [...pairs.keys()] }
}

function readStart(path, limit) {
  const file = openSync(path, 'r')
  try {
    const bytes = new Uint8Array(Math.min(limit, fstatSync(file).size))
    let filled = 0
    while (filled < bytes.length) {
      const read = readSync(file, bytes, filled, bytes.length - filled, filled)
      if (read === 0) break
      filled += read
    }
    return bytes
  } finally {
    closeSync(file)
  }
}
