/**
 * Text to tokens and back, over the metadata of a GGUF file: byte-level BPE, token for token as llama.cpp does it.
 *
 * Encoding goes through four stages, each in a file of tokenizer/: special tokens written in the text are set apart;
 * the pre-tokenizer cuts the rest into words; the bytes of each word are merged by rank; what remains are tokens.
 * Decoding joins the bytes of the tokens, so any text comes back exactly. (llama.cpp's `clean_spaces`, which drops
 * spaces before punctuation when a whole text is decoded at once, is left out for that reason: its streaming does not
 * do it either.)
 */

import { IteraError } from './errors.js'
import {
  byteToCharacter, createUtf8Decoder, encodeUtf8, fromByteAlphabet, toByteAlphabet, wellFormed,
} from './tokenizer/bytes.js'
import { Merger, PairTable, maxMerges } from './tokenizer/merges.js'
import { createPreTokenizer, preTokenizerNames } from './tokenizer/pre-tokenizers.js'
import { SpecialTokens } from './tokenizer/special-tokens.js'
import { isStringArray, Kind, Vocabulary } from './tokenizer/vocabulary.js'

/**
 * @typedef {import('./tokenizer/vocabulary.js').MetadataLike} MetadataLike
 * @typedef {ReturnType<typeof createTokenizer>} Tokenizer
 */

/** Words of natural text repeat: their tokens are kept. Full, the cache starts anew, which bounds it at a few MB. */
const cacheWords = 1 << 15
const cacheWordLength = 48

/**
 * Whether the file carries a tokenizer at all; without one a model can still be fed token ids.
 * @param {MetadataLike} metadata
 */
export function hasTokenizer(metadata) {
  const model = metadata.get('tokenizer.ggml.model')
  return model !== undefined && model !== 'none' && model !== 'no_vocab'
}

/**
 * @param {MetadataLike} metadata  `get(key)` gives the value of a GGUF key, undefined where there is none
 */
export function createTokenizer(metadata) {
  const preTokenizer = choosePreTokenizer(metadata)
  const vocabulary = new Vocabulary(metadata)
  const words = new WordEncoder(vocabulary, metadata, preTokenizer.wholeWords)

  const { bos, eos, eot, endOfGeneration, size } = vocabulary
  const addsBos = booleanOr(metadata.get('tokenizer.ggml.add_bos_token'), preTokenizer.addBos) && bos !== null
  const addsEos = booleanOr(metadata.get('tokenizer.ggml.add_eos_token'), false) && eos !== null

  // User-defined tokens are found in any text, the rest only where special tokens are asked for.
  const userDefined = new SpecialTokens(tokensOfKinds(vocabulary, [Kind.userDefined]))
  const allSpecial = new SpecialTokens(tokensOfKinds(vocabulary, [Kind.userDefined, Kind.control, Kind.unknown]))

  /** @param {number} id */
  function checkId(id) {
    if (!(Number.isInteger(id) && id >= 0 && id < size)) {
      throw new IteraError('token', `${id} is not a token of this vocabulary of ${size}`)
    }
    return id
  }

  /**
   * A decoder for one token after another.
   * @param {{ special?: boolean }} [options]  special: show special tokens, which are left out otherwise
   */
  function decodeStream({ special = false } = {}) {
    const decoder = createUtf8Decoder()
    return {
      /**
       * What this token completes: whole characters only, often none after a part of one.
       * @param {number} id
       * @returns {string}
       */
      push(id) {
        if (vocabulary.isSpecial(checkId(id)) && !special) return ''
        return decoder.decode(vocabulary.bytes(id), { stream: true })
      },
      /** The end: an unfinished character becomes U+FFFD. @returns {string} */
      flush: () => decoder.decode(),
    }
  }

  return {
    /** Number of tokens. */
    size,
    /** Ids with a role, null where the file names none. */
    bos,
    eos,
    eot,
    /** Every token that ends generation. @type {ReadonlySet<number>} */
    endOfGeneration,
    /** Whether the file asks for BOS before a text, and for EOS after it. */
    addsBos,
    addsEos,

    /**
     * @param {string} text
     * @param {{ special?: boolean, addBos?: boolean, addEos?: boolean }} [options]
     *   special: special tokens written in the text become those tokens;
     *   addBos: undefined leaves it to the file; addEos: only on request
     * @returns {Int32Array}
     */
    encode(text, { special = false, addBos = addsBos, addEos = false } = {}) {
      const ids = new IdList()
      if (addBos && bos !== null) ids.push(bos)
      for (const fragment of (special ? allSpecial : userDefined).split(wellFormed(text))) {
        if (fragment.id >= 0) ids.push(fragment.id)
        else for (const word of preTokenizer.split(fragment.text)) words.encode(word, ids)
      }
      if (addEos && eos !== null) ids.push(eos)
      return ids.take()
    },

    /**
     * @param {ArrayLike<number>} ids
     * @param {{ special?: boolean }} [options]  special: show special tokens, which are left out otherwise
     * @returns {string}
     */
    decode(ids, options) {
      const stream = decodeStream(options)
      let text = ''
      for (let i = 0; i < ids.length; i++) text += stream.push(ids[i])
      return text + stream.flush()
    },

    decodeStream,

    /**
     * One token as text; special ones by their names, parts of characters as U+FFFD.
     * @param {number} id
     * @returns {string}
     */
    tokenText: id => createUtf8Decoder().decode(vocabulary.bytes(checkId(id))),

    /** The bytes a token stands for. @param {number} id @returns {Uint8Array} */
    tokenBytes: id => vocabulary.bytes(checkId(id)).slice(),

    /** Control and unknown tokens, which `decode` leaves out. @param {number} id @returns {boolean} */
    isSpecial: id => vocabulary.isSpecial(checkId(id)),

    /**
     * The id of a token by its text as written in the file, special tokens above all; null if there is none.
     * @param {string} text
     * @returns {number | null}
     */
    tokenId: text => vocabulary.ids.get(text) ?? null,

    /**
     * Text of a token with a role, for templates; '' where there is none.
     * @param {'bos' | 'eos' | 'unknown' | 'padding'} role
     * @returns {string}
     */
    roleText(role) {
      const id = vocabulary[role]
      return id === null ? '' : vocabulary.texts[id]
    },
  }
}

