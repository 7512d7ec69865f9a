import { Checkpoints } from './checkpoints.js'
import { IteraError } from './errors.js'
import { generate } from './generate.js'
import { decodeSnapshot, encodeSnapshot } from './snapshot.js'

/**
 * The worker's side of a conversation. Each turn arrives as the whole list of messages; what the state has
 * already read of it is not read again.
 *
 * Two ways tell that a state is a beginning of the new prompt. The rendered text may begin with the text
 * read so far: then only the rest is encoded. This also holds where the model wrote a word in other tokens
 * than the tokenizer would. Else the encoded prompt may begin with the tokens fed. Tried first is the state of now,
 * then those of the places that the conversation has passed, from the last to the first: after an edit of an earlier
 * message it goes on from just before that message.
 *
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./options.js').GenerationOptions} GenerationOptions
 * @typedef {import('./checkpoints.js').Place} Place
 * @typedef {import('./snapshot.js').SavedChat} SavedChat
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 * @typedef {import('../types.d.ts').Piece} Piece
 * @typedef {import('../types.d.ts').Stats} Stats
 *
 * @typedef {object} ChatLimits
 * @property {number} contextTokens  as in the options of a generation
 * @property {number} checkpointBytes  what checkpoints may take
 *
 * @typedef {object} Turn
 * @property {ChatMessage[]} messages  the whole conversation, up to what is to be answered
 * @property {GenerationOptions} options
 * @property {boolean} seeded  the random sequence begins anew, with the seed of the options
 *
 * @typedef {object} Job
 * @property {AbortSignal} signal
 * @property {(piece: Piece) => void} emit
 */

/** An opening shorter than this is read again sooner than its state would be copied. */
const SHORTEST_OPENING = 16

/** @type {Place} */
const beginning = Object.freeze({ kind: 'opening', position: 0, length: null, answerAt: 0, pending: [], messages: 0 })

export class ChatSession {
  #engine
  #limits
  #session
  #checkpoints
  /** Tokens that are part of the state. @type {number[]} */
  #fed = []
  /** Tokens behind them that the conversation has and the state has not: the last one of an answer cut off by its
   * limit, the rest of a prompt whose reading was aborted. @type {number[]} */
  #pending = []
  /** The text of both, as the conversation shows it; null while it is not known. @type {string | null} */
  #text = null
  /** Where in that text the last answer begins. */
  #answerAt = 0
  /** @type {{ seed: number, state: Uint8Array | null }} */
  #random = { seed: 0, state: null }
  #busy = false
  #closed = false

  /**
   * @param {Engine} engine
   * @param {ChatLimits} limits
   */
  constructor(engine, limits) {
    this.#engine = engine
    this.#limits = limits
    this.#session = engine.newSession(limits.contextTokens)
    this.#checkpoints = new Checkpoints(engine.wasm, limits.checkpointBytes)
  }

