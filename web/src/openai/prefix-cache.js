/**
 * States of earlier prompts, kept because later ones often begin with the same: the next turn of a conversation, another
 * conversation under the same system message, the same question once more.
 *
 * A recurrent state cannot be cut back to where two prompts part. So each session kept has marks (see checkpoints.js) at
 * places that are worth coming back to: the end of a system message, of each prompt, of each answer, and where a prompt
 * was once seen to leave an earlier one. A new prompt goes on from the furthest place that is a beginning of it.
 * Sessions and marks together are bounded in bytes; what was used longest ago goes first.
 *
 * @typedef {import('../engine.js').Engine} Engine
 * @typedef {import('../session.js').Session} Session
 *
 * @typedef {object} Place
 * @property {number} position
 * @property {Mark} mark
 */
import { commonLength } from '../chat-session.js'
import { Mark } from '../checkpoints.js'

/** Reading so few tokens costs less than keeping a state does. */
const SHORTEST = 16

/** Marks of one session. The first one is what conversations share and stays. */
const MOST_PLACES = 8

/** Sessions, however small they are: each is compared with every prompt. */
const MOST_SESSIONS = 128

/** One session kept, with all it has read. */
class Kept {
  /** @type {number[]} */
  tokens = []
  /** Ascending by position. @type {Place[]} */
  places = []
  /** The prompt and answer that the tokens are, where that is known: `answerAt` is where the answer begins.
   * @type {{ text: string, answerAt: number } | null} */
  words = null
  used = 0
  /** Lent to a request. */
  busy = false

  /** @param {Session} session */
  constructor(session) {
    this.session = session
  }

  free() {
    for (const { mark } of this.places) mark.release()
    this.places = []
    this.session.free()
  }
}

export class PrefixCache {
  #engine
  /** @type {Set<Kept>} */
  #kept = new Set()
  #clock = 0
  #limit = 0

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine
    engine.relievers.push(() => this.#freeIdle())
  }

  get size() { return { sessions: this.#kept.size, bytes: this.#bytes() } }

  /**
   * A session that has read as much of a prompt as any, for this prompt alone until it is given back.
   *
   * @param {object} wanted
   * @param {Int32Array} wanted.tokens
   * @param {string | null} wanted.rendered  of a conversation: its text
   * @param {() => number} wanted.opening  how many tokens a system message takes
   * @param {number} wanted.likely  tokens of an answer to make room for
   * @param {number} wanted.limit  bytes
   * @returns {Lease}
   */
  take({ tokens, rendered, opening, likely, limit }) {
    this.#limit = limit
    const best = this.#find(tokens, rendered)
    const system = best.kept ? 0 : opening()
    const kept = best.kept ? this.#goTo(best) : this.#add()
    kept.busy = true
    kept.used = ++this.#clock
    const rest = best.rest ?? tokens.subarray(kept.tokens.length)
    // Before its KV cache grows: the engine's memory does not shrink.
    this.#shrink(kept.session.roomBytes(rest.length, likely), kept)
    // Where this prompt leaves an earlier one, the next may do so too; and where a system message ends.
    const cuts = [best.shared, system].map(at => at - kept.tokens.length)
      .filter(at => at >= SHORTEST && at < rest.length).sort((a, b) => a - b)
    return new Lease(this.#engine, kept, rest, cuts, () => this.#mark(kept))
  }

  /** @param {Lease} lease */
  give({ kept, dropped }) {
    kept.busy = false
    kept.used = ++this.#clock
    if (dropped || !kept.tokens.length) this.#free(kept)
    this.#shrink(0)
  }

  /**
   * The furthest place that a prompt begins with.
   *
   * @param {Int32Array} tokens
   * @param {string | null} rendered
   */
  #find(tokens, rendered) {
    /** @type {{ kept: Kept | null, place: Place | null, position: number, rest?: Int32Array, shared: number }} */
    let best = { kept: null, place: null, position: 0, shared: 0 }
    let shared = 0
    for (const kept of this.#kept) {
      const common = commonLength(tokens, kept.tokens)
      shared = Math.max(shared, common)
      if (!kept.busy) {
        const whole = common === kept.tokens.length
        const read = rendered === null || whole ? 0 : readOf(rendered, kept.words)
        const position = kept.tokens.length
        if ((whole || read) && position > best.position) {
          // A model may write a word in other tokens than the tokenizer would.
          const rest = whole ? undefined : this.#encode(rendered?.slice(read) ?? '')
          best = { kept, place: null, position, rest, shared: 0 }
        }
      }
      const place = kept.places.findLast(({ position }) => position <= common)
      if (place && place.position > best.position) best = { kept, place, position: place.position, shared: 0 }
    }
    return { ...best, shared }
  }

  /** @param {string} text */
  #encode(text) {
    return text ? this.#engine.encode(text, { special: true, addBos: false }) : new Int32Array(0)
  }

  /**
   * @param {{ kept: Kept | null, place: Place | null }} best
   * @returns {Kept}
   */
  #goTo({ kept: from, place }) {
    const kept = /** @type {Kept} */ (from)
    if (!place) {
      this.#mark(kept)
      return kept
    }
    // Going back would lose what comes after: better in a copy, unless there is no room for one.
    this.#shrink(kept.session.bytes, kept)
    if (!kept.busy && this.#bytes() + kept.session.bytes > this.#limit) {
      kept.session.rewind(place.mark.pointer)
      for (const beyond of kept.places.filter(({ position }) => position > place.position)) beyond.mark.release()
      kept.places = kept.places.filter(({ position }) => position <= place.position)
      kept.tokens.length = place.position
      kept.words = null
      return kept
    }
    const twin = new Kept(this.#copyOf(kept))
    twin.session.rewind(place.mark.pointer)
    twin.tokens = kept.tokens.slice(0, place.position)
    twin.places = kept.places.filter(({ position }) => position <= place.position)
    for (const { mark } of twin.places) mark.share()
    this.#kept.add(twin)
    return twin
  }

  #add() {
    const kept = new Kept(this.#engine.newSession(0))
    this.#kept.add(kept)
    return kept
  }

  /** @param {Kept} kept */
  #copyOf(kept) {
    const { busy } = kept
    kept.busy = true                                    // not to be freed for its own copy
    /** @type {Session | null} */
    let copy = null
    try {
      copy = this.#engine.newSession(0)
      copy.copy(kept.session)
      return copy
    } catch (error) {
      copy?.free()
      throw error
    } finally {
      kept.busy = busy
    }
  }

