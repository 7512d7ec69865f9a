/**
 * Completions of a text, the older interface, out of the events of the worker: first as chunks, and from chunks as a
 * whole.
 *
 * @typedef {import('./requests.js').ChoiceEvent} ChoiceEvent
 * @typedef {import('./chat.js').ChunkJob} ChunkJob
 * @typedef {import('./types.d.ts').Completion} Completion
 * @typedef {import('./types.d.ts').CompletionChoice} CompletionChoice
 * @typedef {CompletionChoice['finish_reason'] | null} Reason
 * @typedef {Omit<CompletionChoice, 'finish_reason'> & { finish_reason: Reason }} ChunkChoice
 */
import { legacyLogprobs, LogprobQueue } from './logprobs.js'

/**
 * @param {AsyncGenerator<ChoiceEvent, void, void>} events
 * @param {ChunkJob} job
 * @param {number} first  the number of this prompt's first choice
 * @returns {AsyncGenerator<ChunkChoice[], void, void>}
 */
export async function * completionChunks(events, job, first) {
  /** @type {{ queue: LogprobQueue, offset: number }[]} */
  const states = []
  for await (const event of events) {
    const index = first + event.choice
    if ('finish' in event) {
      yield [{ index, text: '', logprobs: null, finish_reason: /** @type {any} */ (event.finish) }]
      continue
    }
    const state = states[event.choice] ??= { queue: new LogprobQueue(), offset: 0 }
    const entries = state.queue.push(event)
    const logprobs = entries.length ? legacyLogprobs(entries, state.offset) : null
    for (const { token } of entries) state.offset += token.length
    if (event.text || logprobs) yield [{ index, text: event.text, logprobs, finish_reason: null }]
  }
}

/**
 * @param {AsyncIterable<{ choices: ChunkChoice[] }>} chunks
 * @param {ChunkJob['header']} header
 * @returns {Promise<Omit<Completion, 'usage'>>}
 */
export async function completion(chunks, header) {
  /** @type {CompletionChoice[]} */
  const choices = []
  for await (const chunk of chunks) {
    for (const { index, text, logprobs, finish_reason: finish } of chunk.choices) {
      const choice = choices[index] ??= { index, text: '', logprobs: null, finish_reason: 'stop' }
      choice.text += text
      if (logprobs) choice.logprobs = choice.logprobs ? joined(choice.logprobs, logprobs) : logprobs
      if (finish) choice.finish_reason = finish
    }
  }
  return { ...header, object: 'text_completion', choices }
}

/**
 * @param {import('./types.d.ts').CompletionLogprobs} a
 * @param {import('./types.d.ts').CompletionLogprobs} b
 */
const joined = (a, b) => ({
  tokens: [...a.tokens, ...b.tokens],
  token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
  top_logprobs: [...a.top_logprobs, ...b.top_logprobs],
  text_offset: [...a.text_offset, ...b.text_offset],
})
