import { IteraError } from '../errors.js'
import { byteToCharacter, encodeUtf8, fromByteAlphabet } from './bytes.js'

/**
 * The token list of a GGUF file: texts, kinds, the bytes each token stands for, and the tokens with a role.
 * @typedef {{ get(key: string): any }} MetadataLike
 */

/** Token kinds, as numbered in `tokenizer.ggml.token_type`. */
export const Kind = Object.freeze({
  undefined: 0, normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6,
})

/** A limit far above any vocabulary in use (the largest known are near 260,000), so that a broken count stops early. */
const maxTokens = 2 ** 22

/** What ends a turn, in the order in which a file without `eot_token_id` is searched. */
const endOfTurnTexts = [
  '<|eot_id|>', '<|im_end|>', '<|end|>', '<end_of_turn>', '<|endoftext|>', '<|end_of_text|>', '<EOT>', '_<EOT>',
  '[EOT]', '<｜end▁of▁sentence｜>', '<end_of_utterance>',
]

/** Any of these ends generation wherever it appears in a vocabulary. */
const endOfGenerationTexts = [
  ...endOfTurnTexts, '<|return|>', '<|call|>', '<|flush|>', '<|calls|>', '</s>', '<|eom_id|>', '[EOS]', '<eos>',
  '<turn|>', '<|tool_response>', '[e~[',
]

/** Fill-in-the-middle marks that end generation too: padding, next repository, next file. */
const fillMarks = [
  { key: 'tokenizer.ggml.fim_pad_token_id', texts: ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'] },
  { key: 'tokenizer.ggml.fim_rep_token_id',
    texts: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'] },
  { key: 'tokenizer.ggml.fim_sep_token_id', texts: ['<|file_sep|>'] },
]

/** Marks that belong to the text of a conversation format and are always shown. */
const alwaysShown = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>']

export class Vocabulary {
  /** @type {(Uint8Array | undefined)[]} */
  #bytes = []

  /** @param {MetadataLike} metadata */
  constructor(metadata) {
    this.texts = readTexts(metadata)
    this.size = this.texts.length
    this.kinds = readKinds(metadata, this.size)

    /** @type {Map<string, number>} */
    this.ids = new Map()
    for (let id = 0; id < this.size; id++) {
      // Two tokens of one text: encoding can only reach one of them, the first.
      if (!this.ids.has(this.texts[id])) this.ids.set(this.texts[id], id)
    }

    this.bos = this.#role(metadata, 'tokenizer.ggml.bos_token_id')
    this.eos = this.#role(metadata, 'tokenizer.ggml.eos_token_id')
    this.eot = this.#role(metadata, 'tokenizer.ggml.eot_token_id', endOfTurnTexts)
    this.eom = this.#role(metadata, 'tokenizer.ggml.eom_token_id', ['<|eom_id|>'])
    this.unknown = this.#role(metadata, 'tokenizer.ggml.unknown_token_id')
    this.padding = this.#role(metadata, 'tokenizer.ggml.padding_token_id')
    this.endOfGeneration = this.#endOfGeneration(metadata)
  }

  /**
   * The id under `key`; else the first of `texts` in the vocabulary, which then is a control token whatever kind the
   * file gives it; else null.
   * @param {MetadataLike} metadata
   * @param {string} key
   * @param {string[]} [texts]
   * @returns {number | null}
   */
  #role(metadata, key, texts = []) {
    const id = metadata.get(key)
    if (Number.isInteger(id) && id >= 0 && id < this.size) return id
    for (const text of texts) {
      const found = this.ids.get(text)
      if (found !== undefined) {
        this.#becomesControl(found)
        return found
      }
    }
    return null
  }

  /** @param {number} id */
  #becomesControl(id) {
    this.kinds[id] = Kind.control
  }

  /** @param {MetadataLike} metadata @returns {Set<number>} */
  #endOfGeneration(metadata) {
    /** @type {Set<number>} */
    const ends = new Set()
    for (const { key, texts } of fillMarks) {
      const id = this.#role(metadata, key, texts)
      if (id !== null) ends.add(id)
    }
    for (const text of endOfGenerationTexts) {
      const id = this.ids.get(text)
      if (id === undefined) continue
      this.#becomesControl(id)
      ends.add(id)
    }
    for (const text of alwaysShown) {
      const id = this.ids.get(text)
      if (id !== undefined) this.kinds[id] = Kind.userDefined
    }
    for (const id of [this.eos, this.eot, this.eom]) if (id !== null) ends.add(id)

    /** @param {string} text */
    const endsAt = text => ends.has(this.ids.get(text) ?? -1)
    // Two formats in which a usual end mark only ends a part of an answer.
    const partsOfAnswer = endsAt('<|call|>') || endsAt('<|calls|>')
    if (endsAt('<|end|>') && partsOfAnswer && (endsAt('<|return|>') || endsAt('<|flush|>'))) {
      this.#endsNothing(ends, '<|end|>', Kind.userDefined)
    }
    if (endsAt('</s>') && endsAt('<|tool_response>')) this.#endsNothing(ends, '</s>', Kind.normal)
    return ends
  }

  /** @param {Set<number>} ends @param {string} text @param {number} kind */
  #endsNothing(ends, text, kind) {
    const id = /** @type {number} */ (this.ids.get(text))
    ends.delete(id)
    this.kinds[id] = kind
  }

  /** Control and unknown tokens: left out of decoded text unless asked for. @param {number} id */
  isSpecial(id) {
    return this.kinds[id] === Kind.control || this.kinds[id] === Kind.unknown
  }

  /** What a token adds to the text. @param {number} id  within the vocabulary */
  bytes(id) {
    return (this.#bytes[id] ??= this.#readBytes(id))
  }

  /** @param {number} id @returns {Uint8Array} */
  #readBytes(id) {
    const text = this.texts[id]
    switch (this.kinds[id]) {
      case Kind.normal: return fromByteAlphabet(text)
      case Kind.byte: return Uint8Array.of(parseInt(text.slice(3, 5), 16) || 0) // "<0x0A>"
      case Kind.unknown:
      case Kind.control:
      case Kind.userDefined: return encodeUtf8(text)
      default: return new Uint8Array(0) // unused places have no text
    }
  }

  /** The token of each single byte, -1 where the vocabulary has none. @returns {Int32Array} */
  byteTokens() {
    return Int32Array.from(byteToCharacter, character => this.ids.get(character) ?? -1)
  }
}

