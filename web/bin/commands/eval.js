import process from 'node:process'
import { IteraError } from '../../src/errors.js'
import { loadModel, printJson, readText, StatusLine } from '../io.js'
import { count, modelOptions, noMore, required, threadsUsage } from '../options.js'
import { splitDocuments } from '../tokenizer/documents.js'

export const usage = `
usage: itera eval -m MODEL -f TEXTFILE [--context N]

Measures how well the model predicts a text. The file is split into documents at lines that are exactly
<|endoftext|>; each is stripped of white space at both ends, preceded by BOS, followed by EOS, and read from
an empty session. All tokens after BOS count.

  -m, --model MODEL         GGUF file or URL
  -f, --file FILE           - is standard input
  --context N               read at most N tokens in a row, then start again from an empty session
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --json                    { documents, tokens, bytes, nats_per_token, perplexity, bits_per_byte }`

export const options = { ...modelOptions, file: { type: 'string', short: 'f' }, context: { type: 'string' } }

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  const context = count(values, 'context', 0)
  const documents = splitDocuments(await readText(required(values, 'file', '-f TEXTFILE')))
  const model = await loadModel(values)
  const line = new StatusLine()
  try {
    let nats = 0
    let tokens = 0
    let bytes = 0
    for (const [i, text] of documents.entries()) {
      const ids = [...ends(model.info.bosToken), ...await model.tokenize(text), ...ends(model.info.eosToken)]
      for (const window of windows(ids, context)) {
        for (const loss of await model.score(window)) nats += loss
        tokens += window.length - 1
      }
      bytes += Buffer.byteLength(text)
      line.show(`${i + 1} of ${documents.length} documents, ${(nats / tokens).toFixed(4)} nats per token`)
    }
    line.clear()
    if (!tokens) throw new IteraError('argument', `${values.file} has no text to measure`)
    const perToken = nats / tokens
    const result = {
      documents: documents.length, tokens, bytes, nats_per_token: perToken, perplexity: Math.exp(perToken),
      bits_per_byte: nats / (bytes * Math.LN2),
    }
    if (values.json) printJson({ ...result, simd: model.info.simd, threads: model.info.threads })
    else {
      process.stdout.write(`${result.documents} documents, ${tokens} tokens, ${bytes} bytes\n` +
        `${perToken.toFixed(5)} nats per token, perplexity ${result.perplexity.toFixed(4)}, ` +
        `${result.bits_per_byte.toFixed(5)} bits per byte\n`)
    }
  } finally {
    line.clear()
    model.dispose()
  }
}

/** @param {number | null} token */
const ends = token => token === null ? [] : [token]

/**
 * Stretches of which at most `context` tokens are read. Each begins with the last token of the one before, so
 * that every token is predicted once.
 *
 * @param {number[]} ids
 * @param {number} context  0: no limit
 * @returns {number[][]}
 */
function windows(ids, context) {
  const size = context || ids.length
  const list = []
  for (let start = 0; start + 1 < ids.length; start += size) list.push(ids.slice(start, start + size + 1))
  return list
}
