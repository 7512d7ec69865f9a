/**
 * Bytes and text.
 *
 * Byte-level BPE writes every byte as one visible character, so that a vocabulary is a list of ordinary strings:
 * printable Latin-1 characters stand for themselves, and the other 68 bytes (controls, space, 0x7F to 0xA0, the soft
 * hyphen) take the code points from U+0100 on, in order. A space is 'Ġ' (U+0120), a newline 'Ċ' (U+010A).
 */

/** Is this byte written as the character of the same number? @param {number} byte */
const standsForItself = byte =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)

/** The character of each byte. @type {string[]} */
export const byteToCharacter = []

/** The byte of each character of the alphabet, by code unit; -1 elsewhere. All of them lie below U+0144. */
const codeToByte = new Int16Array(0x144).fill(-1)

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const code = standsForItself(byte) ? byte : next++
  byteToCharacter.push(String.fromCharCode(code))
  codeToByte[code] = byte
}

const utf8 = new TextEncoder()

/** @param {string} text @returns {Uint8Array} */
export const encodeUtf8 = text => utf8.encode(text)

/** Writes text in the byte alphabet: ' über' becomes 'ĠÃ¼ber'. @param {string} text */
export function toByteAlphabet(text) {
  let written = ''
  for (const byte of encodeUtf8(text)) written += byteToCharacter[byte]
  return written
}

/**
 * Reads the byte alphabet back. A character outside it can only come from a vocabulary that is not purely byte-level
 * it stands for its own UTF-8 bytes.
 * @param {string} written
 * @returns {Uint8Array}
 */
export function fromByteAlphabet(written) {
  const bytes = new Uint8Array(written.length)
  for (let i = 0; i < written.length; i++) {
    const byte = codeToByte[written.charCodeAt(i)] ?? -1
    if (byte < 0) return fromMixedAlphabet(written)
    bytes[i] = byte
  }
  return bytes
}

/** @param {string} written @returns {Uint8Array} */
function fromMixedAlphabet(written) {
  /** @type {number[]} */
  const bytes = []
  for (const character of written) {
    const byte = codeToByte[character.charCodeAt(0)] ?? -1
    if (byte < 0) bytes.push(...encodeUtf8(character))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** A lone half of a surrogate pair has no UTF-8 form; like every encoder, we read it as U+FFFD. @param {string} text */
export const wellFormed = text => text.replace(/\p{Surrogate}/gu, '\ufffd')

/**
 * A decoder for bytes that arrive in any pieces. Kept bytes are at most the start of one character; bytes that can no
 * longer become a character turn into U+FFFD at once. A byte order mark is text like any other.
 */
export const createUtf8Decoder = () => new TextDecoder('utf-8', { ignoreBOM: true })
