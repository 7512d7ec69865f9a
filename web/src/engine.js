import { createChatTemplate, hasChatTemplate } from './chat-template.js'
import { ChatSession, commonLength } from './chat-session.js'
import { IteraError } from './errors.js'
import { checkTokens } from './evaluate.js'
import { generate } from './generate.js'
import { loadModel } from './loader.js'
import { Session, withRelief } from './session.js'
import { toolForm } from './openai/tools.js'
import { progressReport } from './progress.js'
import { Room } from './room.js'
import { openSource, readWhole, withSource } from './source.js'
import { chooseThreads } from './threads.js'
import { createTokenizer, hasTokenizer } from './tokenizer.js'
import { traceBlocks, traceLength, traceOf } from './trace.js'
import { loadWasm } from './wasm.js'

/**
 * What runs inside the worker: one wasm instance with one model, its tokenizer and its sessions.
 *
 * @typedef {import('./wasm.js').Wasm} Wasm
 * @typedef {import('./metadata.js').Metadata} Metadata
 * @typedef {import('./options.js').GenerationOptions} GenerationOptions
 * @typedef {import('./chat-session.js').ChatLimits} ChatLimits
 * @typedef {import('./tokenizer.js').Tokenizer} Tokenizer
 * @typedef {import('../types.d.ts').ModelInfo} ModelInfo
 * @typedef {import('../types.d.ts').ChatMessage} ChatMessage
 * @typedef {import('../types.d.ts').Piece} Piece
 *
 * @typedef {object} JobContext
 * @property {AbortSignal} signal
 * @property {(event: string, data: any) => void} emit
 */

/** Numbers of `itera_model_info`. */
const Info = Object.freeze({
  vocabulary: 0, layers: 1, width: 2, contextLength: 3, weightBytes: 4, parameters: 5, activeParameters: 6,
  embeddingParameters: 7, stateBytes: 8, kvBytesPerToken: 9, scratchBytes: 10, flopsPerToken: 11, batch: 12,
})

/** Where a model states no length, as many as the core can count. */
const MOST_POSITIONS = 2 ** 32 - 1

/** Header arrays that the tokenizer turns into its own tables. */
const TOKENIZER_ARRAYS = ['tokens', 'merges', 'scores', 'token_type'].map(name => `tokenizer.ggml.${name}`)

/**
 * The sizes the core states for a model.
 *
 * @param {Wasm} wasm
 * @param {number} model
 */
export function modelNumbers(wasm, model) {
  const numbers = /** @type {Record<keyof typeof Info, number>} */ ({})
  for (const [name, which] of Object.entries(Info)) {
    numbers[/** @type {keyof typeof Info} */ (name)] = wasm.exports.itera_model_info(model, which)
  }
  return numbers
}

