// One run: the model writes, the page shows it at a pace that eyes can follow, and the instruments are read.
import { byId, calm } from './dom.js'
import { say, sayPiece, sayRest } from './announce.js'
import { isAbort } from './errors.js'
import * as format from './format.js'
import { Meter } from './meter.js'
import { Reveal } from './reveal.js'

/**
 * @typedef {object} Outcome
 * @property {string} ending  the package's finishReason, or 'error'
 * @property {any} failed     what went wrong; null
 * @property {boolean} dropped some text came and was not shown
 * @property {import('./meter.js').Meter} meter
 * @property {() => void} follow brings the end of the text into sight, unless the reader has scrolled up
 */

/** What a run that ended tells the reader. @type {Record<string, string>} */
export const ENDINGS = { stop: 'The text ends here.', length: 'Paused at the limit.', aborted: 'Stopped.' }

/**
 * @param {object} job
 * @param {() => Promise<AsyncIterable<import('itera-lite').Piece>>} job.begin
 * @param {(text: string) => void} job.append
 * @param {HTMLElement} job.text  what grows
 * @param {number} job.maxTokens
 * @param {AbortController} job.abort
 * @param {() => import('itera-lite').Stats | null} job.stats  of the run, once it is over
 * @param {import('./strip.js').Strip} job.strip
 * @param {import('./live.js').Live} job.live
 * @param {number} job.before  tokens of the conversation so far, as far as known
 * @returns {Promise<Outcome>}
 */
export async function run({ begin, append, text, maxTokens, abort, stats, strip, live, before }) {
  const meter = new Meter(maxTokens)
  strip.begin(meter)
  live.begin(before)
  const follow = followEnd(text)
  const reveal = new Reveal((piece, tokens, traces) => {
    if (piece) { append(piece); sayPiece(piece) }
    meter.shown += tokens
    live.add(traces, before + meter.shown)
    strip.update()
    follow()
  })
  abort.signal.addEventListener('abort', () => reveal.cut())

  /** @type {import('itera-lite').Stats | null} */
  let measured = null
  /** @type {unknown} */
  let failed = null
  try {
    follow()
    for await (const piece of await begin()) {
      const tokens = piece.token === undefined ? 0 : 1     // a last piece may bring only text held back before
      if (tokens) meter.add()
      reveal.push(piece.text, tokens, piece.trace)
    }
    measured = stats()
  } catch (error) {
    failed = isAbort(error) ? null : error
  }
  meter.measure(measured)
  strip.update()
  await reveal.finish()
  meter.finish()
  strip.update()
  if (measured) live.add([], measured.promptTokens + meter.shown)
  sayRest()
  const ending = failed ? 'error' : abort.signal.aborted ? 'aborted' : measured?.finishReason ?? 'aborted'
  if (!failed) say(`${ENDINGS[ending]} ${format.plural(meter.shown, 'token')} written.`)
  return { ending, failed, dropped: reveal.dropped, meter, follow }
}

/** Keeps the end of a text in sight, unless the reader has scrolled up to read. @param {HTMLElement} text */
function followEnd(text) {
  const scroll = byId('scroll')
  const MARGIN = 40
  let following = true
  let last = -1
  return () => {
    const below = text.getBoundingClientRect().bottom + MARGIN - scroll.getBoundingClientRect().bottom
    if (last >= 0 && scroll.scrollTop < last - 2) following = false
    else if (below < 120) following = true
    if (following && below > 0) scroll.scrollTop += below
    last = scroll.scrollTop
  }
}

/** Brings the end of the page into sight. */
export const toEnd = () => byId('scroll').scrollTo({ top: 1e9, behavior: calm() ? 'auto' : 'smooth' })
