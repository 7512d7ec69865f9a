// All conversations, and the one that is on the page.
import { blank } from './exchange.js'
import { Memory } from './memory.js'
import { Store } from './store.js'
import { Tree } from './tree.js'

/**
 * @typedef {import('./store.js').Conversation} Conversation
 * @typedef {import('./tree.js').Turn} Turn
 */

/** The engine's memory is written to the store once the page has been quiet for so long. */
const SAVE_AFTER_MS = 250

export class Conversations {
  /** @param {{ listed: () => void, replaced: () => void }} events the list changed; the one shown changed elsewhere */
  constructor({ listed, replaced }) {
    this.listed = listed
    this.replaced = replaced
    this.store = new Store()
    this.memory = new Memory(this.store)
    /** @type {Map<string, Conversation>} */
    this.records = new Map()
    /** @type {Conversation} */
    this.current = blank('story')
    this.tree = new Tree()
    /** A run is under way: what another tab says has to wait. */
    this.busy = false
    this.saving = Promise.resolve()
    /** Branches whose memory is not in the store yet, by their last turn. @type {Map<string, { record: Conversation, key?: string }>} */
    this.unsaved = new Map()
  }

  async load() {
    await this.store.open(id => this.heard(id))
    try {
      for (const record of await this.store.all()) this.records.set(record.id, record)
    } catch { /* a store that cannot be read: begin without */ }
    this.listed()
  }

  /** Another tab changed one. @param {string} id */
  async heard(id) {
    const record = await this.store.get(id)
    if (record) this.records.set(id, record)
    else this.records.delete(id)
    this.listed()
    if (id !== this.current.id || this.busy || !record) return
    this.select(record)
    this.replaced()
  }

  /** Begins one. It is kept from its first words on. @param {'chat' | 'story'} kind @param {string} system */
  begin(kind, system) {
    this.select({ ...blank(kind), system })
  }

  /** @param {Conversation} record */
  select(record) {
    this.current = record
    this.tree = new Tree(record.turns, record.leaf)
  }

  /** Keeps the one on the page as it is now. @param {{ touch?: boolean }} [options] touch: it moves to the top of the list */
  async keep({ touch = true } = {}) {
    const { current, tree } = this
    current.turns = [...tree.turns.values()]
    current.leaf = tree.leaf
    if (touch) current.updated = Date.now()
    if (tree.empty && !current.draft) return
    this.records.set(current.id, current)
    this.listed()
    await this.write(current)
  }

  /** @param {Conversation} record */
  write(record) {
    const copy = structuredClone(record)
    this.saving = this.saving.then(() => this.store.put(copy)).catch(() => { /* a full disk: it lasts as long as the page */ })
    return this.saving
  }

  /** Writes the engine's memory of the branch on the page, once things are quiet. @param {string} [key] under which it is live */
  saveMemory(key) {
    const { current, tree } = this
    if (tree.leaf === null) return
    // Only the last place of a branch is worth keeping; other branches and conversations may be waiting as well.
    for (const turn of tree.path().slice(0, -1)) this.unsaved.delete(turn.id)
    this.unsaved.set(tree.leaf, { record: current, key })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.flush(), SAVE_AFTER_MS)
  }

  async flush() {
    for (const [leaf, { record, key }] of this.unsaved) {
      if (this.busy) return                   // the end of the run comes back to this
      this.unsaved.delete(leaf)
      if (!this.records.has(record.id)) continue
      try {
        await this.memory.save(record, leaf, key)
      } catch { /* it is read again then */ }
      document.documentElement.dataset.saved = leaf
    }
  }

  /** @param {string} id */
  async remove(id) {
    const record = this.records.get(id)
    this.records.delete(id)
    if (record) this.memory.forget([id, ...record.turns.map(turn => turn.id)])
    this.listed()
    await this.saving
    await this.store.delete(id).catch(() => {})
  }

  /** @param {string} id @param {string} title */
  async rename(id, title) {
    const record = this.records.get(id)
    if (!record) return
    record.title = title.trim().slice(0, 200)
    record.named = record.title !== ''
    this.listed()
    await this.write(record)
  }

  /** @param {Conversation} record from a file */
  async add(record) {
    this.records.set(record.id, record)
    this.listed()
    await this.write(record)
  }
}
