import { Chat, checkForm } from './chat.js'
import { IteraError } from './errors.js'
import { createOpenAI } from './openai/index.js'
import { checkMessages, completeOptions, givenOptions } from './options.js'
import { Request } from './protocol.js'
import { checkSignal } from './signal.js'

/**
 * A loaded model, on the main thread: a thin face over the worker that holds it.
 *
 * @typedef {import('../types.d.ts').GenerateOptions} GenerateOptions
 * @typedef {import('../types.d.ts').Piece} Piece
 * @typedef {import('../types.d.ts').Stats} Stats
 */
export class Model {
  #client
  #chats = 0

  /**
   * @param {import('./client.js').Client} client
   * @param {import('../types.d.ts').ModelInfo} info
   * @param {{ grammarLibrary?: string | URL }} [options]
   */
  constructor(client, info, { grammarLibrary } = {}) {
    this.#client = client
    this.info = info
    /** The OpenAI interface to this model. */
    this.openai = createOpenAI(this, grammarLibrary)
    /** Figures of the last generation that ended. @type {Stats | null} */
    this.lastStats = null
  }

  /**
   * Continues a text. Leaving the loop, or aborting the signal, ends the work in the worker.
   *
   * @param {string | ArrayLike<number>} prompt  text, or token ids
   * @param {GenerateOptions} [given]
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * generate(prompt, given) {
    const { signal, ...options } = givenOptions(given)
    const args = { prompt: typeof prompt === 'string' ? prompt : idList(prompt), options: completeOptions(options) }
    return yield * this.stream(Request.generate, args, signal)
  }

  /**
   * A conversation. Nothing happens until its first message is sent.
   *
   * @param {import('../types.d.ts').ChatOptions} [options]
   * @returns {Chat}
   */
  chat(options) {
    return new Chat(this, this.nextChat(), options)
  }

  /**
   * A conversation from what chat.save() gave, once it is there.
   *
   * @param {import('../types.d.ts').ModelSource} source
   * @param {import('../types.d.ts').RestoreOptions} [options]  over those saved
   * @returns {Promise<Chat>}
   */
  async restore(source, options) {
    const chat = this.chat({ ...givenOptions(options), restore: source })
    try {
      await chat.ready
    } catch (error) {
      chat.dispose()
      throw error
    }
    return chat
  }

  /**
   * Reads the opening of conversations once and for all: what comes out is a file to ship, for chat({ pack }).
   *
   * @param {import('../types.d.ts').PackOptions} options
   * @returns {Promise<Blob>}
   */
  async pack(options) {
    const { system, messages = [], form = 'f32', contextTokens = 0, signal } = givenOptions(options)
    checkMessages(messages)
    const all = [...system === undefined ? [] : [{ role: 'system', content: String(system) }], ...messages]
    if (!all.length) throw new IteraError('argument', 'a pack needs a system message, or others')
    const limits = { contextTokens: completeOptions({ contextTokens }).contextTokens, checkpointBytes: 0 }
    return this.file(Request.pack, { messages: all, limits, form: checkForm(form) }, { signal })
  }

  /**
   * @param {string} text
   * @param {{ addSpecial?: boolean, parseSpecial?: boolean }} [options]
   * @returns {Promise<number[]>}
   */
  async tokenize(text, options) {
    const { addSpecial = false, parseSpecial = false } = givenOptions(options)
    return this.call(Request.tokenize, { text: String(text), addSpecial, parseSpecial })
  }

  /**
   * @param {ArrayLike<number>} tokens
   * @param {{ special?: boolean }} [options]
   * @returns {Promise<string>}
   */
  async detokenize(tokens, options) {
    const { special = false } = givenOptions(options)
    return this.call(Request.detokenize, { tokens: idList(tokens), special })
  }

  /**
   * @param {ArrayLike<number>} tokens
   * @param {{ piece?: number, step?: boolean, signal?: AbortSignal }} [options]
   * @returns {Promise<Float32Array>} [tokens, vocabulary]
   */
  async logits(tokens, options) {
    const { piece = 0, step = false, signal } = givenOptions(options)
    if (!(Number.isInteger(piece) && piece >= 0)) {
      throw new IteraError('argument', `piece must be a whole number; got ${String(piece)}`)
    }
    return this.call(Request.logits, { tokens: idList(tokens), piece, step }, { signal })
  }

  /**
   * @param {ArrayLike<number>} tokens
   * @returns {Promise<Float32Array>} -ln p of every token but the first
   */
  async score(tokens) {
    const ids = idList(tokens)
    if (ids.length < 2) throw new IteraError('argument', 'a score needs at least two tokens')
    return this.call(Request.score, { tokens: ids })
  }

  /** The size of the engine's memory now. @returns {Promise<number>} in bytes */
  async memoryBytes() {
    const { memoryBytes } = await this.call(Request.memory, {})
    return memoryBytes
  }

  /** Why no call is answered any more: code 'disposed', 'crashed' or 'memory'; null while the model works. */
  get error() { return this.#client.error }

  /** Resolves to that error when it comes to it. */
  get lost() { return this.#client.lost }

  /** Ends the worker and frees everything. Pending calls and later ones are rejected with code 'disposed'. */
  dispose() {
    this.#client.dispose()
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.dispose()
  }

  /**
   * A number that no other conversation of this model has.
   *
   * @internal
   */
  nextChat() { return this.#chats++ }

  /**
   * For the other files of the package.
   *
   * @internal
   * @param {string} type
   * @param {any} args
   * @param {import('./client.js').CallOptions} [options]
   */
  async call(type, args, options) {
    checkSignal(options?.signal)
    return this.#client.call(type, args, options)
  }

  /**
   * @internal
   * @param {string} type
   * @param {any} args
   * @param {import('./client.js').CallOptions} [options]
   */
  async file(type, args, options) {
    checkSignal(options?.signal)
    return this.#client.file(type, args, options)
  }

  /**
   * @internal
   * @param {string} type
   * @param {any} args
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<Piece, Stats, void>}
   */
  async * stream(type, args, signal) {
    checkSignal(signal)
    const stats = yield * this.#client.stream(type, args, signal)
    this.lastStats = stats
    this.info.memoryBytes = stats.memoryBytes
    return stats
  }
}

/** @param {ArrayLike<number>} tokens @returns {number[]} */
function idList(tokens) {
  if (typeof tokens === 'object' && tokens !== null && 'length' in tokens) return Array.from(tokens)
  throw new IteraError('argument', 'tokens must be a list of token ids')
}
