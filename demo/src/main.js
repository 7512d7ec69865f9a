// The page: one model, one text, one run at a time, and what the buttons do in each state.
import { byId, calm, h } from './dom.js'
import * as format from './format.js'
import { say, sayPiece, sayRest } from './announce.js'
import { Chat } from './chat.js'
import { factsOf } from './facts.js'
import { isAbort } from './errors.js'
import { Loader } from './loader.js'
import { Meter } from './meter.js'
import { Notice } from './notice.js'
import { Picker, shippedModels } from './picker.js'
import { Reveal } from './reveal.js'
import { Settings } from './settings.js'
import { Story } from './story.js'
import { Strip } from './strip.js'
import { startTheme } from './theme.js'

/** @typedef {import('./loader.js').Source} Source */

const page = {
  /** @type {any} the package's model */
  model: null,
  /** @type {Source | null} where it came from */
  source: null,
  /** @type {import('./facts.js').Facts | null} */
  facts: null,
  /** @type {AbortController | null} the run under way */
  run: null,
  /** How the last run ended: the package's finishReason. */
  ending: '',
  /** @type {Source[]} the models that come with the page */
  shipped: [],
}

/**
 * While a new model loads, the old one stays, so that a broken file or a cancelled download leaves the page as it
 * was. Two models larger than this together would risk the memory of a phone: then the old one goes first.
 */
const ROOM_FOR_BOTH = 1e9

const strip = new Strip()
const loader = new Loader()
const settings = new Settings({ onSimd: () => page.source && open(page.source), onChange: () => {} })
const story = new Story(refresh)
const chat = new Chat({ changed: refresh, send: () => { if (!page.run) go() } })
const picker = new Picker((source) => open(source))
const notice = new Notice({ pick: () => picker.open() })
/** @type {Story | Chat} */
let mode = story

// ---------------------------------------------------------------- loading

/** Loads a model in place of the present one. @param {Source} source @returns {Promise<boolean>} whether it is ready */
async function open(source) {
  await stop()
  notice.hide()
  showRail(false)
  if (page.model && (page.facts?.weightBytes ?? 0) + (source.bytes ?? 0) > ROOM_FOR_BOTH) drop()
  const simd = settings.simd
  try {
    const loading = loader.load(source, simd)
    refresh()
    const model = await loading
    page.model?.dispose()
    page.model = model
    page.source = source
    page.facts = factsOf(model.info, source)
    showModel()
    say(`${page.facts.name} is ready.`)
    return true
  } catch (error) {
    if (!isAbort(error)) notice.show(error, { retry: () => open(source), simd })
    else if (!loader.busy) say('Cancelled.')
    return false
  } finally {
    refresh()
  }
}

/** Lets go of the model. What stands on the page stays. */
function drop() {
  page.model?.dispose()
  page.model = null
}

function showModel() {
  const { facts, source } = page
  if (!facts || !source) return
  byId('model-name').textContent = facts.name
  byId('model-about').textContent = source.description ?? ''
  byId('model-facts').replaceChildren(
    ...facts.rows.flatMap(([label, value]) => [h('dt', {}, label), h('dd', {}, value)]))
  byId('open-picker').textContent = 'Change model'
  strip.showModel(facts)

  mode = facts.chat ? chat : story
  byId('story').hidden = facts.chat
  byId('chat').hidden = !facts.chat
  byId('composer').hidden = !facts.chat
  showStarters(source.starters ?? [])
}

/** @param {string[]} starters */
function showStarters(starters) {
  byId('chips').replaceChildren(...starters.map((text) => h('li', {}, h('button', {
    type: 'button', class: 'chip', 'data-testid': 'starter', onclick: () => begin(text),
  }, text, h('span', { 'aria-hidden': 'true' }, '…')))))
}

// ---------------------------------------------------------------- writing

/** Begins anew with this text. @param {string} text */
async function begin(text) {
  await stop()
  mode.put(text)
  await go()
}

/** The big button: load the first model if there is none, then write. */
async function go() {
  if (page.run || loader.busy) return
  if (!page.model && !(page.shipped[0] && await open(page.shipped[0]))) return
  if (mode.empty) return byId(mode === chat ? 'message' : 'manuscript').focus()
  await write()
}

/** One run, from the text as it stands until the model ends, the limit is reached or the reader stops it. */
async function write() {
  const run = page.run = new AbortController()
  const options = { ...settings.options(), signal: run.signal }
  const meter = new Meter(options.maxTokens)
  notice.hide()
  strip.begin(meter)
  const follow = followEnd()
  const reveal = new Reveal((text, tokens) => {
    if (text) { mode.append(text); sayPiece(text) }
    meter.shown += tokens
    strip.update()
    follow()
  })
  run.signal.addEventListener('abort', () => reveal.cut())

  /** @type {import('itera-lite').Stats | null} */
  let measured = null
  /** @type {unknown} */
  let failed = null
  try {
    const pieces = mode.begin(page.model, options)
    refresh()
    follow()
    for await (const piece of pieces) {
      const tokens = piece.token === undefined ? 0 : 1     // a last piece may bring only text held back before
      if (tokens) meter.add()
      reveal.push(piece.text, tokens)
    }
    measured = page.model.lastStats
  } catch (error) {
    failed = !isAbort(error) && error
  }
  meter.measure(measured)
  strip.update()
  await reveal.finish()
  meter.finish()
  strip.update()
  page.ending = failed ? 'error' : run.signal.aborted ? 'aborted' : measured?.finishReason ?? 'aborted'
  mode.end(page.ending, reveal.dropped)
  page.run = null
  sayRest()
  if (failed) runFailed(failed)
  else say(`${ENDINGS[page.ending]} ${format.plural(meter.shown, 'token')} written.`)
  refresh()
  follow()
}

