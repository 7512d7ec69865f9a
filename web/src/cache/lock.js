import { IteraError } from '../errors.js'
import { nodeModule } from '../platform.js'

/**
 * One holder of an entry at a time, among all tabs, workers and processes. The browser's locks end with their tab; in
 * Node a file does the same, which its holder touches as long as it lives.
 *
 * @typedef {() => Promise<void>} Release
 *
 * @typedef {object} LockOptions
 * @property {AbortSignal} [signal]  while waiting
 * @property {() => void} [onWait]  somebody else has it
 * @property {boolean} [atOnce]  throws 'busy' rather than wait
 */

/** How often a lock file is touched, and after how long without that its holder is taken for dead. */
const TOUCH_MS = 1000
const DEAD_MS = 10_000
const POLL_MS = 100
/** The lock of a tab that was just closed is given a moment to end. */
const AT_ONCE_MS = 1000

/**
 * @param {import('./store.js').CacheChoice} choice
 * @param {string} key
 * @param {LockOptions} [options]
 * @returns {Promise<Release>}
 */
export async function lock({ name, folder }, key, { signal, onWait, atOnce } = {}) {
  const take = folder === undefined ? takeBrowserLock(`itera-lite/${name}/${key}`) : await takeFileLock(folder, name, key)
  const first = await take(null)
  if (first) return first
  onWait?.()
  const patience = atOnce ? AbortSignal.timeout(AT_ONCE_MS) : signal
  try {
    const release = await take(patience ?? new AbortController().signal)
    if (release) return release
  } catch (error) {
    if (!patience?.aborted) throw error
  }
  if (atOnce) throw new IteraError('busy', 'the download is in use, here or in another tab')
  throw new IteraError('aborted', 'loading was aborted')
}

/**
 * @param {string} id
 * @returns {(signal: AbortSignal | null) => Promise<Release | null>} without a signal it does not wait
 */
const takeBrowserLock = id => signal => new Promise((resolve, reject) => {
  navigator.locks.request(id, signal ? { signal } : { ifAvailable: true }, held => {
    if (!held) return resolve(null)
    return new Promise(release => resolve(async () => release(undefined)))
  }).catch(reject)
})

/**
 * @param {string} folder
 * @param {string} name
 * @param {string} key
 * @returns {Promise<(signal: AbortSignal | null) => Promise<Release | null>>}
 */
async function takeFileLock(folder, name, key) {
  const fs = /** @type {typeof import('node:fs/promises')} */ (await nodeModule('node:fs/promises'))
  const path = /** @type {typeof import('node:path')} */ (await nodeModule('node:path'))
  const { hostname } = /** @type {typeof import('node:os')} */ (await nodeModule('node:os'))
  const file = path.join(folder, name, `${key}.lock`)
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: crypto.randomUUID() })
  await fs.mkdir(path.dirname(file), { recursive: true })

  const tryOnce = async () => {
    try {
      await fs.writeFile(file, mine, { flag: 'wx' })
      return true
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'EEXIST') throw error
    }
    const text = await fs.readFile(file, 'utf8').catch(() => '')
    const stat = await fs.stat(file).catch(() => null)
    if (!stat || !isDead(text, Date.now() - stat.mtimeMs, hostname())) return false
    // Moved away before it is removed: of several that find it dead, one moves it, and sees what it has moved.
    const moved = `${file}.${crypto.randomUUID()}`
    if (!await fs.rename(file, moved).then(() => true, () => false)) return false
    if (await fs.readFile(moved, 'utf8') !== text) await fs.link(moved, file).catch(() => {})
    await fs.rm(moved, { force: true })
    return false
  }
  const release = () => {
    const touch = setInterval(() => {
      const now = new Date()
      fs.utimes(file, now, now).catch(() => {})
    }, TOUCH_MS)
    touch.unref()
    return async () => {
      clearInterval(touch)
      if (await fs.readFile(file, 'utf8').catch(() => '') === mine) await fs.rm(file, { force: true })
    }
  }
  return async signal => {
    for (let attempt = 0; ; attempt++) {
      if (await tryOnce()) return release()
      if (signal?.aborted || (!signal && attempt > 0)) return null
      if (attempt > 0) await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }
}

/** @param {string} text @param {number} age @param {string} host */
function isDead(text, age, host) {
  if (age > DEAD_MS) return true
  try {
    const holder = JSON.parse(text)
    if (holder.host !== host) return false
    process.kill(holder.pid, 0)
    return false
  } catch (error) {
    return /** @type {any} */ (error).code === 'ESRCH'
  }
}
