// The page: one model, one conversation in sight, one run at a time, and what the buttons do in each state.
import { byId, copyText, h, icon, keep, narrow, saveFile } from './dom.js'
import * as format from './format.js'
import { say } from './announce.js'
import { Chat } from './chat.js'
import { Conversations } from './conversations.js'
import { isAbort } from './errors.js'
import { fileName, fromJson, fromMessages, titleOf, toJson } from './exchange.js'
import { factsOf } from './facts.js'
import { startKeys } from './keys.js'
import { Live } from './live.js'
import { Loader } from './loader.js'
import { ask } from './menu.js'
import { Models, shippedModels } from './models.js'
import { Notice } from './notice.js'
import { startOffline, toast } from './offline.js'
import { ENDINGS, run, toEnd } from './run.js'
import { Settings } from './settings.js'
import { Sidebar } from './sidebar.js'
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
  /** The model loaded last, or on its way: whether it is ready. @type {Promise<boolean>} */
  opening: Promise.resolve(false),
  /** The reader knows that conversations are not kept. */
  unkept: false,
}

/**
 * While a new model loads, the old one stays, so that a broken file or a cancelled download leaves the page as it
 * was. Two models larger than this together would risk the memory of a phone: then the old one goes first.
 */
const ROOM_FOR_BOTH = 1e9
/** A model that is loaded again each time, and what to do about that. */
const NOT_KEPT = {
  quota: 'There is no room to keep this model. Delete others under Models.',
  storage: 'This browser keeps nothing for the page: the model is fetched each time. Allowing site data changes that.',
}
/** For models that bring none. @type {Record<'chat' | 'story', string[]>} */
const STARTERS = {
  chat: ['Tell me a story about a brave little boat.', 'Why does the moon change its shape?', 'Write four lines about rain.'],
  story: ['Once upon a time', 'The letter came on a Tuesday', 'Nobody had opened that door for years'],
}
/** While the model writes, what there is of it is kept so often. */
const KEEP_MS = 1000
const SYSTEM = 'itera.system', LAST = 'itera.last', LIVE = 'itera.live', SIDE = 'itera.side'

const strip = new Strip()
const live = new Live()
const loader = new Loader()
const settings = new Settings({ onSimd: () => page.source && open(page.source), onChange: () => {} })
const talks = new Conversations({
  listed: () => sidebar?.show(talks.records.values(), talks.current.id),
  replaced: () => show(),
  unkept,
})
const notice = new Notice({ pick: () => models.open() })
const models = new Models({ choose: source => open(source), import: file => importFile(file), store: talks.store })
const sidebar = new Sidebar({
  open: id => select(id),
  rename,
  remove,
  exportText: id => { const record = talks.records.get(id); if (record) saveFile(toJson(record), fileName(record, 'json')) },
  exportMemory,
})

/** @type {import('./desk.js').Desk} */
const desk = {
  talks,
  get running() { return page.run !== null },
  ready: async () => Boolean(page.model) || Boolean(page.shipped[0] && !loader.busy && await open(page.shipped[0])),
  go: () => { if (!page.run) go() },
  run: write,
  finish,
  moved: () => { talks.keep({ touch: false }); refresh() },
  refresh,
}
const story = new Story(desk)
const chat = new Chat(desk)
/** The view of the conversation on the page. */
const mode = () => (talks.current.kind === 'chat' ? chat : story)

// ---------------------------------------------------------------- loading

/** @param {Source} source */
const keyOf = source => (typeof source.from === 'string' ? source.from : `file:${source.name}:${source.bytes}`)

/** Loads a model in place of the present one. @param {Source} source @returns {Promise<boolean>} whether it is ready */
function open(source) {
  return page.opening = load(source)
}

/** Waits until no model is on its way. */
async function opened() {
  for (let last; last !== page.opening;) await (last = page.opening)
}

