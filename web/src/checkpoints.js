/**
 * The places a conversation can go back to: after its opening, after each prompt, after each answer.
 *
 * Each is a record of a few numbers, kept as long as the conversation runs through it. Most records also have a mark:
 * a copy of the recurrent state, as large as the model's state is. Marks are what is bounded. One that was dropped
 * costs time only: the tokens since the nearest older one are read again.
 *
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('./wasm.js').Wasm} Wasm
 *
 * @typedef {'opening' | 'prompt' | 'turn'} PointKind
 *
 * @typedef {object} Place
 * @property {PointKind} kind
 * @property {number} position  tokens that are part of the state there
 * @property {number | null} length  characters of the conversation's text that those and `pending` stand for
 * @property {number} answerAt  where in that text its last answer begins
 * @property {number[]} pending  tokens that belong to the text but not to the state yet
 * @property {number} messages  messages read
 *
 * @typedef {Place & { mark: Mark | null }} Point
 */

/** A copy of a state, shared by conversations that branched after it. */
export class Mark {
  users = 0

  /**
   * @param {Wasm} wasm
   * @param {number} pointer
   * @param {number} bytes
   */
  constructor(wasm, pointer, bytes) {
    this.wasm = wasm
    this.pointer = pointer
    this.bytes = bytes
  }

  share() {
    this.users++
    return this
  }

  release() {
    if (--this.users === 0) this.wasm.free(this.pointer)
  }
}

export class Checkpoints {
  #wasm
  /** Ascending by position. @type {Point[]} */
  #points = []

  /**
   * @param {Wasm} wasm
   * @param {number} limit  bytes that marks may take
   */
  constructor(wasm, limit) {
    this.#wasm = wasm
    this.limit = limit
  }

  /** From the last to the first. */
  get newestFirst() { return [...this.#points].reverse() }

  /** Without their marks, for saving. @returns {Place[]} */
  get places() { return this.#points.map(({ mark, ...place }) => place) }

  get #marks() { return new Set(this.#points.flatMap(({ mark }) => mark ? [mark] : [])) }

  /** How many states are kept, and how much memory they take. */
  get size() {
    const marks = [...this.#marks]
    return { count: marks.length, bytes: marks.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  /**
   * Adds the place where the session is now.
   *
   * @param {Session} session
   * @param {Place} place
   */
  add(session, place) {
    const at = this.#points.findIndex(({ position, kind }) => position === place.position && kind === place.kind)
    const point = { ...place, mark: at < 0 ? null : this.#points[at].mark }
    if (at < 0) this.#points.push(point)
    else this.#points[at] = point
    this.#points.sort((a, b) => a.position - b.position)
    this.mark(session)
  }

  /** Gives every place at the session's position a mark. @param {Session} session */
  mark(session) {
    const { position } = session
    const here = this.#points.filter(point => point.position === position)
    const mark = here.find(point => point.mark)?.mark ?? (here.length ? this.#make(session) : null)
    for (const point of here) if (mark && !point.mark) point.mark = mark.share()
  }

  /**
   * A mark without a user yet, once room was made for it.
   *
   * @param {Session} session
   * @returns {Mark | null}
   */
  #make(session) {
    const bytes = session.markBytes
    if (bytes > this.limit) return null
    this.#shrink(this.limit - bytes)
    let pointer = session.mark()
    if (!pointer) {
      // Out of memory: what marks hold is the first to give back.
      this.#shrink(0)
      pointer = session.mark()
    }
    if (!pointer) return null
    return new Mark(this.#wasm, pointer, bytes)
  }

  /** Begins with places without marks, as they come from a saved conversation. @param {Place[]} places */
  begin(places) {
    this.#points = places.map(place => ({ ...place, mark: null })).sort((a, b) => a.position - b.position)
  }

  /**
   * The last place with a mark that is not beyond `position`.
   *
   * @param {number} position
   * @returns {Point & { mark: Mark } | null}
   */
  nearest(position) {
    const found = this.newestFirst.find(point => point.mark && point.position <= position)
    return /** @type {any} */ (found ?? null)
  }

  /** Forgets all beyond a position. @param {number} position */
  truncate(position) {
    this.#drop(point => point.position > position)
  }

  free() {
    this.#drop(() => true)
  }

  /**
   * The conversation's text changed behind its first `shared` characters, and `place` was found in the new one.
   *
   * @param {Place} place
   * @param {number} shared
   */
  fit(place, shared) {
    for (const point of this.#points) {
      const same = point.position === place.position && point.pending.length === place.pending.length
      if (same) point.length = place.length
      else if (point.length !== null && point.length > shared) point.length = null
    }
  }

  /** The same places for a branch, their marks shared. */
  fork() {
    const copy = new Checkpoints(this.#wasm, this.limit)
    copy.#points = this.#points.map(point => ({ ...point, mark: point.mark?.share() ?? null }))
    return copy
  }

  /** @param {(point: Point) => boolean} condition */
  #drop(condition) {
    this.#points = this.#points.filter(point => {
      if (!condition(point)) return true
      point.mark?.release()
      return false
    })
  }

  /** Drops marks, those first that will be missed least. @param {number} limit  bytes */
  #shrink(limit) {
    for (const point of this.#leastFirst()) {
      if (this.size.bytes <= limit) return
      const { mark } = point
      if (!mark) continue
      for (const other of this.#points) {
        if (other.mark !== mark) continue
        other.mark = null
        mark.release()
      }
    }
  }

  /**
   * Prompts of earlier turns, of use only for answering those anew, then old turns, then the opening. What undoing or
   * repeating the last turn needs goes last.
   */
  #leastFirst() {
    const prompts = this.#points.filter(({ kind }) => kind === 'prompt')
    const turns = this.#points.filter(({ kind }) => kind === 'turn')
    const opening = this.#points.filter(({ kind }) => kind === 'opening')
    return [...prompts.slice(0, -1), ...turns.slice(0, -2), ...opening, ...prompts.slice(-1), ...turns.slice(-2)]
  }
}
