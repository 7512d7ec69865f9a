// The sampling panel: its sliders, the seed and the SIMD variant, remembered between visits.
import { byId, h, keep } from './dom.js'

/**
 * The name of each is the option of model.generate. `off` is the value that switches the filter off; hints say
 * what the knob does to the text rather than how it is computed.
 */
const KNOBS = [
  {
    name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, value: 0.6,
    hint: '0 always takes the likeliest word; higher wanders more',
  },
  {
    name: 'topK', label: 'Top-k', min: 0, max: 200, step: 1, value: 40, off: 0,
    hint: 'Choose among this many words',
  },
  {
    name: 'topP', label: 'Top-p', min: 0.05, max: 1, step: 0.01, value: 0.95, off: 1,
    hint: 'Choose among the likeliest words that share this much of the probability',
  },
  {
    name: 'minP', label: 'Min-p', min: 0, max: 0.5, step: 0.01, value: 0.05, off: 0,
    hint: 'Leave out words less likely than this part of the best one',
  },
  {
    name: 'repetitionPenalty', label: 'Repetition penalty', min: 1, max: 1.5, step: 0.01, value: 1.05, off: 1,
    hint: 'Above 1, recent words become less likely',
  },
  {
    name: 'presencePenalty', label: 'Presence penalty', min: 0, max: 2, step: 0.05, value: 0, off: 0,
    hint: 'Words that have been used become less likely',
  },
  {
    name: 'frequencyPenalty', label: 'Frequency penalty', min: 0, max: 2, step: 0.05, value: 0, off: 0,
    hint: 'The more often a word was used, the less likely it becomes',
  },
  {
    name: 'maxTokens', label: 'Max tokens', min: 20, max: 2000, step: 20, value: 300,
    hint: 'Tokens written before the model pauses; a word is one or two',
  },
]
const STORE = 'itera.sampling'
const SEED_LIMIT = 2 ** 32

export const randomSeed = () => Math.floor(Math.random() * SEED_LIMIT)

export class Settings {
  /** @param {{ onSimd: (simd: string) => void, onChange: () => void }} events */
  constructor({ onSimd, onChange }) {
    this.form = /** @type {HTMLFormElement} */ (/** @type {unknown} */ (byId('sampling')))
    this.seedField = /** @type {HTMLInputElement} */ (byId('seed'))
    /** @type {Map<string, { input: HTMLInputElement, show: () => void }>} */
    this.knobs = new Map()
    const stored = keep.get(STORE, {})
    for (const knob of KNOBS) this.addKnob(knob, stored[knob.name])

    this.form.addEventListener('submit', (event) => event.preventDefault())
    this.form.addEventListener('input', (event) => {
      if (/** @type {HTMLInputElement} */ (event.target).name === 'simd') return
      this.save()
      onChange()
    })
    this.form.addEventListener('reset', () => setTimeout(() => {   // after the browser has put the defaults back
      const wasSimd = this.simdInUse
      for (const knob of this.knobs.values()) knob.show()
      byId('seed-note').textContent = ''
      this.save()
      onChange()
      if (wasSimd !== this.simd) onSimd(this.simd)
    }))
    byId('dice').addEventListener('click', () => {
      this.seedField.value = String(randomSeed())
      byId('seed-note').textContent = 'clear for a new one each time'
    })
    this.simdInUse = 'auto'
    byId('variants').addEventListener('change', () => {
      this.simdInUse = this.simd
      onSimd(this.simd)
    })
  }

  /** @param {typeof KNOBS[number]} knob @param {unknown} stored */
  addKnob(knob, stored) {
    const id = `knob-${knob.name}`
    const input = /** @type {HTMLInputElement} */ (h('input', {
      type: 'range', id, name: knob.name, min: knob.min, max: knob.max, step: knob.step, value: knob.value,
      title: knob.hint, 'data-testid': knob.name,
    }))
    if (typeof stored === 'number' && stored >= knob.min && stored <= knob.max) input.value = String(stored)
    const output = h('output', { for: id })
    const digits = knob.step < 1 ? 2 : 0
    const show = () => {
      const value = Number(input.value)
      output.textContent = value === knob.off ? 'off' : value.toFixed(digits)
      input.setAttribute('aria-valuetext', output.textContent ?? '')
      const share = (value - knob.min) / (knob.max - knob.min)
      input.style.setProperty('--share', `${(share * 100).toFixed(1)}%`)
    }
    input.addEventListener('input', show)
    show()
    const label = h('label', { for: id, title: knob.hint }, knob.label)
    byId('sliders').append(h('div', { class: 'knob' }, label, output, input))
    this.knobs.set(knob.name, { input, show })
  }

  save() {
    keep.set(STORE, Object.fromEntries([...this.knobs].map(([name, { input }]) => [name, Number(input.value)])))
  }

  /** Greys out the SIMD variants that this browser does not have. @param {string[]} supported */
  offer(supported) {
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (byId('variants').querySelectorAll('input'))) {
      input.disabled = input.value !== 'auto' && !supported.includes(input.value)
    }
  }

  /** The SIMD variant asked for. */
  get simd() {
    return String(new FormData(this.form).get('simd') ?? 'auto')
  }

  get maxTokens() {
    return Number(this.knobs.get('maxTokens')?.input.value)
  }

  /** The options of one run. The seed is always given, so that a run can be told apart and repeated. */
  options() {
    const typed = this.seedField.value.trim()
    const given = /^\d+$/.test(typed)
    const seed = given ? Number(typed) % SEED_LIMIT : randomSeed()
    byId('seed-note').textContent = given ? '' : typed ? `not a number, last ${seed}` : `last ${seed}`
    const knobs = [...this.knobs].map(([name, { input }]) => [name, Number(input.value)])
    return { seed, maxTokens: this.maxTokens, ...Object.fromEntries(knobs) }
  }
}
