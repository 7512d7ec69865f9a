import { IteraError } from './errors.js'
import { hasNodeModules, nodeModule } from './platform.js'
import { openUrl } from './download.js'

/**
 * Where a model comes from. The main thread turns whatever the caller gave into a plain description that
 * can be posted; the worker opens it as a stream of byte pieces.
 *
 * @typedef {{ kind: 'url', url: string, headers?: Record<string, string> }
 *   | { kind: 'path', path: string }
 *   | { kind: 'blob', blob: Blob }
 *   | { kind: 'bytes', bytes: Uint8Array }} SourceDescription
 *
 * @typedef {object} OpenSource
 * @property {string} name  for messages
 * @property {number | undefined} total  in bytes, when known beforehand
 * @property {AsyncIterable<Uint8Array>} pieces  in file order; each is valid until the next is asked for
 */

/** How much of a file or buffer is handed on at once: large enough to be cheap, small enough to abort soon. */
const PIECE_BYTES = 1 << 20

/**
 * @param {import('../types.d.ts').ModelSource} source
 * @param {{ headers?: Record<string, string> }} [options]
 * @returns {SourceDescription}
 */
export function describeSource(source, { headers } = {}) {
  if (source instanceof URL) return describeUrl(source, headers)
  if (typeof source === 'string') {
    const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(source)      // two letters at least: "C:\" is a path
    if (hasScheme) return describeUrl(new URL(source), headers)
    if (hasNodeModules) return { kind: 'path', path: source }
    const base = globalThis.document?.baseURI ?? globalThis.location?.href
    return { kind: 'url', url: new URL(source, base).href, headers }
  }
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { kind: 'blob', blob: source }
  if (source instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(source) }
  if (typeof SharedArrayBuffer !== 'undefined' && source instanceof SharedArrayBuffer) {
    return { kind: 'bytes', bytes: new Uint8Array(source) }
  }
  if (ArrayBuffer.isView(source)) {
    return { kind: 'bytes', bytes: new Uint8Array(source.buffer, source.byteOffset, source.byteLength) }
  }
  throw new IteraError('argument', 'a model is loaded from a URL, a File or Blob, an ArrayBuffer, or a path in Node')
}

/**
 * @param {URL} url
 * @param {Record<string, string>} [headers]
 * @returns {SourceDescription}
 */
function describeUrl(url, headers) {
  if (url.protocol === 'file:' && hasNodeModules) return { kind: 'path', path: url.href }
  return { kind: 'url', url: url.href, headers }
}

/**
 * @param {SourceDescription} source
 * @param {AbortSignal} signal
 * @returns {Promise<OpenSource>}
 */
export async function openSource(source, signal) {
  switch (source.kind) {
    case 'url': return openUrl(source.url, { headers: source.headers, signal })
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
