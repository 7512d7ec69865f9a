// A conversation with its branches: every turn knows the turn before it, so an edited question or a second answer
// stands beside the first instead of in its place. The leaf says which branch is on the page.

/**
 * @typedef {object} Turn
 * @property {string} id
 * @property {string | null} parent
 * @property {'user' | 'assistant'} role
 * @property {string} text     what was said; in a story, the whole sheet
 * @property {number} at       milliseconds since 1970
 * @property {string} [next]   the branch behind it that was on the page last
 * @property {string} [ending] how the run ended that wrote it
 * @property {{ perSecond: number, firstMs: number, tokens: number, read: number, total: number }} [stats]
 *   of that run: how fast, how soon, tokens written, read for it, and of the conversation at its end
 * @property {import('./inks.js').Span[]} [written] in a story: what of the sheet the model wrote
 */

export class Tree {
  /** @param {Turn[]} [turns] @param {string | null} [leaf] */
  constructor(turns = [], leaf = null) {
    /** @type {Map<string, Turn>} */
    this.turns = new Map(turns.map(turn => [turn.id, turn]))
    this.leaf = leaf !== null && this.turns.has(leaf) ? leaf : null
  }

  get empty() { return this.turns.size === 0 }
  get last() { return this.leaf === null ? null : /** @type {Turn} */ (this.turns.get(this.leaf)) }

  /**
   * Adds a turn behind another and goes there.
   *
   * @param {string | null} parent
   * @param {Pick<Turn, 'role' | 'text'> & Partial<Turn>} turn
   * @returns {Turn}
   */
  add(parent, turn) {
    const added = { id: newId(), at: Date.now(), ...turn, parent }
    this.turns.set(added.id, added)
    this.leaf = added.id
    this.remember(added.id)
    return added
  }

  /** Takes a turn out, with all behind it. @param {string} id */
  remove(id) {
    const turn = this.turns.get(id)
    if (!turn) return
    /** @type {Map<string | null, string[]>} */
    const children = new Map()
    for (const { id, parent } of this.turns.values()) {
      const known = children.get(parent)
      if (known) known.push(id)
      else children.set(parent, [id])
    }
    const gone = new Set([id])
    for (const one of gone) for (const child of children.get(one) ?? []) gone.add(child)   // which comes up in turn
    for (const one of gone) this.turns.delete(one)
    const parent = turn.parent === null ? null : this.turns.get(turn.parent)
    const others = this.children(turn.parent)
    if (parent?.next === id) parent.next = others.at(-1)?.id
    if (this.leaf !== null && gone.has(this.leaf)) this.leaf = turn.parent
  }

  /** From the first turn to this one. @param {string | null} [id] @returns {Turn[]} */
  path(id = this.leaf) {
    const path = []
    for (let turn = id === null ? undefined : this.turns.get(id); turn; turn = turn.parent === null ? undefined : this.turns.get(turn.parent)) {
      path.push(turn)
    }
    return path.reverse()
  }

  /** @param {string | null} id */
  children(id) { return [...this.turns.values()].filter(turn => turn.parent === id) }

  /** The turns that stand in the same place, itself included, oldest first. @param {string} id */
  siblings(id) { return this.children(this.turns.get(id)?.parent ?? null) }

  /** Shows a turn and, behind it, the branch that was on the page last. @param {string} id */
  go(id) {
    let turn = this.turns.get(id)
    for (let next = turn; next; next = this.after(next)) turn = next
    this.leaf = turn?.id ?? null
    if (turn) this.remember(turn.id)
  }

  /** The turn behind this one that was on the page last, or else the newest. @param {Turn} turn */
  after(turn) {
    const next = this.turns.get(turn.next ?? '')
    // What is stored may name any turn, and lead round in a circle.
    return next?.parent === turn.id ? next : this.children(turn.id).at(-1)
  }

  /** The end of the branch seen last, which may lie behind the leaf; before the first turn all of it does. */
  get end() {
    const from = this.leaf ?? this.children(null).at(-1)?.id
    if (from === undefined) return null
    const twin = new Tree([...this.turns.values()].map(turn => ({ ...turn })))
    twin.go(from)
    return twin.leaf
  }

  /** How many turns lie behind the leaf, on the branch seen last. */
  get later() { return this.path(this.end).length - this.path().length }

  /** @param {string} id */
  remember(id) {
    for (const turn of this.path(id)) {
      const parent = turn.parent === null ? null : this.turns.get(turn.parent)
      if (parent) parent.next = turn.id
    }
  }
}

/** What the model is given of a path. @param {Turn[]} path @param {string} [system] */
export const messagesOf = (path, system) => [
  ...system ? [{ role: 'system', content: system }] : [],
  ...path.map(({ role, text }) => ({ role, content: text })),
]

/**
 * Turns from a file of any origin, or null where they contradict themselves.
 *
 * @param {any} given
 * @returns {Turn[] | null}
 */
export function checkTurns(given) {
  if (!Array.isArray(given) || given.length > 100_000) return null
  const parents = new Map(given.map(turn => [turn?.id, turn?.parent]))
  const turns = []
  for (const turn of given) {
    const { id, parent, role, text, at, next, ending, written } = turn ?? {}
    const sound = typeof id === 'string' && id && (parent === null || parents.has(parent)) &&
      typeof text === 'string' && (role === 'user' || role === 'assistant')
    if (!sound) return null
    turns.push({
      id, parent, role, text, at: Number.isFinite(at) ? at : Date.now(),
      ...typeof next === 'string' && parents.get(next) === id && { next },
      ...typeof ending === 'string' && { ending },
      ...Array.isArray(written) && { written: written.filter(isSpan) },
    })
  }
  if (parents.size !== turns.length) return null
  // No turn may come before itself.
  /** @type {Set<string | null>} */
  const rooted = new Set([null])
  for (const { id } of turns) {
    const path = new Set()
    for (let at = id; !rooted.has(at); at = parents.get(at)) {
      if (path.has(at)) return null
      path.add(at)
    }
    for (const one of path) rooted.add(one)
  }
  return turns
}

/** @param {any} span */
const isSpan = span => Array.isArray(span) && span.length === 2 && span.every(Number.isInteger) && span[0] >= 0 && span[1] >= span[0]

/** An answer that never came: the page was closed before its first word. @param {Turn} turn @param {Turn[]} turns all of them */
export const isHollow = ({ id, role, text }, turns) => role === 'assistant' && !text.trim() && !turns.some(({ parent }) => parent === id)

/** A name that no other turn or conversation has, on any device. */
export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, '0')).join('')
