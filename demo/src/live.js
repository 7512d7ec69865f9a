// The model at work, drawn as it writes: which experts each token went to, how large the state of each layer is, and
// how much memory the conversation takes, beside what a Transformer of the same size would need for it.
import { byId } from './dom.js'
import * as format from './format.js'

/** @typedef {import('itera-lite').Trace} Trace */

/** Tokens that are remembered: more than any screen is wide. */
const KEPT = 1200
/** Bytes of a number in a KV cache: runtimes keep it in 16 bits. */
const KV_BYTES = 2

/**
 * What a Transformer of the same depth and width would keep for each token: a key and a value in every layer.
 *
 * @param {{ layers: number, width: number }} size
 */
export const transformerBytes = ({ layers, width }) => 2 * layers * width * KV_BYTES

export class Live {
  constructor() {
    this.root = byId('live')
    /** @type {(Trace | null)[]} null: a new text begins */
    this.traces = []
    /** @type {{ layers: number, width: number, stateBytes: number, kvBytesPerToken: number } | null} */
    this.info = null
    /** Tokens of the conversation so far. */
    this.tokens = 0
    this.pending = 0
    /** @type {typeof import('./lanes.js').draw | null} */
    this.draw = null
    for (const lane of this.root.querySelectorAll('canvas')) new ResizeObserver(() => this.redraw()).observe(lane)
  }

  get open() { return !this.root.hidden }

  /** @param {any} info of the model */
  use(info) {
    this.info = info
    this.traces = []
    this.tokens = 0
    this.redraw()
  }

  /** A text begins, which has read so many tokens. @param {number} tokens */
  begin(tokens) {
    if (this.traces.length) this.traces.push(null)
    this.tokens = tokens
    this.redraw()
  }

  /** @param {Trace[]} traces of tokens just shown @param {number} tokens of the conversation now */
  add(traces, tokens) {
    this.traces.push(...traces)
    if (this.traces.length > KEPT) this.traces.splice(0, this.traces.length - KEPT)
    this.tokens = tokens
    if (this.open) this.redraw()
  }

  /** Draws once in the next frame however often it is called before. */
  redraw() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0
      if (!this.open) return
      this.describe()
      // Fetched when the view is first opened.
      if (this.draw) this.draw(this)
      else import('./lanes.js').then(({ draw }) => { this.draw = draw; this.redraw() }, () => { /* the words do */ })
    })
  }

  /** The lanes in words. */
  describe() {
    const trace = this.traces.findLast(Boolean)
    const rows = trace?.experts ?? []
    const first = rows[0]
    byId('live-experts').textContent = first
      ? `${first.chosen.length} of ${first.of} in ${format.plural(rows.length, 'layer')}, token by token`
      : trace ? 'this model has no experts to choose from' : 'shown from the next token on'
    byId('live-states').textContent = trace ? `strength in ${format.plural(trace.states.length, 'layer')}` : 'strength in each layer'
    const { info, tokens } = this
    if (!info) return
    const here = info.stateBytes + info.kvBytesPerToken * tokens
    byId('live-memory').textContent = `${format.bytes(here)} here, ${format.bytes(transformerBytes(info) * tokens)} in a Transformer`
    byId('live-memory').dataset.tokens = String(tokens)
  }
}
