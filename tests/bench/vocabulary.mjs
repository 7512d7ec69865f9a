// A tokenizer of any size whose texts are plain: the 256 bytes, all pairs of small letters, the same after a space,
// then words that no text uses, and the end of text. A prompt of pairs is one token a word in every engine.

import { byteToCharacter } from '../../web/src/tokenizer/bytes.js'

const letters = 'abcdefghijklmnopqrstuvwxyz'
const pairs = [...letters].flatMap(first => [...letters].map(second => first + second))
const space = byteToCharacter[0x20]
const BYTES = 256

/** @param {number} size */
export function createVocabulary(size) {
  const tokens = [...byteToCharacter, ...pairs, ...pairs.map(pair => space + pair)]
  for (let word = 0; tokens.length < size - 1; word++) tokens.push(space + name(word))
  tokens.push('<|endoftext|>')
  const kinds = new Int32Array(size).fill(1)
  kinds[size - 1] = 3                                   // control
  return {
    tokens, kinds, end: size - 1,
    merges: [...pairs.map(pair => `${pair[0]} ${pair[1]}`), ...pairs.map(pair => `${space} ${pair}`)],
  }
}

/** Four letters or more, so that no pair is among them. */
function name(number) {
  let text = ''
  for (let rest = number; text.length < 4 || rest > 0; rest = Math.floor(rest / 26)) text += letters[rest % 26]
  return text
}

/**
 * A text of exactly so many tokens; another seed, another text from its first word on.
 *
 * @param {number} tokens
 * @param {number} seed
 */
export function promptOf(tokens, seed) {
  let state = seed * 2654435761 >>> 0
  return Array.from({ length: tokens }, () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0
    return pairs[Math.floor(state / 2 ** 32 * pairs.length)]
  }).join(' ')
}

/**
 * A bias so large that the output is made of these 64 words, whatever an untrained model wants to say: plain ASCII,
 * without an end.
 *
 * @returns {Record<string, number>}
 */
export const plainBias = () =>
  Object.fromEntries(Array.from({ length: 64 }, (_, i) => [String(BYTES + pairs.length + i * 10), 1000]))
