// The pen and the ruled paper under the text: tokens run to the right, speed is the height, as on the drum of a
// recording barometer. The upright rules are arcs because the pen of such an instrument swings on an arm.
// Earlier runs stay as faint lines, so that two SIMD variants or two models can be compared at a glance.

const EARLIER_RUNS = 3
const HEADROOM = 1.25
/** Tokens on the paper before the first run. */
const EMPTY_ROOM = 200
/** Paper lower than this has no room for figures. */
const LABELLED = 60
const LABEL_WIDTH = 40

export class Trace {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas
    /** @type {import('./meter.js').Meter[]} */
    this.earlier = []
    /** @type {import('./meter.js').Meter | null} */
    this.meter = null
    this.top = 0
    this.pending = 0
    new ResizeObserver(() => this.redraw()).observe(canvas)
  }

  /** @param {import('./meter.js').Meter} meter the run to follow from now on */
  follow(meter) {
    if (this.meter?.line.length) this.earlier = [...this.earlier, this.meter].slice(-EARLIER_RUNS)
    this.meter = meter
    this.redraw()
  }

  /** Draws once in the next frame however often it is called before. */
  redraw() {
    this.pending ||= requestAnimationFrame(() => { this.pending = 0; this.draw() })
  }

  draw() {
    const { canvas } = this
    const width = canvas.clientWidth, height = canvas.clientHeight
    if (!width || !height) return
    const dots = Math.min(window.devicePixelRatio || 1, 3)
    if (canvas.width !== Math.round(width * dots)) canvas.width = Math.round(width * dots)
    if (canvas.height !== Math.round(height * dots)) canvas.height = Math.round(height * dots)
    const pen = canvas.getContext('2d')
    if (!pen) return
    pen.setTransform(dots, 0, 0, dots, 0, 0)
    pen.clearRect(0, 0, width, height)
    const style = getComputedStyle(canvas)
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim()

    const runs = [...this.earlier, ...(this.meter ? [this.meter] : [])]
    const room = runs.length ? Math.max(...runs.map((run) => run.room)) : EMPTY_ROOM
    const highest = Math.max(0, ...runs.flatMap((run) => run.line.map((point) => point.rate)))
    this.top = roundUp(highest * HEADROOM)
    const swing = Math.min(9, height / 6)     // how far the middle of an arc bulges to the right
    const labelled = height >= LABELLED
    const sheet = { width: width - swing - (labelled ? LABEL_WIDTH : 0), edge: width, height, swing }

    this.rule(pen, sheet, room, colour('--rule'), colour('--rule-strong'))
    if (this.top && labelled) this.label(pen, sheet, colour('--quiet'))
    pen.lineJoin = 'round'
    pen.lineCap = 'round'
    for (const run of this.earlier) this.stroke(pen, sheet, room, run, colour('--trace-old'), 1)
    if (this.meter) this.stroke(pen, sheet, room, this.meter, colour('--pen'), 2, true)
  }

  /**
   * @param {CanvasRenderingContext2D} pen @param {any} sheet @param {number} room
   * @param {string} faint @param {string} strong
   */
  rule(pen, sheet, room, faint, strong) {
    const step = room <= 400 ? 10 : room <= 1000 ? 25 : 50
    for (let token = 0; token <= room; token += step) {
      const major = (token / step) % 5 === 0
      pen.strokeStyle = major ? strong : faint
      pen.lineWidth = 1
      pen.beginPath()
      for (let i = 0; i <= 12; i++) {
        const rise = i / 12
        pen.lineTo(this.x(sheet, room, token, rise), sheet.height - rise * sheet.height)
      }
      pen.stroke()
    }
    pen.strokeStyle = faint
    for (let line = 1; line < 4; line++) {
      const y = Math.round(sheet.height * line / 4) + 0.5
      pen.beginPath()
      pen.moveTo(0, y)
      pen.lineTo(sheet.edge, y)
      pen.stroke()
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} sheet @param {string} colour */
  label(pen, sheet, colour) {
    pen.fillStyle = colour
    pen.font = `11px ${getComputedStyle(this.canvas).fontFamily}`
    pen.textAlign = 'right'
    pen.textBaseline = 'bottom'
    for (const share of [0.25, 0.75]) {
      pen.fillText(String(round(this.top * share)), sheet.edge - 10, sheet.height * (1 - share) - 2)
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen @param {any} sheet @param {number} room
   * @param {import('./meter.js').Meter} run @param {string} colour @param {number} weight @param {boolean} [tip]
   */
  stroke(pen, sheet, room, run, colour, weight, tip = false) {
    if (!run.line.length || !this.top) return
    pen.strokeStyle = pen.fillStyle = colour
    pen.lineWidth = weight
    let x = 0, y = 0
    /** @type {[number, number][]} */
    const points = []
    const line = run.line.filter(point => point.token <= run.shown)
    const [start] = run.line
    for (const { token, rate } of [{ token: 1, rate: start.rate }, ...line]) {
      const rise = Math.min(rate / this.top, 1)
      x = this.x(sheet, room, token, rise)
      y = sheet.height - rise * sheet.height
      points.push([x, y])
    }
    drawThrough(pen, points)
    if (!tip) return
    pen.beginPath()
    pen.arc(x, y, 3.5, 0, 2 * Math.PI)
    pen.fill()
  }

  /**
   * Where a token stands on the paper.
   *
   * @param {any} sheet @param {number} room @param {number} token
   * @param {number} rise 0 to 1, places it on the arc
   */
  x(sheet, room, token, rise) {
    return (token / room) * sheet.width + sheet.swing * (1 - (2 * rise - 1) ** 2)
  }
}

/**
 * A soft line: it bends at the points and passes through the middle between them.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {[number, number][]} points
 */
function drawThrough(pen, points) {
  pen.beginPath()
  pen.moveTo(...points[0])
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i]
    pen.quadraticCurveTo(x, y, (x + points[i + 1][0]) / 2, (y + points[i + 1][1]) / 2)
  }
  pen.lineTo(...points[points.length - 1])
  pen.stroke()
}

/** The next of 1, 2, 4, 8 times a power of ten, so that quarters of it are round too. @param {number} value */
function roundUp(value) {
  if (!(value > 0)) return 0
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 4, 8].find((step) => step * power >= value) ?? 10)
}

/** @param {number} value */
const round = (value) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value).toLocaleString('en'))
