// Runs in the page: a conversation of many turns, which each engine is handed whole every time, as web applications do.
// What counts is how long it takes to the first word, and how many tokens were read for it.

const openers = { itera: openItera, wllama: openWllama }

/**
 * @param {{ engine: 'itera' | 'wllama', url: string, context: number, warmup: string, messages: string[], gen: number,
 *   bias: Record<string, number> }} options
 * @returns {Promise<{ ttftMs: number, prompt: number, cached: number }[]>} a turn each
 */
export async function turns({ engine, url, context, warmup, messages, gen, bias }) {
  const { complete, close } = await openers[engine](url, context, bias)
  const request = prompt => ({ prompt, max_tokens: gen, temperature: 0, top_k: 1, logit_bias: bias, ignore_eos: true })
  try {
    // Compilers in tiers: other words than the conversation's, until figures settle.
    for (const until = performance.now() + 4000; performance.now() < until;) await complete(request(warmup))
    const rows = []
    let text = ''
    for (const message of messages) {
      text = text ? `${text} ${message}` : message
      const { answer, ...row } = await complete(request(text))
      text += answer
      rows.push(row)
    }
    return rows
  } finally {
    await close()
  }
}

async function openItera(url, context, bias) {
  const { Itera } = await import('/package/src/index.js')
  const model = await Itera.load(url, { threads: 1, cache: false, contextTokens: context })
  return {
    close: () => model.dispose(),
    complete: async ({ ignore_eos: _, top_k: __, ...request }) => {
      // This interface goes to 100, and knows no other way to keep a model from ending its text.
      request.logit_bias = { [model.info.eosToken ?? 0]: -100 }
      for (const [token, value] of Object.entries(bias)) request.logit_bias[token] = Math.min(value, 100)
      const begin = performance.now()
      const stream = await model.openai.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })
      const seen = await firstWord(stream, begin)
      return { ...seen, prompt: seen.usage.prompt_tokens, cached: seen.usage.prompt_tokens_details.cached_tokens, usage: undefined }
    },
  }
}

async function openWllama(url, context) {
  const { Wllama } = await import('/peers/@wllama/wllama/esm/index.js')
  const silent = { debug() {}, log() {}, warn() {}, error: console.error }
  const wllama = new Wllama({ default: '/peers/@wllama/wllama/esm/wasm/wllama.wasm' }, { suppressNativeLog: true, logger: silent })
  const file = await (await fetch(url)).blob()
  await wllama.loadModel([file], { n_threads: 1, n_ctx: context, n_parallel: 1, n_batch: 2048, n_ubatch: 512, n_gpu_layers: 0 })
  return {
    close: () => wllama.exit(),
    complete: async request => {
      const begin = performance.now()
      let timings
      const stream = await wllama.createCompletion({ ...request, cache_prompt: true, stream: true, timings_per_token: true })
      const seen = await firstWord((async function* () {
        for await (const chunk of stream) {
          timings = chunk.timings ?? timings
          yield chunk
        }
      })(), begin)
      return { ttftMs: seen.ttftMs, answer: seen.answer, prompt: timings.prompt_n + (timings.cache_n ?? 0), cached: timings.cache_n ?? 0 }
    },
  }
}

/** @param {AsyncIterable<any>} stream @param {number} begin */
async function firstWord(stream, begin) {
  let ttftMs = 0
  let answer = ''
  let usage
  for await (const chunk of stream) {
    const text = chunk.choices?.[0]?.text ?? ''
    if (text && !ttftMs) ttftMs = performance.now() - begin
    answer += text
    usage = chunk.usage ?? usage
  }
  return { ttftMs, answer, usage }
}
