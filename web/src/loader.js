import { IteraError } from './errors.js'
import { Metadata } from './metadata.js'

/**
 * From a stream of bytes to a model: the header is fed to the parser in the pieces in which it comes, then
 * the tensor data goes straight into the C core, which repacks it on arrival. One staging block of the wasm
 * heap is all that ever lies between the two.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 * @typedef {import('./source.js').OpenSource} OpenSource
 */

/** Pieces are cut to this size, so the staging block stays small whatever the network delivers at once. */
const STAGING_BYTES = 1 << 18

/**
 * The cut-up pieces of a source, with the position of each in the file.
 *
 * @param {OpenSource} source
 * @param {AbortSignal} [signal]
 */
export async function * positionedPieces(source, signal) {
  let offset = 0
  for await (const piece of source.pieces) {
    for (let start = 0; start < piece.length; start += STAGING_BYTES) {
      if (signal?.aborted) throw new IteraError('aborted', 'loading was aborted')
      const bytes = piece.subarray(start, start + STAGING_BYTES)
      yield { offset, bytes }
      offset += bytes.length
    }
  }
}

/**
 * @typedef {object} Header
 * @property {number} gguf  the parser's handle; the caller owns it
 * @property {Metadata} metadata
 * @property {number} fileBytes  what a whole file of this header has
 * @property {AsyncGenerator<{ offset: number, bytes: Uint8Array }>} pieces  goes on behind `last`
 * @property {{ offset: number, bytes: Uint8Array }} last  the piece that completed the header
 */

/**
 * Reads a source as far as its header goes.
 *
 * @param {Wasm} wasm
 * @param {OpenSource} source
 * @param {{ signal?: AbortSignal, onBytes?: (loaded: number) => void }} [options]
 * @returns {Promise<Header>}
 */
export async function readHeader(wasm, source, { signal, onBytes } = {}) {
  const x = wasm.exports
  const pieces = positionedPieces(source, signal)
  const gguf = wasm.checkHandle(x.itera_gguf_create())
  try {
    for (;;) {
      const { done, value } = await pieces.next()
      if (done) throw new IteraError('incomplete', `${source.name} ends inside its header`)
      const more = wasm.check(x.itera_gguf_push(gguf, wasm.stage(value.bytes), value.bytes.length))
      onBytes?.(value.offset + value.bytes.length)
      if (more) continue
      const metadata = new Metadata(wasm, gguf)
      return { gguf, metadata, fileBytes: x.itera_gguf_file_size_f64(gguf), pieces, last: value }
    }
  } catch (error) {
    x.itera_gguf_free(gguf)
    await pieces.return(undefined)
    throw error
  }
}

/**
 * Loads the whole of a source.
 *
 * @param {Wasm} wasm
 * @param {OpenSource} source
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {(progress: { loaded: number, total: number | undefined }) => void} [options.onProgress]
 * @param {(metadata: Metadata) => void | Promise<void>} [options.onHeader]  takes from the metadata what it needs
 * @returns {Promise<{ model: number, metadata: Metadata, fileBytes: number }>}
 */
export async function loadModel(wasm, source, { signal, onProgress, onHeader }) {
  const x = wasm.exports
  let total = source.total
  const report = (/** @type {number} */ loaded) => onProgress?.({ loaded, total })
  const { gguf, metadata, fileBytes, pieces, last } = await readHeader(wasm, source, { signal, onBytes: report })
  total ??= fileBytes
  let model = 0
  try {
    const known = source.total
    if (known !== undefined && known < fileBytes) {
      x.itera_gguf_free(gguf)
      throw new IteraError('incomplete', `${source.name} has ${known} bytes, but its header describes ${fileBytes}`)
    }
    model = wasm.checkHandle(x.itera_model_create(gguf))     // owns the header from here on, even when it fails
    await onHeader?.(metadata)
    let more = push(wasm, model, last)
    while (more) {
      const { done, value } = await pieces.next()
      if (done) break
      more = push(wasm, model, value)
      report(value.offset + value.bytes.length)
    }
    wasm.check(x.itera_model_ready(model))
    metadata.detach()
    x.itera_model_release_header(model)
    wasm.dropStaging()
    report(total)
    return { model, metadata, fileBytes: source.total ?? fileBytes }
  } catch (error) {
    if (model) x.itera_model_free(model)
    throw error
  } finally {
    await pieces.return(undefined)
  }
}

/**
 * @param {Wasm} wasm
 * @param {number} model
 * @param {{ offset: number, bytes: Uint8Array }} piece
 * @returns {number} 1 while tensors are missing
 */
function push(wasm, model, { offset, bytes }) {
  return wasm.check(wasm.exports.itera_model_push(model, offset, wasm.stage(bytes), bytes.length))
}