  /** Out of memory, what is kept is the first to give back. */
  #freeIdle() {
    const idle = [...this.#kept].filter(kept => !kept.busy)
    for (const kept of idle) this.#free(kept)
    return idle.length > 0
  }

  /** Makes the place where a session is one to come back to. @param {Kept} kept */
  #mark(kept) {
    const position = kept.tokens.length
    const bytes = kept.session.markBytes
    if (position < SHORTEST || kept.places.some(place => place.position === position)) return
    this.#shrink(bytes, kept)
    if (this.#bytes() + bytes > this.#limit) return
    const pointer = kept.session.mark()
    if (!pointer) return
    kept.places.push({ position, mark: new Mark(this.#engine.wasm, pointer, bytes).share() })
    if (kept.places.length > MOST_PLACES) kept.places.splice(1, 1)[0].mark.release()
  }

  #bytes() {
    let bytes = 0
    /** @type {Set<Mark>} */
    const marks = new Set()
    for (const { session, places } of this.#kept) {
      bytes += session.bytes
      for (const { mark } of places) marks.add(mark)
    }
    for (const mark of marks) bytes += mark.bytes
    return bytes
  }

  /**
   * Frees what was used longest ago until there is room.
   *
   * @param {number} bytes
   * @param {Kept} [needed]  not this one
   */
  #shrink(bytes, needed) {
    const idle = [...this.#kept].filter(kept => !kept.busy && kept !== needed).sort((a, b) => a.used - b.used)
    for (const kept of idle) {
      if (this.#kept.size <= MOST_SESSIONS && this.#bytes() + bytes <= this.#limit) return
      this.#free(kept)
    }
  }

  /** @param {Kept} kept */
  #free(kept) {
    this.#kept.delete(kept)
    kept.free()
  }
}

/** A session lent to one request. */
export class Lease {
  #engine
  #mark
  dropped = false

  /**
   * @param {Engine} engine
   * @param {Kept} kept
   * @param {Int32Array} rest
   * @param {number[]} cuts
   * @param {() => void} mark
   */
  constructor(engine, kept, rest, cuts, mark) {
    this.#engine = engine
    this.#mark = mark
    this.kept = kept
    /** Tokens of the prompt to read now, and places in them to stop at for a mark. */
    this.rest = rest
    this.cuts = cuts
    this.promptTokens = Int32Array.from([...kept.tokens, ...rest])
  }

  get session() { return this.kept.session }

  /** Tokens read so far. */
  get tokens() { return this.kept.tokens }

  /** @param {ArrayLike<number>} tokens  that were fed */
  fed(tokens) {
    for (let i = 0; i < tokens.length; i++) this.kept.tokens.push(tokens[i])
    if (this.cuts.includes(this.tokens.length - this.promptTokens.length + this.rest.length)) this.mark()
  }

  /** Remembers this place. */
  mark() { this.#mark() }

  /**
   * Back to the end of the prompt, for another answer.
   *
   * @returns {Int32Array} what the state has read then: all of it, unless there was no memory for a mark
   */
  toPromptEnd() {
    const { kept, promptTokens } = this
    if (kept.tokens.length > promptTokens.length) {
      const place = kept.places.findLast(({ position }) => position <= promptTokens.length)
      if (place) kept.session.rewind(place.mark.pointer)
      else kept.session.reset()
      kept.tokens.length = place?.position ?? 0
    }
    return Int32Array.from(kept.tokens)
  }

  /**
   * The last answer is complete.
   *
   * @param {string | null} rendered  the text of the prompt
   */
  end(rendered) {
    const { kept, promptTokens } = this
    kept.words = null
    // Nothing was fed after the prompt: the state is still where it ends.
    if (kept.tokens.length === promptTokens.length) this.mark()
    if (rendered === null || kept.tokens.length < promptTokens.length) return
    const stream = this.#engine.decodeStream({ special: true })
    const answer = kept.tokens.slice(promptTokens.length).map(token => stream.push(token)).join('')
    // A state in the middle of a character is not one of any text.
    if (!stream.flush()) kept.words = { text: rendered + answer, answerAt: rendered.length }
  }

  /** Something went wrong: nobody shall go on from here. */
  drop() { this.dropped = true }
}

/**
 * How much of a conversation's text a state has read: all of its own, or all but white space around the last answer,
 * which many templates trim.
 *
 * @param {string} rendered
 * @param {Kept['words']} words
 * @returns {number} 0 when the conversation goes on otherwise
 */
function readOf(rendered, words) {
  if (!words) return 0
  const { text, answerAt } = words
  if (rendered.startsWith(text)) return text.length
  if (!rendered.startsWith(text.slice(0, answerAt))) return 0
  const answer = text.slice(answerAt)
  const trimmed = [answer.trimEnd(), answer.trimStart(), answer.trim()]
  const found = trimmed.find(part => part && rendered.startsWith(part, answerAt))
  return found ? answerAt + found.length : 0
}
