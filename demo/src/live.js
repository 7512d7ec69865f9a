// The model at work, drawn as it writes: which experts each token went to, how large the state of each layer is, and
// how much memory the conversation takes, beside what a Transformer of the same size would need for it.
import { byId } from './dom.js'
import * as format from './format.js'

/** @typedef {import('itera-lite').Trace} Trace */

/** Tokens that are remembered: more than any screen is wide. */
const KEPT = 1200
/** Width of a token in the experts' lane, in pixels. */
const TOKEN = 5
/** Tokens of room in the memory lane at first. */
const FIRST_ROOM = 128
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
      this.drawExperts()
      this.drawStates()
      this.drawMemory()
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

  /** @param {string} id */
  canvas(id) {
    const canvas = /** @type {HTMLCanvasElement} */ (byId(id))
    const width = canvas.clientWidth, height = canvas.clientHeight
    const dots = Math.min(devicePixelRatio || 1, 3)
    if (canvas.width !== Math.round(width * dots)) canvas.width = Math.round(width * dots)
    if (canvas.height !== Math.round(height * dots)) canvas.height = Math.round(height * dots)
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
    pen.setTransform(dots, 0, 0, dots, 0, 0)
    pen.clearRect(0, 0, width, height)
    const style = getComputedStyle(canvas)
    return { pen, width, height, colour: (/** @type {string} */ name) => style.getPropertyValue(name).trim(), font: `10.5px ${style.fontFamily}` }
  }

  /** One row an expert, grouped by layer; one column a token; the darker, the larger its part. */
  drawExperts() {
    const { pen, width, height, colour } = this.canvas('lane-experts')
    const shape = this.traces.findLast(Boolean)?.experts ?? []
    const layers = shape.length || 1
    const gap = layers > 16 ? 1 : 3
    const band = (height - gap * (layers - 1)) / layers
    pen.fillStyle = colour('--lane')
    for (let layer = 0; layer < layers; layer++) pen.fillRect(0, layer * (band + gap), width, band)
    const columns = Math.floor(width / TOKEN)
    const shown = this.traces.slice(-columns)
    shown.forEach((trace, column) => {
      const x = column * TOKEN
      if (!trace) {
        pen.globalAlpha = 1
        pen.fillStyle = colour('--rule-strong')
        pen.fillRect(x + TOKEN / 2, 0, 1, height)
        return
      }
      pen.fillStyle = colour('--pen')
      trace.experts.forEach(({ of, chosen, gates }, layer) => {
        const cell = band / of
        chosen.forEach((expert, i) => {
          pen.globalAlpha = 0.25 + 0.75 * Math.min(1, gates[i])
          pen.fillRect(x, layer * (band + gap) + expert * cell, TOKEN - 1, Math.max(cell - (cell > 3 ? 0.75 : 0), 1))
        })
      })
    })
    pen.globalAlpha = 1
  }

  /** The length of each layer's state over the last tokens, each against its own largest. */
  drawStates() {
    const { pen, width, height, colour } = this.canvas('lane-states')
    const traces = this.traces.slice(-Math.floor(width / 2))
    const count = this.traces.findLast(Boolean)?.states.length ?? 0
    const band = height / Math.max(count, 1)
    pen.strokeStyle = colour('--rule')
    pen.lineWidth = 1
    for (let layer = 1; layer < Math.max(count, 4); layer++) {
      const y = Math.round(height * layer / Math.max(count, 4)) + 0.5
      pen.beginPath()
      pen.moveTo(0, y)
      pen.lineTo(width, y)
      pen.stroke()
    }
    pen.lineJoin = 'round'
    for (let layer = 0; layer < count; layer++) {
      const norms = traces.map(trace => trace?.states[layer]?.norm ?? NaN)
      const most = Math.max(...norms.filter(norm => norm >= 0), 1e-9)
      pen.strokeStyle = colour(layer === count - 1 ? '--pen' : '--yours')
      pen.lineWidth = 1.4
      pen.beginPath()
      let down = false
      norms.forEach((norm, i) => {
        if (!(norm >= 0)) { down = false; return }
        const x = i * 2 + 1, y = (layer + 1) * band - 2 - (norm / most) * (band - 4)
        if (down) pen.lineTo(x, y)
        else pen.moveTo(x, y)
        down = true
      })
      pen.stroke()
    }
  }

  /** Bytes over tokens: what this conversation takes, and what a KV cache would. */
  drawMemory() {
    const { pen, width, height, colour, font } = this.canvas('lane-memory')
    const { info, tokens } = this
    if (!info) return
    const room = Math.max(FIRST_ROOM, tokens * 1.35)
    const rival = transformerBytes(info), grows = info.kvBytesPerToken
    const here = (/** @type {number} */ n) => info.stateBytes + grows * n
    const most = Math.max(rival * room, here(room)) * 1.12
    const x = (/** @type {number} */ n) => n / room * width
    const y = (/** @type {number} */ bytes) => height - 1.5 - bytes / most * (height - 3)
    pen.strokeStyle = colour('--rule')
    pen.lineWidth = 1
    for (let line = 1; line < 4; line++) {
      pen.beginPath()
      pen.moveTo(0, Math.round(height * line / 4) + 0.5)
      pen.lineTo(width, Math.round(height * line / 4) + 0.5)
      pen.stroke()
    }
    const line = (/** @type {number} */ from, /** @type {number} */ to, /** @type {(n: number) => number} */ bytes) => {
      pen.beginPath()
      pen.moveTo(x(from), y(bytes(from)))
      pen.lineTo(x(to), y(bytes(to)))
      pen.stroke()
    }
    pen.strokeStyle = colour('--quiet')
    pen.lineWidth = 1.5
    line(0, tokens, n => rival * n)
    pen.setLineDash([3, 4])
    line(tokens, room, n => rival * n)
    pen.strokeStyle = colour('--pen')
    line(tokens, room, here)
    pen.setLineDash([])
    pen.lineWidth = 2
    line(0, tokens, here)
    for (const [bytes, ink] of /** @type {[number, string][]} */ ([[rival * tokens, '--quiet'], [here(tokens), '--pen']])) {
      pen.fillStyle = colour(ink)
      pen.beginPath()
      pen.arc(x(tokens), y(bytes), 3, 0, 2 * Math.PI)
      pen.fill()
    }
    pen.font = font
    pen.fillStyle = colour('--quiet')
    pen.textAlign = 'right'
    pen.fillText('Transformer', Math.max(x(tokens) - 8, 70), Math.max(y(rival * tokens) - 3, 10))
    pen.textAlign = 'left'
    // Low lanes have no room for it between the lines.
    const apart = y(here(tokens)) - y(rival * tokens)
    if (tokens && apart > 30) pen.fillText(format.plural(tokens, 'token'), Math.min(x(tokens) + 8, width - 62), Math.max(y(rival * tokens) + 12, 22))
    pen.fillStyle = colour('--pen')
    pen.fillText('this model', 5, y(here(0)) > 20 ? y(here(0)) - 6 : y(here(0)) + 14)
  }
}