/** @param {MetadataLike} metadata @returns {string[]} */
function readTexts(metadata) {
  const texts = metadata.get('tokenizer.ggml.tokens')
  if (!isStringArray(texts)) {
    throw new IteraError('corrupt', 'tokenizer.ggml.tokens is missing or not a list of strings')
  }
  if (texts.length === 0) throw new IteraError('corrupt', 'tokenizer.ggml.tokens is empty')
  if (texts.length > maxTokens) {
    throw new IteraError('corrupt', `tokenizer.ggml.tokens has ${texts.length} entries, more than ${maxTokens}`)
  }
  // An empty token could never be met in a text; llama.cpp names such places so.
  return texts.map((text, id) => text === '' ? `[EMPTY_${id}]` : text)
}

/** @param {MetadataLike} metadata @param {number} size @returns {Uint8Array} */
function readKinds(metadata, size) {
  const types = metadata.get('tokenizer.ggml.token_type')
  if (types === undefined || types === null) return new Uint8Array(size).fill(Kind.normal)
  if (typeof types !== 'object' || !(types.length >= size)) {
    throw new IteraError('corrupt', `tokenizer.ggml.token_type does not cover the ${size} tokens`)
  }
  const kindOf = (/** @type {number} */ type) => type >= 0 && type <= Kind.byte ? type : Kind.undefined
  return Uint8Array.from({ length: size }, (_, id) => kindOf(types[id]))
}

/** @param {any} value @returns {value is string[]} */
export function isStringArray(value) {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}
