// Stories: the text on the sheet is the prompt, and goes on in place. Each run is a turn that holds the whole sheet,
// so that taking back, writing again and going through the versions is a walk in the same tree as a conversation's.
import { byId } from './dom.js'
import { Manuscript } from './manuscript.js'
import { branchSwitch } from './transcript.js'

const DRAFT_MS = 400

export class Story {
  /** @param {import('./desk.js').Desk} desk */
  constructor(desk) {
    this.desk = desk
    this.sheet = new Manuscript(byId('manuscript'), () => { this.keepDraft(); desk.refresh() })
  }

  get tree() { return this.desk.talks.tree }
  get empty() { return !this.sheet.text.trim() }
  get text() { return this.sheet.text }
  get continues() { return this.sheet.written.length > 0 }

  focus() { byId('manuscript').focus() }

  /** @param {string} text */
  put(text) {
    this.sheet.setText(text)
    this.keepDraft()
  }

  /** Shows the story on the page. */
  show() {
    if (this.desk.running) return
    const { draft } = this.desk.talks.current
    const { text, written } = draft ?? this.tree.last ?? { text: '', written: [] }
    if (text !== this.sheet.text || !draft) this.sheet.setText(text, written?.map(span => [...span]) ?? [])
    this.showVersions()
  }

  showVersions() {
    const { last } = this.tree
    const versions = last?.role === 'assistant' && !this.edited
      ? branchSwitch(this.tree.siblings(last.id), last.id, id => this.go(id), 'version') : []
    byId('story-switch').hidden = !versions.length
    byId('story-switch').replaceChildren(...versions)
  }

  /** The sheet is no longer as the last turn left it. */
  get edited() { return (this.tree.last?.text ?? '') !== this.sheet.text }

  keepDraft() {
    const { current } = this.desk.talks
    if (this.edited) current.draft = { text: this.sheet.text, written: this.sheet.written.map(span => [...span]) }
    else delete current.draft
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { if (this.desk.talks.current === current && !this.desk.running) this.desk.talks.keep() }, DRAFT_MS)
    this.showVersions()
  }

  /** Goes on from the text as it stands. */
  async write() {
    this.sheet.begin()
    const { text, written } = this.sheet
    const { last } = this.tree
    delete this.desk.talks.current.draft
    const from = last && last.text === text ? last
      : this.tree.add(last?.id ?? null, { role: 'user', text, written: written.map(span => [...span]) })
    await this.goOn(from)
  }

  /** Writes the last part once more, beside the versions there are. */
  async repeat() {
    const { last } = this.tree
    const from = last?.role === 'assistant' && last.parent !== null ? this.tree.turns.get(last.parent) : undefined
    if (!from || !await this.desk.ready()) return
    delete this.desk.talks.current.draft
    this.sheet.setText(from.text, from.written?.map(span => [...span]))
    this.sheet.begin()
    await this.goOn(from)
  }

  /** @param {import('./tree.js').Turn} from */
  async goOn(from) {
    const { desk, sheet, tree } = this
    const { memory, current } = desk.talks
    // Asked to go on from its own end, a model would only end again; a new paragraph invites it to say more.
    if (from.ending === 'stop') sheet.append('\n')
    const turn = tree.add(from.id, { role: 'assistant', text: sheet.text })
    const model = /** @type {import('itera-lite').Model} */ (memory.model)
    /** @type {import('itera-lite').Chat | null} */
    let talk = null
    const outcome = await desk.run({
      text: byId('manuscript'),
      begin: async options => {
        // A model that was trained to answer would answer the text: it is to go on with it.
        if (model.info.hasChatTemplate) return model.generate(sheet.text, options)
        talk = await memory.story(current, tree.path(from.id))
        return talk.messages.length ? talk.edit(0, sheet.text, options) : talk.send(sheet.text, options)
      },
      append: piece => {
        sheet.append(piece)
        Object.assign(turn, { text: sheet.text, written: sheet.written })
      },
      started: () => {},
    })
    sheet.end()
    Object.assign(turn, {
      text: sheet.text, written: sheet.written.map(span => [...span]), ending: outcome.ending, stats: outcome.stats,
    })
    if (turn.text.trim() === from.text.trim()) {
      tree.remove(turn.id)
      sheet.setText(from.text, from.written?.map(span => [...span]))
    }
    if (talk && outcome.failed) memory.forget([current.id])
    else if (talk) {
      memory.keep(current.id, talk)
      desk.talks.saveMemory(current.id)
    }
    desk.finish(outcome)
  }

  get canUndo() { return this.edited ? this.tree.last !== null : this.tree.last !== null && this.tree.last.parent !== null }
  get canRepeat() { return this.tree.last?.role === 'assistant' }

  /** Back to the sheet before the last run, or before it was edited since. */
  undo() {
    const { tree } = this
    delete this.desk.talks.current.draft
    if (!this.edited && tree.last) tree.leaf = tree.last.parent
    this.sheet.setText('')
    this.show()
    this.desk.moved()
  }

  /** @param {string} id */
  go(id) {
    this.tree.leaf = id
    this.tree.remember(id)
    this.show()
    this.desk.moved()
    const arrow = /** @type {HTMLElement | null} */ (byId('story-switch').querySelector('button:enabled'))
    arrow?.focus()
  }
}