/** @param {Source} source */
async function load(source) {
  await stop()
  notice.hide()
  drawers.close()
  if (page.model && (page.facts?.weightBytes ?? 0) + (source.bytes ?? 0) > ROOM_FOR_BOTH) drop()
  const simd = settings.simd
  try {
    const loading = loader.load(source, simd)
    refresh()
    const model = await loading
    await runEnded()                                     // an answer that began meanwhile is the old model's to finish
    page.model?.dispose()
    page.model = model
    page.source = source
    page.facts = factsOf(model.info, source)
    model.lost.then(error => lost(model, source, error))
    talks.memory.use(model)
    live.use(model.info)
    showModel()
    if (isNew()) begin()
    say(`${page.facts.name} is ready.`)
    performance.mark('model-ready')
    if (loader.cacheError) toast(NOT_KEPT[loader.cacheError])
    startOffline(model.info)
    return true
  } catch (error) {
    if (!isAbort(error)) notice.show(error, { retry: () => open(source), simd })
    else if (!loader.busy) say('Cancelled.')
    return false
  } finally {
    refresh()
  }
}

/** A model that was not being used ended. A run tells by itself. @param {any} model @param {Source} source @param {any} error */
function lost(model, source, error) {
  if (page.model !== model || page.run) return
  drop()
  notice.show(error, { retry: () => open(source) })
  refresh()
}

/** Lets go of the model. What stands on the page stays. */
function drop() {
  page.model?.dispose()
  page.model = null
  talks.memory.use(null)
}

/** @param {Source} [source] */
function showModel(source = page.source ?? undefined) {
  if (!source) return
  const { facts } = page
  const loaded = facts && source === page.source
  models.current = loaded ? keyOf(source) : ''
  byId('model-name').textContent = loaded ? facts.name : source.name
  byId('model-size').textContent = format.bytes(source.bytes ?? NaN)
  byId('model-about').textContent = source.description ?? ''
  byId('model-facts').replaceChildren(
    ...(loaded ? facts.rows : []).flatMap(([label, value]) => [h('dt', {}, label), h('dd', {}, value)]))
  if (loaded) strip.showModel(facts)
  byId('chips').replaceChildren(...(source.starters ?? STARTERS[talks.current.kind]).map(text => h('li', {}, h('button', {
    type: 'button', class: 'chip', 'data-testid': 'starter', onclick: () => beginWith(text),
  }, text, h('span', { 'aria-hidden': 'true' }, talks.current.kind === 'chat' ? '' : '…')))))
}

// ---------------------------------------------------------------- conversations

/** Nothing has been written in the conversation on the page. */
const isNew = () => talks.tree.empty && story.sheet.text === (talks.current.draft?.text ?? '') && !talks.current.draft

/** What this model is for. @returns {'chat' | 'story'} */
const kindOf = () => page.source?.kind ?? (page.facts?.chat ? 'chat' : page.facts ? 'story' : page.shipped[0]?.kind ?? 'story')

/** An empty conversation. @param {'chat' | 'story'} [kind] */
function begin(kind = kindOf()) {
  talks.begin(kind, kind === 'chat' ? keep.get(SYSTEM, '') : '')
  show()
}

/** Begins anew with this text. @param {string} text */
async function beginWith(text) {
  await stop()
  if (!talks.tree.empty) begin(talks.current.kind)
  mode().put(text)
  refresh()
  // A model on its way gets it at its arrival, unless the reader has changed it by then.
  const wait = loader.busy
  if (wait) await opened()
  if (!wait || (page.model && (mode() === chat ? chat.field.value : story.text) === text)) await go()
}

/** A conversation is not in the store, which is told once. @param {any} error */
function unkept(error) {
  if (page.unkept) return
  page.unkept = true
  const why = error?.name === 'QuotaExceededError' ? 'This device has no room' : 'This browser could not keep that'
  toast(`${why}: conversations last only until the page is closed. Export them.`, 'Dismiss')
}

const showTitle = () => { document.title = talks.tree.empty ? 'Itera-Lite' : `${titleOf(talks.current)} – Itera-Lite` }

