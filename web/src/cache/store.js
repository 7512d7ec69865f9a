import { IteraError } from '../errors.js'
import { hasNodeModules } from '../platform.js'
import { openDatabaseStore } from './database.js'
import { openFolderStore } from './folder.js'
import { openPrivateStore } from './opfs.js'

/**
 * Where downloads are kept: the browser's private file system, else its database; in Node a folder.
 *
 * @typedef {object} Store
 * @property {() => Promise<string[]>} keys
 * @property {(key: string) => Promise<string>} log  without opening the entry; '' where there is none
 * @property {(key: string) => Promise<EntryFiles>} open  for one holder at a time; made where there is none
 * @property {(key: string) => Promise<void>} remove
 * @property {() => void} close
 *
 * @typedef {object} EntryFiles
 * @property {() => Promise<string>} readLog
 * @property {(text: string) => Promise<void>} appendLog
 * @property {(offset: number, length: number, buffer: Uint8Array) => Promise<Uint8Array>} read  of what was written in one at
 *   that offset; into the buffer where that is large enough and spares memory: in new memory a megabyte takes longer to
 *   read than to pack
 * @property {(offset: number, bytes: Uint8Array) => Promise<void>} write
 * @property {() => Promise<void>} reset  leaves it empty
 * @property {() => Promise<void>} close
 *
 * @typedef {object} CacheChoice
 * @property {string} name  caches of different names do not know of each other
 * @property {string} [folder]  in Node
 */

const DEFAULT_NAME = 'models'

/**
 * The cache that options ask for.
 *
 * @param {import('../../types.d.ts').CacheOptions} options
 * @returns {CacheChoice | undefined} undefined where nothing shall be kept
 */
export function chooseCache({ cache = true, cacheDir }) {
  if (cache === false || (hasNodeModules && cacheDir === undefined)) return undefined
  const name = cache === true ? DEFAULT_NAME : cache
  if (typeof name !== 'string' || !/^[\w-][\w.-]{0,63}$/.test(name)) {
    throw new IteraError('argument', `cache is true, false or a name of letters, digits, '-', '_' and '.'; got ${name}`)
  }
  return { name, folder: cacheDir }
}

/**
 * @param {CacheChoice} choice
 * @returns {Promise<Store>} throws an IteraError 'storage' where nothing can be kept
 */
export async function openStore({ name, folder }) {
  try {
    if (folder !== undefined) return await openFolderStore(folder, name)
    if (!globalThis.crypto?.subtle || !navigator.locks) throw new Error('the page is not served over HTTPS')
    return await openPrivateStore(name).catch(() => openDatabaseStore(name))
  } catch (error) {
    throw storageError(error)
  }
}

/**
 * Makes sure that there is room for so many bytes, where the browser tells.
 *
 * @param {number} bytes
 */
export async function checkRoom(bytes) {
  const { usage, quota } = hasNodeModules ? {} : await navigator.storage?.estimate?.() ?? {}
  if (usage === undefined || quota === undefined || bytes <= quota - usage) return
  throw new IteraError('quota', `there is no room to keep the download: it needs ${bytes} bytes, and ${quota - usage} are left`)
}

/** @param {unknown} error @returns {IteraError} */
export function storageError(error) {
  if (error instanceof IteraError) return error
  const { name, code, message } = /** @type {any} */ (error)
  const full = name === 'QuotaExceededError' || ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)
  return full
    ? new IteraError('quota', `there is no room to keep the download: ${message}`, { cause: error })
    : new IteraError('storage', `downloads cannot be kept here: ${message}`, { cause: error })
}
