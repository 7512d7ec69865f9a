/**
 * Two pre-tokenizers written out character by character, to hold the regular expressions against.
 */

const isLetter = c => c !== undefined && /^\p{L}$/u.test(c)
const isNumber = c => c !== undefined && /^\p{N}$/u.test(c)
const isWhite = c => c !== undefined && /^\p{White_Space}$/u.test(c)
const isSign = c => c !== undefined && !isLetter(c) && !isNumber(c) && !isWhite(c)
const isLineEnd = c => c === '\r' || c === '\n'

const contractions = ['s', 't', 'm', 'd', 're', 've', 'll']

/** How many characters the contraction at `at` has, 0 if there is none. */
function contractionAt(characters, at, anyCase) {
  if (characters[at] !== "'") return 0
  for (const ending of contractions) {
    const here = characters.slice(at + 1, at + 1 + ending.length).join('')
    if (here === ending || (anyCase && /^[A-Za-z]+$/.test(here) && here.toLowerCase() === ending)) return 1 + ending.length
  }
  return 0
}

/** The first index from `at` on whose character fails the test. */
function runEnd(characters, at, test) {
  while (at < characters.length && test(characters[at])) at++
  return at
}

/** White space from `at`: all of it at the end of the text, else all but the last character. */
function whiteEnd(characters, at) {
  const end = runEnd(characters, at, isWhite)
  return end === characters.length || end - at === 1 ? end : end - 1
}

function cut(text, endOfPiece) {
  const characters = [...text]
  const pieces = []
  for (let at = 0; at < characters.length;) {
    const end = endOfPiece(characters, at)
    pieces.push(characters.slice(at, end).join(''))
    at = end
  }
  return pieces
}

/** Words, numbers and signs, each with one space before it. @param {string} text */
export const splitLikeGpt2 = text => cut(text, (characters, at) => {
  const contraction = contractionAt(characters, at, false)
  if (contraction) return at + contraction
  const first = characters[at] === ' ' ? at + 1 : at
  for (const test of [isLetter, isNumber, isSign]) {
    if (test(characters[first])) return runEnd(characters, first, test)
  }
  return whiteEnd(characters, at)
})

/** @param {string} text @param {number} digits  how many stay together */
export const splitLikeLlama3 = (text, digits) => cut(text, (characters, at) => {
  const c = characters[at]
  const contraction = contractionAt(characters, at, true)
  if (contraction) return at + contraction
  if (isLetter(c)) return runEnd(characters, at, isLetter)
  if (!isLineEnd(c) && !isNumber(c) && isLetter(characters[at + 1])) return runEnd(characters, at + 1, isLetter)
  if (isNumber(c)) return Math.min(at + digits, runEnd(characters, at, isNumber))
  const first = c === ' ' ? at + 1 : at
  if (isSign(characters[first])) return runEnd(characters, runEnd(characters, first, isSign), isLineEnd)
  const end = runEnd(characters, at, isWhite)
  const lineEnd = characters.slice(at, end).findLastIndex(isLineEnd)
  return lineEnd >= 0 ? at + lineEnd + 1 : whiteEnd(characters, at)
})
