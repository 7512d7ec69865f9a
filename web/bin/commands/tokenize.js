import process from 'node:process'
import { createTokenizer } from '../../src/tokenizer.js'
import { printJson, readText, StatusLine } from '../io.js'
import { openHeader } from '../header.js'
import { modelOptions, required } from '../options.js'
import { readDocuments, readMixture } from '../tokenizer/documents.js'
import { vocabularyHash, writeTokenFile } from '../tokenizer/token-file.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera tokenize -m MODEL [-f FILE | TEXT]
       itera tokenize -m MODEL --out TOKENS.bin (-f FILE | --manifest FILE)

Prints the token ids of a text. Only the header of the file is read, so any architecture will do.

With --out it writes a file to train from: ids of 16 bits, or 32 where the vocabulary needs them, little endian,
BOS before each document and one EOS at the end; TOKENS.bin.json beside it says what it holds. Documents end at
lines that are exactly <|endoftext|> and are stripped of white space at both ends.

  -m, --model MODEL         GGUF file or URL
  -f, --file FILE           read the text from a file; - is standard input
  --out FILE
  --manifest FILE           mix and shuffle several files: { "seed": 1, "sources": [{ "path": "a.txt", "weight": 2,
                            "repeat": 3 }, ...] }; weight: share of the bytes; repeat: how often each document
                            appears, with weights at most; names in .gz are unpacked
  --special                 special tokens written in the text become tokens
  --bos                     as a prompt: with BOS where the model asks for it
  --json                    { ids }, or what TOKENS.bin.json holds`

export const options = {
  ...modelOptions,
  file: { type: 'string', short: 'f' },
  special: { type: 'boolean' },
  bos: { type: 'boolean' },
  out: { type: 'string' },
  manifest: { type: 'string' },
}

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  if (values.out !== undefined) return writeTokens(values, positionals)
  if (values.manifest !== undefined) throw new UsageError('--manifest goes with --out')
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

/** @param {import('../options.js').Values} values @param {string[]} positionals */
async function writeTokens(values, positionals) {
  if (positionals.length || (values.file === undefined) === (values.manifest === undefined)) {
    throw new UsageError('--out needs either -f FILE or --manifest FILE')
  }
  const header = await openHeader(required(values, 'model', '-m MODEL'), values)
  const line = new StatusLine()
  try {
    const tokenizer = createTokenizer(header.metadata)
    const { documents, ...origin } = values.manifest === undefined
      ? { documents: await readDocuments(values.file) }
      : await readMixture(values.manifest)
    const written = await writeTokenFile(values.out, documents, tokenizer, {
      hash: vocabularyHash(header.metadata), special: values.special, origin,
      onProgress: done => line.show(`${done} of ${documents.length} documents`),
    })
    line.clear()
    if (values.json) printJson(written)
    else {
      process.stdout.write(`${values.out}: ${written.tokens} tokens of ${written.type}, ${written.documents} documents, ` +
        `${(written.bytes / written.tokens).toFixed(2)} bytes a token\n`)
    }
  } finally {
    line.clear()
    header.close()
  }
}
