import process from 'node:process'
import { interruptSignal, loadModel, printJson, readText, statsLine } from '../io.js'
import { modelOptions, noMore, readSampling, samplingOptions, samplingUsage, threadsUsage } from '../options.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera generate -m MODEL -p TEXT [options]

Writes the prompt and its continuation.

  -m, --model MODEL         GGUF file or URL
  -p, --prompt TEXT         the text to continue
  -f, --file FILE           read it from a file; - is standard input
  ${samplingUsage}
  --special                 special tokens written in the prompt become tokens
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --json                    { prompt, text, tokens, finish_reason, ... }`

export const options = {
  ...modelOptions,
  ...samplingOptions,
  prompt: { type: 'string', short: 'p' },
  file: { type: 'string', short: 'f' },
  special: { type: 'boolean' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  if ((values.prompt === undefined) === (values.file === undefined)) throw new UsageError('give either -p TEXT or -f FILE')
  const sampling = readSampling(values)
  const prompt = values.prompt ?? await readText(values.file)
  const model = await loadModel(values)
  const { signal, release } = interruptSignal()
  try {
    let text = ''
    let shown = prompt                                  // with the first piece: not when the prompt is refused
    /** @type {number[]} */
    const tokens = []
    for await (const piece of model.generate(prompt, { ...sampling, parseSpecial: values.special, signal })) {
      text += piece.text
      if (piece.token !== undefined) tokens.push(piece.token)
      if (!values.json) process.stdout.write(shown + piece.text)
      shown = ''
    }
    const stats = /** @type {import('../../types.d.ts').Stats} */ (model.lastStats)
    if (values.json) printJson({ prompt, text, tokens, ...statsFields(stats), simd: model.info.simd, threads: model.info.threads })
    else {
      process.stdout.write('\n')
      process.stderr.write(`\n${statsLine(stats, model.info)}\n`)
    }
    return stats.finishReason === 'aborted' ? 130 : 0
  } finally {
    release()
    model.dispose()
  }
}

/**
 * Figures of a generation in the spelling of the command line's JSON.
 *
 * @param {import('../../types.d.ts').Stats} stats
 */
export function statsFields(stats) {
  return {
    finish_reason: stats.finishReason,
    seed: stats.seed,
    prompt_tokens: stats.promptTokens,
    cached_tokens: stats.cachedTokens,
    generated_tokens: stats.generatedTokens,
    ttft_ms: stats.ttftMs,
    prefill_tps: stats.prefillTps,
    decode_tps: stats.decodeTps,
    memory_bytes: stats.memoryBytes,
  }
}
