import { keyOf } from '../cache/log.js'
import { lock } from '../cache/lock.js'
import { Entry } from '../cache/entry.js'
import { openStore, storageError } from '../cache/store.js'
import { isLasting } from './names.js'
import { KeptFile } from './kept.js'
import { RemoteFile } from './remote.js'

/**
 * A URL as a stream of bytes, from the cache as far as it goes.
 *
 * @typedef {import('./transfer.js').Transfer} Transfer
 *
 * @typedef {object} State  how far it is; changes while the pieces are read
 * @property {number} loaded
 * @property {number | undefined} total
 * @property {number} cached
 * @property {number} resumed
 * @property {'downloading' | 'retrying' | 'waiting'} status
 * @property {'quota' | 'storage'} [cacheError]
 */

const MOST_REQUEST_BYTES = 64 << 20

/**
 * @param {string} url
 * @param {Transfer} transfer
 * @param {AbortSignal} signal
 * @param {(state: State) => void} [onState]
 * @returns {Promise<import('../source.js').OpenSource>}
 */
export async function openUrl(url, transfer, signal, onState = () => {}) {
  /** @type {State} */
  const state = { loaded: 0, total: undefined, cached: 0, resumed: 0, status: 'downloading' }
  const change = (/** @type {Partial<State>} */ changes) => onState(Object.assign(state, changes))
  const kept = transfer.cache && isLasting(url) ? await openEntry(url, transfer.cache, signal, change) : null
  const remote = remoteFile(url, transfer, signal, kept?.entry, change)
  const { name } = remote
  try {
    if (!kept) {
      await remote.open(0)
      change({ total: remote.total })
      return { name, total: remote.total, state, pieces: piecesOf(remote, state, change), close: async () => remote.close() }
    }
    const file = new KeptFile(remote, kept.entry, state, change)
    await file.begin({ url, ...transfer })
    return { name, total: remote.total, state, pieces: file.pieces(), close: kept.close, remove: kept.remove }
  } catch (error) {
    await kept?.close()
    throw error
  }
}

/**
 * @param {string} url
 * @param {Transfer} transfer
 * @param {AbortSignal} signal
 * @param {Entry | undefined} entry
 * @param {(changes: Partial<State>) => void} change
 */
function remoteFile(url, { headers, patience, chunkBytes, requestBytes }, signal, entry, change) {
  const facts = entry?.facts
  const least = facts?.chunkBytes ?? chunkBytes
  /** @type {RemoteFile} */
  const remote = new RemoteFile(url, {
    headers,
    signal,
    patience,
    span: entry ? { least, most: Math.max(requestBytes ?? MOST_REQUEST_BYTES, least) } : { least: Infinity, most: Infinity },
    kept: entry !== undefined,
    known: facts ? { version: { etag: facts.etag, modified: facts.modified }, total: facts.total } : undefined,
    onStatus: status => change({ status, resumed: remote.resumed }),
  })
  return remote
}

/**
 * @param {RemoteFile} remote
 * @param {State} state
 * @param {(changes: Partial<State>) => void} change
 */
async function * piecesOf(remote, state, change) {
  for await (const piece of remote.read(0)) {
    change({ loaded: state.loaded + piece.length, total: remote.total })
    yield piece
  }
  change({ total: remote.total })
}

/**
 * @typedef {{ entry: Entry, close: () => Promise<void>, remove: () => Promise<void> }} OpenEntry
 *
 * @param {string} url
 * @param {import('../cache/store.js').CacheChoice} choice
 * @param {AbortSignal} signal
 * @param {(changes: Partial<State>) => void} change
 * @returns {Promise<OpenEntry | null>} null where nothing can be kept
 */
async function openEntry(url, choice, signal, change) {
  /** @type {(() => unknown)[]} */
  const undo = []
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const store = await openStore(choice)
    undo.push(() => store.close())
    const key = await keyOf(url)
    undo.push(await lock(choice, key, { signal, onWait: () => change({ status: 'waiting' }) }))
    change({ status: 'downloading' })
    const files = await store.open(key)
    undo.push(() => files.close())
    const entry = await Entry.read(files, url)
    const remove = async () => {
      await entry.close()
      undo.pop()
      await store.remove(key)
    }
    return { entry, close, remove }
  } catch (error) {
    await close()
    const { code } = storageError(error)
    if (code !== 'quota' && code !== 'storage') throw error
    change({ cacheError: code })
    return null
  }
}
