import { IteraError } from './errors.js'
import { hasNodeModules, nodeModule } from './platform.js'

/**
 * The builds of the core as files. A module of its own, so that the build in one file can have another.
 *
 * @typedef {import('../types.d.ts').SimdVariant | 'simd128-threads' | 'relaxed-threads'} EngineName
 */

// Literals, so that bundlers find, copy and rename the files.
const files = {
  scalar: () => new URL('../dist/itera-scalar.wasm', import.meta.url),
  simd128: () => new URL('../dist/itera-simd128.wasm', import.meta.url),
  relaxed: () => new URL('../dist/itera-relaxed.wasm', import.meta.url),
  'simd128-threads': () => new URL('../dist/itera-simd128-threads.wasm', import.meta.url),
  'relaxed-threads': () => new URL('../dist/itera-relaxed-threads.wasm', import.meta.url),
}

/**
 * @param {EngineName} name
 * @returns {Promise<ArrayBuffer | Uint8Array<ArrayBuffer>>}
 */
export async function readEngine(name) {
  const url = files[name]()
  try {
    if (hasNodeModules && url.protocol === 'file:') {
      const fs = /** @type {typeof import('node:fs/promises')} */ (await nodeModule('node:fs/promises'))
      return /** @type {Uint8Array<ArrayBuffer>} */ (await fs.readFile(url))
    }
    const response = await fetch(url)
    if (!response.ok) throw new Error(`HTTP status ${response.status}`)
    return await response.arrayBuffer()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new IteraError('network', `the engine ${url.href} cannot be read: ${reason}`, { cause: error })
  }
}
