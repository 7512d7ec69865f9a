// Who wrote which part of a text, kept right while the reader edits it.

/** @typedef {[number, number]} Span a stretch of the text: from, up to (exclusive) */

/**
 * The stretches after an edit. What changed is found by comparing the texts from both ends, which needs no help
 * from the browser and holds for typing, pasting, dropping, autocorrection and undo alike.
 *
 * @param {string} before
 * @param {string} after
 * @param {Span[]} spans in order, not touching one another
 * @returns {Span[]} the new text belongs to none of them
 */
export function followEdit(before, after, spans) {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start++
  let same = 0
  while (same < shorter - start && before[before.length - 1 - same] === after[after.length - 1 - same]) same++
  const end = before.length - same
  const shift = after.length - before.length

  /** @type {Span[]} */
  const moved = []
  for (const [from, to] of spans) {
    if (from < start) extend(moved, from, Math.min(to, start))
    if (to > end) extend(moved, Math.max(from, end) + shift, to + shift)
  }
  return moved
}

/** The spans within the first `length` characters. @param {Span[]} spans @param {number} length @returns {Span[]} */
export const cut = (spans, length) =>
  spans.filter(([from]) => from < length).map(([from, to]) => [from, Math.min(to, length)])

/**
 * Adds a stretch behind all others, growing the last one where they touch.
 *
 * @param {Span[]} spans
 * @param {number} from
 * @param {number} to
 */
export function extend(spans, from, to) {
  const last = spans[spans.length - 1]
  if (last && last[1] === from) last[1] = to
  else spans.push([from, to])
}
