// Runs in the page: both engines behind one interface, each in its own worker, so that they differ in nothing else.
//
//   run({ prompt, gen, bias }) -> { promptTokens, generated, prefillTps, decodeTps }
//
// The figures are what each engine says of itself. That leaves out wllama's way between page and worker, and
// leaves in ours.

/** @typedef {{ promptTokens: number, generated: number, prefillTps: number, decodeTps: number }} Figures */
/** @typedef {{ prompt: string, gen: number, bias: Record<string, number> }} Job */

const openers = { itera: openItera, wllama: openWllama }

/** @type {Map<string, { run: (job: Job) => Promise<Figures>, close: () => unknown }>} */
const engines = new Map()

/**
 * @param {{ id: string, engine: 'itera' | 'wllama', url: string, threads: number, simd?: string, context: number }} options
 */
export async function open({ id, engine, ...options }) {
  const started = performance.now()
  const { run, close, ...facts } = await openers[engine](options)
  engines.set(id, { run, close })
  return { ...facts, loadMs: performance.now() - started }
}

/** @param {{ id: string } & Job} job */
export const measure = ({ id, ...job }) => engines.get(id).run(job)

/** @param {{ id: string }} which */
export async function close({ id }) {
  await engines.get(id)?.close()
  engines.delete(id)
}

async function openItera({ url, simd, threads, context }) {
  const { Itera } = await import('/package/src/index.js')
  const model = await Itera.load(url, { simd, threads, cache: false })
  return {
    simd: model.info.simd,
    threads: model.info.threads,
    close: () => model.dispose(),
    run: async ({ prompt, gen, bias }) => {
      const pieces = model.generate(prompt, {
        temperature: 0, maxTokens: gen, ignoreEndOfText: true, logitBias: bias, contextTokens: context,
      })
      for (;;) {
        const { done, value } = await pieces.next()
        if (!done) continue
        return {
          promptTokens: value.promptTokens, generated: value.generatedTokens,
          prefillTps: value.prefillTps, decodeTps: value.decodeTps,
        }
      }
    },
  }
}

async function openWllama({ url, threads, context }) {
  const { Wllama } = await import('/peers/@wllama/wllama/esm/index.js')
  const silent = { debug() {}, log() {}, warn() {}, error: console.error }
  const wllama = new Wllama({ default: '/peers/@wllama/wllama/esm/wasm/wllama.wasm' },
    { suppressNativeLog: true, logger: silent })
  const file = await (await fetch(url)).blob()
  // One conversation, as ours; no graphics processor; batches as its native sister has them.
  await wllama.loadModel([file], {
    n_threads: threads, n_ctx: context, n_parallel: 1, n_batch: 2048, n_ubatch: 512, n_gpu_layers: 0,
  })
  return {
    simd: 'simd128',
    threads: wllama.getNumThreads(),
    close: () => wllama.exit(),
    run: async ({ prompt, gen, bias }) => {
      const { timings } = await wllama.createCompletion({
        prompt, max_tokens: gen, temperature: 0, top_k: 1, logit_bias: bias, ignore_eos: true, cache_prompt: false,
      })
      return {
        promptTokens: timings.prompt_n, generated: timings.predicted_n,
        prefillTps: timings.prompt_per_second, decodeTps: timings.predicted_per_second,
      }
    },
  }
}
