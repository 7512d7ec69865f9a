/**
 * The worker's side of the OpenAI interface: one prompt, and any number of answers to it. The prompt is read once,
 * and only as far as no earlier one began with the same.
 *
 * @typedef {import('../engine.js').Engine} Engine
 * @typedef {import('../engine.js').JobContext} JobContext
 * @typedef {import('../options.js').GenerationOptions} GenerationOptions
 * @typedef {import('../grammar.js').GrammarSpec} GrammarSpec
 * @typedef {import('../../types.d.ts').Piece} Piece
 * @typedef {import('../../types.d.ts').Stats} Stats
 *
 * @typedef {object} CompletionRequest
 * @property {{ messages: any[], tools?: any[] } | { text: string } | { tokens: number[] }} prompt
 * @property {GenerationOptions} options
 * @property {number} count  answers
 * @property {GrammarSpec} [grammar]
 * @property {string} [grammarLibrary]  its URL
 * @property {boolean} special  special tokens are part of the text
 * @property {number} cacheBytes  what states kept for later prompts may take
 *
 * @typedef {{ token: number, text: string, logprob: number, bytes: number[] }} Alternative
 * @typedef {Omit<Piece, 'top'> & { choice: number, bytes?: number[], hidden?: boolean, top?: Alternative[] }} ChoicePiece
 * @typedef {{ choice: number, finish: Stats['finishReason'], tokens: number }} ChoiceEnd
 */
import { checkTokens } from '../evaluate.js'
import { generate, likelyTokens } from '../generate.js'
import { Grammars } from '../grammar.js'
import { PrefixCache } from './prefix-cache.js'

export class Completer {
  #engine
  #grammars
  #cache

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine
    this.#grammars = new Grammars(engine)
    this.#cache = new PrefixCache(engine)
  }

  /** What is kept, for tests. */
  get cache() { return this.#cache }

  /**
   * @param {CompletionRequest} request
   * @param {JobContext} context
   * @returns {Promise<Stats>}
   */
  async run(request, context) {
    const { options, count, grammar, grammarLibrary = '' } = request
    if ('messages' in request.prompt) await this.#engine.prepareToRender()
    const { rendered, tokens } = this.#read(request.prompt)
    // A grammar that is wrong is told before anything is read.
    const matcher = async () => grammar && await this.#grammars.matcher(grammar, grammarLibrary)
    let next = await matcher()
    /** @type {import('./prefix-cache.js').Lease | undefined} */
    let found
    try {
      found = this.#cache.take({
        tokens, rendered, opening: this.#opening(request.prompt, tokens), limit: request.cacheBytes,
        likely: likelyTokens(options),
      })
      /** @type {Stats | null} */
      let all = null
      for (let choice = 0; choice < count; choice++) {
        const follow = next ?? await matcher()
        next = undefined
        const stats = await this.#answer(request, context, found, choice, follow)
        all = all ? { ...stats, ...readingOf(all), generatedTokens: all.generatedTokens + stats.generatedTokens } : stats
        if (stats.finishReason === 'aborted') break
      }
      found.end(rendered)
      return /** @type {Stats} */ (all)
    } catch (error) {
      found?.drop()
      throw error
    } finally {
      next?.free()
      if (found) this.#cache.give(found)
    }
  }

  /**
   * @param {CompletionRequest} request
   * @param {JobContext} context
   * @param {import('./prefix-cache.js').Lease} found
   * @param {number} choice
   * @param {import('../grammar.js').Matcher} [grammar]
   */
  async #answer({ options, special }, { signal, emit }, found, choice, grammar) {
    try {
      const history = choice ? found.toPromptEnd() : Int32Array.from(found.tokens)
      const prompt = choice ? found.promptTokens.subarray(history.length) : found.rest
      const stats = await generate({
        engine: this.#engine, session: found.session, prompt, history, signal, grammar, special,
        options: { ...options, seed: (options.seed + choice) % Number.MAX_SAFE_INTEGER },
        cuts: found.cuts,
        emit: piece => emit('piece', this.#describe(piece, choice, special)),
        onFed: tokens => found.fed(tokens),
        onPrompt: () => found.mark(),
      })
      emit('piece', { choice, finish: stats.finishReason, tokens: stats.generatedTokens })
      return stats
    } finally {
      grammar?.free()
    }
  }

  /** @param {CompletionRequest['prompt']} prompt @returns {{ rendered: string | null, tokens: Int32Array }} */
  #read(prompt) {
    const engine = this.#engine
    if ('tokens' in prompt) return { rendered: null, tokens: checkTokens(prompt.tokens, engine.vocabulary) }
    if ('text' in prompt) return { rendered: null, tokens: engine.encodePrompt(prompt.text) }
    const rendered = engine.render(prompt.messages, { tools: prompt.tools })
    return { rendered, tokens: engine.encodePrompt(rendered) }
  }

  /**
   * How many tokens every conversation with this system message begins with: a place to come back to.
   *
   * @param {CompletionRequest['prompt']} prompt
   * @param {Int32Array} tokens
   */
  #opening(prompt, tokens) {
    if (!('messages' in prompt) || prompt.tools || prompt.messages[0].role !== 'system') return () => 0
    return () => {
      const opening = this.#engine.openingTokens(prompt.messages.slice(0, 1))
      return opening.every((token, i) => token === tokens[i]) ? opening.length : 0
    }
  }

  /** @param {Piece} piece @param {number} choice @param {boolean} special @returns {ChoicePiece} */
  #describe(piece, choice, special) {
    if (piece.logprob === undefined || piece.token === undefined) return { choice, ...piece, top: undefined }
    const { tokenizer } = this.#engine
    const bytes = (/** @type {number} */ token) => Array.from(tokenizer.tokenBytes(token))
    return {
      choice,
      ...piece,
      bytes: bytes(piece.token),
      hidden: !special && tokenizer.isSpecial(piece.token),
      top: piece.top?.map(other => ({ ...other, bytes: bytes(other.token) })),
    }
  }
}

/** What several answers have in common. @param {Stats} stats */
const readingOf = ({ promptTokens, cachedTokens, ttftMs, prefillTps, seed }) =>
  ({ promptTokens, cachedTokens, ttftMs, prefillTps, seed })