export class Engine {
  /** @type {Tokenizer | null} */
  #tokenizer = null
  /** @type {IteraError | null} */
  #tokenizerError = null
  /** @type {import('./chat-template.js').ChatTemplate | null} */
  #template = null
  /** Kept for the next completion, so that a page that generates often does not allocate often. @type {Session | null} */
  #idle = null
  /** @type {import('./trace.js').TraceBlock[] | null} */
  #traceBlocks = null
  /** @type {Map<number, ChatSession>} */
  #chats = new Map()
  /** For conversations to be saved in. */
  room = new Room()
  /** Each frees what is only kept for later, when memory runs out; false: there was nothing. @type {(() => boolean)[]} */
  relievers = [() => this.#dropIdle()]

  /** @param {Wasm} wasm */
  constructor(wasm) {
    this.wasm = wasm
    this.model = 0
    this.vocabulary = 0
    /** @type {ReturnType<typeof modelNumbers>} */
    this.numbers = /** @type {any} */ ({})
    /** @type {ReadonlySet<number>} */
    this.endOfGeneration = new Set()
  }

  /**
   * @param {{ source: import('./source.js').SourceDescription, simd?: any, compiled?: any, threads?: number | 'auto',
   *   spawn?: import('./threads.js').SpawnHelper }} args  compiled: as loadWasm takes it; spawn: starts helpers; without it
   *   there is one thread
   * @param {JobContext} context
   * @returns {Promise<{ engine: Engine, info: ModelInfo }>}
   */
  static async load({ source, simd, compiled, threads = 1, spawn }, { signal, emit }) {
    const report = progressReport(progress => emit('progress', progress))
    /** @type {Engine | undefined} */
    let made
    const { engine, model, metadata, fileBytes } = await withSource(source, {
      signal, onState: report.state, joiner: () => loadWasm({ simd, compiled }),
    }, async opened => {
      // The size of the file has a say in the number of threads. A file that has to be opened again finds the engine made.
      const engine = made ??= new Engine(await loadWasm({ simd, compiled, threads: await chooseThreads(threads, opened.total), spawn }))
      const loaded = await loadModel(engine.wasm, opened, { signal, onProgress: report.read, onHeader: header => engine.#readText(header) })
      return { engine, ...loaded }
    })
    engine.model = model
    engine.numbers = modelNumbers(engine.wasm, model)
    engine.vocabulary = engine.numbers.vocabulary
    engine.#checkVocabulary()
    return { engine, info: engine.#info(metadata, fileBytes) }
  }

  /**
   * Takes tokenizer and chat template from the header. A tokenizer we do not have is no reason to refuse the
   * model, which also works on token ids: text calls will say what is missing. A broken one is.
   *
   * @param {Metadata} metadata
   */
  #readText(metadata) {
    try {
      if (hasTokenizer(metadata)) this.#tokenizer = createTokenizer(metadata)
    } catch (error) {
      if (!(error instanceof IteraError) || error.code !== 'unsupported') throw error
      this.#tokenizerError = error
    }
    metadata.forget(TOKENIZER_ARRAYS)
    const eos = metadata.get('tokenizer.ggml.eos_token_id')
    this.endOfGeneration = this.#tokenizer?.endOfGeneration ?? new Set(typeof eos === 'number' ? [eos] : [])
    this.#template = this.#tokenizer && hasChatTemplate(metadata) ? createChatTemplate(metadata, this.#tokenizer) : null
  }

  /** A model that can say tokens which its tokenizer does not have would fail in mid-sentence: better now. */
  #checkVocabulary() {
    if (!this.#tokenizer || this.#tokenizer.size === this.vocabulary) return
    throw new IteraError('corrupt',
      `the tokenizer has ${this.#tokenizer.size} tokens, the model ${this.vocabulary}`)
  }

  /**
   * @param {Metadata} metadata
   * @param {number} fileBytes
   * @returns {ModelInfo}
   */
  #info(metadata, fileBytes) {
    const n = this.numbers
    return {
      architecture: metadata.get('general.architecture'),
      name: metadata.get('general.name') ?? '',
      parameters: { total: n.parameters, active: n.activeParameters, embedding: n.embeddingParameters },
      vocabulary: n.vocabulary,
      layers: n.layers,
      width: n.width,
      contextLength: n.contextLength,
      fileBytes,
      weightBytes: n.weightBytes,
      memoryBytes: this.wasm.memoryBytes,
      stateBytes: n.stateBytes,
      kvBytesPerToken: n.kvBytesPerToken,
      scratchBytes: n.scratchBytes,
      flopsPerToken: n.flopsPerToken,
      simd: this.wasm.variant,
      threads: this.wasm.threads,
      wasmBytes: this.wasm.moduleBytes,
      hasChatTemplate: this.#template !== null,
      toolCalls: toolForm(this.#template?.toolSource),
      tokenizer: this.#tokenizer ? (metadata.get('tokenizer.ggml.pre') ?? 'default') : null,
      bosToken: this.#tokenizer?.bos ?? null,
      eosToken: this.#tokenizer?.eos ?? null,
    }
  }

  /** @returns {Tokenizer} */
  get tokenizer() {
    if (this.#tokenizer) return this.#tokenizer
    throw new IteraError('no-tokenizer', this.#tokenizerError?.message ?? 'this file has no tokenizer')
  }

  /** Text of generated tokens; empty without a tokenizer. @param {{ special?: boolean }} [options] */
  decodeStream(options) {
    return this.#tokenizer?.decodeStream(options) ?? { push: () => '', flush: () => '' }
  }

  /** @param {number} token */
  tokenText(token) { return this.#tokenizer?.tokenText(token) ?? '' }

  /** Fetches what `render` needs; once is enough. */
  async prepareToRender() { await this.#template?.prepare() }

  /**
   * The prompt of a conversation, as the model was trained to read it.
   *
   * @param {ChatMessage[]} messages
   * @param {import('./chat-template.js').RenderOptions} [options]
   * @returns {string}
   */
  render(messages, options) {
    if (this.#template) return this.#template.render(messages, options)
    // Plain completion: the model writes on behind what was said, answers follow their question directly.
    return messages.map(({ role, content }, i) => i > 0 && role !== 'assistant' ? `\n\n${content}` : content).join('')
  }

  /**
   * @param {string | ArrayLike<number>} prompt
   * @param {{ special?: boolean, addBos?: boolean }} [options]
   * @returns {Int32Array}
   */
  encode(prompt, options) {
    if (typeof prompt !== 'string') return checkTokens(prompt, this.vocabulary)
    const tokens = this.tokenizer.encode(prompt, options)
    const { bos } = this.tokenizer
    // Nothing at all is asked of the model: let it begin a text.
    return tokens.length || bos === null ? tokens : Int32Array.of(bos)
  }

  /**
   * @param {{ prompt: string | number[], options: GenerationOptions }} args
   * @param {JobContext} context
   */
  async generate({ prompt, options }, { signal, emit }) {
    const tokens = this.encode(prompt, { special: options.parseSpecial })
    const session = this.#takeSession(options.contextTokens)
    try {
      return await generate({
        engine: this, session, prompt: tokens, history: new Int32Array(0), options, signal,
        emit: piece => emit('piece', piece),
      })
    } finally {
      this.#giveSession(session)
    }
  }

  /**
   * The prompt of a conversation as tokens.
   *
   * @param {string} rendered
   * @returns {Int32Array}
   */
  encodePrompt(rendered) {
    // A template that writes BOS itself must not get a second one.
    const bos = this.tokenizer.roleText('bos')
    return this.encode(rendered, { special: true, addBos: bos && rendered.startsWith(bos) ? false : undefined })
  }

  /**
   * The tokens that every conversation with these first messages begins with, whatever is said next: what the prompts
   * of some very different next words have in common.
   *
   * @param {ChatMessage[]} messages
   * @returns {Int32Array}
   */
  openingTokens(messages) {
    const [first, ...others] = ['A', '1', '\n', '"'].map(content =>
      this.encodePrompt(this.render([...messages, { role: 'user', content }])))
    return first.subarray(0, Math.min(...others.map(tokens => commonLength(first, tokens))))
  }

  // ---- Conversations, each under a number that the main thread gives it

  /**
   * @param {{ chat: number, limits: ChatLimits } & import('./chat-session.js').Turn} args
   * @param {JobContext} context
   */
  async chat({ chat, limits, ...turn }, { signal, emit }) {
    const session = this.chatSession(chat, limits)
    const stats = await session.send(turn, { signal, emit: piece => emit('piece', piece) })
    session.prepareToSave()
    return stats
  }

  /**
   * The session of that number, made when first used.
   *
   * @param {number} chat
   * @param {ChatLimits} limits
   */
  chatSession(chat, limits) {
    let session = this.#chats.get(chat)
    if (!session) this.#chats.set(chat, session = new ChatSession(this, limits))
    return session
  }

  /**
   * Nothing to do for a conversation in which nothing was said yet.
   *
   * @param {{ chat: number, messages: number, opening: number }} args
   */
  rewindChat({ chat, messages, opening }) {
    this.#chats.get(chat)?.rewind(messages, opening)
  }

  /** @param {{ chat: number, as: number }} args */
  forkChat({ chat, as }) {
    const session = this.#chats.get(chat)
    if (session) this.#chats.set(as, session.fork())
  }

  /**
   * @param {{ chat: number, limits: ChatLimits, conversation: any, form: import('../types.d.ts').SnapshotForm,
   *   spare: ArrayBuffer | null }} args
   * @returns {Uint8Array<ArrayBuffer>}
   */
  saveChat({ chat, limits, conversation, form, spare }) {
    return this.chatSession(chat, limits).save(conversation, form, spare)
  }

  /**
   * @param {{ chat: number, source: import('./source.js').SourceDescription, limits: Partial<ChatLimits> }} args
   * @param {JobContext} context
   */
  async openChat({ chat, source, limits }, { signal }) {
    const bytes = await readWhole(await openSource(source, signal), signal)
    const { session, saved } = ChatSession.restore(this, bytes, limits)
    this.#chats.get(chat)?.close()
    this.#chats.set(chat, session)
    const { messages, opening, options, contextTokens, checkpointBytes } = saved
    return { messages, opening, options, limits: { contextTokens, checkpointBytes, ...limits } }
  }

  /** @param {{ chat: number, limits: ChatLimits }} args */
  chatInfo({ chat, limits }) {
    return this.chatSession(chat, limits).info
  }

  /**
   * A saved conversation in which only the opening was read.
   *
   * @param {{ messages: ChatMessage[], limits: ChatLimits, form: import('../types.d.ts').SnapshotForm,
   *   spare: ArrayBuffer | null }} args
   * @param {JobContext} context
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async pack({ messages, limits, form, spare }, { signal }) {
    const session = new ChatSession(this, limits)
    try {
      await session.readOpening(messages, signal)
      return session.save({ messages, opening: messages.length, options: {} }, form, spare)
    } finally {
      session.close()
    }
  }

  /** @param {number} chat */
  closeChat(chat) {
    this.#chats.get(chat)?.close()
    this.#chats.delete(chat)
  }

  /**
   * What the pass did that the next token comes from; nothing where it went by before anybody looked.
   *
   * @param {Session} session  that was told to trace
   * @returns {Pick<Piece, 'trace'>}
   */
  trace(session) {
    this.#traceBlocks ??= traceBlocks(this.wasm, this.model)
    const values = session.traceValues(traceLength(this.#traceBlocks))
    return values ? { trace: traceOf(this.#traceBlocks, values) } : {}
  }

  /** What is in use now. */
  get memory() {
    return { memoryBytes: this.wasm.memoryBytes, sessions: this.#chats.size, fedTokens: this.wasm.fedTokens }
  }

  /**
   * A session whose KV cache, where the model has one, grows as it fills.
   *
   * @param {number} contextTokens  the most tokens; 0: as many as the model was made for
   */
  newSession(contextTokens) {
    const { kvBytesPerToken: bytes, batch } = this.numbers
    const relieve = () => this.relievers.map(free => free()).includes(true)
    const growth = bytes ? { limit: this.#limitFor(contextTokens), bytes, relieve } : null
    return withRelief(relieve, () => new Session(this.wasm, this.model, 1, batch, growth))
  }

  /** @param {number} contextTokens */
  #limitFor(contextTokens) {
    const { kvBytesPerToken, contextLength } = this.numbers
    return kvBytesPerToken ? contextTokens || contextLength || MOST_POSITIONS : 0
  }

  /** @param {number} contextTokens */
  #takeSession(contextTokens) {
    const idle = this.#idle
    if (idle?.limit !== this.#limitFor(contextTokens)) {
      this.#dropIdle()
      return this.newSession(contextTokens)
    }
    this.#idle = null
    idle.reset()
    return idle
  }

  /** @param {Session} session */
  #giveSession(session) {
    this.#dropIdle()
    this.#idle = session
  }

  #dropIdle() {
    const idle = this.#idle
    this.#idle = null
    idle?.free()
    return idle !== null
  }
}
