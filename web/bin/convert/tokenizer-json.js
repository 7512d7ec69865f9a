import { IteraError } from '../../src/errors.js'
import { readJson } from './config.js'

/**
 * A tokenizer.json of the Hugging Face library (byte-level BPE) as the keys that GGUF has for it.
 *
 * @typedef {import('./gguf-writer.js').GgufWriter} GgufWriter
 */

/** Token kinds of `tokenizer.ggml.token_type`. */
const Kind = Object.freeze({ normal: 1, control: 3, userDefined: 4, unused: 5 })

/** Usual names of tokens with a role, where no config beside the tokenizer tells. */
const usualNames = {
  bos: ['<|begin_of_text|>', '<|startoftext|>', '<|endoftext|>', '<s>', '<bos>', '[BOS]'],
  eos: ['<|end_of_text|>', '<|endoftext|>', '</s>', '<eos>', '[EOS]'],
  unknown: ['<unk>', '[UNK]', '<|unk|>'],
  padding: ['<|pad|>', '<pad>', '[PAD]'],
}

/** What each role is called in tokenizer_config.json. */
const configKeys = { bos: 'bos_token', eos: 'eos_token', unknown: 'unk_token', padding: 'pad_token' }

/**
 * @param {GgufWriter} writer
 * @param {string} path  of tokenizer.json
 * @param {number} vocabulary  rows of the embedding; tokens beyond the tokenizer's own become unused ones
 */
export async function writeTokenizer(writer, path, vocabulary) {
  const json = await readJson(path)
  const { tokens, kinds } = readTokens(path, json, vocabulary)
  writer.string('tokenizer.ggml.model', 'gpt2')
  writer.string('tokenizer.ggml.pre', preTokenizerName(path, json))
  writer.strings('tokenizer.ggml.tokens', tokens)
  writer.i32s('tokenizer.ggml.token_type', kinds)
  writer.strings('tokenizer.ggml.merges', readMerges(path, json))

  const config = await readOptionalJson(path.replace(/[^/\\]*$/, 'tokenizer_config.json'))
  for (const role of /** @type {(keyof typeof usualNames)[]} */ (Object.keys(usualNames))) {
    const named = config[configKeys[role]]?.content ?? config[configKeys[role]]
    const id = [named, ...usualNames[role]].map(name => tokens.indexOf(name)).find(at => at >= 0)
    if (id !== undefined) writer.u32(`tokenizer.ggml.${role}_token_id`, id)
  }
  writer.bool('tokenizer.ggml.add_bos_token', config.add_bos_token === true)
  if (typeof config.chat_template === 'string') writer.string('tokenizer.chat_template', config.chat_template)
}

/** @param {string} path @returns {Promise<Record<string, any>>} empty where there is no such file */
async function readOptionalJson(path) {
  try {
    return await readJson(path)
  } catch (error) {
    if (error instanceof IteraError && error.code === 'not-found') return {}
    throw error
  }
}

/**
 * @param {string} path
 * @param {any} json
 * @param {number} vocabulary
 */
function readTokens(path, json, vocabulary) {
  const vocab = json.model?.vocab
  if (json.model?.type !== undefined && json.model.type !== 'BPE') {
    throw new IteraError('unsupported', `${path} is a ${json.model.type} tokenizer; supported is byte-level BPE`)
  }
  if (typeof vocab !== 'object' || vocab === null) throw new IteraError('corrupt', `${path} has no model.vocab`)
  /** @type {string[]} */
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[PAD${id}]`)
  const kinds = new Int32Array(vocabulary).fill(Kind.unused)
  const put = (/** @type {unknown} */ id, /** @type {string} */ text, /** @type {number} */ kind) => {
    const at = Number.isInteger(id) ? Number(id) : -1
    if (at < 0 || at >= vocabulary) {
      throw new IteraError('corrupt', `${path}: token '${text}' has id ${String(id)}, outside the model's ${vocabulary}`)
    }
    tokens[at] = text
    kinds[at] = kind
  }
  for (const [text, id] of Object.entries(vocab)) put(id, text, Kind.normal)
  for (const { id, content, special } of json.added_tokens ?? []) {
    put(id, String(content), special ? Kind.control : Kind.userDefined)
  }
  return { tokens, kinds }
}

/**
 * Pairs are written "a b", in newer files as [a, b].
 *
 * @param {string} path
 * @param {any} json
 * @returns {string[]}
 */
function readMerges(path, json) {
  const merges = json.model?.merges
  if (!Array.isArray(merges)) throw new IteraError('corrupt', `${path} has no model.merges`)
  return merges.map(merge => Array.isArray(merge) ? merge.join(' ') : String(merge))
}

/**
 * The name of the pre-tokenizer, by its regular expression. ByteLevel alone, with its own expression, is GPT-2's.
 *
 * @param {string} path
 * @param {any} json
 * @returns {string}
 */
function preTokenizerName(path, json) {
  const steps = json.pre_tokenizer?.pretokenizers ?? [json.pre_tokenizer]
  const byteLevel = steps.find((/** @type {any} */ step) => step?.type === 'ByteLevel')
  const pattern = steps.map((/** @type {any} */ step) => step?.pattern?.Regex).find(Boolean)
  if (!byteLevel) throw new IteraError('unsupported', `${path} is not a byte-level tokenizer`)
  if (byteLevel.add_prefix_space) {
    throw new IteraError('unsupported', `${path} puts a space before every text, which is not supported`)
  }
  if (!pattern) {
    const digits = steps.some((/** @type {any} */ step) => step?.type === 'Digits' && step.individual_digits)
    return digits ? 'starcoder' : 'gpt-2'
  }
  if (pattern.includes('\\p{N}{1,3}')) return json.model?.ignore_merges ? 'llama-bpe' : 'dbrx'
  if (pattern.includes('|\\p{N}|')) return 'qwen2'
  throw new IteraError('unsupported', `${path} has a pre-tokenizer whose expression is not known: ${pattern}`)
}
