import { compiledEngine } from './engine-module.js'
import { IteraError } from './errors.js'
import { chooseVariant } from './features.js'
import { imports } from './imports.js'
import { createSharedMemory, startHelpers } from './threads.js'

/**
 * The boundary to the C core: gives the flat exports of a build a few helpers.
 *
 * Pointers arrive as signed 32-bit numbers and are made unsigned here. Views of the heap are made afresh
 * for every use: any call that allocates may grow the memory, which detaches older ones.
 *
 * @typedef {import('../types.d.ts').SimdVariant} SimdVariant
 */

const utf8 = new TextDecoder()

/**
 * @param {{ simd?: SimdVariant | 'auto', compiled?: import('./engine-module.js').CompiledEngine, threads?: number,
 *   spawn?: import('./threads.js').SpawnHelper }} [options]
 *   compiled: the build of one thread that `simd` asks for, where another thread has compiled it already; threads: as many
 *   as shall be, if they can be; spawn: how the others are started
 * @returns {Promise<Wasm>}
 */
export async function loadWasm({ simd = 'auto', compiled, threads = 1, spawn } = {}) {
  const variant = chooseVariant(simd)
  const wasm = threads > 1 && spawn ? await loadThreaded(variant, threads, spawn) : null
  if (wasm) return wasm
  const { module, bytes } = compiled ?? await compiledEngine(variant)
  const instance = await WebAssembly.instantiate(module, imports(module))
  return new Wasm(instance, variant, bytes)
}

/**
 * @param {SimdVariant} variant
 * @param {number} threads
 * @param {import('./threads.js').SpawnHelper} spawn
 * @returns {Promise<Wasm | null>} null where only one thread can be had
 */
async function loadThreaded(variant, threads, spawn) {
  if (variant === 'scalar') return null                 // threads without SIMD are not worth a file
  const memory = createSharedMemory()
  if (!memory) return null
  try {
    const { module, bytes } = await compiledEngine(`${variant}-threads`)
    const instance = await WebAssembly.instantiate(module, imports(module, memory))
    const wasm = new Wasm(instance, variant, bytes, memory)
    await startHelpers(wasm, module, threads, spawn)
    wasm.threads = threads
    return wasm
  } catch {
    // A page's policy against workers, too many of them, no memory: whatever it was, one thread does the same work.
    return null
  }
}

export class Wasm {
  #staging = { pointer: 0, bytes: 0 }

  /**
   * @param {WebAssembly.Instance} instance
   * @param {SimdVariant} variant
   * @param {number} moduleBytes
   * @param {WebAssembly.Memory} [memory]  where it was given to the instance
   */
  constructor(instance, variant, moduleBytes, memory) {
    /** @type {Record<string, (...args: any[]) => number>} */
    this.exports = /** @type {any} */ (instance.exports)
    this.memory = memory ?? /** @type {WebAssembly.Memory} */ (instance.exports.memory)
    this.threads = 1
    this.variant = variant
    this.moduleBytes = moduleBytes
    /** Tokens ever fed to any session here: what tests count on when they claim that none was fed twice. */
    this.fedTokens = 0
    this.exports._initialize?.()
  }

  get memoryBytes() { return this.memory.buffer.byteLength }

  /** @param {number} pointer @param {number} length */
  u8(pointer, length) { return new Uint8Array(this.memory.buffer, pointer >>> 0, length) }

  /** @param {number} pointer @param {number} length */
  u32(pointer, length) { return new Uint32Array(this.memory.buffer, pointer >>> 0, length) }

  /** @param {number} pointer @param {number} length */
  i32(pointer, length) { return new Int32Array(this.memory.buffer, pointer >>> 0, length) }

  /** @param {number} pointer @param {number} length */
  f32(pointer, length) { return new Float32Array(this.memory.buffer, pointer >>> 0, length) }

  /** @param {number} pointer @param {number} length  in bytes of UTF-8 */
  string(pointer, length) {
    const view = this.u8(pointer, length)
    return utf8.decode(view.buffer instanceof ArrayBuffer ? view : view.slice())     // decoders refuse shared memory
  }

  /** @param {number} pointer  of a NUL-terminated string */
  cString(pointer) {
    const heap = new Uint8Array(this.memory.buffer)
    const start = pointer >>> 0
    return this.string(start, heap.indexOf(0, start) - start)
  }

  /**
   * @param {number} bytes
   * @returns {number} a pointer the caller frees
   */
  alloc(bytes) {
    const pointer = this.exports.itera_alloc(bytes) >>> 0
    if (!pointer) throw new IteraError('memory', `no memory for ${bytes} more bytes`)
    return pointer
  }

  /** @param {number} pointer */
  free(pointer) { this.exports.itera_free(pointer) }

  /**
   * A block for passing data in or out, kept between calls and overwritten by the next user: valid until
   * the next staging call, so never across an await.
   *
   * @param {number} bytes
   * @returns {number}
   */
  staging(bytes) {
    if (bytes > this.#staging.bytes) {
      if (this.#staging.pointer) this.free(this.#staging.pointer)
      this.#staging = { pointer: 0, bytes: 0 }
      const size = Math.max(bytes, 4096)
      this.#staging = { pointer: this.alloc(size), bytes: size }
    }
    return this.#staging.pointer
  }

  /** Frees the staging block, after a use that made it large. */
  dropStaging() {
    if (this.#staging.pointer) this.free(this.#staging.pointer)
    this.#staging = { pointer: 0, bytes: 0 }
  }

  /**
   * Copies bytes into the staging block.
   *
   * @param {Uint8Array} bytes
   * @returns {number}
   */
  stage(bytes) {
    const pointer = this.staging(bytes.length)
    this.u8(pointer, bytes.length).set(bytes)
    return pointer
  }

  /**
   * Copies token ids into the staging block, with room for `extra` bytes behind them.
   *
   * @param {ArrayLike<number>} tokens
   * @param {number} [extra]
   * @returns {number}
   */
  stageTokens(tokens, extra = 0) {
    const pointer = this.staging(tokens.length * 4 + extra)
    this.i32(pointer, tokens.length).set(tokens)
    return pointer
  }

  /**
   * Passes a status on, or throws the failure it stands for.
   *
   * @param {number} status
   * @returns {number}
   */
  check(status) {
    if (status < 0) throw this.error(status)
    return status
  }

  /** @param {number} status  negative */
  error(status) {
    const code = /** @type {any} */ (this.cString(this.exports.itera_status_code(status)))
    return new IteraError(code, this.cString(this.exports.itera_error_text()) || code)
  }

  /**
   * Passes a handle on, or throws why it could not be made.
   *
   * @param {number} handle
   * @returns {number}
   */
  checkHandle(handle) {
    if (!handle) throw this.error(this.exports.itera_last_status() || -2)
    return handle >>> 0
  }

  /**
   * The core's hash of some bytes, as 16 hexadecimal digits.
   *
   * @param {Uint8Array} bytes
   * @returns {string}
   */
  hash(bytes) {
    const pointer = this.staging(bytes.length + 16)
    const out = pointer + Math.ceil(bytes.length / 8) * 8
    this.u8(pointer, bytes.length).set(bytes)
    this.exports.itera_hash(pointer, bytes.length, out)
    return hex(this.u8(out, 8))
  }
}

/** @param {Uint8Array} bytes  a little-endian number */
const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).reverse().join('')
