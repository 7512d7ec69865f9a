// Loads a model with its progress written on the page. One model at a time: a new one takes the old one's place
// only once it is ready, so that a broken file or a cancelled download leaves the page as it was.
import { byId } from './dom.js'
import * as format from './format.js'

/**
 * @typedef {object} Source
 * @property {string} name
 * @property {string | File} from      an address or a file
 * @property {number} [bytes]
 * @property {string} [description]
 * @property {string} [quantization]
 * @property {'story' | 'chat'} [kind]   what it was made for
 * @property {boolean} [default]         the one that a first visit loads
 * @property {string[]} [starters]
 */

/** What is the matter when bytes do not simply come. @type {Record<string, string>} */
const STATUS = { retrying: 'Connection lost, trying again:', waiting: 'Another tab is downloading' }

export class Loader {
  constructor() {
    /** @type {AbortController | null} */
    this.abort = null
    /** Why the model loaded last is not kept. @type {'quota' | 'storage' | undefined} */
    this.cacheError = undefined
    byId('cancel').addEventListener('click', () => this.cancel())
  }

  get busy() {
    return this.abort !== null
  }

  cancel() {
    this.abort?.abort()
  }

  /** @param {Source} source @param {string} simd */
  async load(source, simd) {
    this.cancel()
    const abort = this.abort = new AbortController()
    const downloading = typeof source.from === 'string'
    this.cacheError = undefined
    const bar = /** @type {HTMLProgressElement} */ (byId('loading-bar'))
    byId('loading-what').textContent = `${downloading ? 'Downloading' : 'Reading'} ${source.name}`
    byId('loading-figures').textContent = source.bytes ? format.bytes(source.bytes) : ''
    bar.removeAttribute('value')
    byId('loading').hidden = false

    const started = performance.now()
    const onProgress = (/** @type {import('itera-lite').Progress} */ progress) => {
      const { loaded, total = source.bytes, cached = 0, status } = progress
      this.cacheError = progress.cacheError
      const now = performance.now()
      const whole = Boolean(total) && loaded >= /** @type {number} */ (total)
      if (total) bar.value = Math.min(loaded / total, 1)
      const fetched = loaded - cached
      const local = !downloading || (cached > 0 && fetched === 0)
      byId('loading-what').textContent = `${STATUS[status ?? ''] ?? (local ? 'Reading' : 'Downloading')} ${source.name}`
      const speed = fetched / Math.max((now - started) / 1000, 0.001)
      byId('loading-figures').textContent = whole
        ? `${format.bytes(loaded)}, getting ready`
        : [total ? `${format.bytes(loaded)} of ${format.bytes(total)}` : format.bytes(loaded),
          !local && now - started > 250 && `${format.bytes(speed)}/s`].filter(Boolean).join(', ')
    }
    try {
      // Imported here, so that the page stands (and can say what is wrong) even where the package was not built.
      const { Itera } = await import('itera-lite')
      return await Itera.load(source.from, { onProgress, signal: abort.signal, simd: /** @type {any} */ (simd) })
    } finally {
      if (this.abort === abort) {
        this.abort = null
        byId('loading').hidden = true
      }
    }
  }
}
