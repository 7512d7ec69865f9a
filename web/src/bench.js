import { Itera } from './index.js'

/**
 * Measures one model on this engine: load time, prompt reading, generation. The same code runs in Node and in
 * browsers, over the public interface only, so its figures are what a user of the package gets.
 *
 * @typedef {import('../types.d.ts').BenchResult} BenchResult
 *
 * @param {import('../types.d.ts').ModelSource} source
 * @param {import('../types.d.ts').BenchOptions} [options]
 * @returns {Promise<BenchResult>}
 */
export async function benchmark(source, { prompt = 512, gen = 128, repeat = 3, simd = 'auto', threads = 'auto' } = {}) {
  const start = performance.now()
  const model = await Itera.load(source, { simd, threads, cache: false })
  const loadMs = performance.now() - start
  try {
    const { vocabulary, contextLength } = model.info
    // Leave room for what is generated where the model has an end.
    const promptTokens = contextLength ? Math.max(1, Math.min(prompt, contextLength - gen)) : prompt
    const tokens = randomTokens(promptTokens, vocabulary)
    const options = { temperature: 0, maxTokens: Math.max(gen, 1), ignoreEndOfText: true }
    const run = async () => {
      const pieces = model.generate(tokens, options)
      for (;;) {
        const { done, value } = await pieces.next()
        if (done) return value
      }
    }
    await run()                                         // engines compile in tiers: the first run is not the speed
    const runs = []
    for (let i = 0; i < repeat; i++) runs.push(await run())
    const { info } = model
    return {
      model: info.name,
      arch: info.architecture,
      simd: info.simd,
      threads: info.threads,
      engine: engineName(),
      load_ms: round(loadMs, 1),
      prefill_tps: round(median(runs.map(stats => stats.prefillTps)), 1),
      decode_tps: round(median(runs.map(stats => stats.decodeTps)), 1),
      ttft_ms: round(median(runs.map(stats => stats.ttftMs)), 2),
      memory_bytes: info.memoryBytes,
      wasm_bytes: info.wasmBytes,
      prompt_tokens: promptTokens,
      generated_tokens: runs[0]?.generatedTokens ?? 0,
    }
  } finally {
    model.dispose()
  }
}

/**
 * The same tokens every time, spread over the vocabulary, so that experts are chosen as in ordinary use.
 *
 * @param {number} count
 * @param {number} vocabulary
 * @returns {number[]}
 */
function randomTokens(count, vocabulary) {
  let state = 12345
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % vocabulary
  })
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** @param {number} value @param {number} digits */
const round = (value, digits) => Number(value.toFixed(digits))

function engineName() {
  const { process, navigator } = globalThis
  if (typeof process?.versions?.node === 'string') return `node ${process.versions.node} (v8 ${process.versions.v8})`
  const agent = navigator?.userAgent ?? ''
  const match = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(agent)
  return match ? `${match[1].replace('Version', 'Safari').toLowerCase()} ${match[2]}` : agent
}
