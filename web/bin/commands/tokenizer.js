import { basename } from 'node:path'
import process from 'node:process'
import { IteraError } from '../../src/errors.js'
import { wellFormed } from '../../src/tokenizer/bytes.js'
import { createPreTokenizer, preTokenizerNames } from '../../src/tokenizer/pre-tokenizers.js'
import { SpecialTokens } from '../../src/tokenizer/special-tokens.js'
import { loadWasm } from '../../src/wasm.js'
import { GgufWriter } from '../convert/gguf-writer.js'
import { printJson, readText, StatusLine } from '../io.js'
import { count, required } from '../options.js'
import { writeWhole } from '../output.js'
import { readDocuments, readMixture } from '../tokenizer/documents.js'
import { trainMerges, WordCounter } from '../tokenizer/trainer.js'
import { createVocabulary, vocabularyGguf, vocabularyJson } from '../tokenizer/vocabulary.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera tokenizer train -f FILE... --vocab N -o OUT.gguf|tokenizer.json

Learns a byte-level BPE vocabulary from text. Documents end at lines that are exactly <|endoftext|>; names in .gz
are unpacked. The same text gives the same vocabulary. Ids: 256 bytes, merges, special tokens.

  -f, --file FILE           may be given several times
  --manifest FILE           a mixture of files, as for itera tokenize
  --vocab N                 tokens, special ones included
  -o, --output FILE         by its name: .json is a tokenizer.json, anything else a GGUF file without tensors
  --special A,B,C           special tokens (<|endoftext|>); written in the text, they are learnt nothing from
  --bos NAME  --eos NAME    which of them begin and end a document (both: the first)
  --pad NAME
  --pre NAME                how text is cut into words, by GGUF's names (gpt-2)
  --chat-template FILE      Jinja text that the file carries for conversations
  --min-count N             pairs that occur less often are not merged (2)
  --json                    { output, vocabulary, merges, special, documents, bytes, words }`

export const options = {
  file: { type: 'string', short: 'f', multiple: true },
  manifest: { type: 'string' },
  vocab: { type: 'string' },
  output: { type: 'string', short: 'o' },
  special: { type: 'string' },
  bos: { type: 'string' },
  eos: { type: 'string' },
  pad: { type: 'string' },
  pre: { type: 'string' },
  'chat-template': { type: 'string' },
  'min-count': { type: 'string' },
}

/** Symbols must fit into a pair of them, see trainer.js. */
const MOST_TOKENS = 1 << 20

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  const [action, ...more] = positionals
  if (action !== 'train') throw new UsageError(action ? `unknown action '${action}'; there is 'train'` : "say 'train'")
  const files = [...values.file ?? [], ...more]
  if (Boolean(files.length) === Boolean(values.manifest)) throw new UsageError('give either -f FILE or --manifest FILE')
  const output = required(values, 'output', '-o OUT')
  const special = readSpecial(values.special ?? '<|endoftext|>')
  required(values, 'vocab', '--vocab N')
  const size = count(values, 'vocab', 0, 256 + special.length)
  if (size > MOST_TOKENS) throw new UsageError(`--vocab is at most ${MOST_TOKENS}`)
  const minCount = count(values, 'min-count', 2, 1)
  const pre = values.pre ?? 'gpt-2'
  const preTokenizer = createPreTokenizer(pre)
  if (!preTokenizer) throw new UsageError(`--pre is one of ${preTokenizerNames.join(', ')}, not '${pre}'`)
  // Says what is wrong with the names before the work, not after it.
  const chatTemplate = values['chat-template'] === undefined ? undefined : (await readText(values['chat-template'])).trim()
  const naming = { pre, special, bos: values.bos, eos: values.eos, pad: values.pad, chatTemplate }
  const asJson = output.endsWith('.json')
  const untrained = createVocabulary({ tokens: [], merges: [] }, naming)
  if (asJson && chatTemplate !== undefined) throw new UsageError('tokenizer.json has no place for a chat template; write GGUF')
  if (asJson) vocabularyJson(untrained)

  const line = new StatusLine()
  try {
    const { words, documents, bytes } = await countWords(files, values.manifest, preTokenizer, special)
    const learnt = trainMerges(words, size - special.length, {
      minCount, onProgress: tokens => line.show(`token ${tokens} of ${size}`),
    })
    line.clear()
    const trained = createVocabulary(learnt, naming)
    const written = asJson ? Buffer.from(vocabularyJson(trained)) : await gguf(trained, output)
    await writeWhole(output, file => file.writeFile(written))
    const vocabulary = trained.tokens.length
    if (vocabulary < size) process.stderr.write(`itera: the text has pairs for ${vocabulary} tokens only\n`)
    if (values.json) {
      printJson({ output, vocabulary, merges: learnt.merges.length, special, documents, bytes, words: words.size })
    } else {
      process.stdout.write(`${output}: ${vocabulary} tokens, from ${documents} documents with ${words.size} different words\n`)
    }
  } finally {
    line.clear()
  }
}

/** @param {string} list */
function readSpecial(list) {
  const special = list.split(',').map(name => name.trim()).filter(name => name)
  const twice = special.find((name, i) => special.indexOf(name) !== i)
  if (twice) throw new UsageError(`the special token '${twice}' is there twice`)
  const short = special.find(name => [...name].length < 2)
  if (short) throw new UsageError(`'${short}' is too short for a special token`)
  return special
}

/**
 * @param {string[]} files
 * @param {string | undefined} manifest
 * @param {import('../../src/tokenizer/pre-tokenizers.js').PreTokenizer} preTokenizer
 * @param {string[]} special
 */
async function countWords(files, manifest, preTokenizer, special) {
  const counter = new WordCounter()
  const finder = new SpecialTokens(special.map((text, id) => ({ id, text })))
  let documents = 0
  let bytes = 0
  const add = (/** @type {string[]} */ texts) => {
    for (const text of texts) {
      for (const fragment of finder.split(wellFormed(text))) {
        if (fragment.id < 0) counter.add(preTokenizer.split(fragment.text))
      }
      bytes += Buffer.byteLength(text)
    }
    documents += texts.length
  }
  if (manifest) add((await readMixture(manifest)).documents)
  else for (const path of files) add(await readDocuments(path))
  if (!documents) throw new IteraError('argument', 'there is no text to learn from')
  return { words: counter.counts, documents, bytes }
}

/** @param {import('../tokenizer/vocabulary.js').Trained} trained @param {string} output */
async function gguf(trained, output) {
  const writer = new GgufWriter(await loadWasm({ simd: 'scalar' }))
  try {
    return vocabularyGguf(writer, trained, basename(output).replace(/\.gguf$/, ''))
  } finally {
    writer.free()
  }
}
