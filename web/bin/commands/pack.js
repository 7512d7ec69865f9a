import process from 'node:process'
import { interruptSignal, loadModel, megabytes, printJson, readText, StatusLine } from '../io.js'
import { count, modelOptions, noMore, required, threadsUsage } from '../options.js'
import { writeWhole } from '../output.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera pack -m MODEL --system FILE -o PACK

Reads a system message once and writes what the model remembers of it: a file that an app ships, for
model.chat({ pack }), so that a long system message costs nothing when a conversation begins.

  -m, --model MODEL         GGUF file or URL; the pack is for this file only
  --system FILE             the message; - is standard input
  -o, --output FILE
  --form FORM               f32, or f16 for half the size, each number off by at most a 2048th of itself (f32)
  --context N               most tokens to read, on models with attention (as many as they were made for)
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --json                    { output, bytes, tokens, form, simd }`

export const options = {
  ...modelOptions,
  system: { type: 'string' },
  output: { type: 'string', short: 'o' },
  form: { type: 'string' },
  context: { type: 'string' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  const output = required(values, 'output', '-o PACK')
  const { form = 'f32' } = values
  if (form !== 'f32' && form !== 'f16') throw new UsageError(`--form is f32 or f16, not '${form}'`)
  const contextTokens = count(values, 'context', 0)
  const system = (await readText(required(values, 'system', '--system FILE'))).trimEnd()
  const model = await loadModel(values)
  const line = new StatusLine()
  const { signal, release } = interruptSignal()
  try {
    line.show('reading the message')
    const pack = await model.pack({ system, form, contextTokens, signal })
    const bytes = new Uint8Array(await pack.arrayBuffer())
    await writeWhole(output, file => file.writeFile(bytes))
    const chat = await model.restore(bytes, { checkpointBytes: 0 })
    const { tokens } = await chat.info()
    line.clear()
    if (values.json) printJson({ output, bytes: pack.size, tokens, form, simd: model.info.simd, threads: model.info.threads })
    else process.stdout.write(`${output}: ${tokens} tokens in ${megabytes(pack.size)}\n`)
  } finally {
    line.clear()
    release()
    model.dispose()
  }
}