/** Puts the conversation at hand on the page. */
function show() {
  const { current } = talks
  const talking = current.kind === 'chat'
  notice.hide()
  byId('story').hidden = talking
  byId('chat').hidden = !talking
  byId('composer').hidden = !talking
  byId('actions').hidden = talking
  byId('system-field').hidden = !talking
  field('system').value = current.system
  for (const radio of kinds()) radio.checked = radio.value === current.kind
  story.sheet.setText('')
  mode().show()
  showModel(page.source ?? page.shipped[0])
  keep.set(LAST, talks.tree.empty ? '' : current.id)
  page.ending = talks.tree.last?.ending ?? ''
  showTitle()
  sidebar.show(talks.records.values(), current.id)
  refresh()
}

/** Puts another conversation on the page: each has its own half-typed message. @param {() => void} change */
function turnTo(change) {
  chat.leave()
  change()
  chat.arrive()
  refresh()
}

/** @param {string} id */
async function select(id) {
  const record = talks.records.get(id)
  if (!record) return
  await stop()
  turnTo(() => {
    talks.select(record)
    if (narrow.matches) drawers.close()
    show()
  })
  byId('scroll').scrollTop = talks.current.kind === 'chat' ? 1e9 : 0
  if (!narrow.matches) mode().focus()
}

/** @param {string} id */
async function rename(id) {
  const record = talks.records.get(id)
  if (!record) return
  const title = await ask({ title: 'Rename', value: titleOf(record), yes: 'Rename' })
  if (title === null) return
  await talks.rename(id, title)
  showTitle()
}

/** @param {string} id */
async function remove(id) {
  const record = talks.records.get(id)
  if (!record) return
  const sure = await ask({ title: 'Delete this conversation?', text: `“${titleOf(record)}” and all its branches will be gone.`, yes: 'Delete' })
  if (sure === null) return
  if (id === talks.current.id) await stop()
  await talks.remove(id)
  if (id === talks.current.id) turnTo(begin)
  say('Deleted.')
  byId('new').focus()
}

/** The engine's own file, for going on elsewhere at once. @param {string} id */
async function exportMemory(id) {
  await select(id)
  const { current, tree, memory } = talks
  if (!await desk.ready()) return
  try {
    // Where all has been taken back, what was said last is meant.
    const blob = await memory.file(current, tree.path(tree.leaf ?? tree.end), story.text)
    saveFile(blob, fileName(current, 'itera'))
  } catch (error) {
    notice.show(error)
  }
}

