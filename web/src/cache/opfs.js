/**
 * The browser's private file system. Entries are written through synchronous handles, which workers alone have; names
 * and logs can be read anywhere.
 *
 * @typedef {import('./store.js').EntryFiles} EntryFiles
 */

const ROOT = 'itera-lite'
/** A tab that was closed or crashed may hold its files for a moment longer. */
const HANDLE_ATTEMPTS = 40
const HANDLE_DELAY = 50

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** @param {string} key */
const dataName = key => `${key}.data`
/** @param {string} key */
const logName = key => `${key}.log`

/** @param {unknown} error */
const isMissing = error => error instanceof DOMException && error.name === 'NotFoundError'

/**
 * @param {string} name
 * @returns {Promise<import('./store.js').Store>}
 */
export async function openPrivateStore(name) {
  const scope = /** @type {any} */ (globalThis)
  const isWorker = typeof scope.document === 'undefined'
  // Files that a worker cannot write are no cache; on the page this interface is not visible in any browser.
  if (isWorker && !('createSyncAccessHandle' in scope.FileSystemFileHandle.prototype)) throw new Error('no sync handles')
  const top = await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true })
  const folder = await top.getDirectoryHandle(name, { create: true })
  return {
    async keys() {
      const keys = []
      for await (const file of /** @type {any} */ (folder).keys()) if (file.endsWith('.log')) keys.push(file.slice(0, -4))
      return keys
    },
    async log(key) {
      try {
        return await (await (await folder.getFileHandle(logName(key))).getFile()).text()
      } catch (error) {
        if (isMissing(error)) return ''
        throw error
      }
    },
    async open(key) {
      const log = await openHandle(folder, logName(key))
      try {
        return entryFiles(log, await openHandle(folder, dataName(key)))
      } catch (error) {
        log.close()
        throw error
      }
    },
    async remove(key) {
      for (const file of [logName(key), dataName(key)]) {
        await patiently(() => folder.removeEntry(file)).catch(error => { if (!isMissing(error)) throw error })
      }
    },
    close() {},
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @returns {Promise<any>} a FileSystemSyncAccessHandle
 */
async function openHandle(folder, name) {
  const file = /** @type {any} */ (await folder.getFileHandle(name, { create: true }))
  return patiently(() => file.createSyncAccessHandle())
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function patiently(work) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const held = error instanceof DOMException && error.name === 'NoModificationAllowedError'
      if (!held || attempt >= HANDLE_ATTEMPTS) throw error
      await new Promise(resolve => setTimeout(resolve, HANDLE_DELAY))
    }
  }
}

/**
 * @param {any} log
 * @param {any} data
 * @returns {EntryFiles}
 */
function entryFiles(log, data) {
  return {
    async readLog() {
      const bytes = new Uint8Array(log.getSize())
      log.read(bytes, { at: 0 })
      return decoder.decode(bytes)
    },
    async appendLog(text) { writeAll(log, log.getSize(), encoder.encode(text)) },
    async read(offset, length, buffer) {
      const bytes = buffer.length < length ? new Uint8Array(length) : buffer.subarray(0, length)
      return bytes.subarray(0, data.read(bytes, { at: offset }))
    },
    async write(offset, bytes) { writeAll(data, offset, bytes) },
    async reset() {
      log.truncate(0)
      data.truncate(0)
    },
    async close() {
      log.close()
      data.close()
    },
  }
}

/**
 * A full disk may take a part of it only, without an error.
 *
 * @param {any} handle
 * @param {number} offset
 * @param {Uint8Array} bytes
 */
function writeAll(handle, offset, bytes) {
  if (handle.write(bytes, { at: offset }) === bytes.length) return
  throw new DOMException('the disk is full', 'QuotaExceededError')
}