/** @param {MetadataLike} metadata */
function choosePreTokenizer(metadata) {
  const model = metadata.get('tokenizer.ggml.model')
  if (model === undefined) {
    throw new IteraError('unsupported', 'the file has no tokenizer (tokenizer.ggml.model is missing)')
  }
  if (model !== 'gpt2') {
    throw new IteraError('unsupported', `tokenizer model "${model}" is not supported; supported: gpt2 (byte-level BPE)`)
  }
  const name = metadata.get('tokenizer.ggml.pre') ?? 'default'
  const preTokenizer = createPreTokenizer(name)
  if (!preTokenizer) {
    const supported = preTokenizerNames.join(', ')
    throw new IteraError('unsupported', `pre-tokenizer "${name}" is not supported; supported: ${supported}`)
  }
  return preTokenizer
}

/** @param {unknown} value @param {boolean} fallback @returns {boolean} */
const booleanOr = (value, fallback) => typeof value === 'boolean' ? value : fallback

/** @param {Vocabulary} vocabulary @param {number[]} kinds @returns {{ id: number, text: string }[]} */
function tokensOfKinds(vocabulary, kinds) {
  const tokens = []
  for (let id = 0; id < vocabulary.size; id++) {
    if (kinds.includes(vocabulary.kinds[id])) tokens.push({ id, text: vocabulary.texts[id] })
  }
  return tokens
}

/** Encodes one word of the pre-tokenizer at a time. */
class WordEncoder {
  /** @type {Map<string, Int32Array>} */
  #cache = new Map()
  #symbols = new Int32Array(256)

  /**
   * @param {Vocabulary} vocabulary
   * @param {MetadataLike} metadata
   * @param {boolean} wholeWords
   */
  constructor(vocabulary, metadata, wholeWords) {
    this.vocabulary = vocabulary
    this.wholeWords = wholeWords
    this.byteTokens = vocabulary.byteTokens()
    const { pairs, extras } = readMerges(metadata, vocabulary, this.byteTokens)
    this.extras = extras
    this.merger = new Merger(pairs)
  }

