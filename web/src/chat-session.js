import { IteraError } from './errors.js'
import { generate } from './generate.js'

/**
 * The worker's side of a conversation. Each turn arrives as the whole list of messages; what the state has
 * already read of it is not read again.
 *
 * Two ways tell that the state is a beginning of the new prompt. The rendered text may begin with the text
 * read so far: then only the rest is encoded. This also holds where the model wrote a word in other tokens
 * than the tokenizer would. Else the encoded prompt may begin with the tokens fed. Failing both, as after an
 * edit of an earlier message, the state starts anew.
 *
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./options.js').GenerationOptions} GenerationOptions
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 * @typedef {import('../types.d.ts').Piece} Piece
 */
export class ChatSession {
  #engine
  /** @type {import('./session.js').Session | null} */
  #session = null
  /** Tokens that are part of the state. @type {number[]} */
  #fed = []
  /** The last token of an answer cut off by its limit: generated, but not fed yet. @type {number[]} */
  #pending = []
  /** The text of both, as the conversation shows it; null while a prompt is only partly read. @type {string | null} */
  #text = null
  #busy = false
  #closed = false

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine
  }

  /**
   * @param {ChatMessage[]} messages
   * @param {GenerationOptions} options
   * @param {{ signal: AbortSignal, emit: (piece: Piece) => void }} job
   * @returns {Promise<import('../types.d.ts').Stats>}
   */
  async send(messages, options, { signal, emit }) {
    if (this.#busy) throw new IteraError('busy', 'this conversation is still answering')
    this.#busy = true
    try {
      const rendered = this.#engine.render(messages)
      const session = (this.#session ??= this.#engine.newSession(options.contextTokens))
      const prompt = this.#unread(rendered)
      const history = Int32Array.from(this.#fed)
      const answer = this.#engine.decodeStream({ special: true })
      let unread = prompt.length
      this.#text = null
      const stats = await generate({
        engine: this.#engine, session, prompt, history, options, signal,
        emit: piece => {
          if (piece.token !== undefined) {
            this.#pending = [piece.token]
            this.#append(answer.push(piece.token))
          }
          emit(piece)
        },
        onFed: tokens => {
          for (let i = 0; i < tokens.length; i++) this.#fed.push(tokens[i])
          this.#pending = []
          if (unread > 0 && (unread -= tokens.length) === 0) this.#text = rendered
        },
      })
      this.#append(answer.flush())
      return stats
    } catch (error) {
      this.#reset()
      throw error
    } finally {
      this.#busy = false
      if (this.#closed) this.#free()
    }
  }

  /**
   * The tokens still to be fed for this prompt.
   *
   * @param {string} rendered
   * @returns {Int32Array}
   */
  #unread(rendered) {
    const engine = this.#engine
    if (this.#text !== null && rendered.length > this.#text.length && rendered.startsWith(this.#text)) {
      const rest = engine.encode(rendered.slice(this.#text.length), { special: true, addBos: false })
      return Int32Array.of(...this.#pending, ...rest)
    }
    // A template that writes BOS itself must not get a second one.
    const bos = engine.tokenizer.roleText('bos')
    const addBos = bos && rendered.startsWith(bos) ? false : undefined
    const tokens = engine.encode(rendered, { special: true, addBos })
    if (tokens.length > this.#fed.length && this.#fed.every((token, i) => token === tokens[i])) {
      this.#pending = []
      return tokens.subarray(this.#fed.length)
    }
    this.#reset()
    return tokens
  }

  /** @param {string} text */
  #append(text) {
    if (this.#text !== null) this.#text += text
  }

  #reset() {
    this.#session?.reset()
    this.#fed = []
    this.#pending = []
    this.#text = null
  }

  /** Frees the state, at once or when the answer under way has ended. */
  close() {
    this.#closed = true
    if (!this.#busy) this.#free()
  }

  #free() {
    this.#session?.free()
    this.#session = null
  }
}
