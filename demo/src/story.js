// Story mode, for models without a chat template: the text on the sheet is the prompt, and goes on in place.
import { byId } from './dom.js'
import { Manuscript } from './manuscript.js'

export class Story {
  /** @param {() => void} changed */
  constructor(changed) {
    this.sheet = new Manuscript(byId('manuscript'), changed)
    // What stood here before the model's last turn.
    /** @type {{ text: string, written: import('./inks.js').Span[] } | null} */
    this.before = null
    /** The whole text, if the model has come to its end there. @type {string | null} */
    this.ended = null
  }

  get empty() { return !this.sheet.text.trim() }
  get text() { return this.sheet.text }
  get canRepeat() { return this.before !== null }
  get continues() { return this.sheet.written.length > 0 }

  /** @param {string} text */
  put(text) {
    this.sheet.setText(text)
    this.before = null
  }

  /** Forgets the text. */
  clear() {
    this.put('')
    byId('manuscript').focus()
  }

  /**
   * @param {any} model @param {Record<string, any>} options
   * @returns {AsyncIterable<any>}
   */
  begin(model, options) {
    this.sheet.begin()
    const { text, written } = this.sheet
    this.before = { text, written: written.map(span => [...span]) }
    // Asked to go on from its own end, a model would only end again; a new paragraph invites it to say more.
    if (text === this.ended) this.sheet.append('\n')
    return model.generate(this.sheet.text, options)
  }

  /** Puts the sheet back as it was before the last turn. */
  rewind() {
    if (this.before) this.sheet.setText(this.before.text, this.before.written)
  }

  /** @param {string} piece */
  append(piece) { this.sheet.append(piece) }

  /** @param {string} reason how the run ended */
  end(reason) {
    this.sheet.end()
    this.ended = reason === 'stop' ? this.sheet.text : null
  }
}