/** What a run that ended tells the reader. */
const ENDINGS = /** @type {Record<string, string>} */ ({
  stop: 'The text ends here.',
  length: 'Paused at the limit.',
  aborted: 'Stopped.',
})

/** @param {any} error */
function runFailed(error) {
  const source = page.source
  // A worker that ended takes its model along.
  if (error.code === 'crashed' || error.code === 'disposed') drop()
  notice.show(error, { retry: () => (page.model || !source ? go() : open(source)) })
}

/** Ends the run, if there is one, and waits until the page has taken note of it. */
async function stop() {
  page.run?.abort()
  while (page.run) await new Promise((done) => setTimeout(done, 10))
}

/** Keeps the end of the text in sight, unless the reader has scrolled up to read. */
function followEnd() {
  const scroll = byId('scroll')
  const text = byId(mode === chat ? 'turns' : 'manuscript')
  const MARGIN = 24
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

// ---------------------------------------------------------------- the buttons

/** Puts every control into the state the page is in. */
function refresh() {
  const running = Boolean(page.run), loading = loader.busy
  const { dataset } = document.documentElement
  dataset.state = running ? 'writing' : loading ? 'loading' : page.model ? 'ready' : 'idle'
  dataset.ending = page.ending
  const button = /** @type {HTMLButtonElement} */ (byId('go'))
  const first = page.shipped[0]
  button.textContent = running ? 'Stop'
    : !page.model && !loading ? (first ? `Start, ${format.bytes(first.bytes ?? 0)}` : 'Start')
    : mode === chat ? 'Send'
    : mode.continues ? 'Continue' : 'Write'
  button.classList.toggle('stop', running)
  button.disabled = loading || (!page.model && !first) || (!running && Boolean(page.model) && mode.empty)
  byId('hint').textContent = running ? 'Esc'
    : !page.model || mode.empty ? ''
    : mode === chat ? 'Enter' : `${apple ? '⌘' : 'Ctrl'} Enter`
  enable('again', mode.canRepeat && Boolean(page.model) && !running && !loading)
  enable('copy', Boolean(mode.text))
  enable('clear', Boolean(mode.text) && !running)
  byId('starters').hidden = running || !byId('chips').childElementCount || (mode === chat && chat.turns.length > 0)
  byId('starters-heading').textContent = !page.model && !loading && first
    ? `Start downloads ${first.name}, ${format.bytes(first.bytes ?? NaN)}, to go on from the text above. Or begin with`
    : mode.continues ? `${ENDINGS[page.ending] ?? ''} Change any word and continue, or begin with`.trim()
    : 'Begin with'
}

const apple = /Mac|iPhone|iPad/.test(navigator.platform)

/** @param {string} id @param {boolean} yes */
const enable = (id, yes) => { /** @type {HTMLButtonElement} */ (byId(id)).disabled = !yes }

/** The drawer that holds the rail on a narrow screen. @param {boolean} yes */
function showRail(yes) {
  document.documentElement.toggleAttribute('data-rail', yes)
  byId('open-rail').setAttribute('aria-expanded', String(yes))
  byId('open-rail').textContent = yes ? 'Done' : 'Model & settings'
}

byId('go').addEventListener('click', () => (page.run ? stop() : go()))
byId('again').addEventListener('click', () => { mode.rewind(); write() })
byId('clear').addEventListener('click', () => { mode.clear(); notice.hide(); refresh() })
byId('copy').addEventListener('click', async () => {
  const button = byId('copy')
  try {
    await navigator.clipboard.writeText(mode.text)
    button.textContent = 'Copied'
  } catch {
    // Pages served without TLS have no clipboard: leave the text selected for the reader's own keys.
    getSelection()?.selectAllChildren(byId(mode === chat ? 'turns' : 'manuscript'))
    button.textContent = 'Selected'
  }
  setTimeout(() => { button.textContent = 'Copy' }, 1600)
})
byId('open-picker').addEventListener('click', () => picker.open())
byId('open-rail').addEventListener('click', () => showRail(!document.documentElement.hasAttribute('data-rail')))
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.defaultPrevented) {
    if (page.run) stop()
    else showRail(false)
  }
  const inDialog = document.querySelector('dialog[open]')
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && mode === story && !inDialog) {
    event.preventDefault()
    if (!page.run) go()
  }
})

// ---------------------------------------------------------------- first visit

startTheme(() => strip.trace.redraw())
refresh()
import('itera-lite').then(({ Itera }) => settings.offer(Itera.supportedSimd()), () => { /* the load will tell */ })

/** A reader who asked the browser to save data, or is on a very slow line, starts the download by hand. */
function mayDownload() {
  const line = /** @type {any} */ (navigator).connection
  return !line?.saveData && !/2g/.test(line?.effectiveType ?? '')
}

try {
  page.shipped = await shippedModels()
  picker.show(page.shipped)
  const [first] = page.shipped
  if (first) {
    showStarters(first.starters ?? [])
    byId('model-name').textContent = first.name
    byId('model-about').textContent = first.description ?? ''
    if (story.empty) story.put(first.starters?.[0] ?? '')
    refresh()
    // The sheet comes alive by itself; whoever prefers no motion gets the model, and begins when they like.
    if (mayDownload() && await open(first) && !calm() && !page.run) await write()
  }
} catch (error) {
  notice.show(error, { retry: () => location.reload() })
  refresh()
}