/** @param {File} file */
async function importFile(file) {
  await stop()
  try {
    const saved = await file.slice(0, 64).text()
    const record = /^\s*[{[]/.test(saved) ? await fromJson(file) : await fromSnapshot(file)
    await talks.add(record)
    await select(record.id)
    toast(`Imported “${titleOf(record)}”.`)
  } catch (error) {
    notice.show(error)
  }
}

/** A conversation from a snapshot; its memory is ready for use. @param {File} file */
async function fromSnapshot(file) {
  if (!await desk.ready()) throw Object.assign(new Error('a memory needs its model: load it first'), { code: 'snapshot' })
  const talk = await page.model.restore(file)
  const { messages } = talk
  // A story is kept as a conversation of one message and what the model wrote behind it.
  const told = !page.facts?.chat && messages.length <= 2 && messages[0]?.role === 'user'
  const record = fromMessages(messages, told ? 'story' : 'chat')
  record.model = page.source && { key: keyOf(page.source), name: page.source.name }
  const [question, answer] = record.turns
  if (told && answer) {
    answer.written = [[question.text.length, question.text.length + answer.text.length]]
    answer.text = question.text + answer.text
  }
  talks.memory.keep(told ? record.id : /** @type {string} */ (record.leaf), talk)
  return record
}

// ---------------------------------------------------------------- writing

/** The big button: load the first model if there is none, then write. */
async function go() {
  if (page.run || loader.busy || !await desk.ready()) return
  if (mode().empty) return mode().focus()
  await mode().write()
}

/** One run of the conversation on the page. @param {import('./desk.js').Job} job @returns {Promise<import('./desk.js').Outcome>} */
async function write(job) {
  const abort = page.run = new AbortController()
  talks.busy = true
  notice.hide()
  page.ending = ''
  delete document.documentElement.dataset.saved
  talks.current.model = page.source && { key: keyOf(page.source), name: page.source.name }
  const { maxTokens, ...options } = settings.options()
  job.started()
  refresh()
  talks.keep()
  showTitle()
  const before = talks.tree.path().findLast(turn => turn.stats)?.stats?.total ?? 0
  let kept = performance.now()
  const append = (/** @type {string} */ piece) => {
    job.append(piece)
    if (performance.now() - kept < KEEP_MS) return
    kept = performance.now()
    talks.keepSoFar()
  }
  const { ending, failed, dropped, meter, follow } = await run({
    ...job, append, abort, maxTokens, strip, live, before,
    begin: () => job.begin({ ...options, maxTokens, signal: abort.signal, trace: live.open }),
    stats: () => page.model.lastStats,
  })
  const stats = failed || !meter.tokens ? undefined
    : { perSecond: meter.perSecond, firstMs: meter.firstMs, tokens: meter.shown, read: meter.readTokens, total: meter.promptTokens + meter.shown }
  return { ending, failed, dropped, stats, follow }
}

/** @param {import('./desk.js').Outcome} outcome */
function finish({ ending, failed, follow }) {
  page.ending = ending
  page.run = null
  mode().show()
  talks.keep()
  talks.free()
  document.documentElement.dataset.memory = talks.memory.origin
  if (failed) runFailed(failed)
  keep.set(LAST, talks.tree.empty ? '' : talks.current.id)
  refresh()
  follow()
}

/** @param {any} error */
function runFailed(error) {
  const { source } = page
  // A worker that ended takes its model along.
  if (page.model?.error) drop()
  notice.show(error, { retry: () => (page.model || !source ? go() : open(source)) })
}

/** Ends the run, if there is one, and waits until the page has taken note of it. */
async function stop() {
  page.run?.abort()
  await runEnded()
}

async function runEnded() {
  while (page.run) await new Promise(done => setTimeout(done, 10))
}

// ---------------------------------------------------------------- the buttons

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id))
const kinds = () => /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[name="kind"]'))
const apple = /Mac|iPhone|iPad/.test(navigator.platform)

/** Puts every control into the state the page is in. */
function refresh() {
  const running = Boolean(page.run), loading = loader.busy
  const { dataset } = document.documentElement
  dataset.state = running ? 'writing' : loading ? 'loading' : page.model ? 'ready' : 'idle'
  dataset.ending = page.ending
  const { tree, current } = talks
  const talking = current.kind === 'chat', view = mode()
  const first = page.shipped[0]
  const size = format.bytes(first?.bytes ?? NaN)

  const button = /** @type {HTMLButtonElement} */ (byId('go'))
  button.textContent = running ? 'Stop'
    : !page.model && !loading ? (first ? `Start, ${size}` : 'Start')
    : story.continues ? 'Continue' : 'Write'
  button.classList.toggle('stop', running)
  button.disabled = loading || (!page.model && !first) || (!running && Boolean(page.model) && view.empty)
  byId('hint').textContent = running ? 'Esc' : !page.model || view.empty ? '' : `${apple ? '⌘' : 'Ctrl'} Enter`

  const send = /** @type {HTMLButtonElement} */ (byId('send'))
  if (send.dataset.does !== (running ? 'stop' : 'send')) {
    send.dataset.does = running ? 'stop' : 'send'
    send.setAttribute('aria-label', running ? 'Stop' : 'Send')
    send.replaceChildren(icon(running ? 'stop' : 'send'))
  }
  send.disabled = !running && (loading || view.empty || (!page.model && !first))

  const idle = !running && !loading
  enable('again', idle && !talking && story.canRepeat && Boolean(page.model))
  enable('undo', idle && !talking && story.canUndo)
  enable('copy', !talking && Boolean(story.text.trim()))

  const fresh = tree.empty
  byId('later').hidden = running || !tree.later
  byId('later-show').textContent = `${format.plural(tree.later, talking ? 'later message' : 'later version')} kept. Show again`
  byId('starters').hidden = running || !fresh || !byId('chips').childElementCount
  byId('kinds').hidden = !fresh
  byId('hello').hidden = !talking || !fresh || running
  byId('hello-title').textContent = page.facts ? `${page.facts.name} is listening` : first ? `Talk with ${first.name}` : 'Choose a model'
  byId('hello-about').textContent = page.facts
    ? `It runs inside this page, on this device. ${page.facts.kvBytesPerToken ? '' : `All it remembers of a conversation fits in ${format.bytes(page.facts.stateBytes)}, however long you talk.`}`
    : `A model of ${size} that runs inside this page, on this device.`
  byId('starters-heading').textContent = !page.model && !loading && first ? `Downloads ${first.name}, ${size}, and begins with` : 'Begin with'
  showDockNote(idle)
}

