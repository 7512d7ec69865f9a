// Chat mode, for models with a chat template: turns in bubbles and a line to write in.
import { byId, h } from './dom.js'

const TALLEST = 168    // pixels the message field may grow to

export class Chat {
  /** @param {{ changed: () => void, send: () => void }} events */
  constructor({ changed, send }) {
    this.field = /** @type {HTMLTextAreaElement} */ (byId('message'))
    /** @type {any} the package's conversation */
    this.talk = null
    this.model = null
    /** @type {{ role: 'user' | 'assistant', text: string, place: HTMLElement }[]} */
    this.turns = []
    this.field.addEventListener('input', () => { this.fit(); changed() })
    this.field.addEventListener('keydown', (event) => {
      // Enter sends; Shift+Enter is a new line, and so is Enter while an input method composes a word.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); send() }
    })
    byId('composer').addEventListener('submit', (event) => event.preventDefault())
  }

  get empty() { return !this.field.value.trim() }
  get text() { return this.turns.map((turn) => turn.text).join('\n\n') }
  get canRepeat() { return this.turns.length >= 2 }
  get continues() { return false }

  /** @param {string} text */
  put(text) {
    this.field.value = text
    this.fit()
  }

  clear() {
    this.turns = []
    this.forget()
    byId('turns').replaceChildren()
    this.field.focus()
  }

  /** @param {any} model @param {Record<string, any>} options */
  begin(model, options) {
    const text = this.field.value.trim()
    this.put('')
    if (this.model !== model) this.talk = null     // it went with its model
    this.model = model
    this.talk ??= model.chat({ messages: this.turns.map(({ role, text: content }) => ({ role, content })) })
    this.add('user', text)
    this.add('assistant', '').dataset.writing = ''
    return this.talk.send(text, options)
  }

  /** Takes the last answer and its question back; the question returns to the field. */
  rewind() {
    const [question, answer] = this.turns.splice(-2)
    question.place.remove()
    answer.place.remove()
    this.forget()
    this.put(question.text)
  }

  /** @param {string} piece */
  append(piece) {
    const turn = this.turns[this.turns.length - 1]
    turn.text += piece
    const place = /** @type {HTMLElement} */ (turn.place.querySelector('.words'))
    if (place.firstChild) /** @type {Text} */ (place.firstChild).appendData(piece)
    else place.append(piece.trimStart())
  }

  /**
   * @param {string} reason how the run ended
   * @param {boolean} [dropped] some of the answer came and was not shown
   */
  end(reason, dropped) {
    const last = this.turns[this.turns.length - 1]
    if (last) delete last.place.dataset.writing
    // The package forgets a turn that failed, and so does the page: the question goes back to the field.
    if (reason === 'error') this.rewind()
    // What one does not see was not said.
    else if (dropped) this.forget()
  }

  /** @param {'user' | 'assistant'} role @param {string} text */
  add(role, text) {
    const speaker = h('span', { class: 'sr' }, role === 'user' ? 'You said:' : 'The model said:')
    const words = h('div', { class: 'words' }, ...(text ? [text] : []))
    const place = h('li', { class: `turn ${role}`, 'data-testid': `turn-${role}` }, speaker, words)
    this.turns.push({ role, text, place })
    byId('turns').append(place)
    return place
  }

  /** Lets go of the state in the worker; the next turn begins a conversation with the turns that are left. */
  forget() {
    this.talk?.dispose()
    this.talk = null
  }

  fit() {
    this.field.style.height = 'auto'
    this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST)}px`
  }
}
