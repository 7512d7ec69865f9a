// A conversation that is open in two tabs: what one of them writes must not undo what the other has written.

import { isHollow } from './tree.js'

/** @typedef {import('./store.js').Conversation} Conversation */

/**
 * What is to be stored, or null where nothing is: the conversation was deleted elsewhere.
 *
 * @param {Conversation | undefined} stored
 * @param {Conversation} ours
 * @param {Set<string> | undefined} seen the turns this tab has read from the store or written to it; none for a new conversation
 * @returns {Conversation | null}
 */
export function merge(stored, ours, seen) {
  if (!stored) return seen ? null : ours
  const theirs = new Map(stored.turns.map(turn => [turn.id, turn]))
  // Turns only grow, and get an ending at last: one that the other tab is writing is ahead of what was read of it.
  const turns = ours.turns.map(turn => {
    const other = theirs.get(turn.id)
    return other && (other.text.length > turn.text.length || (other.ending && !turn.ending)) ? other : turn
  })
  const known = new Set(ours.turns.map(({ id }) => id))
  // One that was seen and is no longer here was taken out here.
  turns.push(...stored.turns.filter(turn => !known.has(turn.id) && !seen?.has(turn.id) && !isHollow(turn, stored.turns)))
  const { title, named } = stored           // names are given by rename alone
  return { ...ours, title, named, turns }
}
