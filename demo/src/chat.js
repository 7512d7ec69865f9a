// Conversations: the line to write in, the turns above it, and what is done with them.
import { byId } from './dom.js'
import { Transcript } from './transcript.js'

/** @typedef {import('./tree.js').Turn} Turn */

const TALLEST = 200    // pixels the message field may grow to

export class Chat {
  /**
   * @param {import('./desk.js').Desk} desk
   */
  constructor(desk) {
    this.desk = desk
    this.field = /** @type {HTMLTextAreaElement} */ (byId('message'))
    /** Half-typed messages, by conversation; those without a turn share one. @type {Map<string, string>} */
    this.typed = new Map()
    this.transcript = new Transcript({
      go: id => this.go(id),
      edit: (id, text) => this.edit(id, text),
      repeat: id => this.repeat(id),
      answer: id => this.reply(id),
      branch: id => this.branch(id),
      undo: () => this.undo(),
      closed: () => this.show(),
    })
    this.field.addEventListener('input', () => { this.fit(); desk.refresh() })
    this.field.addEventListener('keydown', event => {
      // Enter sends; Shift+Enter is a new line, and so is Enter while an input method composes a word.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); desk.go() }
      if (event.key === 'ArrowUp' && !this.field.value) this.editLast(event)
    })
    byId('composer').addEventListener('submit', event => event.preventDefault())
  }

  get tree() { return this.desk.talks.tree }
  get empty() { return !this.field.value.trim() }
  get text() { return this.tree.path().map(({ text }) => text.trim()).join('\n\n') }

  focus() { this.field.focus() }

  /** @param {string} text */
  put(text) {
    this.field.value = text
    this.fit()
  }

  get place() { return this.tree.empty ? '' : this.desk.talks.current.id }

  /** Another conversation is to come: what is typed belongs to this one. */
  leave() { this.typed.set(this.place, this.field.value) }
  arrive() { this.put(this.typed.get(this.place) ?? '') }

  /** Shows the conversation on the page. */
  show() {
    this.transcript.show(this.tree, this.desk.running)
  }

  /** Says what stands in the field. */
  async write() {
    const text = this.field.value.trim()
    this.put('')
    await this.say(this.tree.leaf, text)
  }

  /** Says something behind a turn, beside what may be there already. @param {string | null} parent @param {string} text */
  say(parent, text) {
    return this.ask(this.tree.add(parent, { role: 'user', text }), { back: text })
  }

  /** Answers a question that has no answer. @param {string} id */
  async reply(id) {
    const question = this.tree.turns.get(id)
    if (question && !this.desk.running && await this.desk.ready()) await this.ask(question, {})
  }

  /** @param {Turn} question @param {{ back?: string }} about as in answer */
  async ask(question, about) {
    const { memory, current } = this.desk.talks
    const path = this.tree.path(question.parent)
    const keep = path.length > 0 && this.tree.siblings(question.id).length > 1
    await this.answer(question, async options => {
      const talk = await memory.at(current, path, { keep })
      return { talk, pieces: talk.send(question.text, options) }
    }, about)
  }

  /** Answers a question once more, beside the answers it has. @param {string} id of one of them */
  async repeat(id) {
    const { memory, current } = this.desk.talks
    const path = this.tree.path(id)
    const question = path.at(-2)
    if (!question || this.desk.running || !await this.desk.ready()) return
    await this.answer(question, async options => {
      const same = await memory.toRepeat(current, path)
      if (same) return { talk: same, pieces: same.regenerate(options) }
      const talk = await memory.at(current, path.slice(0, -2), { keep: true })
      return { talk, pieces: talk.send(question.text, options) }
    }, {})
  }

  /**
   * @param {Turn} question
   * @param {(options: any) => Promise<{ talk: import('itera-lite').Chat, pieces: AsyncIterable<import('itera-lite').Piece> }>} begin
   * @param {{ back?: string }} about the text to put back into the field when nothing comes of it
   */
  async answer(question, begin, { back }) {
    const { desk, tree } = this
    const { memory } = desk.talks
    const before = question.parent
    const shown = question.next ?? question.id
    const turn = tree.add(question.id, { role: 'assistant', text: '' })
    /** @type {import('itera-lite').Chat | null} */
    let talk = null
    const outcome = await desk.run({
      text: byId('turns'),
      begin: async options => {
        const begun = await begin(options)
        talk = begun.talk
        return begun.pieces
      },
      append: piece => {
        turn.text += piece
        this.transcript.grow(turn)
      },
      started: () => this.show(),
    })
    turn.ending = outcome.ending
    turn.stats = outcome.stats
    const nothing = outcome.failed || !turn.text.trim()
    if (nothing) {
      // A second answer that did not come leaves the one that was shown where it was.
      if (back === undefined) { tree.remove(turn.id); tree.go(shown) } else tree.remove(question.id)
      if (back !== undefined && this.empty) this.put(back)
    }
    await this.settle(talk, { turn, nothing, before, outcome })
    desk.finish(outcome)
  }

  /**
   * What the engine knows now belongs to this branch.
   *
   * @param {import('itera-lite').Chat | null} talk
   * @param {{ turn: Turn, nothing: boolean, before: string | null, outcome: import('./desk.js').Outcome }} about
   */
  async settle(talk, { turn, nothing, before, outcome }) {
    const { memory } = this.desk.talks
    if (!talk) return
    try {
      if (nothing) {
        if (outcome.failed) return talk.dispose()
        await talk.undo(1)
        if (before === null) talk.dispose()
        else memory.keep(before, talk)
      } else {
        const amended = outcome.dropped ? await memory.amend(talk, turn.text) : talk
        memory.keep(turn.id, amended)
        this.desk.talks.saveMemory()
      }
    } catch { /* the text is read again then */ }
  }

  /** @param {string} id */
  go(id) {
    if (!this.desk.running && this.tree.leaf !== id) this.tree.go(id)
    this.show()
    this.desk.moved()
  }

  /** @param {string} id @param {string} text */
  async edit(id, text) {
    const turn = this.tree.turns.get(id)
    if (!turn || this.desk.running) return
    if (turn.role === 'user') {
      if (await this.desk.ready()) await this.say(turn.parent, text)
      else if (this.empty) this.put(text)
      return
    }
    this.tree.add(turn.parent, { role: 'assistant', text })
    this.show()
    this.desk.moved()
  }

  /** The next message stands beside what follows this answer. @param {string} id */
  branch(id) {
    this.tree.leaf = id
    this.show()
    this.desk.moved()
    this.focus()
  }

  get canUndo() { return this.tree.last !== null }

  /** Takes the last turn off the page; it stays as a branch. Its question returns to the field. */
  undo() {
    const path = this.tree.path()
    const question = path.findLast(turn => turn.role === 'user')
    if (!question || this.desk.running) return
    this.tree.leaf = question.parent
    if (this.empty) this.put(question.text)
    this.show()
    this.desk.moved()
    this.focus()
  }

  /** @param {Event} event */
  editLast(event) {
    const last = this.tree.path().findLast(turn => turn.role === 'user')
    if (!last || this.desk.running) return
    event.preventDefault()
    this.transcript.edit(last)
  }

  fit() {
    this.field.style.height = 'auto'
    this.field.style.height = `${Math.min(this.field.scrollHeight + 2, TALLEST)}px`
  }
}
