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
 * @property {string[]} [starters]
 */

/** How often the figures change; faster than this they cannot be read. */
const REPAINT_MS = 100

export class Loader {
  constructor() {
    /** @type {AbortController | null} */
    this.abort = null
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
    const bar = /** @type {HTMLProgressElement} */ (byId('loading-bar'))
    byId('loading-what').textContent = `${downloading ? 'Downloading' : 'Reading'} ${source.name}`
    byId('loading-figures').textContent = source.bytes ? format.bytes(source.bytes) : ''
    bar.removeAttribute('value')
    byId('loading').hidden = false

    const started = performance.now()
    let painted = 0
    const onProgress = (/** @type {{ loaded: number, total?: number }} */ { loaded, total = source.bytes }) => {
      const now = performance.now()
      const whole = Boolean(total) && loaded >= /** @type {number} */ (total)
      if (now - painted < REPAINT_MS && !whole) return
      painted = now
      if (total) bar.value = Math.min(loaded / total, 1)
      const speed = loaded / Math.max((now - started) / 1000, 0.001)
      byId('loading-figures').textContent = whole
        ? `${format.bytes(loaded)}, getting ready`
        : [total ? `${format.bytes(loaded)} of ${format.bytes(total)}` : format.bytes(loaded),
          now - started > 250 && `${format.bytes(speed)}/s`].filter(Boolean).join(', ')
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
