/**
 * The main thread's side of requests in the shapes of the OpenAI API.
 *
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('../../types.d.ts').Stats} Stats
 * @typedef {import('./index.js').Create} Create
 * @typedef {{ chat: Create, complete: Create }} Requests
 * @typedef {import('./completer.js').ChoicePiece | import('./completer.js').ChoiceEnd} ChoiceEvent
 */
import { IteraError } from '../errors.js'
import { findGrammarLibrary } from '../grammar-library.js'
import { givenOptions } from '../options.js'
import { Request } from '../protocol.js'
import { controllerFor } from '../signal.js'
import { chatChunks, chatCompletion } from './chat.js'
import { completion, completionChunks } from './completions.js'
import { bad, chatParams, checkBody, completionParams } from './params.js'
import { CompletionStream } from './stream.js'
import { randomId, toolGrammar } from './tools.js'

/**
 * @param {Model} model
 * @param {{ grammarLibrary?: string | URL, cacheBytes: () => number }} options
 * @returns {Requests}
 */
export function createRequests(model, { grammarLibrary, cacheBytes }) {
  /** @param {unknown} body */
  function chat(body) {
    checkBody(body)
    const { messages, tools, toolChoice, parallel, ...params } = chatParams(body)
    const form = model.info.toolCalls
    if (tools && !form) throw bad('tools', 'the chat template of this model knows no tools')
    if (tools && params.grammar) throw bad('response_format', 'response_format and tools exclude one another')
    if (toolChoice && form !== 'hermes') {
      throw bad('tool_choice', 'how this model writes calls of tools is not known: tool_choice can only be none or auto')
    }
    const grammar = toolChoice ? toolGrammar(toolChoice.tools, parallel && !toolChoice.named) : params.grammar
    const parses = Boolean(tools) && form === 'hermes'
    return {
      ...params,
      header: header('chatcmpl', 'chat.completion'),
      requests: [request({ messages, tools }, { ...params, grammar }, parses)],
      chunksOf: chatChunks,
      wholeOf: chatCompletion,
      parses,
      named: toolChoice?.named ?? false,
    }
  }

  /** @param {unknown} body */
  function complete(body) {
    checkBody(body)
    const { prompts, ...params } = completionParams(body)
    return {
      ...params,
      header: header('cmpl', 'text_completion'),
      requests: prompts.map(prompt => request(prompt, params, false)),
      chunksOf: completionChunks,
      wholeOf: completion,
      parses: false,
      named: false,
    }
  }

  /**
   * @param {import('./completer.js').CompletionRequest['prompt']} prompt
   * @param {Pick<ReturnType<typeof completionParams>, 'options' | 'count' | 'grammar'>} params
   * @param {boolean} special
   * @returns {import('./completer.js').CompletionRequest}
   */
  const request = (prompt, { options, count, grammar }, special) => ({
    prompt, options, count, grammar, special,
    grammarLibrary: grammar && findGrammarLibrary(grammarLibrary),
    cacheBytes: cacheBytes(),
  })

  /** @param {string} prefix @param {string} object */
  const header = (prefix, object) => ({
    id: `${prefix}-${randomId()}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model: model.info.name || model.info.architecture,
    // A seed gives the same text under the same build of the engine.
    system_fingerprint: `itera_${model.info.simd}`,
  })

  /**
   * @param {ReturnType<typeof chat> | ReturnType<typeof complete>} job
   * @param {{ signal?: AbortSignal | null }} [options]
   */
  async function start(job, options) {
    const { controller, release } = controllerFor(givenOptions(options).signal)
    const usage = newUsage()
    const chunks = run(/** @type {any} */ (job), usage, controller.signal, release)
    if (job.stream) return new CompletionStream(chunks, controller)
    const whole = await job.wholeOf(chunks, job.header)
    if (controller.signal.aborted) throw new IteraError('aborted', 'the request was aborted')
    return { ...whole, usage }
  }

  /**
   * @param {import('./chat.js').ChunkJob} job
   * @param {import('./types.d.ts').CompletionUsage} usage  to be filled in
   * @param {AbortSignal} signal
   * @param {() => void} release
   * @returns {AsyncGenerator<any, void, void>}
   */
  async function * run(job, usage, signal, release) {
    const chunk = (/** @type {any[]} */ choices) => ({
      ...job.header,
      object: job.header.object === 'chat.completion' ? 'chat.completion.chunk' : job.header.object,
      choices,
      ...job.includeUsage && { usage: null },
    })
    try {
      for (const [i, request] of job.requests.entries()) {
        const events = model.stream(Request.complete, request, signal)
        for await (const choices of job.chunksOf(eventsOf(events, usage), job, i * request.count)) {
          // Aborted: as the openai client does, it just ends.
          if (signal.aborted) return
          yield chunk(choices)
        }
        if (signal.aborted) return
      }
      if (job.includeUsage) yield { ...chunk([]), usage }
    } finally {
      release()
    }
  }

  return {
    chat: async (body, options) => start(chat(body), options),
    complete: async (body, options) => start(complete(body), options),
  }
}

/** @returns {import('./types.d.ts').CompletionUsage} */
const newUsage = () => ({
  prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, prompt_tokens_details: { cached_tokens: 0 },
})

/**
 * The events of one request; its figures go to `usage`.
 *
 * @param {AsyncGenerator<any, Stats, void>} events
 * @param {import('./types.d.ts').CompletionUsage} usage
 * @returns {AsyncGenerator<ChoiceEvent, void, void>}
 */
async function * eventsOf(events, usage) {
  const { promptTokens, cachedTokens, generatedTokens } = yield * events
  usage.prompt_tokens += promptTokens
  usage.completion_tokens += generatedTokens
  usage.total_tokens += promptTokens + generatedTokens
  usage.prompt_tokens_details.cached_tokens += cachedTokens
}
