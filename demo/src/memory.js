// The engine's memories of conversations. Each branch that was on the page since the model was loaded has a
// conversation of the package behind it, which goes on at once; older ones come back from the store; only where both
// fail is the text read again.
import { messagesOf } from './tree.js'

/**
 * @typedef {import('itera-lite').Chat} Talk the package's conversation
 * @typedef {import('./store.js').Conversation} Conversation
 * @typedef {import('./tree.js').Turn} Turn
 */

/** Branches kept in the engine at once. The store has the others. */
const MOST_LIVE = 8
/** Of each: copies of the state to go back to. */
const CHECKPOINT_BYTES = 16 << 20

export class Memory {
  /** @param {import('./store.js').Store} store */
  constructor(store) {
    this.store = store
    /** @type {import('itera-lite').Model | null} */
    this.model = null
    /** By the turn they end with, the latest used last. @type {Map<string, Talk>} */
    this.live = new Map()
    /** How the last one was come by: for readings and tests. @type {'live' | 'branch' | 'restored' | 'read'} */
    this.origin = 'read'
  }

  /** Another model, or none: what the old one knew went with it. @param {import('itera-lite').Model | null} model */
  use(model) {
    this.live.clear()
    this.model = model
  }

  /**
   * The conversation that has read exactly this path, and nobody else's: the caller goes on with it.
   *
   * @param {Conversation} record
   * @param {Turn[]} path
   * @param {{ keep?: boolean }} [options] keep: others may want to go on from the same place
   * @returns {Promise<Talk>}
   */
  async at(record, path, { keep = false } = {}) {
    const model = /** @type {import('itera-lite').Model} */ (this.model)
    const wanted = messagesOf(path, record.system)
    const leaf = path.at(-1)?.id
    const own = leaf === undefined ? undefined : this.live.get(leaf)
    if (own && leaf !== undefined && same(own.messages, wanted)) {
      this.origin = keep ? 'branch' : 'live'
      if (keep) return own.fork()
      this.live.delete(leaf)
      return own
    }
    // One that goes on from here, taken back.
    for (const talk of [...this.live.values()].reverse()) {
      const { messages } = talk
      const beyond = messages.slice(wanted.length)
      if (!beyond.length || !same(messages.slice(0, wanted.length), wanted) || beyond[0].role !== 'user') continue
      const twin = await talk.fork()
      await twin.undo(beyond.filter(({ role }) => role === 'user').length)
      this.origin = 'branch'
      return twin
    }
    const saved = leaf === undefined ? null : await this.restore(leaf, wanted)
    if (saved) {
      this.origin = 'restored'
      return saved
    }
    this.origin = 'read'
    return model.chat({
      ...record.system && { system: record.system }, messages: messagesOf(path), checkpointBytes: CHECKPOINT_BYTES,
    })
  }

  /**
   * A copy of the live conversation that ends with this path, to answer its last question anew; null where the
   * question has to be read again.
   *
   * @param {Conversation} record
   * @param {Turn[]} path
   */
  async toRepeat(record, path) {
    const own = this.live.get(path.at(-1)?.id ?? '')
    if (!own || !same(own.messages, messagesOf(path, record.system))) return null
    this.origin = 'branch'
    return own.fork()
  }

  /** @param {string} leaf @param {{ role: string, content: string }[]} [wanted] */
  async restore(leaf, wanted) {
    const model = /** @type {import('itera-lite').Model} */ (this.model)
    try {
      const bytes = await this.store.getMemory(leaf)
      if (!bytes) return null
      const talk = await model.restore(bytes)
      if (!wanted || same(talk.messages, wanted)) return talk
      talk.dispose()
    } catch {
      // Another model's, or damaged: the text is read again.
    }
    return null
  }

  /** The conversation stands at this turn now. @param {string} turn @param {Talk} talk */
  keep(turn, talk) {
    this.live.delete(turn)
    this.live.set(turn, talk)
    for (const [oldest, other] of this.live) {
      if (this.live.size <= MOST_LIVE) break
      this.live.delete(oldest)
      other.dispose()
    }
  }

  /**
   * The reader stopped before all was on the page: what one does not see was not said. Gives a conversation in which
   * the last answer is as shown; only that answer is read again.
   *
   * @param {Talk} talk
   * @param {string} shown
   */
  async amend(talk, shown) {
    const model = /** @type {import('itera-lite').Model} */ (this.model)
    const [question] = await talk.undo(1)
    const pack = await talk.save()
    talk.dispose()
    return model.chat({
      pack, messages: [question, { role: 'assistant', content: shown }], checkpointBytes: CHECKPOINT_BYTES,
    })
  }

  /**
   * A story is a conversation of one message, its whole text, which is said anew and longer each time. What it has in
   * common with the text read last is not read again.
   *
   * @param {Conversation} record
   * @param {Turn[]} path to where it goes on
   */
  async story(record, path) {
    const model = /** @type {import('itera-lite').Model} */ (this.model)
    const own = this.live.get(record.id)
    this.origin = 'live'
    if (own) return own
    this.origin = 'restored'
    for (const turn of path.toReversed()) {
      const saved = turn.role === 'assistant' ? await this.restore(turn.id) : null
      if (saved) return saved
    }
    this.origin = 'read'
    return model.chat({ checkpointBytes: CHECKPOINT_BYTES })
  }

  /**
   * Writes a memory to the store.
   *
   * @param {Conversation} record
   * @param {string} turn the one it ends with
   * @param {string} [key] under which it is live
   */
  async save(record, turn, key = turn) {
    const talk = this.live.get(key)
    if (!talk || !this.store.db) return
    const blob = await talk.save()
    await this.store.putMemory(turn, record.id, await blob.arrayBuffer())
  }

  /**
   * A memory as a file. What the engine does not know any more is read for it.
   *
   * @param {Conversation} record
   * @param {Turn[]} path
   * @param {string} text of a story as it stands now
   */
  async file(record, path, text) {
    const model = /** @type {import('itera-lite').Model} */ (this.model)
    const story = record.kind === 'story'
    const talk = story ? await this.story(record, path) : await this.at(record, path)
    const known = talk.messages.length > 0 && this.origin !== 'read'
    if (known) this.keep(story ? record.id : /** @type {Turn} */ (path.at(-1)).id, talk)
    else talk.dispose()
    if (known && (!story || talk.messages.map(({ content }) => content).join('') === text)) return talk.save()
    return model.pack({ messages: story ? [{ role: 'user', content: text }] : messagesOf(path, record.system) })
  }

  /** @param {Iterable<string>} keys that will not be needed again */
  forget(keys) {
    for (const key of keys) {
      this.live.get(key)?.dispose()
      this.live.delete(key)
    }
  }
}

/** @param {{ role: string, content: string }[]} a @param {{ role: string, content: string }[]} b */
const same = (a, b) => a.length === b.length && a.every(({ role, content }, i) => role === b[i].role && content === b[i].content)
