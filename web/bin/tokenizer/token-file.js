import { createHash } from 'node:crypto'
import { IteraError } from '../../src/errors.js'
import { writeWhole } from '../output.js'

/**
 * A text as a file of token ids for training: little endian, 16 bits each where the vocabulary fits, else 32. BOS,
 * the tokens of a document, BOS, the next one, and EOS at the very end. A JSON file of the same name and `.json`
 * says what lies there.
 *
 * @typedef {ReturnType<typeof import('../../src/tokenizer.js').createTokenizer>} Tokenizer
 *
 * @typedef {object} TokenFile
 * @property {'itera-tokens'} format
 * @property {'u16' | 'u32'} type
 * @property {number} tokens     in the file
 * @property {number} documents
 * @property {number} bytes      of the documents as UTF-8
 * @property {{ size: number, bos: number, eos: number, sha256: string }} vocabulary
 */

/** Ids gathered before they are written. */
const BUFFERED = 1 << 16

/**
 * @param {string} path
 * @param {string[]} documents
 * @param {Tokenizer} tokenizer
 * @param {object} options
 * @param {string} options.hash      of the vocabulary
 * @param {boolean} [options.special]  special tokens written in the text become tokens
 * @param {Record<string, unknown>} [options.origin]  further fields of the description
 * @param {(documents: number) => void} [options.onProgress]
 * @returns {Promise<TokenFile>}
 */
export async function writeTokenFile(path, documents, tokenizer, { hash, special = false, origin = {}, onProgress }) {
  const { size, bos, eos } = tokenizer
  if (bos === null || eos === null) {
    const missing = bos === null ? 'BOS' : 'EOS'
    throw new IteraError('unsupported', `the vocabulary names no ${missing} token, which separates documents`)
  }
  const wide = size > 0x10000
  const buffer = wide ? new Uint32Array(BUFFERED) : new Uint16Array(BUFFERED)
  let filled = 0
  let tokens = 0
  let bytes = 0
  await writeWhole(path, async file => {
    const flush = async () => {
      await file.write(new Uint8Array(buffer.buffer, 0, filled * buffer.BYTES_PER_ELEMENT))
      filled = 0
    }
    const add = async (/** @type {ArrayLike<number>} */ ids) => {
      for (let i = 0; i < ids.length; i++) {
        buffer[filled++] = ids[i]
        if (filled === BUFFERED) await flush()
      }
      tokens += ids.length
    }
    for (const [i, text] of documents.entries()) {
      await add([bos])
      await add(tokenizer.encode(text, { special, addBos: false }))
      bytes += Buffer.byteLength(text)
      onProgress?.(i + 1)
    }
    await add([eos])
    await flush()
  })
  /** @type {TokenFile} */
  const description = {
    format: 'itera-tokens', type: wide ? 'u32' : 'u16', tokens, documents: documents.length, bytes,
    vocabulary: { size, bos, eos, sha256: hash }, ...origin,
  }
  await writeWhole(`${path}.json`, file => file.writeFile(`${JSON.stringify(description, null, 2)}\n`))
  return description
}

/**
 * What identifies a vocabulary: SHA-256 over the pre-tokenizer, every token and every merge, a line each.
 *
 * @param {{ get(key: string): any }} metadata
 * @returns {string}
 */
export function vocabularyHash(metadata) {
  const hash = createHash('sha256').update(`${metadata.get('tokenizer.ggml.pre') ?? 'default'}\n`)
  for (const key of ['tokenizer.ggml.tokens', 'tokenizer.ggml.merges']) {
    for (const line of metadata.get(key)) hash.update(`${line}\n`)
  }
  return hash.digest('hex')
}
