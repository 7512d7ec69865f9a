/**
 * Chat completions out of the events of the worker: first as chunks, and from chunks as a whole.
 *
 * @typedef {import('./requests.js').ChoiceEvent} ChoiceEvent
 * @typedef {import('./types.d.ts').ChatCompletionChunk} ChatCompletionChunk
 * @typedef {import('./types.d.ts').ChatCompletion} ChatCompletion
 * @typedef {ChatCompletionChunk['choices'][number]} ChunkChoice
 *
 * @typedef {object} ChunkJob
 * @property {{ id: string, object: string, created: number, model: string, system_fingerprint: string }} header
 * @property {import('./completer.js').CompletionRequest[]} requests
 * @property {typeof chatChunks | typeof import('./completions.js').completionChunks} chunksOf
 * @property {boolean} includeUsage
 * @property {import('../options.js').GenerationOptions} options
 * @property {boolean} parses  calls of tools are looked for
 * @property {boolean} named  one function had to be called
 */
import { LogprobQueue } from './logprobs.js'
import { ToolCallParser } from './tools.js'

/**
 * @param {AsyncGenerator<ChoiceEvent, void, void>} events
 * @param {ChunkJob} job
 * @returns {AsyncGenerator<ChunkChoice[], void, void>}
 */
export async function * chatChunks(events, job) {
  /** @type {Map<number, ChatChoice>} */
  const choices = new Map()
  for await (const event of events) {
    let choice = choices.get(event.choice)
    if (!choice) {
      choices.set(event.choice, choice = new ChatChoice(event.choice, job))
      yield [choice.chunk({ role: 'assistant', content: '' })]
    }
    for (const chunk of choice.take(event)) yield [chunk]
  }
}

class ChatChoice {
  #index
  #job
  #logprobs
  #tools
  #calls = 0

  /** @param {number} index @param {ChunkJob} job */
  constructor(index, job) {
    this.#index = index
    this.#job = job
    this.#logprobs = job.options.logprobs >= 0 ? new LogprobQueue() : null
    this.#tools = job.parses ? new ToolCallParser() : null
  }

  /** @param {ChoiceEvent} event @returns {Generator<ChunkChoice, void, void>} */
  * take(event) {
    if ('finish' in event) {
      if (this.#tools) yield * this.#show(this.#tools.flush(), [])
      const called = this.#calls > 0 && event.finish === 'stop' && !this.#job.named
      yield this.chunk({}, { finish_reason: called ? 'tool_calls' : /** @type {any} */ (event.finish) })
    } else {
      const found = this.#tools?.push(event.text) ?? { text: event.text, calls: [] }
      yield * this.#show(found, this.#logprobs?.push(event) ?? [])
    }
  }

  /**
   * @param {{ text: string, calls: import('./tools.js').ToolCall[] }} found
   * @param {import('./logprobs.js').TokenLogprob[]} entries
   */
  * #show({ text, calls }, entries) {
    const logprobs = entries.length ? { content: entries, refusal: null } : null
    if (text || logprobs) yield this.chunk({ content: text }, { logprobs })
    for (const call of calls) yield this.chunk({ tool_calls: [{ index: this.#calls++, ...call }] })
  }

  /**
   * @param {ChunkChoice['delta']} delta
   * @param {Partial<ChunkChoice>} [more]
   * @returns {ChunkChoice}
   */
  chunk(delta, more) {
    return { index: this.#index, delta, logprobs: null, finish_reason: null, ...more }
  }
}

/**
 * @param {AsyncIterable<ChatCompletionChunk>} chunks
 * @param {ChunkJob['header']} header
 * @returns {Promise<Omit<ChatCompletion, 'usage'>>}
 */
export async function chatCompletion(chunks, header) {
  /** @type {ChatCompletion['choices']} */
  const choices = []
  for await (const chunk of chunks) {
    for (const { index, delta, logprobs, finish_reason: finish } of chunk.choices) {
      const choice = choices[index] ??= {
        index, message: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: 'stop',
      }
      choice.message.content += delta.content ?? ''
      for (const { index: _, ...call } of delta.tool_calls ?? []) {
        (choice.message.tool_calls ??= []).push(/** @type {import('./tools.js').ToolCall} */ (call))
      }
      if (logprobs?.content) (choice.logprobs ??= { content: [], refusal: null }).content?.push(...logprobs.content)
      if (finish) choice.finish_reason = finish
    }
  }
  for (const { message } of choices) if (message.tool_calls && !message.content) message.content = null
  return { ...header, object: 'chat.completion', choices }
}
