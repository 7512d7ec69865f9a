import { IteraError } from './errors.js'
import { checkMessages, completeOptions, givenOptions } from './options.js'
import { Request } from './protocol.js'
import { controllerFor } from './signal.js'
import { describeSource } from './source.js'

/**
 * A conversation on the main thread: the list of messages. The state that has read them lives in the worker,
 * under a number.
 *
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 * @typedef {import('../types.d.ts').GenerateOptions} GenerateOptions
 * @typedef {import('../types.d.ts').Piece} Piece
 * @typedef {import('../types.d.ts').Stats} Stats
 */

/** Enough for two hundred checkpoints of a small model, or three of one with 20 MB of state. */
const CHECKPOINT_BYTES = 64 << 20

export class Chat {
  #model
  #id
  #options
  /** @type {import('./chat-session.js').ChatLimits} */
  #limits
  /** Ends the answer under way. @type {AbortController | null} */
  #answering = null
  #disposal = new AbortController()
  /** What the conversation began with, before anybody spoke. @type {ChatMessage[]} */
  #opening
  /** @type {ChatMessage[]} */
  #messages
  /** What is wanted of a `restore` or `pack` that is on its way. @type {'all' | 'opening' | null} */
  #coming = null
  /** Settled once what the conversation begins with is there; rejected when it cannot be had. @type {Promise<void>} */
  ready

  /**
   * @param {import('./model.js').Model} model
   * @param {number} id
   * @param {import('../types.d.ts').ChatOptions} [given]
   */
  constructor(model, id, given) {
    const { system, messages = [], restore, pack, checkpointBytes, ...options } = givenOptions(given)
    checkMessages(messages)
    this.#model = model
    this.#id = id
    this.#options = options
    this.#limits = checkLimits(options.contextTokens, checkpointBytes)
    this.#opening = system === undefined ? [] : [{ role: 'system', content: system }]
    this.#messages = [...this.#opening, ...copyOf(messages)]
    this.ready = Promise.resolve()
    const saved = restore ?? pack
    if (saved === undefined) return
    if (system !== undefined || (restore !== undefined && (pack !== undefined || messages.length))) {
      throw new IteraError('argument', 'a saved conversation brings its own system message and its own beginning')
    }
    this.#coming = 'all'
    // A pack has no wishes of its own.
    const limits = restore === undefined ? this.#limits : { contextTokens: options.contextTokens, checkpointBytes }
    this.ready = this.#open(saved, limits)
    this.ready.catch(() => {})                          // told to whoever waits for it, or uses the conversation
  }

