import { readEngine } from './engine-file.js'

/**
 * The builds of the core, compiled once for all models.
 *
 * The main thread compiles and hands the compiled module to each worker: the next model loads sooner, all share one
 * copy of the machine code, and Node 20 loses none of it (of a worker that compiles for itself it keeps some 40 kB).
 *
 * @typedef {import('./engine-file.js').EngineName} EngineName
 * @typedef {{ module: WebAssembly.Module, bytes: number }} CompiledEngine  and the size of its file
 */

/** @type {Map<EngineName, Promise<CompiledEngine>>} */
const compiled = new Map()

/**
 * @param {EngineName} name
 * @returns {Promise<CompiledEngine>}
 */
export function compiledEngine(name) {
  let engine = compiled.get(name)
  if (!engine) {
    engine = compile(name)
    compiled.set(name, engine)
    // The next load tries again.
    engine.catch(() => compiled.delete(name))
  }
  return engine
}

/**
 * @param {EngineName} name
 * @returns {Promise<CompiledEngine>}
 */
async function compile(name) {
  const bytes = await readEngine(name)
  return { module: await WebAssembly.compile(bytes), bytes: bytes.byteLength }
}
