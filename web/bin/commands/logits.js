import process from 'node:process'
import { IteraError } from '../../src/errors.js'
import { loadModel, printJson, readText } from '../io.js'
import { count, modelOptions, noMore, required, threadsUsage } from '../options.js'
import { writeWhole } from '../output.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera logits -m MODEL --tokens 1,2,3|FILE.json -o OUT.f32 [--step | --piece N]

Writes the logits after every token: float32, little endian, [tokens, vocabulary].

  -m, --model MODEL         GGUF file or URL
  --tokens LIST             ids with commas, or a JSON file with a list of them
  -o, --output FILE
  --step                    feed one token at a time, as in generation
  --piece N                 feed N tokens at a time; otherwise all at once
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --json                    { tokens, vocabulary, output, simd, threads }`

export const options = {
  ...modelOptions,
  tokens: { type: 'string' },
  output: { type: 'string', short: 'o' },
  step: { type: 'boolean' },
  piece: { type: 'string' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  const output = required(values, 'output', '-o OUT.f32')
  if (values.step && values.piece) throw new UsageError('--step and --piece exclude each other')
  const piece = count(values, 'piece', 0)
  const tokens = await readTokens(required(values, 'tokens'))
  const model = await loadModel(values)
  try {
    const logits = await model.logits(tokens, { piece, step: values.step })
    const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength)
    await writeWhole(output, file => file.writeFile(bytes))
    const { vocabulary, simd, threads } = model.info
    if (values.json) printJson({ tokens: tokens.length, vocabulary, output, simd, threads })
    else process.stdout.write(`${output}: ${tokens.length} x ${vocabulary} logits\n`)
  } finally {
    model.dispose()
  }
}

/** @param {string} text @returns {Promise<number[]>} */
async function readTokens(text) {
  const isList = /^\s*\d+(\s*,\s*\d+)*\s*,?\s*$/.test(text)
  if (isList) return text.split(',').filter(id => id.trim()).map(Number)
  let value
  try {
    value = JSON.parse(await readText(text))
  } catch (error) {
    if (error instanceof IteraError) throw error
    throw new UsageError(`${text} is not JSON`)
  }
  const ids = Array.isArray(value) ? value : value?.tokens ?? value?.ids
  if (Array.isArray(ids) && ids.length && ids.every(Number.isSafeInteger)) return ids
  throw new UsageError(`${text} does not hold a list of token ids`)
}
