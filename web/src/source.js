import { IteraError } from './errors.js'
import { hasNodeModules, nodeModule } from './platform.js'
import { locate, splitNames } from './download/names.js'
import { openSplit } from './download/split.js'
import { plainTransfer } from './download/transfer.js'
import { withRestarts } from './download/trouble.js'
import { openUrl } from './download/url.js'

/**
 * Where a model comes from. The main thread turns whatever the caller gave into a plain description that
 * can be posted; the worker opens it as a stream of byte pieces.
 *
 * @typedef {import('./download/transfer.js').Transfer} Transfer
 *
 * @typedef {{ kind: 'url', url: string, transfer?: Transfer }
 *   | { kind: 'path', path: string }
 *   | { kind: 'blob', blob: Blob }
 *   | { kind: 'bytes', bytes: Uint8Array }} SourceDescription
 *
 * @typedef {object} OpenSource
 * @property {string} name  for messages
 * @property {number | undefined} total  in bytes, when known beforehand
 * @property {AsyncIterable<Uint8Array>} pieces  in file order; each is valid until the next is asked for
 * @property {import('./download/url.js').State} [state]  of a download
 * @property {() => Promise<void>} [close]  also where no piece was ever asked for
 * @property {() => Promise<void>} [remove]  what the cache has of it
 */

/** How much of a file or buffer is handed on at once: large enough to be cheap, small enough to abort soon. */
const PIECE_BYTES = 1 << 20

/**
 * @param {import('../types.d.ts').ModelSource} source
 * @param {Transfer} [transfer]  how a URL is fetched and kept
 * @returns {SourceDescription}
 */
export function describeSource(source, transfer) {
  if (source instanceof URL) return describeUrl(source, transfer)
  if (typeof source === 'string') {
    const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(source)      // two letters at least: "C:\" is a path
    if (hasScheme || !hasNodeModules) return describeUrl(source, transfer)
    return { kind: 'path', path: source }
  }
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { kind: 'blob', blob: source }
  if (source instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(source) }
  if (typeof SharedArrayBuffer !== 'undefined' && source instanceof SharedArrayBuffer) {
    return { kind: 'bytes', bytes: new Uint8Array(source) }
  }
  if (ArrayBuffer.isView(source)) {
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    // To post a view is to copy all of the buffer behind it, unless that is shared.
    const cut = source.buffer instanceof ArrayBuffer && bytes.length < source.buffer.byteLength
    return { kind: 'bytes', bytes: cut ? bytes.slice() : bytes }
  }
  throw new IteraError('argument', 'a model is loaded from a URL, a File or Blob, an ArrayBuffer, or a path in Node')
}

/**
 * @param {string | URL} source
 * @param {Transfer} [transfer]
 * @returns {SourceDescription}
 */
function describeUrl(source, transfer) {
  const url = locate(source)
  if (url.startsWith('file:') && hasNodeModules) return { kind: 'path', path: url }
  return { kind: 'url', url, transfer }
}

/**
 * @param {SourceDescription} source
 * @param {AbortSignal} signal
 * @param {(state: import('./download/url.js').State) => void} [onState]  of a download
 * @returns {Promise<OpenSource>}
 */
export async function openSource(source, signal, onState) {
  switch (source.kind) {
    case 'url': return openUrl(source.url, source.transfer ?? plainTransfer, signal, onState)
    case 'path': return openPath(source.path)
    case 'blob': return {
      name: /** @type {File} */ (source.blob).name ?? 'blob',
      total: source.blob.size,
      pieces: blobPieces(source.blob),
    }
    case 'bytes': return { name: 'buffer', total: source.bytes.length, pieces: bytePieces(source.bytes) }
  }
}

/**
 * The parts of a split model.
 *
 * @param {SourceDescription} source
 * @returns {SourceDescription[] | null} null for a model in one file
 */
export function partsOf(source) {
  if (source.kind === 'url') return splitNames(source.url)?.map(url => ({ ...source, url })) ?? null
  if (source.kind === 'path') return splitNames(source.path)?.map(path => ({ ...source, path })) ?? null
  return null
}