/** What to know before writing on. @param {boolean} idle */
function showDockNote(idle) {
  const { current, tree } = talks
  const other = current.model && page.source && !tree.empty && current.model.key !== keyOf(page.source) ? current.model : null
  const source = other && (page.shipped.find(source => keyOf(source) === other.key) ??
    (/^https?:/.test(other.key) ? { name: other.name, from: other.key } : null))
  const story = !other && idle && current.kind === 'story' && page.ending in ENDINGS && tree.last?.role === 'assistant'
  byId('dock-note').hidden = !idle || !(other || story)
  byId('dock-note-text').textContent = other ? `${other.name} wrote this; ${page.facts?.name} would go on.`
    : story ? `${ENDINGS[page.ending]} Change any word and continue.` : ''
  const button = byId('dock-note-do')
  button.hidden = !source
  button.textContent = source ? `Load ${source.name}` : ''
  button.onclick = () => { if (source) open(source) }
}

/** @param {string} id @param {boolean} yes */
const enable = (id, yes) => { /** @type {HTMLButtonElement} */ (byId(id)).disabled = !yes }

/** The side list and the settings: columns where there is room, drawers elsewhere. */
const drawers = {
  /** @param {'side' | 'panel'} which @param {boolean} yes */
  set(which, yes) {
    const { documentElement: root } = document
    if (narrow.matches && yes) this.close()
    root.toggleAttribute(`data-${which}`, yes)
    byId(`open-${which}`).setAttribute('aria-expanded', String(yes))
    const covered = narrow.matches && (root.hasAttribute('data-side') || root.hasAttribute('data-panel'))
    byId('scrim').hidden = !covered
    for (const part of document.querySelectorAll('.bar, .desk')) part.toggleAttribute('inert', covered)
  },
  /** @param {'side' | 'panel'} which */
  is: which => document.documentElement.hasAttribute(`data-${which}`),
  /** Closes what covers the text. @returns {boolean} whether there was something */
  close() {
    if (!narrow.matches || (!this.is('side') && !this.is('panel'))) return false
    const from = this.is('side') ? 'side' : 'panel'
    this.set('side', false)
    this.set('panel', false)
    byId(`open-${from}`).focus()
    return true
  },
  /** As the width asks for. */
  settle() {
    this.set('panel', false)
    this.set('side', !narrow.matches && keep.get(SIDE, true))
  },
}