  /** @param {string} word @param {IdList} ids */
  encode(word, ids) {
    const known = this.#cache.get(word)
    if (known) return ids.append(known, known.length)
    const start = ids.length
    this.#encodeNew(word, ids)
    if (word.length > cacheWordLength) return
    if (this.#cache.size >= cacheWords) this.#cache.clear()
    this.#cache.set(word, ids.sliceFrom(start))
  }

  /** @param {string} word @param {IdList} ids */
  #encodeNew(word, ids) {
    if (this.wholeWords) {
      const id = this.vocabulary.ids.get(toByteAlphabet(word))
      if (id !== undefined) return ids.push(id)
    }
    const bytes = encodeUtf8(word)
    if (bytes.length > this.#symbols.length) this.#symbols = new Int32Array(bytes.length * 2)
    const symbols = this.#symbols
    for (let i = 0; i < bytes.length; i++) symbols[i] = this.byteTokens[bytes[i]]
    const count = this.merger.merge(symbols, bytes.length)

    const { size } = this.vocabulary
    for (let i = 0; i < count; i++) {
      if (symbols[i] < size) ids.push(symbols[i])
      else this.#encodeBytes(this.extras[symbols[i] - size], ids)
    }
  }

  /**
   * A merged string that is no token itself, or the character of a byte that has none: its bytes that are tokens.
   * @param {string} text
   * @param {IdList} ids
   */
  #encodeBytes(text, ids) {
    for (const byte of fromByteAlphabet(text)) {
      const id = this.byteTokens[byte]
      if (id < this.vocabulary.size) ids.push(id)
    }
  }
}

/**
 * Reads the merges. Strings that are not in the vocabulary get numbers after it, and so do the characters of bytes that
 * are not, in place of the -1 in `byteTokens`.
 * @param {MetadataLike} metadata
 * @param {Vocabulary} vocabulary
 * @param {Int32Array} byteTokens
 */
function readMerges(metadata, vocabulary, byteTokens) {
  const merges = metadata.get('tokenizer.ggml.merges')
  if (!isStringArray(merges)) {
    throw new IteraError('corrupt', 'tokenizer.ggml.merges is missing or not a list of strings')
  }
  if (merges.length > maxMerges) {
    throw new IteraError('corrupt', `tokenizer.ggml.merges has ${merges.length} entries, more than ${maxMerges}`)
  }
  const { ids, size } = vocabulary
  /** @type {string[]} */
  const extras = []
  /** @type {Map<string, number>} */
  const extraIds = new Map()

  /** @param {string} text @returns {number} */
  function symbol(text) {
    let id = ids.get(text) ?? extraIds.get(text)
    if (id === undefined) {
      id = size + extras.length
      extras.push(text)
      extraIds.set(text, id)
    }
    return id
  }

  for (let byte = 0; byte < 256; byte++) {
    if (byteTokens[byte] < 0) byteTokens[byte] = symbol(byteToCharacter[byte])
  }
  const pairs = new PairTable(merges.length)
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank]
    const space = merge.indexOf(' ', 1)
    if (space < 0) continue // not a pair: it could never apply
    const left = merge.slice(0, space)
    const right = merge.slice(space + 1)
    pairs.add(symbol(left), symbol(right), rank, symbol(left + right))
  }
  return { pairs, extras }
}

/** A list of ids that grows. */
class IdList {
  length = 0
  #ids = new Int32Array(64)

  /** @param {number} extra */
  #reserve(extra) {
    if (this.length + extra <= this.#ids.length) return
    const grown = new Int32Array(Math.max(this.length + extra, this.#ids.length * 2))
    grown.set(this.#ids.subarray(0, this.length))
    this.#ids = grown
  }

  /** @param {number} id */
  push(id) {
    this.#reserve(1)
    this.#ids[this.length++] = id
  }

  /** @param {Int32Array} ids @param {number} count */
  append(ids, count) {
    this.#reserve(count)
    for (let i = 0; i < count; i++) this.#ids[this.length++] = ids[i]
  }

  /** @param {number} start */
  sliceFrom(start) {
    return this.#ids.slice(start, this.length)
  }

  take() {
    return this.#ids.slice(0, this.length)
  }
}
