/**
 * The browser's database, where it has no private file system for us: chunks and log lines are records of their own.
 *
 * @param {string} name
 * @returns {Promise<import('./store.js').Store>}
 */
export async function openDatabaseStore(name) {
  const opening = indexedDB.open(`itera-lite-${name}`, 1)
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore('chunks')          // [key, offset]: bytes
    opening.result.createObjectStore('log')             // [key, line]: text
  }
  const database = await result(opening)
  database.onversionchange = () => database.close()

  /** @param {string} key */
  const ofEntry = key => IDBKeyRange.bound([key], [key, []])
  /**
   * @template T
   * @param {'chunks' | 'log'} kind
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T>} work
   */
  const within = async (kind, mode, work) => {
    const transaction = database.transaction(kind, mode)
    const request = work(transaction.objectStore(kind))
    await finished(transaction)                         // what is written counts once it is committed
    return request.result
  }
  const log = async (/** @type {string} */ key) =>
    (await within('log', 'readonly', store => store.getAll(ofEntry(key)))).join('')
  const remove = async (/** @type {string} */ key) => {
    await within('log', 'readwrite', store => store.delete(ofEntry(key)))
    await within('chunks', 'readwrite', store => store.delete(ofEntry(key)))
  }
  return {
    async keys() {
      const all = await within('log', 'readonly', store => store.getAllKeys())
      return [...new Set(all.map(record => /** @type {any} */ (record)[0]))]
    },
    log,
    remove,
    async open(key) {
      let lines = await within('log', 'readonly', store => store.count(ofEntry(key)))
      return {
        readLog: () => log(key),
        appendLog: async text => { await within('log', 'readwrite', store => store.put(text, [key, lines++])) },
        read: async offset => (await within('chunks', 'readonly', store => store.get([key, offset]))) ?? new Uint8Array(),
        write: async (offset, bytes) => {
          await within('chunks', 'readwrite', store => store.put(bytes.slice(), [key, offset]))
        },
        reset: () => remove(key),
        close: async () => {},
      }
    },
    close: () => database.close(),
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const result = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/** @param {IDBTransaction} transaction */
const finished = transaction => new Promise((resolve, reject) => {
  transaction.oncomplete = resolve
  transaction.onabort = transaction.onerror = () => reject(transaction.error)
})
