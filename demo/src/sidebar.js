// The list of conversations: newest first, grouped by day, searched by what was said in them.
import { byId, h, iconButton } from './dom.js'
import { titleOf } from './exchange.js'
import { openMenu } from './menu.js'

/** @typedef {import('./store.js').Conversation} Conversation */

/** @param {Conversation} record @param {string} wanted lower case */
function matches(record, wanted) {
  return !wanted || titleOf(record).toLowerCase().includes(wanted) || record.draft?.text.toLowerCase().includes(wanted) ||
    record.turns.some(turn => turn.text.toLowerCase().includes(wanted))
}

/** @param {number} time */
function dayOf(time) {
  const days = Math.floor((new Date().setHours(24, 0, 0, 0) - time) / 864e5)
  if (days < 1) return 'Today'
  if (days < 2) return 'Yesterday'
  if (days < 7) return 'This week'
  return new Date(time).toLocaleDateString('en', { month: 'long', year: 'numeric' })
}

export class Sidebar {
  /** @param {{ open: (id: string) => void, rename: (id: string) => void, remove: (id: string) => void,
   *   exportText: (id: string) => void, exportMemory: (id: string) => void }} events */
  constructor(events) {
    this.events = events
    /** @type {Conversation[]} */
    this.records = []
    this.current = ''
    this.field = /** @type {HTMLInputElement} */ (byId('search'))
    this.field.addEventListener('input', () => this.paint())
    this.field.addEventListener('keydown', event => {
      if (event.key !== 'Escape' || !this.field.value) return
      event.stopPropagation()
      event.preventDefault()
      this.field.value = ''
      this.paint()
    })
  }

  /** @param {Iterable<Conversation>} records @param {string} current */
  show(records, current) {
    this.records = [...records].sort((a, b) => b.updated - a.updated)
    this.current = current
    this.paint()
  }

  paint() {
    const wanted = this.field.value.trim().toLowerCase()
    const found = this.records.filter(record => matches(record, wanted))
    const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest?.('.entry'))?.dataset.id
    /** @type {Map<string, Conversation[]>} */
    const days = new Map()
    for (const record of found) {
      const day = dayOf(record.updated)
      days.set(day, [...days.get(day) ?? [], record])
    }
    const groups = [...days].map(([day, records]) => h('section', {},
      h('h2', {}, day), h('ul', {}, ...records.map(record => this.entry(record)))))
    byId('list').replaceChildren(...groups.length ? groups
      : [h('p', { class: 'note none' }, wanted ? 'Nothing found.' : 'What you write appears here.')])
    if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`.entry[data-id="${focused}"] .entry-open`))?.focus()
  }

  /** @param {Conversation} record */
  entry(record) {
    const { id } = record
    const title = titleOf(record)
    return h('li', { class: 'entry', 'data-id': id, 'data-testid': 'entry' },
      h('button', {
        type: 'button', class: 'entry-open', 'data-testid': 'entry-open', dir: 'auto', title,
        'aria-current': id === this.current ? 'page' : false, onclick: () => this.events.open(id),
      }, title),
      iconButton('more', `More for ${title}`, event => openMenu(/** @type {HTMLElement} */ (event.currentTarget), [
        { label: 'Rename', icon: 'edit', id: 'menu-rename', do: () => this.events.rename(id) },
        { label: 'Export messages', icon: 'export', id: 'menu-export', do: () => this.events.exportText(id) },
        { label: 'Export with memory', icon: 'export', id: 'menu-export-memory', do: () => this.events.exportMemory(id) },
        { label: 'Delete', icon: 'trash', id: 'menu-delete', do: () => this.events.remove(id) },
      ]), { 'data-testid': 'entry-more', 'aria-haspopup': 'menu', 'aria-expanded': 'false' }))
  }
}
