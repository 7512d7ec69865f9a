/**
 * Random text for property tests. Runs differ; a failure names its seed, and ITERA_SEED=... repeats it.
 */

export const seed = Number(process.env.ITERA_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0

/** A small generator (mulberry32): the next number in [0, 1). @param {number} state */
export function createRandom(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const words = [
  'Once', ' upon', ' a', ' time', "don't", "I'LL", "we've", "'s", "'S", ' 12345', '007', '½', 'naïve', ' Über',
  'нещо', ' 你好', 'こんにちは', '한국어', 'ภาษา', 'हिन्दी', 'العربية', '𝔘𝔫𝔦', 'ﬁ',
]
const emoji = ['😀', '👩‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '😶‍🌫️', '🇪🇺', '#️⃣', '✅']
const spaces = [
  ' ', '  ', '     ', '\t', '\n', '\r\n', '\n\n\n', ' \n', '\u00a0', '\u0085', '\u3000', '\u2028', '\ufeff', '\u200b',
]
const signs = ['!', '...', '--', '~', '$', '<=', '`', '|', '«', '»', '。', '！', '_', '^', '\\', '"', "'"]

/**
 * Text made of everything that has ever broken a tokenizer.
 * @param {() => number} random
 * @param {number} parts
 */
export function randomText(random, parts) {
  const one = list => list[Math.floor(random() * list.length)]
  const codePoint = (from, to) => String.fromCodePoint(from + Math.floor(random() * (to - from)))
  const makers = [
    () => one(words), () => one(words), () => one(emoji), () => one(spaces), () => one(spaces), () => one(signs),
    () => codePoint(0, 0x20), // controls
    () => codePoint(0x20, 0x7f),
    () => codePoint(0x80, 0x250),
    () => one(words) + codePoint(0x300, 0x370), // combining marks
    () => codePoint(0x4e00, 0x9fff),
    () => codePoint(0xe000, 0xffff), // private use, presentation forms, non-characters
    () => codePoint(0x10000, 0x110000),
  ]
  let text = ''
  for (let i = 0; i < parts; i++) text += one(makers)()
  return text
}
