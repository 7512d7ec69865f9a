/**
 * A helper's entry: one more instance of the engine's module on the engine's memory, with a stack of its own, in the
 * core's pool until the worker is ended from outside. It says `{}` once it is ready and `{ error }` when it fails.
 */
import { describeError } from './errors.js'
import { openPort } from './platform.js'
import { imports } from './imports.js'

/**
 * @typedef {object} HelperStart
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {number} thread  1 or more
 * @property {number} stack  where it begins; it grows downwards
 * @property {number} tls  where this thread's own variables lie; 0 when there are none
 */

const post = openPort(start)

/** @param {HelperStart} start */
async function start({ module, memory, thread, stack, tls }) {
  try {
    const instance = await WebAssembly.instantiate(module, imports(module, memory))
    const x = /** @type {Record<string, any>} */ (instance.exports)
    x.__stack_pointer.value = stack
    if (tls) x.__wasm_init_tls(tls)
    post({})
    serve(x, thread)
  } catch (error) {
    post({ error: describeError(error) })
  }
}

/** @param {Record<string, any>} x @param {number} thread */
function serve(x, thread) {
  try {
    x.itera_pool_serve(thread)
  } catch (error) {
    x.itera_pool_fail(thread)                           // nobody must wait for what will not come
    throw error
  }
}
