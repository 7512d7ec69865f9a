import { readEngine } from './engine-file.js'

/**
 * The builds of the core, compiled once for all models.
 *
 * The main thread compiles and hands the compiled module to each worker: the next model loads sooner, all share one
 * copy of the machine code, and Node 20 loses none of it (of a worker that compiles for itself it keeps some 40 kB).
 *
 * @typedef {import('../types.d.ts').SimdVariant} SimdVariant
 * @typedef {{ module: WebAssembly.Module, bytes: number }} CompiledEngine  and the size of its file
 */

/** @type {Map<SimdVariant, Promise<CompiledEngine>>} */
const compiled = new Map()

/**
 * @param {SimdVariant} variant
 * @returns {Promise<CompiledEngine>}
 */
export function compiledEngine(variant) {
  let engine = compiled.get(variant)
  if (!engine) {
    engine = compile(variant)
    compiled.set(variant, engine)
    // The next load tries again.
    engine.catch(() => compiled.delete(variant))
  }
  return engine
}

/**
 * @param {SimdVariant} variant
 * @returns {Promise<CompiledEngine>}
 */
async function compile(variant) {
  const bytes = await readEngine(variant)
  return { module: await WebAssembly.compile(bytes), bytes: bytes.byteLength }
}