byId('go').addEventListener('click', () => (page.run ? stop() : go()))
byId('send').addEventListener('click', () => (page.run ? stop() : go()))
byId('again').addEventListener('click', () => story.repeat())
byId('undo').addEventListener('click', () => story.undo())
byId('later-show').addEventListener('click', () => {
  const { tree } = talks
  if (tree.end !== null) tree.go(tree.end)
  mode().show()
  desk.moved()
  toEnd()
})
byId('copy').addEventListener('click', async () => {
  const button = byId('copy')
  if (!await copyText(story.text, byId('manuscript'))) return
  button.replaceChildren(icon('check'))
  setTimeout(() => button.replaceChildren(icon('copy')), 1600)
})
byId('new').addEventListener('click', () => fresh())
byId('import').addEventListener('click', () => byId('import-file').click())
byId('import-file').addEventListener('change', () => {
  const [file] = field('import-file').files ?? []
  if (file) importFile(file)
  field('import-file').value = ''
})
byId('open-picker').addEventListener('click', () => models.open())
byId('live-toggle').addEventListener('click', () => setLive(!live.open))
byId('system').addEventListener('input', () => {
  talks.current.system = field('system').value.trim()
  keep.set(SYSTEM, talks.current.system)
  if (!talks.tree.empty) talks.keep({ touch: false })
})
for (const radio of kinds()) radio.addEventListener('change', () => { if (talks.tree.empty) begin(/** @type {any} */ (radio.value)) })
byId('open-side').addEventListener('click', () => { openSide(true); byId('new').focus() })
byId('close-side').addEventListener('click', () => openSide(false))
byId('open-panel').addEventListener('click', () => { drawers.set('panel', !drawers.is('panel')); if (drawers.is('panel')) byId('close-panel').focus() })
byId('close-panel').addEventListener('click', () => { drawers.set('panel', false); byId('open-panel').focus() })
byId('scrim').addEventListener('click', () => drawers.close())
// A phone may end the page without another word once it is hidden.
document.addEventListener('visibilitychange', () => { if (document.hidden) talks.keepSoFar() })
addEventListener('pagehide', () => talks.leave())
narrow.addEventListener('change', () => drawers.settle())

/** @param {boolean} yes */
function openSide(yes) {
  drawers.set('side', yes)
  if (!narrow.matches) keep.set(SIDE, yes)
  if (!yes) byId('open-side').focus()
}

/** A new conversation, ready to be written in. */
async function fresh() {
  await stop()
  drawers.close()
  turnTo(begin)
  mode().focus()
}

/** @param {boolean} yes */
function setLive(yes) {
  byId('live').hidden = !yes
  byId('live-toggle').setAttribute('aria-pressed', String(yes))
  byId('strip').toggleAttribute('data-live', yes)
  keep.set(LIVE, yes)
  live.redraw()
}

startKeys({
  fresh,
  search: () => { openSide(true); field('search').select() },
  write: () => mode().focus(),
  stop: () => { if (page.run) stop(); else return drawers.close(); return true },
  go: () => { if (mode() === story && !page.run) go() },
  side: () => openSide(!drawers.is('side')),
  live: () => setLive(!live.open),
})

// ---------------------------------------------------------------- first visit

startTheme(() => { strip.trace.redraw(); live.redraw() })
drawers.settle()
setLive(keep.get(LIVE, false))
refresh()
import('itera-lite').then(({ Itera }) => settings.offer(Itera.supportedSimd()), () => { /* the load will tell */ })

/** A reader who asked the browser to save data, or is on a very slow line, starts the download by hand. */
function mayDownload() {
  const line = /** @type {any} */ (navigator).connection
  return !line?.saveData && !/2g/.test(line?.effectiveType ?? '')
}

try {
  const listing = shippedModels()
  await talks.load()
  const last = talks.records.get(keep.get(LAST, ''))
  if (last) talks.select(last)
  page.shipped = await listing
  models.shipped = page.shipped
  const [first] = page.shipped
  if (last) show()
  else begin()
  document.documentElement.dataset.shown = ''
  // The model that the conversation was written with, where it can be had.
  const wanted = last?.model && page.shipped.find(source => keyOf(source) === last.model?.key)
  if (first && mayDownload()) await open(wanted || first)
} catch (error) {
  notice.show(error, { retry: () => location.reload() })
  refresh()
}
