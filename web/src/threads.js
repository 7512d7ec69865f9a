import { IteraError } from './errors.js'
import { hasNodeModules, nodeModule } from './platform.js'
import { Event } from './protocol.js'

/**
 * Threads of the engine: its worker, which is thread 0, and helpers, workers that run the same module on the same
 * memory and do nothing but the core's pool. Pages have shared memory only when they are isolated (served with
 * Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp or credentialless);
 * elsewhere there is one thread.
 */

/** As many as the core takes: ITERA_MAX_THREADS. */
export const MAX_THREADS = 16

/** What `auto` takes at most: decoding is bound by memory before that. */
const AUTO_THREADS = 8

/** Files smaller than this are models whose tokens take less time than threads need to meet. */
const SMALL_FILE = 16e6

/** Of each helper; as wasm/flags.mk gives the first thread. */
const STACK_BYTES = 1 << 18

/** Pages of 64 kB. The first is what the module is linked with, the others are maxima to try, the largest that
 * 32-bit wasm has first: an engine may refuse to reserve that much. */
const INITIAL_PAGES = 32
const MAXIMUM_PAGES = [65536, 32768, 16384]

/**
 * @param {unknown} wanted
 * @returns {number | 'auto'}
 */
export function checkThreads(wanted) {
  if (wanted === 'auto' || (typeof wanted === 'number' && Number.isInteger(wanted) && wanted >= 1)) return wanted
  throw new IteraError('argument', `threads must be auto or a whole number of at least 1; got ${String(wanted)}`)
}

/** Can threads of this engine share memory here? */
function sharesMemory() {
  if (typeof SharedArrayBuffer !== 'function') return false
  // A page without isolation may have the name, but its workers would not be given the memory.
  return hasNodeModules || globalThis.crossOriginIsolated === true
}

/**
 * How many threads to use.
 *
 * @param {number | 'auto'} wanted
 * @param {number | undefined} fileBytes  of the model, where that is known
 * @returns {Promise<number>}
 */
export async function chooseThreads(wanted, fileBytes) {
  if (wanted === 1 || !sharesMemory()) return 1
  if (wanted !== 'auto') return Math.min(wanted, MAX_THREADS)
  if (fileBytes !== undefined && fileBytes < SMALL_FILE) return 1
  const processors = await countProcessors()
  // Beyond four, processors tend to be two to a core, or small ones: the slowest thread sets the pace.
  return Math.min(processors <= 4 ? processors : Math.max(4, processors >> 1), AUTO_THREADS)
}

/** @returns {Promise<number>} */
async function countProcessors() {
  if (!hasNodeModules) return globalThis.navigator?.hardwareConcurrency || 1
  const os = /** @type {typeof import('node:os')} */ (await nodeModule('node:os'))
  return os.availableParallelism()
}

/**
 * @returns {WebAssembly.Memory | null} null where this engine has no room for one
 */
export function createSharedMemory() {
  for (const maximum of MAXIMUM_PAGES) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true })
    } catch {
      // The next smaller one, then.
    }
  }
  return null
}

/**
 * Starts one helper and resolves once it is ready to work.
 *
 * @typedef {(start: import('./helper.js').HelperStart) => Promise<void>} SpawnHelper
 */

/**
 * Makes the pool of an instance and has its helpers started.
 *
 * @param {import('./wasm.js').Wasm} wasm
 * @param {WebAssembly.Module} module
 * @param {number} threads  at least 2
 * @param {SpawnHelper} spawn
 */
export async function startHelpers(wasm, module, threads, spawn) {
  const { memory, exports } = wasm
  const globals = /** @type {Record<string, WebAssembly.Global>} */ (/** @type {unknown} */ (exports))
  const tlsBytes = Number(globals.__tls_size?.value ?? 0)
  wasm.check(exports.itera_pool_create(threads))
  await Promise.all(Array.from({ length: threads - 1 }, (_, i) => {
    const stack = (wasm.alloc(STACK_BYTES) + STACK_BYTES) & ~15
    const tls = tlsBytes ? wasm.alloc(tlsBytes + 64) : 0
    return spawn({ module, memory, thread: i + 1, stack, tls: tls && (tls + 63) & ~63 })
  }))
}

/** The engine's side: asks the main thread for helpers. */
export class HelperRequests {
  /** By thread. @type {Map<number, (error?: string) => void>} */
  #waiting = new Map()

  /**
   * @param {(event: string, data: any) => void} emit
   * @returns {SpawnHelper}
   */
  by(emit) {
    return start => new Promise((resolve, reject) => {
      this.#waiting.set(start.thread, error => error === undefined ? resolve() : reject(new Error(error)))
      emit(Event.helper, start)
    })
  }

  /** @param {{ thread: number, error?: string }} answer */
  answer({ thread, error }) { this.#waiting.get(thread)?.(error) }
}
