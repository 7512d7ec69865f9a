import process from 'node:process'
import { createTokenizer } from '../../src/tokenizer.js'
import { printJson, readText } from '../io.js'
import { openHeader } from '../header.js'
import { modelOptions, required } from '../options.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera tokenize -m MODEL [-f FILE | TEXT]

Prints the token ids of a text. Only the header of the file is read, so any architecture will do.

  -m, --model MODEL         GGUF file or URL
  -f, --file FILE           read the text from a file; - is standard input
  --special                 special tokens written in the text become tokens
  --bos                     as a prompt: with BOS where the model asks for it
  --json                    { ids }`

export const options = {
  ...modelOptions,
  file: { type: 'string', short: 'f' },
  special: { type: 'boolean' },
  bos: { type: 'boolean' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  if (positionals.length > 1 || (positionals.length === 1) === (values.file !== undefined)) {
    throw new UsageError('give either -f FILE or one TEXT')
  }
  const model = required(values, 'model', '-m MODEL')
  const text = positionals[0] ?? await readText(values.file)
  const header = await openHeader(model, values)
  try {
    const tokenizer = createTokenizer(header.metadata)
    const ids = Array.from(tokenizer.encode(text, { special: values.special, addBos: values.bos ? undefined : false }))
    if (values.json) printJson({ ids })
    else process.stdout.write(`${ids.join(' ')}\n`)
  } finally {
    header.close()
  }
}
