// Loaded before everything else, in the main thread and in each worker. In the first worker it puts the fault that
// ITERA_FAULT names into the engine, to show itself when generation feeds the state.
import process from 'node:process'
import { isMainThread, threadId } from 'node:worker_threads'

/** (module (func (export "f") unreachable)) */
const trap = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b])

/** @type {Record<string, (real: (...args: any[]) => any) => any>} */
const faults = {
  trap: () => /** @type {any} */ (new WebAssembly.Instance(new WebAssembly.Module(trap)).exports).f(),
  throw: () => { setImmediate(() => { throw new Error('a bug') }) },
  exit: () => process.exit(3),
  heap: () => {
    const hoard = []
    for (;;) hoard.push(new Array(100_000).fill(hoard.length + 0.5))
  },
}

const fault = process.env.ITERA_FAULT ?? ''
if (!isMainThread && threadId === 1) {
  const instantiate = WebAssembly.instantiate
  const faulty = (/** @type {Record<string, any>} */ exports) => {
    let failing = fault === 'alloc' ? 1 : Infinity
    return {
      ...exports,
      // The last bytes there were; the caller is to be told, and may ask for less.
      itera_session_create: (/** @type {any[]} */ ...args) => failing-- > 0 && fault === 'alloc' ? 0 : exports.itera_session_create(...args),
      itera_last_status: () => fault === 'alloc' ? memoryStatus(exports) : exports.itera_last_status(),
      itera_session_feed: (/** @type {any[]} */ ...args) => {
        faults[fault]?.(exports.itera_session_feed)
        return exports.itera_session_feed(...args)
      },
    }
  }
  WebAssembly.instantiate = /** @type {any} */ (async (/** @type {any} */ module, /** @type {any} */ imports) => {
    const instance = await instantiate(module, imports)
    return { exports: faulty(/** @type {any} */ (instance).exports) }
  })
}

/** The status whose code is 'memory'. @param {Record<string, any>} exports */
function memoryStatus(exports) {
  const heap = () => new Uint8Array(exports.memory.buffer)
  for (let status = -1; status > -64; status--) {
    const start = exports.itera_status_code(status) >>> 0
    if (new TextDecoder().decode(heap().subarray(start, heap().indexOf(0, start))) === 'memory') return status
  }
  throw new Error('no status is called memory')
}
