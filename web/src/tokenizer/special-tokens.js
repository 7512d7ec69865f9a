/**
 * Tokens written out in a text, such as `<|im_start|>`.
 *
 * Which of several overlapping ones counts is decided as llama.cpp does it: the longest token (in bytes) first takes
 * all its places from left to right, then the next longest takes what is still free. That is not the same as the
 * longest match from the left. To keep it fast with thousands of such tokens, one walk over the text first notes where
 * each of them occurs at all.
 */

import { encodeUtf8 } from './bytes.js'

/**
 * @typedef {object} Fragment  either plain text or one token
 * @property {string} text
 * @property {number} id  -1 for plain text
 */

/** @typedef {{ children: Map<number, Node>, order: number }} Node */

/** @returns {Node} */
const createNode = () => ({ children: new Map(), order: -1 })

export class SpecialTokens {
  #root = createNode()
  /** Whether a token begins with this code unit: most of a text is passed over by this alone. */
  #firsts = new Uint8Array(0x10000)

  /** @param {{ id: number, text: string }[]} tokens */
  constructor(tokens) {
    this.tokens = tokens
      .map(({ id, text }) => ({ id, text, bytes: encodeUtf8(text).length }))
      .sort((a, b) => b.bytes - a.bytes || a.id - b.id)
    this.tokens.forEach(({ text }, order) => {
      let node = this.#root
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i)
        let child = node.children.get(code)
        if (!child) node.children.set(code, child = createNode())
        node = child
      }
      if (node.order < 0) node.order = order
      this.#firsts[text.charCodeAt(0)] = 1
    })
  }

  /**
   * @param {string} text
   * @returns {Fragment[]} in order; joined, their texts are the text
   */
  split(text) {
    const places = this.#places(text)
    if (places.size === 0) return text === '' ? [] : [{ text, id: -1 }]

    // taken[i] is 1 where a token lies; tokenAt holds which one begins there.
    const taken = new Uint8Array(text.length)
    /** @type {Map<number, { id: number, text: string }>} */
    const tokenAt = new Map()
    for (const order of [...places.keys()].sort((a, b) => a - b)) {
      const token = this.tokens[order]
      for (const start of /** @type {number[]} */ (places.get(order))) {
        const end = start + token.text.length
        if (taken.subarray(start, end).includes(1)) continue
        taken.fill(1, start, end)
        tokenAt.set(start, token)
      }
    }

    /** @type {Fragment[]} */
    const fragments = []
    let end = 0
    for (const start of [...tokenAt.keys()].sort((a, b) => a - b)) {
      const token = /** @type {{ id: number, text: string }} */ (tokenAt.get(start))
      if (start > end) fragments.push({ text: text.slice(end, start), id: -1 })
      fragments.push({ text: token.text, id: token.id })
      end = start + token.text.length
    }
    if (end < text.length) fragments.push({ text: text.slice(end), id: -1 })
    return fragments
  }

  /**
   * Every place where a token could be, by its place in the order of lengths.
   * @param {string} text
   * @returns {Map<number, number[]>}
   */
  #places(text) {
    /** @type {Map<number, number[]>} */
    const places = new Map()
    if (this.tokens.length === 0) return places
    for (let start = 0; start < text.length; start++) {
      if (this.#firsts[text.charCodeAt(start)] === 0) continue
      /** @type {Node | undefined} */
      let node = this.#root
      for (let i = start; i < text.length; i++) {
        node = node.children.get(text.charCodeAt(i))
        if (!node) break
        if (node.order >= 0) {
          const found = places.get(node.order)
          if (found) found.push(start)
          else places.set(node.order, [start])
        }
      }
    }
    return places
  }
}
