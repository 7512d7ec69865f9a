import { fileNameOf, locate, splitNames } from '../download/names.js'
import { IteraError } from '../errors.js'
import { keptBytes, keyOf, parseLog } from './log.js'
import { lock } from './lock.js'
import { chooseCache, openStore } from './store.js'

/**
 * What people do with the cache besides loading from it: see, delete, ask the browser to keep it.
 *
 * @typedef {import('../../types.d.ts').CachedModel} CachedModel
 * @typedef {import('../../types.d.ts').CacheOptions} CacheOptions
 * @typedef {import('./store.js').Store} Store
 * @typedef {import('./store.js').CacheChoice} CacheChoice
 */

/**
 * @template T
 * @param {CacheOptions} options
 * @param {(store: Store, choice: CacheChoice) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withStore(options, work) {
  const choice = chooseCache(options)
  if (!choice) throw new IteraError('storage', 'there is no cache here; in Node say { cacheDir }')
  const store = await openStore(choice)
  try {
    return await work(store, choice)
  } finally {
    store.close()
  }
}

/** Each file that is there. @param {Store} store @returns {Promise<CachedModel[]>} */
async function files(store) {
  const found = await Promise.all((await store.keys()).map(async key => {
    const known = await parseLog(await store.log(key))
    if (!known) return []
    const { url, total, updated } = known.facts
    const bytes = keptBytes(known.facts, known.hashes)
    return [{ url, name: fileNameOf(url), bytes, total, complete: bytes === total, files: 1, updated }]
  }))
  return found.flat()
}

/** The parts of a split model make one row. @param {CachedModel[]} all @returns {CachedModel[]} */
function grouped(all) {
  /** @type {Map<string, CachedModel[]>} */
  const groups = new Map()
  for (const file of all) {
    const first = splitNames(file.url)?.[0] ?? file.url
    groups.set(first, [...groups.get(first) ?? [], file])
  }
  return [...groups].map(([url, parts]) => {
    const expected = splitNames(url)?.length ?? 1
    const known = parts.length === expected && parts.every(({ total }) => total !== undefined)
    return {
      url,
      name: fileNameOf(url),
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      total: known ? parts.reduce((sum, { total = 0 }) => sum + total, 0) : undefined,
      complete: known && parts.every(({ complete }) => complete),
      files: expected,
      updated: Math.max(...parts.map(({ updated }) => updated)),
    }
  }).sort((a, b) => b.updated - a.updated)
}

/** Removes what is there under a URL. @param {Store} store @param {CacheChoice} choice @param {string} url */
async function remove(store, choice, url) {
  const key = await keyOf(url)
  const release = await lock(choice, key, { atOnce: true })
  try {
    if (!(await store.keys()).includes(key)) return false
    await store.remove(key)
    return true
  } finally {
    await release()
  }
}

const storage = () => globalThis.navigator?.storage

/** @type {import('../../types.d.ts').Cache} */
export const cache = {
  list: (options = {}) => withStore(options, async store => grouped(await files(store))),

  delete: (source, options = {}) => withStore(options, async (store, choice) => {
    const url = locate(source)
    let removed = false
    for (const part of splitNames(url) ?? [url]) removed = await remove(store, choice, part) || removed
    return removed
  }),

  clear: (options = {}) => withStore(options, async (store, choice) => {
    for (const key of await store.keys()) {
      const release = await lock(choice, key, { atOnce: true }).catch(() => null)
      if (!release) continue                            // in use
      await store.remove(key)
      await release()
    }
  }),

  async persist() { return await storage()?.persist?.() ?? false },

  async persisted() { return await storage()?.persisted?.() ?? false },

  async estimate(options = {}) {
    const all = await withStore(options, files)
    const { usage, quota } = await storage()?.estimate?.() ?? {}
    return { bytes: all.reduce((sum, { bytes }) => sum + bytes, 0), usage, quota, persisted: await cache.persisted() }
  },
}
