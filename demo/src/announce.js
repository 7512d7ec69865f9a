// Speaks the story to screen readers a sentence or two at a time. A live region fed token by token would
// interrupt itself hundreds of times; this one waits for the end of a sentence and for a pause.
import { byId, h } from './dom.js'

const PAUSE_MS = 2500
let waiting = ''
let timer = 0

/** @param {string} text a finished remark, spoken soon */
export function say(text) {
  const region = byId('announcer')
  region.append(h('p', {}, text))
  // Old remarks have been spoken; keeping a few is enough for readers that lag behind.
  while (region.children.length > 6) region.firstElementChild?.remove()
}

/** @param {string} text a piece of streamed text */
export function sayPiece(text) {
  waiting += text
  timer ||= window.setTimeout(flushSentences, PAUSE_MS)
}

/** The stream has ended: whatever is left is spoken. */
export function sayRest() {
  clearTimeout(timer)
  timer = 0
  if (waiting.trim()) say(waiting.trim())
  waiting = ''
}

function flushSentences() {
  timer = 0
  const end = Math.max(...['.', '!', '?', '\n'].map((mark) => waiting.lastIndexOf(mark)))
  if (end >= 0) {
    say(waiting.slice(0, end + 1).trim())
    waiting = waiting.slice(end + 1)
  }
  if (waiting) timer = window.setTimeout(flushSentences, PAUSE_MS)
}
