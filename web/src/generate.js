import { IteraError } from './errors.js'
import { breathe } from './platform.js'
import { Sampler } from './sampler.js'
import { StopStrings } from './stop-strings.js'

/**
 * The generation loop: reads the prompt, then samples, shows and feeds one token after another.
 *
 * @typedef {import('./options.js').GenerationOptions} GenerationOptions
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('../types.d.ts').Piece} Piece
 * @typedef {import('../types.d.ts').Stats} Stats
 *
 * @typedef {object} Job
 * @property {import('./engine.js').Engine} engine
 * @property {Session} session
 * @property {Int32Array} prompt  tokens to feed now; none where the session's last logits are to be sampled from
 * @property {Int32Array} history  the tokens before them, already part of the session's state
 * @property {GenerationOptions} options
 * @property {AbortSignal} signal
 * @property {(piece: Piece) => void} emit
 * @property {(tokens: ArrayLike<number>) => void} [onFed]  told of tokens as they become part of the state
 * @property {number[]} [cuts]  places in the prompt, ascending, at which onFed must be told
 * @property {() => void} [onPrompt]  told once, when the first token is out and the state still ends with the prompt
 * @property {{ seed: number, state: Uint8Array | null }} [random]  a random sequence to go on with, and to leave as
 *   far as it was used; state is null before its beginning
 * @property {import('./grammar.js').Matcher} [grammar]  what the text must follow
 * @property {boolean} [special]  special tokens are part of the text
 */

/** Tokens of an answer for which room is made with the prompt: a client may allow millions and read one. */
const LIKELY_TOKENS = 1024

/** How long an answer may well be. @param {GenerationOptions} options */
export const likelyTokens = ({ maxTokens }) => Math.min(maxTokens, LIKELY_TOKENS)

/**
 * @param {Job} job
 * @returns {Promise<Stats>}
 */
export async function generate(job) {
  const { engine, session, prompt, history, options, signal } = job
  if (!prompt.length && !session.position) {
    throw new IteraError('argument', 'the prompt is empty, and this model has no token to begin with')
  }
  const started = performance.now()
  const clock = { prefilled: started, first: started, last: started }
  const random = job.random ?? { seed: options.seed, state: null }
  const sampler = new Sampler(engine.wasm, engine.vocabulary, { ...options, seed: random.seed })
  /** @type {{ count: number, reason: Stats['finishReason'] }} */
  let outcome = { count: 0, reason: 'aborted' }
  session.trace(options.trace)
  try {
    if (random.state) sampler.random = random.state
    // Penalties look at the last tokens only, prompt included.
    sampler.accept(history.subarray(Math.max(0, history.length - options.penaltyWindow)))
    sampler.accept(prompt.subarray(Math.max(0, prompt.length - options.penaltyWindow)))
    if (await readPrompt(job)) {
      clock.prefilled = performance.now()
      outcome = options.maxTokens > 0 ? await decode(job, sampler, clock) : { count: 0, reason: 'length' }
    }
    random.state = sampler.random
  } finally {
    sampler.free()
  }
  const seconds = (/** @type {number} */ from, /** @type {number} */ to) => Math.max(to - from, 1e-3) / 1000
  return {
    promptTokens: history.length + prompt.length,
    cachedTokens: history.length,
    generatedTokens: outcome.count,
    ttftMs: clock.first - started,
    prefillTps: prompt.length / seconds(started, clock.prefilled),
    // The first token comes out of the prompt; the others each took one step.
    decodeTps: outcome.count > 1 ? (outcome.count - 1) / seconds(clock.first, clock.last) : 0,
    finishReason: outcome.reason,
    seed: random.seed,
    memoryBytes: engine.wasm.memoryBytes,
  }
}

/**
 * @param {Job} job
 * @returns {Promise<boolean>} false when aborted before the end
 */
async function readPrompt({ session, prompt, history, options, signal, onFed, cuts }) {
  try {
    session.makeRoom(prompt.length, likelyTokens(options))
    return await session.prefill(prompt, signal, onFed, cuts)
  } catch (error) {
    if (!(error instanceof IteraError) || error.code !== 'context-full') throw error
    const tokens = history.length + prompt.length
    throw new IteraError('context-full', `the prompt of ${tokens} tokens is too long: ${error.message}`)
  }
}

/**
 * @param {Job} job
 * @param {Sampler} sampler
 * @param {{ first: number, last: number }} clock
 * @returns {Promise<{ count: number, reason: Stats['finishReason'] }>}
 */
async function decode({ engine, session, options, signal, emit, onFed, onPrompt, grammar, special }, sampler, clock) {
  const text = engine.decodeStream({ special })
  const stops = new StopStrings(options.stop)
  const ends = options.ignoreEndOfText ? new Set() : engine.endOfGeneration
  // What is left when generation ends without a stop string: an unfinished character, text held back.
  const finish = (/** @type {number} */ count, /** @type {Stats['finishReason']} */ reason) => {
    const rest = stops.push(text.flush())
    const left = rest.stopped ? rest.text : rest.text + stops.flush()
    if (left) emit({ text: left })
    return { count, reason }
  }
  for (let count = 0; ;) {
    if (signal.aborted) return finish(count, 'aborted')
    if (grammar) sampler.mask(await grammar.mask())
    const token = sampler.sample(session)
    grammar?.accept(token)
    clock.last = performance.now()
    if (count === 0) clock.first = clock.last
    count++
    if (ends.has(token)) return finish(count, 'stop')

    const shown = stops.push(text.push(token))
    emit({
      text: shown.text, token, ...probabilities(engine, session, sampler, options.logprobs),
      ...options.trace && engine.trace(session),
    })
    if (shown.stopped) return { count, reason: 'stop' }
    if (grammar?.ended) return finish(count, 'stop')
    if (count >= options.maxTokens) return finish(count, 'length')

    if (count === 1) onPrompt?.()
    sampler.accept([token])
    try {
      session.feed([token])
    } catch (error) {
      if (error instanceof IteraError && error.code === 'context-full') return finish(count, 'length')
      throw error
    }
    onFed?.([token])
    await breathe()
  }
}

/**
 * @param {import('./engine.js').Engine} engine
 * @param {Session} session
 * @param {Sampler} sampler
 * @param {number} alternatives  -1: nothing is asked for
 * @returns {Partial<Piece>}
 */
function probabilities(engine, session, sampler, alternatives) {
  if (alternatives < 0) return {}
  const logprob = sampler.logprob(session)
  if (alternatives === 0) return { logprob }
  const top = sampler.top(session, alternatives)
  return { logprob, top: top.map(({ token, logprob }) => ({ token, logprob, text: engine.tokenText(token) })) }
}
