import { readFileSync } from 'node:fs'

/**
 * The vocabulary of 512 tokens that the oracle models use, with llama.cpp's ids for a few texts.
 * @returns {{ metadata: Record<string, any>, cases: { text: string, ids: number[] }[] }}
 */
export const golden = JSON.parse(readFileSync(new URL('../../golden/tokenizer/oracle-512.json', import.meta.url), 'utf8'))

/**
 * Metadata as createTokenizer takes it: the golden vocabulary with some keys changed (undefined removes one).
 * @param {Record<string, any>} [changes]
 */
export function goldenMetadata(changes = {}) {
  const values = { ...golden.metadata, ...changes }
  return { get: key => values[key] }
}

/**
 * The golden vocabulary with further tokens at its end.
 * @param {{ text: string, kind: number }[]} tokens
 * @param {Record<string, any>} [changes]
 */
export function goldenWithTokens(tokens, changes = {}) {
  return goldenMetadata({
    'tokenizer.ggml.tokens': [...golden.metadata['tokenizer.ggml.tokens'], ...tokens.map(token => token.text)],
    'tokenizer.ggml.token_type': [...golden.metadata['tokenizer.ggml.token_type'], ...tokens.map(token => token.kind)],
    ...changes,
  })
}
