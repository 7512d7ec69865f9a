// Puts streamed text on the page at a pace that eyes can follow. A small model writes a whole story within a few
// frames; shown as it comes it would just be there. What has come and is not yet shown waits in a queue, of which
// a share is shown in each frame, so that no backlog lasts: readings and Stop stay true to what one sees.
import { calm } from './dom.js'

/** Tokens shown in a frame: at least so many, and such a part of what waits. */
const LEAST = 3
const SHARE = 1 / 24

export class Reveal {
  /** @param {(text: string, tokens: number, traces: import('itera-lite').Trace[]) => void} show */
  constructor(show) {
    this.show = show
    /** @type {{ text: string, tokens: number, trace?: import('itera-lite').Trace }[]} */
    this.queue = []
    this.frame = 0
    this.cutOff = false
    /** Whether a cut has lost some text. */
    this.dropped = false
    this.resolve = () => {}
    this.flush = this.flush.bind(this)
    // A page that is not looked at gets no frames.
    document.addEventListener('visibilitychange', this.flush)
  }

  /**
   * @param {string} text often that of one token
   * @param {number} tokens
   * @param {import('itera-lite').Trace} [trace]
   */
  push(text, tokens, trace) {
    if (this.cutOff) return
    this.queue.push({ text, tokens, trace })
    if (document.hidden || calm()) this.frame ||= window.setTimeout(this.flush)
    else this.frame ||= requestAnimationFrame(() => this.step())
  }

  step() {
    this.frame = 0
    const count = Math.max(LEAST, Math.ceil(this.queue.length * SHARE))
    this.put(this.queue.splice(0, count))
    if (this.queue.length) this.frame = requestAnimationFrame(() => this.step())
    else this.resolve()
  }

  /** Shows all that waits. */
  flush() {
    this.frame = 0
    this.put(this.queue.splice(0))
    this.resolve()
  }

  /** @param {{ text: string, tokens: number, trace?: import('itera-lite').Trace }[]} pieces */
  put(pieces) {
    if (!pieces.length) return
    this.show(textOf(pieces), pieces.reduce((sum, { tokens }) => sum + tokens, 0),
      pieces.flatMap(({ trace }) => trace ?? []))
  }

  /** Drops what has not been shown. Nothing is shown after this. */
  cut() {
    this.dropped = textOf(this.queue.splice(0)) !== ''
    this.cutOff = true
    this.resolve()
  }

  /** No more will come. Resolves once everything has been shown. */
  async finish() {
    if (this.queue.length) await new Promise(resolve => { this.resolve = () => resolve(undefined) })
    document.removeEventListener('visibilitychange', this.flush)
  }
}

/** @param {{ text: string }[]} pieces */
const textOf = pieces => pieces.map(piece => piece.text).join('')
