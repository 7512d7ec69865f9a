// The lanes of the live view, drawn.
import { byId } from './dom.js'
import * as format from './format.js'
import { transformerBytes } from './live.js'

/** @typedef {import('./live.js').Live} Live */

/** Width of a token in the experts' lane, in pixels. */
const TOKEN = 5
/** Tokens of room in the memory lane at first. */
const FIRST_ROOM = 128

/** @param {Live} live */
export function draw(live) {
  drawExperts(live)
  drawStates(live)
  drawMemory(live)
}

/** @param {string} id */
function lane(id) {
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

/** One row an expert, grouped by layer; one column a token; the darker, the larger its part. @param {Live} live */
function drawExperts({ traces }) {
  const { pen, width, height, colour } = lane('lane-experts')
  const shape = traces.findLast(Boolean)?.experts ?? []
  const layers = shape.length || 1
  const gap = layers > 16 ? 1 : 3
  const band = (height - gap * (layers - 1)) / layers
  pen.fillStyle = colour('--lane')
  for (let layer = 0; layer < layers; layer++) pen.fillRect(0, layer * (band + gap), width, band)
  const columns = Math.floor(width / TOKEN)
  const shown = traces.slice(-columns)
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

/** The length of each layer's state over the last tokens, each against its own largest. @param {Live} live */
function drawStates({ traces }) {
  const { pen, width, height, colour } = lane('lane-states')
  const shown = traces.slice(-Math.floor(width / 2))
  const count = traces.findLast(Boolean)?.states.length ?? 0
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
    const norms = shown.map(trace => trace?.states[layer]?.norm ?? NaN)
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

/** Bytes over tokens: what this conversation takes, and what a KV cache would. @param {Live} live */
function drawMemory({ info, tokens }) {
  const { pen, width, height, colour, font } = lane('lane-memory')
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
