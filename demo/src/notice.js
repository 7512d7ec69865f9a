// Errors, written on the page where the reader is looking.
import { byId } from './dom.js'
import { explain } from './errors.js'

export class Notice {
  /** @param {{ pick: () => void }} events */
  constructor({ pick }) {
    /** @type {(() => void) | null} */
    this.retry = null
    byId('notice-close').addEventListener('click', () => this.hide())
    byId('notice-pick').addEventListener('click', pick)
    byId('notice-retry').addEventListener('click', () => { const retry = this.retry; this.hide(); retry?.() })
  }

  /**
   * @param {unknown} error
   * @param {{ retry?: () => void, simd?: string }} [about] what "Try again" does; the SIMD variant asked for
   */
  show(error, { retry, simd } = {}) {
    const words = explain(error, { simd })
    this.retry = words.retry && retry ? retry : null
    byId('notice-title').textContent = words.title
    byId('notice-advice').textContent = words.advice
    byId('notice-detail').textContent = words.detail
    byId('notice-retry').hidden = !this.retry
    // Here the detail is the point: it names the architecture or the type.
    const telling = ['unsupported', 'no-tokenizer'].includes(words.code)
    byId('notice-details').toggleAttribute('open', telling)
    const notice = byId('notice')
    notice.dataset.code = words.code
    notice.hidden = false
    byId('scroll').scrollTop = 0
  }

  hide() {
    byId('notice').hidden = true
  }
}
