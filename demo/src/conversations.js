// All conversations, and the one that is on the page.
import { keep } from './dom.js'
import { blank, firstOf } from './exchange.js'
import { Memory } from './memory.js'
import { merge } from './merge.js'
import { Store } from './store.js'
import { isHollow, Tree } from './tree.js'

/**
 * @typedef {import('./store.js').Conversation} Conversation
 * @typedef {import('./tree.js').Turn} Turn
 */

/** The engine's memory is written to the store once the page has been quiet for so long. */
const SAVE_AFTER_MS = 250

/** Where a page that ends leaves its conversation for the next one. */
const LEFT = 'itera.left'

export class Conversations {
  /**
   * @param {{ listed: () => void, replaced: () => void, unkept: (error: any) => void }} events the list changed; the one
   *   shown changed elsewhere; one could not be kept
   */
  constructor({ listed, replaced, unkept }) {
    this.listed = listed
    this.replaced = replaced
    this.unkept = unkept
    this.store = new Store()
    this.memory = new Memory(this.store)
    /** @type {Map<string, Conversation>} */
    this.records = new Map()
    /** @type {Conversation} */
    this.current = blank('story')
    this.tree = new Tree()
    /** A run is under way: what another tab says has to wait. */
    this.busy = false
    /** The page ended, or so it seemed. */
    this.left = false
    /** Another tab changed the one shown in the meantime. */
    this.postponed = false
    this.saving = Promise.resolve()
    /** The turns that this tab has read or written, by conversation. @type {Map<string, Set<string>>} */
    this.seen = new Map()
    /** Branches whose memory is not in the store yet, by their last turn. @type {Map<string, { record: Conversation, key?: string }>} */
    this.unsaved = new Map()
  }

  async load() {
    await this.store.open(id => this.heard(id))
    try {
      await this.takeLeft()
      for (const record of await this.store.all()) this.read(withoutHollow(record))
    } catch { /* a store that cannot be read: begin without */ }
    this.listed()
  }

  /** Takes over what the store has. @param {Conversation} record */
  read(record) {
    this.records.set(record.id, record)
    this.see(record)
  }

  /** @param {Conversation} record */
  see({ id, turns }) {
    const seen = this.seen.get(id) ?? new Set()
    for (const turn of turns) seen.add(turn.id)
    this.seen.set(id, seen)
  }

  /** Another tab changed one. @param {string} id */
  async heard(id) {
    await this.saving                       // what is on its way into the store belongs to it
    const record = await this.store.get(id)
    if (id === this.current.id && this.busy) {
      this.postponed = true
      return
    }
    if (record) this.read(record)
    else this.records.delete(id)
    this.listed()
    if (id !== this.current.id) return
    if (record) this.select(record)
    else this.begin(this.current.kind, this.current.system)
    this.replaced()
  }

  /** The run is over, and kept: now for what another tab has said in the meantime. */
  async free() {
    this.busy = false
    if (!this.postponed) return
    this.postponed = false
    await this.heard(this.current.id)
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
    const { current } = this
    if (touch) current.updated = Date.now()
    if (!this.gather()) return
    this.records.set(current.id, current)
    this.listed()
    await this.write(current)
  }

  /** Keeps it as far as it is written, in case the page is closed: nobody needs to hear of that. */
  async keepSoFar() {
    if (this.gather()) await this.write(this.current, { quiet: true })
  }

  /** The page ends. What another tab has written is in it, unless that had to wait. */
  leave() {
    if (!this.gather() || this.postponed) return
    const seen = this.seen.get(this.current.id)
    // What is written here is there at once, where it has room; a transaction may not come through any more.
    keep.set(LEFT, { record: this.current, seen: seen && [...seen], at: Date.now() })
    this.left = true
    try {
      this.store.putLast(this.current)
    } catch { /* there is no other chance */ }
  }

  /** What the page before this one left, unless another tab went on from there. */
  async takeLeft() {
    const left = keep.get(LEFT, null)
    if (!left) return
    keep.set(LEFT, null)
    const { record, seen, at } = left
    await this.store.change(record.id, stored => stored && stored.updated > at ? null : merge(stored, record, seen && new Set(seen)),
      { quiet: true })
  }

  /** Brings the record up to date. @returns {boolean} whether there is something to keep */
  gather() {
    const { current, tree } = this
    current.turns = [...tree.turns.values()]
    current.leaf = tree.leaf
    return !tree.empty || Boolean(current.draft)
  }

  /** @param {Conversation} record @param {{ quiet?: boolean }} [options] */
  write(record, options) {
    const copy = structuredClone(record)
    return this.save(async () => {
      await this.store.change(copy.id, stored => merge(stored, copy, this.seen.get(copy.id)), options)
      this.see(copy)
    })
  }

  /** One change after the other. @param {() => Promise<void>} change */
  save(change) {
    if (this.left) keep.set(LEFT, null)     // the page came back, and says more
    this.left = false
    this.saving = this.saving.then(change).catch(error => this.unkept(error))
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
    const name = { title: firstOf(title.trim(), 200), named: title.trim() !== '' }
    Object.assign(record, name)
    this.listed()
    await this.save(() => this.store.change(id, stored => stored ? { ...stored, ...name } : null))
  }

  /** @param {Conversation} record from a file */
  async add(record) {
    this.records.set(record.id, record)
    this.listed()
    await this.write(record)
  }
}

/** @param {Conversation} record @returns {Conversation} */
function withoutHollow(record) {
  const turns = record.turns.filter(turn => !isHollow(turn, record.turns))
  const last = record.turns.find(({ id }) => id === record.leaf)
  return { ...record, turns, leaf: last && isHollow(last, record.turns) ? last.parent : record.leaf }
}
