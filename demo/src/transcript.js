// The turns of a conversation on the page: what was said, the arrows between branches, and what can be done with
// each turn. Turns keep their element as long as they are on the page, so that nothing jumps.
import { byId, copyText, h, icon, iconButton } from './dom.js'
import * as format from './format.js'
import * as markdown from './markdown.js'

/** @typedef {import('./tree.js').Turn} Turn */

/** Formatting a long answer takes a while: at most so much of the time goes into it. */
const FORMAT_SHARE = 0.25

/**
 * The arrows between turns that stand in the same place; nothing where there is only one.
 *
 * @param {Turn[]} siblings
 * @param {string} id
 * @param {(id: string) => void} go
 * @param {string} what they are
 */
export function branchSwitch(siblings, id, go, what) {
  const at = siblings.findIndex(turn => turn.id === id)
  if (siblings.length < 2) return []
  const step = (/** @type {number} */ by) => siblings[at + by] && go(siblings[at + by].id)
  return [
    iconButton('left', `Previous ${what}`, () => step(-1), { disabled: at === 0, 'data-testid': 'branch-previous' }),
    h('span', { class: 'count', 'data-testid': 'branch-count' },
      h('span', { 'aria-hidden': 'true' }, `${at + 1}/${siblings.length}`),
      h('span', { class: 'sr' }, `${what} ${at + 1} of ${siblings.length}`)),
    iconButton('right', `Next ${what}`, () => step(1), { disabled: at === siblings.length - 1, 'data-testid': 'branch-next' }),
  ]
}

export class Transcript {
  /** @param {{ go: (id: string) => void, edit: (id: string, text: string) => void, repeat: (id: string) => void,
   *   answer: (id: string) => void, branch: (id: string) => void, undo: () => void, closed: () => void }} events
   *   closed: the editor of a turn, and nothing was changed */
  constructor(events) {
    this.events = events
    this.root = byId('turns')
    /** @type {Map<string, HTMLElement>} */
    this.places = new Map()
    /** The turn that is open for editing, and how to close it. */
    this.editing = ''
    this.close = () => {}
    this.writing = false
    this.lastFormat = 0
    this.formatMs = 0
  }

  /** @param {import('./tree.js').Tree} tree @param {boolean} writing the last turn is still being written */
  show(tree, writing) {
    const path = tree.path()
    this.writing = writing
    if (!path.some(turn => turn.id === this.editing)) this.editing = ''
    if (path.length && path.some(turn => turn.role === 'assistant')) markdown.ready().then(() => this.reformat(path))
    const places = path.map((turn, i) => {
      const place = this.places.get(turn.id) ?? this.make(turn)
      const last = i === path.length - 1
      place.toggleAttribute('data-last', last)
      place.toggleAttribute('data-writing', writing && last)
      this.fill(place, turn)
      if (this.editing !== turn.id) this.tools(place, turn, tree, { last, writing })
      else /** @type {HTMLButtonElement} */ (place.querySelector('[data-testid="edit-save"]')).disabled = writing
      return place
    })
    this.places = new Map(path.map((turn, i) => [turn.id, places[i]]))
    if (places.length !== this.root.children.length || places.some((place, i) => place !== this.root.children[i])) {
      this.root.replaceChildren(...places)
    }
  }

  /** @param {Turn} turn */
  make(turn) {
    const speaker = h('span', { class: 'sr' }, turn.role === 'user' ? 'You said:' : 'The model said:')
    return h('li', { class: `turn ${turn.role}`, 'data-testid': `turn-${turn.role}`, 'data-id': turn.id },
      speaker, h('div', { class: 'words', dir: 'auto' }), h('div', { class: 'tools' }))
  }

  /** @param {HTMLElement} place @param {Turn} turn */
  fill(place, turn) {
    const words = /** @type {HTMLElement} */ (place.querySelector('.words'))
    if (!words || place.dataset.text === turn.text) return
    place.dataset.text = turn.text
    if (turn.role === 'user') words.textContent = turn.text
    else markdown.show(words, turn.text.trimStart())
  }

  /** The renderer has come. @param {Turn[]} path */
  reformat(path) {
    for (const turn of path) {
      const place = this.places.get(turn.id)
      if (turn.role !== 'assistant' || !place?.querySelector('.words[data-plain="so far"]')) continue
      delete place.dataset.text
      this.fill(place, turn)
    }
  }

  /** More of the last answer. @param {Turn} turn */
  grow(turn) {
    const now = performance.now()
    if (now - this.lastFormat < this.formatMs / FORMAT_SHARE) return
    const place = this.places.get(turn.id)
    if (place) this.fill(place, turn)
    this.lastFormat = performance.now()
    this.formatMs = this.lastFormat - now
  }