  /** For tests: the state, and the tokens it has read. */
  get session() { return this.#session }
  get tokens() { return Int32Array.from(this.#fed) }

  /** @returns {import('../types.d.ts').ChatInfo} */
  get info() {
    const { count, bytes } = this.#checkpoints.size
    return {
      tokens: this.#fed.length,
      stateBytes: this.#session.bytes,
      checkpoints: count,
      checkpointBytes: bytes,
      checkpointLimit: this.#limits.checkpointBytes,
    }
  }

  // ---- Turns

  /**
   * @param {Turn} turn
   * @param {Job} job
   * @returns {Promise<Stats>}
   */
  async send(turn, job) {
    this.#checkIdle()
    this.#busy = true
    try {
      await this.#engine.prepareToRender()
      const rendered = this.#engine.render(turn.messages)
      const place = this.#choosePlace(rendered)
      if (turn.seeded || !this.#random.state) this.#random = { seed: turn.options.seed, state: null }
      const stats = await this.#answer(turn, job, rendered, place)
      return { ...stats, checkpointBytes: this.#checkpoints.size.bytes }
    } finally {
      this.#busy = false
      if (this.#closed) this.#free()
    }
  }

  /**
   * Goes to `place`, reads on from there to the end of the prompt, and answers.
   *
   * @param {Turn} turn
   * @param {Job} job
   * @param {string} rendered
   * @param {Place & { rest?: Int32Array }} place
   * @returns {Promise<Stats>}
   */
  async #answer({ messages, options }, { signal, emit }, rendered, place) {
    this.#goTo(place)
    const history = Int32Array.from(this.#fed)
    const rest = place.rest ?? this.#encodeRest(rendered, place.length ?? 0)
    const prompt = Int32Array.from([...this.#pending, ...rest])
    const opening = this.#openingEnd(messages, prompt)
    const answer = this.#engine.decodeStream({ special: true })
    const end = history.length + prompt.length
    this.#pending = Array.from(prompt)
    this.#text = rendered
    this.#answerAt = rendered.length
    const addPrompt = () => this.#checkpoints.add(this.#session,
      { ...this.#here('prompt', messages.length), length: rendered.length, answerAt: rendered.length, pending: [] })
    try {
      const stats = await generate({
        engine: this.#engine, session: this.#session, prompt, history, options, signal, random: this.#random,
        cuts: [opening, place.position].map(at => at - history.length).filter(at => at > 0).sort((a, b) => a - b),
        emit: piece => {
          if (piece.token !== undefined) {
            this.#pending = [piece.token]
            this.#text += answer.push(piece.token)
          }
          emit(piece)
        },
        onPrompt: addPrompt,
        onFed: tokens => {
          for (let i = 0; i < tokens.length; i++) this.#fed.push(tokens[i])
          this.#pending.splice(0, tokens.length)
          if (this.#fed.length === opening) this.#addOpening(openingOf(messages).length)
          else if (this.#fed.length === place.position) this.#checkpoints.mark(this.#session)
        },
      })
      this.#text += answer.flush()
      // Nothing was fed after the prompt: the state is still where it ends.
      if (this.#fed.length === end) addPrompt()
      this.#checkpoints.add(this.#session, this.#here('turn', messages.length + 1))
      return stats
    } catch (error) {
      // As if it had not been said.
      this.#text = rendered
      this.#goTo(place, [...history, ...prompt])
      throw error
    }
  }

  /**
   * The furthest place from which this prompt can be read on, in terms of its text; `rest` are the tokens behind it
   * where they are known already.
   *
   * @param {string} rendered
   * @returns {Place & { rest?: Int32Array }}
   */
  #choosePlace(rendered) {
    const engine = this.#engine
    const now = this.#here('turn', 0)
    const shared = this.#text === null ? 0 : commonLength(this.#text, rendered)
    /** @type {Int32Array | undefined} */
    let tokens
    let sharedTokens = 0
    for (const place of [now, ...this.#checkpoints.newestFirst]) {
      const length = place === now ? this.#matchNow(rendered, shared) : place.length ?? 0
      if (length > 0 && (place === now || length <= shared)) {
        this.#checkpoints.fit({ ...place, length }, shared)
        return { ...place, length }
      }
      if (!tokens) {
        tokens = engine.encodePrompt(rendered)
        sharedTokens = commonLength(tokens, this.#fed)
      }
      // The last token is always read: there must be something to go on from.
      if (place.position <= sharedTokens && place.position < tokens.length) {
        const known = this.#textLength(rendered, tokens.subarray(0, place.position))
        this.#checkpoints.fit({ ...place, length: known }, shared)
        const answerAt = Math.min(place.answerAt, known ?? 0)
        return { ...place, length: known, answerAt, pending: [], rest: tokens.subarray(place.position) }
      }
    }
    return { ...beginning, rest: tokens ?? engine.encodePrompt(rendered) }
  }

  /**
   * How much of a prompt the state of now has read: all of its own text, or all but white space around the last answer,
   * which many templates trim.
   *
   * @param {string} rendered
   * @param {number} shared
   * @returns {number} 0 when the prompt goes on otherwise
   */
  #matchNow(rendered, shared) {
    const text = this.#text
    if (text === null) return 0
    if (shared === text.length) return shared
    const at = this.#answerAt
    if (shared < at) return 0
    const answer = text.slice(at)
    const trimmed = [answer.trimEnd(), answer.trimStart(), answer.trim()]
    const found = trimmed.find(words => words && rendered.startsWith(words, at))
    return found ? at + found.length : 0
  }

  /**
   * @param {string} rendered
   * @param {Int32Array} tokens  of its beginning
   * @returns {number | null} how many of its characters they are
   */
  #textLength(rendered, tokens) {
    let text = this.#engine.tokenizer.decode(tokens, { special: true })
    const bos = this.#engine.tokenizer.roleText('bos')
    // One that the tokenizer added is no part of the text.
    if (bos && text.startsWith(bos) && !rendered.startsWith(bos)) text = text.slice(bos.length)
    return text && rendered.startsWith(text) ? text.length : null
  }

  /** @param {string} rendered @param {number} length  read of it */
  #encodeRest(rendered, length) {
    const rest = rendered.slice(length)
    return rest ? this.#engine.encode(rest, { special: true, addBos: false }) : new Int32Array(0)
  }

  /**
   * Where the tokens end that any conversation with this opening begins with; 0 when it is not worth a checkpoint or
   * has been passed.
   *
   * @param {ChatMessage[]} messages
   * @param {Int32Array} prompt
   */
  #openingEnd(messages, prompt) {
    if (this.#fed.length || prompt.length <= SHORTEST_OPENING || !this.#limits.checkpointBytes) return 0
    const end = commonLength(this.#engine.openingTokens(openingOf(messages)), prompt)
    return end < SHORTEST_OPENING ? 0 : end
  }

  /** @param {number} messages */
  #addOpening(messages) {
    this.#checkpoints.add(this.#session, { ...beginning, position: this.#fed.length, messages })
  }

  /**
   * @param {import('./checkpoints.js').PointKind} kind
   * @param {number} messages
   * @returns {Place}
   */
  #here(kind, messages) {
    return {
      kind, messages, position: this.#fed.length, length: this.#text?.length ?? null, answerAt: this.#answerAt,
      pending: [...this.#pending],
    }
  }

  // ---- Going back

  /**
   * Back to where so many messages had been read.
   *
   * @param {number} messages
   * @param {number} opening  how many of them are the opening
   */
  rewind(messages, opening) {
    this.#checkIdle()
    const place = this.#checkpoints.newestFirst.find(place => place.messages === messages)
    if (place) this.#goTo(place)
    // Other places are no loss: the next message is read from the nearest one that fits.
    else if (messages <= opening) this.#goTo(beginning)
  }

  /**
   * Puts the state to a place of this conversation. Where that has no mark any more, the state is of the nearest one
   * before it, and the tokens between are pending.
   *
   * @param {Place} place
   * @param {number[]} [tokens]  of the conversation, as far as that place at least
   */
  #goTo(place, tokens = [...this.#fed, ...this.#pending]) {
    if (place.position < this.#fed.length) {
      const nearest = this.#checkpoints.nearest(place.position)
      if (nearest) this.#session.rewind(nearest.mark.pointer)
      else this.#session.reset()
      this.#fed = tokens.slice(0, nearest?.position ?? 0)
    }
    this.#checkpoints.truncate(place.position)
    this.#pending = [...tokens.slice(this.#fed.length, place.position), ...place.pending]
    this.#text = place.length === null ? null : this.#text?.slice(0, place.length) ?? null
    this.#answerAt = this.#text === null ? 0 : place.answerAt
  }

  // ---- Branching and saving

  /** A second conversation that goes on from here. */
  fork() {
    this.#checkIdle()
    const twin = new ChatSession(this.#engine, this.#limits)
    try {
      twin.#session.copy(this.#session)
    } catch (error) {
      twin.#free()
      throw error
    }
    twin.#checkpoints.free()
    twin.#checkpoints = this.#checkpoints.fork()
    twin.#fed = [...this.#fed]
    twin.#pending = [...this.#pending]
    twin.#text = this.#text
    twin.#answerAt = this.#answerAt
    twin.#random = { ...this.#random }
    return twin
  }

  /**
   * Reads what any conversation with these messages begins with, and stops there.
   *
   * @param {ChatMessage[]} messages
   * @param {AbortSignal} signal
   */
  async readOpening(messages, signal) {
    await this.#engine.prepareToRender()
    const tokens = this.#engine.openingTokens(messages)
    const whole = await this.#session.prefill(tokens, signal, piece => this.#fed.push(...piece))
    if (!whole) throw new IteraError('aborted', 'reading the prompt was aborted')
  }

  /** Makes memory ready for the first `save`. */
  prepareToSave() {
    if (!this.#closed) this.#engine.room.prepare(this.#session.saveBytes('f32'))
  }

  /**
   * @param {Pick<SavedChat, 'messages' | 'opening' | 'options'>} conversation
   * @param {import('../types.d.ts').SnapshotForm} form
   * @param {ArrayBuffer | null} [spare]  memory to use where it is enough
   * @returns {Uint8Array<ArrayBuffer>} the saved conversation
   */
  save(conversation, form, spare) {
    this.#checkIdle()
    const saved = {
      ...conversation,
      ...this.#limits,
      text: this.#text,
      answerAt: this.#answerAt,
      pending: this.#pending,
      places: this.#checkpoints.places,
      seed: this.#random.seed,
      random: this.#random.state && Array.from(this.#random.state),
    }
    const stateBytes = this.#session.saveBytes(form)
    const beforeState = encodeSnapshot(this.#engine.wasm, saved, this.#fed, stateBytes)
    const length = beforeState.length + stateBytes
    const bytes = this.#engine.room.take(length, spare)
    bytes.set(beforeState)
    this.#session.save(form, bytes.subarray(beforeState.length))
    return bytes
  }

  /**
   * @param {Engine} engine
   * @param {Uint8Array} bytes  of any origin
   * @param {Partial<ChatLimits>} limits  over those saved
   * @returns {{ session: ChatSession, saved: SavedChat }}
   */
  static restore(engine, bytes, limits) {
    const { saved, tokens, state } = decodeSnapshot(engine.wasm, bytes, engine.vocabulary)
    const session = new ChatSession(engine, {
      contextTokens: limits.contextTokens ?? saved.contextTokens,
      checkpointBytes: limits.checkpointBytes ?? saved.checkpointBytes,
    })
    try {
      session.#session.restore(state, tokens.length)
      if (session.#session.position !== tokens.length) {
        throw new IteraError('snapshot', 'the saved state has not read the tokens beside it')
      }
    } catch (error) {
      session.#free()
      throw error
    }
    session.#fed = tokens
    session.#pending = saved.pending
    session.#text = saved.text
    session.#answerAt = saved.answerAt
    session.#random = { seed: saved.seed, state: saved.random && Uint8Array.from(saved.random) }
    session.#checkpoints.begin(saved.places)
    // What was read for it is worth keeping; a state that ends with an opening is one to come back to.
    if (saved.messages.length === saved.opening) session.#addOpening(saved.opening)
    else session.#checkpoints.mark(session.#session)
    return { session, saved }
  }

  // ---- End

  #checkIdle() {
    if (this.#busy) throw new IteraError('busy', 'this conversation is still answering')
  }

  /** Frees the state, at once or when the answer under way has ended. */
  close() {
    this.#closed = true
    if (!this.#busy) this.#free()
  }

  #free() {
    this.#checkpoints.free()
    this.#session.free()
  }
}

/** The messages before anybody has spoken. @param {ChatMessage[]} messages */
function openingOf(messages) {
  const end = messages.findIndex(({ role }) => role !== 'system')
  return end < 0 ? messages : messages.slice(0, end)
}

/**
 * @template {string | ArrayLike<number>} T
 * @param {T} a
 * @param {T | ArrayLike<number>} b
 */
export function commonLength(a, b) {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}
