import { readHeader } from '../src/loader.js'
import { describeSource, openSource } from '../src/source.js'
import { loadWasm } from '../src/wasm.js'
import { simd } from './options.js'

/**
 * The header of a model, read on this thread without its tensors.
 *
 * @param {string} path
 * @param {import('./options.js').Values} values
 */
export async function openHeader(path, values) {
  const wasm = await loadWasm({ simd: simd(values) })
  const download = new AbortController()
  const source = await openSource(describeSource(path), download.signal)
  const { gguf, metadata, fileBytes, pieces } = await readHeader(wasm, source)
  await pieces.return(undefined)
  let owned = true
  return {
    wasm,
    gguf,
    metadata,
    fileBytes: source.total ?? fileBytes,
    /** For a call that takes the header over. */
    release() { owned = false },
    close() { if (owned) wasm.exports.itera_gguf_free(gguf) },
  }
}
