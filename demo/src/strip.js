// The instrument strip: six readings under the pen trace.
import { byId, h } from './dom.js'
import * as format from './format.js'
import { Trace } from './trace.js'

/** @type {Record<string, string>} */
const VARIANT = { scalar: 'none (scalar)', simd128: '128-bit', relaxed: '128-bit relaxed' }

export class Strip {
  constructor() {
    this.trace = new Trace(/** @type {HTMLCanvasElement} */ (byId('trace')))
    /** @type {import('./meter.js').Meter | null} */
    this.meter = null
  }

  /** @param {import('./facts.js').Facts} facts of the loaded model */
  showModel(facts) {
    byId('r-memory').textContent = memory(facts)
    byId('r-simd').textContent = `${VARIANT[facts.simd] ?? facts.simd}${facts.threads > 1 ? ` × ${facts.threads}` : ''}`
    byId('r-simd').dataset.simd = facts.simd
    const [weights, state] = [facts.weightBytes, facts.stateBytes].map(format.bytes)
    byId('r-memory').title = `${weights} of weights, ${state} for what it remembers of the text`
  }

  /** @param {import('./meter.js').Meter} meter */
  begin(meter) {
    this.meter = meter
    for (const id of ['r-speed', 'r-first', 'r-prompt', 'r-written']) byId(id).textContent = '–'
    byId('strip').dataset.running = ''
    this.trace.follow(meter)
  }

  /** Called every frame while a run goes on, and once at its end. */
  update() {
    const { meter } = this
    if (!meter) return
    set('r-speed', format.rate(meter.perSecond), 'tok/s')
    if (meter.firstMs >= 0) byId('r-first').textContent = format.duration(meter.firstMs)
    if (meter.promptTokens >= 0) {
      set('r-prompt', meter.readTokens.toLocaleString('en'), `of ${tokens(meter.promptTokens).join(' ')}`)
    }
    if (meter.shown) set('r-written', ...tokens(meter.shown))
    if (meter.done) delete byId('strip').dataset.running
    this.trace.redraw()
  }
}

/** A figure and its unit, the unit in small type. @param {string} id @param {string} figure @param {string} unit */
function set(id, figure, unit) {
  const place = byId(id)
  if (place.firstChild?.nodeType !== Node.TEXT_NODE || !place.querySelector('small')) {
    place.replaceChildren(document.createTextNode(''), h('small'))
  }
  /** @type {Text} */ (place.firstChild).data = figure;
  /** @type {HTMLElement} */ (place.lastChild).textContent = ` ${unit}`
}

/** @param {number} n @returns {[string, string]} */
const tokens = (n) => [n.toLocaleString('en'), n === 1 ? 'token' : 'tokens']

/** @param {import('./facts.js').Facts} facts */
const memory = ({ weightBytes, stateBytes }) =>
  stateBytes ? `${format.bytes(weightBytes)} + ${format.bytes(stateBytes)}` : format.bytes(weightBytes)
