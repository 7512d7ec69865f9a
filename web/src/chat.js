import { IteraError } from './errors.js'
import { completeOptions } from './options.js'
import { Request } from './protocol.js'

/**
 * A conversation on the main thread: the list of messages. The state that has read them lives in the worker,
 * under a number.
 *
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 * @typedef {import('../types.d.ts').GenerateOptions} GenerateOptions
 * @typedef {import('../types.d.ts').Piece} Piece
 * @typedef {import('../types.d.ts').Stats} Stats
 */
export class Chat {
  #model
  #id
  #options
  #system
  #busy = false
  /** @type {ChatMessage[]} */
  #messages

  /**
   * @param {import('./model.js').Model} model
   * @param {number} id
   * @param {import('../types.d.ts').ChatOptions} [options]
   */
  constructor(model, id, { system, messages = [], ...options } = {}) {
    this.#model = model
    this.#id = id
    this.#options = options
    this.#system = system
    this.#messages = [...this.#opening(), ...messages.map(message => ({ ...message }))]
  }

  /** @returns {ChatMessage[]} */
  #opening() {
    return this.#system === undefined ? [] : [{ role: 'system', content: this.#system }]
  }

  /** The conversation so far; a copy. */
  get messages() { return this.#messages.map(message => ({ ...message })) }

  /**
   * Says something and streams the answer. Ended early, by leaving the loop or by the signal, the answer stays
   * in the conversation as far as it came; after an error the conversation is as before.
   *
   * @param {string} text
   * @param {GenerateOptions} [options]  over those of the conversation
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * send(text, { signal, ...options } = {}) {
    if (this.#busy) throw new IteraError('busy', 'this conversation is still answering')
    const complete = completeOptions({ ...this.#options, ...options })
    const before = this.#messages
    const messages = [...before, { role: 'user', content: String(text) }]
    let answer = ''
    let failed = false
    this.#busy = true
    try {
      const pieces = this.#model.stream(Request.chat, { chat: this.#id, messages, options: complete }, signal)
      return yield * collect(pieces, piece => { answer += piece.text })
    } catch (error) {
      failed = true
      throw error
    } finally {
      this.#busy = false
      if (!failed && this.#messages === before) this.#messages = [...messages, { role: 'assistant', content: answer }]
    }
  }

  /** Back to the beginning: only the system message stays. */
  reset() {
    this.#messages = this.#opening()
  }

  /** Frees the conversation's state in the worker. */
  dispose() {
    this.#model.call(Request.closeChat, { chat: this.#id }).catch(() => {})
  }
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
