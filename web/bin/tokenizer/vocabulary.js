import { Kind } from '../../src/tokenizer/vocabulary.js'
import { UsageError } from '../usage.js'

/**
 * A trained vocabulary and the two forms in which it is written. Token ids: the 256 bytes, the merges in order, the
 * special tokens.
 *
 * @typedef {import('../convert/gguf-writer.js').GgufWriter} GgufWriter
 *
 * @typedef {object} Trained
 * @property {string} pre         name of the pre-tokenizer
 * @property {string[]} tokens    in the byte alphabet; special ones as they are
 * @property {Int32Array} kinds
 * @property {string[]} merges    "left right", in the byte alphabet
 * @property {string[]} special
 * @property {{ bos: number | null, eos: number | null, padding: number | null }} roles  ids
 * @property {string | undefined} chatTemplate  Jinja text
 */

/**
 * @param {import('./trainer.js').Merges} learnt
 * @param {{ pre: string, special: string[], bos?: string, eos?: string, pad?: string, chatTemplate?: string }} options  roles: a special token;
 *   begin and end are the first one unless something else is said
 * @returns {Trained}
 */
export function createVocabulary({ tokens, merges }, { pre, special, bos, eos, pad, chatTemplate }) {
  const first = tokens.length
  const role = (/** @type {string | undefined} */ name) => {
    if (name === undefined) return null
    if (!special.includes(name)) throw new UsageError(`'${name}' is none of the special tokens: ${special.join(', ')}`)
    return first + special.indexOf(name)
  }
  return {
    pre, merges, special, chatTemplate,
    tokens: [...tokens, ...special],
    kinds: Int32Array.from({ length: first + special.length }, (_, id) => id < first ? Kind.normal : Kind.control),
    roles: { bos: role(bos ?? special[0]), eos: role(eos ?? special[0]), padding: role(pad) },
  }
}

/**
 * What createTokenizer reads.
 *
 * @param {Trained} trained
 * @returns {Record<string, any>}
 */
export function vocabularyMetadata({ pre, tokens, kinds, merges, roles, chatTemplate }) {
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': pre,
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': kinds,
    'tokenizer.ggml.merges': merges,
    ...roles.bos === null ? {} : { 'tokenizer.ggml.bos_token_id': roles.bos },
    ...roles.eos === null ? {} : { 'tokenizer.ggml.eos_token_id': roles.eos },
    ...roles.padding === null ? {} : { 'tokenizer.ggml.padding_token_id': roles.padding },
    'tokenizer.ggml.add_bos_token': roles.bos !== null,
    ...chatTemplate === undefined ? {} : { 'tokenizer.chat_template': chatTemplate },
  }
}

/**
 * A GGUF file of a vocabulary alone: no tensors. Programs want an architecture that they know even so.
 *
 * @param {GgufWriter} writer
 * @param {Trained} trained
 * @param {string} name
 * @returns {Uint8Array}
 */
export function vocabularyGguf(writer, trained, name) {
  writer.string('general.architecture', 'gpt2')
  writer.string('general.name', name)
  for (const [key, value] of Object.entries(vocabularyMetadata(trained))) {
    if (typeof value === 'string') writer.string(key, value)
    else if (typeof value === 'boolean') writer.bool(key, value)
    else if (typeof value === 'number') writer.u32(key, value)
    else if (value instanceof Int32Array) writer.i32s(key, value)
    else writer.strings(key, value)
  }
  return writer.header()
}

/** Pre-tokenizers that tokenizer.json can say without an expression. */
const jsonPreTokenizers = {
  'gpt-2': [],
  starcoder: [{ type: 'Digits', individual_digits: true }],
}

/**
 * The file of Hugging Face's library.
 *
 * @param {Trained} trained
 * @returns {string}
 */
export function vocabularyJson({ pre, tokens, merges, special }) {
  if (!Object.hasOwn(jsonPreTokenizers, pre)) {
    const names = Object.keys(jsonPreTokenizers).join(', ')
    throw new UsageError(`tokenizer.json is written for --pre ${names}; write GGUF for '${pre}'`)
  }
  const steps = jsonPreTokenizers[/** @type {keyof typeof jsonPreTokenizers} */ (pre)]
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const first = tokens.length - special.length
  return `${JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, i) => ({
      id: first + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true,
    })),
    normalizer: null,
    pre_tokenizer: steps.length ? { type: 'Sequence', pretokenizers: [...steps, byteLevel] } : byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
      fuse_unk: false, byte_fallback: false, ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }, null, 1)}\n`
}