  /**
   * @param {import('../types.d.ts').ModelSource} source
   * @param {Partial<import('./chat-session.js').ChatLimits>} limits
   */
  async #open(source, limits) {
    const args = { chat: this.#id, source: describeSource(source), limits: givenOptions(limits) }
    const saved = await this.#model.call(Request.openChat, args, { signal: this.#disposal.signal }).catch(error => {
      this.#checkAlive()
      throw error
    })
    this.#limits = saved.limits
    this.#options = { ...saved.options, ...this.#options }
    this.#opening = saved.messages.slice(0, saved.opening)
    this.#messages = [...saved.messages, ...this.#messages]
    const whole = this.#coming === 'all'
    this.#coming = null
    if (!whole) this.reset()
  }

  /** The conversation so far; a copy. */
  get messages() { return copyOf(this.#messages) }

  /**
   * Says something and streams the answer. Ended early, by leaving the loop or by the signal, the answer stays
   * in the conversation as far as it came; after an error the conversation is as before.
   *
   * @param {string} text
   * @param {GenerateOptions} [options]  over those of the conversation
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * send(text, options) {
    await this.ready
    return yield * this.#answer([...this.#messages, { role: 'user', content: String(text) }], options)
  }

  /**
   * Says something else in an earlier turn and streams the answer; what came after it is gone. fork() first to keep it.
   *
   * @param {number} turn  0 is the first; -1 the last
   * @param {string} text
   * @param {GenerateOptions} [options]
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * edit(turn, text, options) {
    await this.ready
    this.#checkIdle()
    const messages = this.#messages.slice(0, this.#turnAt(turn))
    return yield * this.#answer([...messages, { role: 'user', content: String(text) }], options)
  }

  /**
   * Answers the last message anew, going on in the random sequence.
   *
   * @param {GenerateOptions} [options]
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * regenerate(options) {
    await this.ready
    this.#checkIdle()
    return yield * this.#answer(this.#messages.slice(0, this.#turnAt(-1) + 1), options)
  }

  /**
   * Takes back the last turns, each a message and its answer.
   *
   * @param {number} [turns]
   * @returns {Promise<ChatMessage[]>} what was taken back
   */
  async undo(turns = 1) {
    await this.ready
    this.#checkIdle()
    if (!(Number.isInteger(turns) && turns >= 1)) {
      throw new IteraError('argument', `turns must be a whole number of at least 1; got ${String(turns)}`)
    }
    const at = this.#turnAt(-turns)
    const gone = this.#messages.slice(at)
    this.#messages = this.#messages.slice(0, at)
    await this.#rewind()
    return gone
  }

  /**
   * A second conversation that goes on from here, with a state of its own.
   *
   * @returns {Promise<Chat>}
   */
  async fork() {
    await this.ready
    this.#checkIdle()
    const twin = new Chat(this.#model, this.#model.nextChat(), { ...this.#options, ...this.#limits })
    twin.#opening = copyOf(this.#opening)
    twin.#messages = copyOf(this.#messages)
    await this.#model.call(Request.forkChat, { chat: this.#id, as: twin.#id })
    return twin
  }

  /**
   * The whole memory of the conversation: messages, options, the place in the random sequence, and the state.
   *
   * @param {{ form?: import('../types.d.ts').SnapshotForm }} [options]
   * @returns {Promise<Blob>}
   */
  async save(options) {
    const { form = 'f32' } = givenOptions(options)
    await this.ready
    this.#checkIdle()
    const conversation = { messages: this.#messages, opening: this.#opening.length, options: this.#options }
    const args = { chat: this.#id, limits: this.#limits, conversation, form: checkForm(form) }
    return this.#model.file(Request.saveChat, args)
  }

  /** What the conversation takes. @returns {Promise<import('../types.d.ts').ChatInfo>} */
  async info() {
    await this.ready
    this.#checkAlive()
    return this.#model.call(Request.chatInfo, { chat: this.#id, limits: this.#limits })
  }

  /** Back to the beginning: only the system message stays. */
  reset() {
    this.#messages = [...this.#opening]
    if (this.#coming) this.#coming = 'opening'          // which the worker may have by now, and must not forget
    else this.#rewind().catch(() => {})                 // only early: what the next message needs is found in any case
  }

  /** Frees the conversation's state in the worker. The answer under way and later calls end with code 'disposed'. */
  dispose() {
    this.#disposal.abort()                              // or what is being fetched would be opened after the end
    this.#answering?.abort()
    this.#model.call(Request.closeChat, { chat: this.#id }).catch(() => {})
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.dispose()
  }

  /** The worker's state follows the messages. */
  #rewind() {
    const args = { chat: this.#id, messages: this.#messages.length, opening: this.#opening.length }
    return this.#model.call(Request.rewindChat, args)
  }

  /**
   * @param {ChatMessage[]} messages  the conversation up to the message to be answered
   * @param {GenerateOptions} [given]
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * #answer(messages, given) {
    const { signal, ...options } = givenOptions(given)
    this.#checkIdle()
    const complete = completeOptions({ ...this.#options, ...options })
    const before = this.#messages
    const args = {
      chat: this.#id,
      limits: { ...this.#limits, contextTokens: complete.contextTokens },
      messages,
      options: complete,
      seeded: options.seed !== undefined,
    }
    let answer = ''
    let failed = false
    const { controller, release } = controllerFor(signal)
    this.#answering = controller
    try {
      const pieces = this.#model.stream(Request.chat, args, controller.signal)
      const stats = yield * collect(pieces, piece => { answer += piece.text })
      this.#checkAlive()
      return stats
    } catch (error) {
      failed = true
      throw error
    } finally {
      this.#answering = null
      release()
      if (!failed && this.#messages === before) this.#messages = [...messages, { role: 'assistant', content: answer }]
    }
  }

  /**
   * Where a turn begins.
   *
   * @param {number} turn  negative: from the end
   */
  #turnAt(turn) {
    const turns = this.#messages.flatMap(({ role }, i) => role === 'user' ? [i] : [])
    const at = Number.isInteger(turn) ? turns.at(turn) : undefined
    if (at !== undefined) return at
    throw new IteraError('argument', `the conversation has ${turns.length} turns, and none is number ${String(turn)}`)
  }

  /** The worker would make a new state for a conversation that it has forgotten. */
  #checkAlive() {
    if (this.#disposal.signal.aborted) throw new IteraError('disposed', 'the conversation was disposed')
  }

  #checkIdle() {
    this.#checkAlive()
    if (this.#answering) throw new IteraError('busy', 'this conversation is still answering')
  }
}

/** @param {ChatMessage[]} messages */
const copyOf = messages => messages.map(message => ({ ...message }))

/** @param {unknown} form */
export function checkForm(form) {
  if (form === 'f32' || form === 'f16') return form
  throw new IteraError('argument', `form must be f32 or f16; got ${String(form)}`)
}

/**
 * @param {number} [contextTokens]
 * @param {number} [checkpointBytes]
 */
function checkLimits(contextTokens = 0, checkpointBytes = CHECKPOINT_BYTES) {
  if (!(Number.isInteger(checkpointBytes) && checkpointBytes >= 0)) {
    throw new IteraError('argument', `checkpointBytes must be a whole number of at least 0; got ${String(checkpointBytes)}`)
  }
  return { contextTokens: completeOptions({ contextTokens }).contextTokens, checkpointBytes }
}

/**
 * Passes pieces on and shows each to `see` first.
 *
 * @param {AsyncGenerator<Piece, Stats, void>} pieces
 * @param {(piece: Piece) => void} see
 * @returns {AsyncGenerator<Piece, Stats, void>}
 */
async function * collect(pieces, see) {
  try {
    for (;;) {
      const { done, value } = await pieces.next()
      if (done) return value
      see(value)
      yield value
    }
  } finally {
    await pieces.return(/** @type {any} */ (undefined))
  }
}