/** What shows that a file is not the model that it should be, or not any more. */
const BAD_FILE = ['not-gguf', 'corrupt', 'incomplete']

/**
 * Does something with a source, again from the beginning where the file changed meanwhile. The cache does not keep what
 * turns out to be no model.
 *
 * @template T
 * @param {SourceDescription} description
 * @param {{ signal: AbortSignal, onState?: (state: import('./download/url.js').State) => void, joiner?: () => Promise<import('./wasm.js').Wasm> }} options
 *   joiner: gives what puts the parts of a split model together, which are files of their own without
 * @param {(source: OpenSource) => Promise<T>} work
 * @returns {Promise<T>}
 */
export function withSource(description, { signal, onState = () => {}, joiner }, work) {
  return withRestarts(async () => {
    const parts = joiner && partsOf(description)
    const source = parts
      ? await openSplit(await joiner(), parts.length, (part, onPart) => openSource(parts[part], signal, onPart), signal, onState)
      : await openSource(description, signal, onState)
    try {
      return await work(source)
    } catch (error) {
      if (error instanceof IteraError && BAD_FILE.includes(error.code)) await source.remove?.()
      throw error
    } finally {
      await source.close?.()
    }
  })
}

/**
 * @param {string} path  or a file: URL
 * @returns {Promise<OpenSource>}
 */
async function openPath(path) {
  const fs = /** @type {typeof import('node:fs/promises')} */ (await nodeModule('node:fs/promises'))
  try {
    const file = await fs.open(path.startsWith('file:') ? new URL(path) : path, 'r')
    const stat = await file.stat()
    if (stat.isDirectory()) {
      await file.close()
      throw new IteraError('unreadable', `${path} is a folder, not a model file`)
    }
    // A pipe has no size and reports 0.
    return { name: path, total: stat.isFile() ? stat.size : undefined, pieces: filePieces(file, path) }
  } catch (error) {
    throw fileError(error, path)
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {string} path
 * @returns {AsyncIterable<Uint8Array>}
 */
async function * filePieces(file, path) {
  const buffer = new Uint8Array(PIECE_BYTES)
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (!bytesRead) return
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw fileError(error, path)
  } finally {
    await file.close()
  }
}

/** @param {Blob} blob @returns {AsyncIterable<Uint8Array>} */
async function * blobPieces(blob) {
  for (let start = 0; start < blob.size; start += PIECE_BYTES) {
    try {
      yield new Uint8Array(await blob.slice(start, start + PIECE_BYTES).arrayBuffer())
    } catch (error) {
      // A File that was moved, deleted or changed after it was picked.
      throw new IteraError('unreadable', `the file can no longer be read: ${/** @type {Error} */ (error).message}`)
    }
  }
}

/** @param {Uint8Array} bytes @returns {AsyncIterable<Uint8Array>} */
async function * bytePieces(bytes) {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) yield bytes.subarray(start, start + PIECE_BYTES)
}

/** More than any saved conversation has; the worker's memory would not take it. */
const MOST_BYTES = 2 ** 31

/**
 * All of a source at once.
 *
 * @param {OpenSource} source
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array>}
 */
export async function readWhole(source, signal) {
  const pieces = []
  let length = 0
  for await (const piece of source.pieces) {
    if (signal?.aborted) throw new IteraError('aborted', 'loading was aborted')
    length += piece.length
    if (length > MOST_BYTES) throw new IteraError('memory', `${source.name} is too large`)
    pieces.push(piece.slice())
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/**
 * @param {any} error
 * @param {string} path
 * @returns {IteraError}
 */
export function fileError(error, path) {
  if (error instanceof IteraError) return error
  if (error?.code === 'ENOENT') return new IteraError('not-found', `${path} does not exist`, { cause: error })
  return new IteraError('unreadable', `${path} cannot be read: ${error?.message ?? error}`, { cause: error })
}
