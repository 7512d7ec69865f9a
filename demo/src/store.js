// What outlives a reload: conversations, and the engine's memory of them, in IndexedDB. Where that is refused (a
// private window, strict settings) the page works the same and forgets everything at its end.

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {boolean} [named]   the title was given by hand
 * @property {'chat' | 'story'} kind
 * @property {string} system
 * @property {{ key: string, name: string } | null} model   the one that wrote last
 * @property {number} created
 * @property {number} updated
 * @property {import('./tree.js').Turn[]} turns
 * @property {string | null} leaf
 * @property {{ text: string, written: import('./inks.js').Span[] }} [draft]  a story as edited since its last turn
 */

/** Saved memories take at most so much together; those not used for the longest time go first. */
const MEMORY_LIMIT = 256e6

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const result = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/** @param {IDBTransaction} transaction */
const end = transaction => new Promise((resolve, reject) => {
  transaction.oncomplete = () => resolve(undefined)
  transaction.onerror = transaction.onabort = () => reject(transaction.error)
})

export class Store {
  /** @type {IDBDatabase | null} */
  db = null
  /** Other tabs of this page, which must hear of changes. @type {BroadcastChannel | null} */
  channel = null

  /** @param {(id: string) => void} changed a conversation was changed in another tab */
  async open(changed) {
    try {
      const request = indexedDB.open('itera', 1)
      request.onupgradeneeded = () => {
        const db = request.result
        db.createObjectStore('conversations', { keyPath: 'id' })
        // Sizes apart from the bytes, so that they can be counted without reading those.
        db.createObjectStore('memories', { keyPath: 'id' }).createIndex('conversation', 'conversation')
        db.createObjectStore('bytes')
      }
      this.db = await result(request)
      this.db.onversionchange = () => this.db?.close()
      this.channel = new BroadcastChannel('itera.conversations')
      this.channel.onmessage = event => changed(event.data)
    } catch {
      this.db = null
    }
    return this.db !== null
  }

  /** @returns {Promise<Conversation[]>} */
  async all() {
    return this.db ? result(this.db.transaction('conversations').objectStore('conversations').getAll()) : []
  }

  /** @param {string} id @returns {Promise<Conversation | undefined>} */
  async get(id) {
    return this.db ? result(this.db.transaction('conversations').objectStore('conversations').get(id)) : undefined
  }

  /**
   * Changes one as it stands in the store now, whoever wrote it last.
   *
   * @param {string} id
   * @param {(stored: Conversation | undefined) => Conversation | null} change gives null to leave it alone
   * @param {{ quiet?: boolean }} [options] quiet: other tabs need not hear of it
   */
  async change(id, change, { quiet = false } = {}) {
    if (!this.db) return
    const transaction = this.db.transaction('conversations', 'readwrite')
    const store = transaction.objectStore('conversations')
    const changed = change(await result(store.get(id)))
    if (changed) store.put(changed)
    await end(transaction)
    if (changed && !quiet) this.channel?.postMessage(id)
  }

  /** Writes one over what is stored: of a page that ends, nothing can be awaited. @param {Conversation} conversation */
  putLast(conversation) {
    if (!this.db) return
    const transaction = this.db.transaction('conversations', 'readwrite')
    transaction.objectStore('conversations').put(conversation)
    transaction.commit()
  }

  /** Forgets a conversation and its memories. @param {string} id */
  async delete(id) {
    if (!this.db) return
    const memories = (await this.memories()).filter(memory => memory.conversation === id)
    const transaction = this.db.transaction(['conversations', 'memories', 'bytes'], 'readwrite')
    transaction.objectStore('conversations').delete(id)
    for (const memory of memories) this.dropMemory(transaction, memory.id)
    await end(transaction)
    this.channel?.postMessage(id)
  }

  /** @returns {Promise<{ id: string, conversation: string, size: number, used: number }[]>} */
  async memories() {
    return this.db ? result(this.db.transaction('memories').objectStore('memories').getAll()) : []
  }

  /** @param {IDBTransaction} transaction @param {string} id */
  dropMemory(transaction, id) {
    transaction.objectStore('memories').delete(id)
    transaction.objectStore('bytes').delete(id)
  }

  /**
   * Keeps the engine's memory of the branch that ends with a turn.
   *
   * @param {string} turn
   * @param {string} conversation
   * @param {ArrayBuffer} bytes
   */
  async putMemory(turn, conversation, bytes) {
    if (!this.db || bytes.byteLength > MEMORY_LIMIT) return
    const others = (await this.memories()).filter(memory => memory.id !== turn).sort((a, b) => a.used - b.used)
    let total = bytes.byteLength + others.reduce((sum, { size }) => sum + size, 0)
    const transaction = this.db.transaction(['memories', 'bytes'], 'readwrite')
    for (const memory of others) {
      if (total <= MEMORY_LIMIT) break
      this.dropMemory(transaction, memory.id)
      total -= memory.size
    }
    transaction.objectStore('memories').put({ id: turn, conversation, size: bytes.byteLength, used: Date.now() })
    transaction.objectStore('bytes').put(bytes, turn)
    await end(transaction)
  }

  /** @param {string} turn @returns {Promise<ArrayBuffer | undefined>} */
  async getMemory(turn) {
    return this.db ? result(this.db.transaction('bytes').objectStore('bytes').get(turn)) : undefined
  }
}