  /**
   * @param {HTMLElement} place
   * @param {Turn} turn
   * @param {import('./tree.js').Tree} tree
   * @param {{ last: boolean, writing: boolean }} now
   */
  tools(place, turn, tree, { last, writing }) {
    const tools = /** @type {HTMLElement} */ (place.querySelector('.tools'))
    if (writing && last) return tools.replaceChildren()
    const mine = turn.role === 'user'
    const { events } = this
    const off = { disabled: writing }
    const focused = tools.contains(document.activeElement)
      ? /** @type {HTMLElement} */ (document.activeElement).dataset.testid : null
    tools.replaceChildren(
      h('span', { class: 'switch' }, ...writing ? [] : branchSwitch(tree.siblings(turn.id), turn.id, events.go, mine ? 'version' : 'answer')),
      iconButton('copy', mine ? 'Copy message' : 'Copy answer', event => this.copy(turn, event), { 'data-testid': 'turn-copy' }),
      iconButton('edit', mine ? 'Edit message' : 'Edit answer', () => this.edit(turn), { 'data-testid': 'turn-edit', ...off }),
      ...mine && last ? [iconButton('again', 'Answer', () => events.answer(turn.id), { 'data-testid': 'turn-answer', ...off })] : [],
      ...mine ? [] : [iconButton('again', 'Answer anew', () => events.repeat(turn.id), { 'data-testid': 'turn-again', ...off })],
      ...mine || last ? [] : [iconButton('branch', 'Go on from here', () => events.branch(turn.id), { 'data-testid': 'turn-branch', ...off })],
      ...!mine && last ? [iconButton('undo', 'Take back this turn', () => events.undo(), { 'data-testid': 'turn-undo', ...off })] : [],
      ...turn.stats ? [readings(turn.stats)] : [],
      ...!mine && ENDINGS[turn.ending ?? ''] ? [h('span', { class: 'note ended' }, ENDINGS[turn.ending ?? ''])] : [],
    )
    if (focused) /** @type {HTMLElement | null} */ (tools.querySelector(`[data-testid="${focused}"]`))?.focus()
  }

  /** @param {Turn} turn @param {MouseEvent} event */
  async copy(turn, event) {
    const button = /** @type {HTMLElement} */ (event.currentTarget)
    const words = /** @type {HTMLElement} */ (button.closest('.turn')?.querySelector('.words'))
    if (!await copyText(turn.text.trim(), words)) return
    button.replaceChildren(icon('check'))
    setTimeout(() => button.replaceChildren(icon('copy')), 1500)
  }

  /** Opens a turn for editing in its place. @param {Turn} turn */
  edit(turn) {
    const place = this.places.get(turn.id)
    if (!place) return
    if (this.editing) this.close()
    this.editing = turn.id
    const words = /** @type {HTMLElement} */ (place.querySelector('.words'))
    const tools = /** @type {HTMLElement} */ (place.querySelector('.tools'))
    const field = /** @type {HTMLTextAreaElement} */ (h('textarea', {
      class: 'words editing', dir: 'auto', 'data-testid': 'edit-field', 'aria-label': turn.role === 'user' ? 'Your message' : 'The answer', rows: 1,
    }))
    field.value = turn.text
    const fit = () => { field.style.height = 'auto'; field.style.height = `${field.scrollHeight + 2}px` }
    const done = (/** @type {boolean} */ save) => {
      if (save && this.writing) return      // one answer at a time
      this.editing = ''
      field.replaceWith(words)
      const text = field.value.trim()
      if (save && text && text !== turn.text.trim()) this.events.edit(turn.id, text)
      else this.events.closed()
      const back = /** @type {HTMLElement | null | undefined} */ (this.places.get(turn.id)?.querySelector('[data-testid="turn-edit"]'))
      back?.focus()
    }
    field.addEventListener('input', fit)
    field.addEventListener('keydown', event => {
      if (event.key === 'Escape') { event.preventDefault(); event.stopPropagation(); done(false) }
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); done(true) }
    })
    this.close = () => done(false)
    words.replaceWith(field)
    tools.replaceChildren(
      h('button', { type: 'button', class: 'primary small', 'data-testid': 'edit-save', onclick: () => done(true) },
        turn.role === 'user' ? 'Send' : 'Save'),
      h('button', { type: 'button', class: 'plain small', 'data-testid': 'edit-cancel', onclick: () => done(false) }, 'Cancel'))
    fit()
    field.focus()
  }
}

/** How an answer ended, where that is not plain. @type {Record<string, string>} */
const ENDINGS = { length: 'Paused at the limit', aborted: 'Stopped' }

/** @param {NonNullable<Turn['stats']>} stats */
function readings({ perSecond, firstMs, tokens, read }) {
  const label = `${format.plural(tokens, 'token')} written, ${read.toLocaleString('en')} read`
  return h('span', { class: 'readout', title: label, 'data-testid': 'turn-stats', 'data-read': read },
    `${format.rate(perSecond)} tok/s`, h('i', { 'aria-hidden': 'true' }), `first in ${format.duration(firstMs)}`)
}
