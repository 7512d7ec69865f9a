import { basename } from 'node:path'
import process from 'node:process'
import { benchmark } from '../../src/bench.js'
import { benchmarkInBrowser, browserNames } from '../browser.js'
import { printJson } from '../io.js'
import { count, modelOptions, noMore, required, simd, threads, threadsUsage } from '../options.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera bench -m MODEL [options]

Measures load time, prompt reading and generation: one run to warm up, then the medians of the rest.

  -m, --model MODEL         GGUF file or URL
  --prompt N                tokens to read (512)
  --gen N                   tokens to write (128)
  --repeat N                runs (3)
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --browser NAME            measure in ${browserNames.join(' or ')} instead of Node
  --json                    { model, arch, simd, threads, engine, load_ms, prefill_tps, decode_tps, ttft_ms,
                              memory_bytes, wasm_bytes }`

export const options = {
  ...modelOptions,
  prompt: { type: 'string' },
  gen: { type: 'string' },
  repeat: { type: 'string' },
  browser: { type: 'string' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  const model = required(values, 'model', '-m MODEL')
  const wanted = {
    prompt: count(values, 'prompt', 512, 1),
    gen: count(values, 'gen', 128, 1),
    repeat: count(values, 'repeat', 3, 1),
    simd: simd(values),
    threads: threads(values),
  }
  if (values.browser && !browserNames.includes(values.browser)) {
    throw new UsageError(`--browser is one of ${browserNames.join(', ')}, not '${values.browser}'`)
  }
  const result = values.browser
    ? await benchmarkInBrowser(values.browser, model, wanted)
    : await benchmark(model, wanted)
  result.model ||= basename(model)                      // not every file has a name inside
  if (values.json) return printJson(result)
  process.stdout.write(`${result.model || result.arch} on ${result.engine}, ${result.simd}, ${result.threads} thread${result.threads > 1 ? 's' : ''}\n` +
    `load ${result.load_ms} ms, first token ${result.ttft_ms} ms, memory ${(result.memory_bytes / 1e6).toFixed(1)} MB\n` +
    `prompt ${result.prefill_tps} tokens/s, generation ${result.decode_tps} tokens/s\n`)
}
