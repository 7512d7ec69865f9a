/**
 * Log probabilities of tokens beside the text they wrote. Text may be held back for a while, as the beginning of a stop
 * string, or be cut off: a token's entry is shown when its text is, and dropped with it.
 *
 * @typedef {import('./completer.js').ChoicePiece} ChoicePiece
 * @typedef {import('./types.d.ts').ChatCompletionTokenLogprob} TokenLogprob
 */
const utf8 = new TextDecoder()
const encoder = new TextEncoder()

export class LogprobQueue {
  /**
   * Entries of tokens not shown yet, and where in the text they begin, in bytes.
   *
   * @type {{ entry: TokenLogprob, at: number }[]}
   */
  #waiting = []
  #written = 0
  #shown = 0

  /**
   * @param {ChoicePiece} piece
   * @returns {TokenLogprob[]} of tokens whose text has begun to show
   */
  push({ text, logprob, bytes, hidden, top }) {
    if (logprob !== undefined && bytes) {
      this.#waiting.push({
        entry: { token: name(bytes), logprob, bytes, top_logprobs: (top ?? []).map(alternative) },
        at: this.#written,
      })
      if (!hidden) this.#written += bytes.length
    }
    this.#shown += encoder.encode(text).length
    const waits = this.#waiting.findIndex(({ at }) => at >= this.#shown)
    return this.#waiting.splice(0, waits < 0 ? this.#waiting.length : waits).map(({ entry }) => entry)
  }
}

/** @param {{ token: number, logprob: number, bytes: number[] }} other */
const alternative = ({ bytes, logprob }) => ({ token: name(bytes), logprob, bytes })

/** A token as text; a part of a character as its bytes, which text cannot show. @param {number[]} bytes */
function name(bytes) {
  const text = utf8.decode(Uint8Array.from(bytes))
  return text.includes('\ufffd') ? `bytes:${bytes.map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}` : text
}

/**
 * The form of the older interface.
 *
 * @param {TokenLogprob[]} entries
 * @param {number} offset  characters before them
 * @returns {import('./types.d.ts').CompletionLogprobs}
 */
export function legacyLogprobs(entries, offset) {
  const lists = {
    tokens: /** @type {string[]} */ ([]),
    token_logprobs: /** @type {number[]} */ ([]),
    top_logprobs: /** @type {Record<string, number>[]} */ ([]),
    text_offset: /** @type {number[]} */ ([]),
  }
  for (const { token, logprob, top_logprobs: top } of entries) {
    lists.tokens.push(token)
    lists.token_logprobs.push(logprob)
    // OpenAI lists the token itself beside the best ones.
    lists.top_logprobs.push({ ...Object.fromEntries(top.map(other => [other.token, other.logprob])), [token]: logprob })
    lists.text_offset.push(offset)
    offset += token.length
  }
  return lists
}
