import { byteToCharacter, encodeUtf8 } from '../../src/tokenizer/bytes.js'
import { PairHeap } from './pair-heap.js'

/**
 * Training of byte-pair encoding: the pair of neighbours that is the most frequent becomes a symbol of its own, again
 * and again. Only different words are looked at, each with how often it occurs; and of these only the words in
 * which the pair is.
 */

/** Symbols are token ids: bytes, then merges in order. A pair is one number, left * PAIR + right. */
const PAIR = 2 ** 21

/** Words as they come from the pre-tokenizer, counted. */
export class WordCounter {
  /** @type {Map<string, number>} */
  counts = new Map()

  /** @param {string[]} words */
  add(words) {
    for (const word of words) this.counts.set(word, (this.counts.get(word) ?? 0) + 1)
  }
}

/**
 * @typedef {object} Merges
 * @property {string[]} tokens  the 256 bytes and what was merged from them, in the byte alphabet
 * @property {string[]} merges  "left right", in order. A token that comes about in two ways has two of them.
 */

/**
 * @param {Map<string, number>} counts  of each word
 * @param {number} size  tokens, at most
 * @param {{ minCount?: number, onProgress?: (tokens: number) => void }} [options]  minCount: of a pair that is merged
 * @returns {Merges}
 */
export function trainMerges(counts, size, { minCount = 2, onProgress } = {}) {
  const words = new Words(counts)
  const tokens = [...byteToCharacter]
  const ids = new Map(tokens.map((token, id) => [token, id]))
  /** @type {Set<string>} */
  const merges = new Set()
  while (tokens.length < size) {
    const pair = words.mostFrequent(minCount)
    if (pair === null) break
    const [left, right] = [tokens[Math.floor(pair / PAIR)], tokens[pair % PAIR]]
    let id = ids.get(left + right)
    if (id === undefined) {
      id = tokens.push(left + right) - 1
      ids.set(left + right, id)
    }
    words.merge(pair, id)
    merges.add(`${left} ${right}`)
    onProgress?.(tokens.length)
  }
  return { tokens, merges: [...merges] }
}

class Words {
  /** @type {Int32Array[]} symbols of each word */
  #symbols = []
  /** @type {number[]} how often each occurs */
  #weights = []
  /** @type {Map<number, number>} how often each pair occurs */
  #counts = new Map()
  /** @type {Map<number, number[]>} the words that a pair is in, or was in */
  #places = new Map()
  #heap = new PairHeap()

  /** @param {Map<string, number>} counts */
  constructor(counts) {
    for (const [word, count] of counts) {
      const symbols = Int32Array.from(encodeUtf8(word))
      if (symbols.length < 2) continue
      const index = this.#symbols.push(symbols) - 1
      this.#weights.push(count)
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = symbols[i] * PAIR + symbols[i + 1]
        this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + count)
        this.#note(pair, index)
      }
    }
    for (const [pair, count] of this.#counts) this.#heap.push(count, pair)
  }

  /** @param {number} pair @param {number} word */
  #note(pair, word) {
    const list = this.#places.get(pair)
    if (!list) this.#places.set(pair, [word])
    else if (list[list.length - 1] !== word) list.push(word)
  }

  /** @param {number} minCount @returns {number | null} */
  mostFrequent(minCount) {
    while (this.#heap.size) {
      const { count, pair } = this.#heap.pop()
      const now = this.#counts.get(pair) ?? 0
      if (now < minCount) continue
      if (now === count) return pair
      // The count went down since: the entry takes its proper place. Where it went up, a newer entry came before.
      if (now < count) this.#heap.push(now, pair)
    }
    return null
  }

  /** @param {number} pair @param {number} symbol  what the pair becomes */
  merge(pair, symbol) {
    const left = Math.floor(pair / PAIR)
    const right = pair % PAIR
    /** @type {Map<number, number>} by how much the count of each pair changes */
    const changes = new Map()
    const change = (/** @type {number} */ of, /** @type {number} */ by) => changes.set(of, (changes.get(of) ?? 0) + by)

    for (const word of this.#places.get(pair) ?? []) {
      const before = this.#symbols[word]
      const after = replacePair(before, left, right, symbol)
      if (after.length === before.length) continue       // it was in this word once
      const weight = this.#weights[word]
      for (let i = 0; i + 1 < before.length; i++) change(before[i] * PAIR + before[i + 1], -weight)
      for (let i = 0; i + 1 < after.length; i++) {
        const formed = after[i] * PAIR + after[i + 1]
        change(formed, weight)
        if (after[i] === symbol || after[i + 1] === symbol) this.#note(formed, word)
      }
      this.#symbols[word] = after
    }
    for (const [changed, by] of changes) {
      if (by === 0) continue
      const count = (this.#counts.get(changed) ?? 0) + by
      if (count > 0) this.#counts.set(changed, count)
      else this.#counts.delete(changed)
      if (by > 0) this.#heap.push(count, changed)
    }
    this.#places.delete(pair)
  }
}

/**
 * @param {Int32Array} symbols
 * @param {number} left
 * @param {number} right
 * @param {number} symbol
 * @returns {Int32Array} shorter by the number of places, counted from the left; those of one word do not overlap
 */
function replacePair(symbols, left, right, symbol) {
  const replaced = new Int32Array(symbols.length)
  let length = 0
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      replaced[length++] = symbol
      i++
    } else replaced[length++] = symbols[i]
  }
  return replaced.slice(0, length)
}
