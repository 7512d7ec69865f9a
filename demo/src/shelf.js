// The models that come with the page and those kept on this device, and how much room they take.
import { HUB } from './addresses.js'
import { byId, h, iconButton } from './dom.js'
import * as format from './format.js'

/** @typedef {import('./loader.js').Source} Source */

/** Where a downloaded model came from, in few words. @param {string} address */
function originOf(address) {
  const url = new URL(address)
  return url.origin === new URL(HUB).origin ? `${url.pathname.split('/').slice(1, 3).join('/')} on Hugging Face` : url.host
}

export class Shelf {
  /** @param {import('./models.js').Models} models */
  constructor(models) {
    this.models = models
    /** What was kept when the package was asked last. @type {import('itera-lite').CachedModel[]} */
    this.known = []
    byId('persist').addEventListener('click', async () => {
      const { Itera } = await import('itera-lite')
      await Itera.cache.persist()
      this.showStorage()
    })
  }

  /** What the package has kept. @returns {Promise<import('itera-lite').CachedModel[]>} */
  async cached() {
    try {
      const { Itera } = await import('itera-lite')
      return await Itera.cache.list()
    } catch {
      return []                            // nothing is kept here: each model is simply fetched when it is used
    }
  }

  async refresh() {
    this.paint(this.known)
    this.known = await this.cached()
    this.paint(this.known)
    await this.showStorage()
  }

  /** @param {import('itera-lite').CachedModel[]} cached */
  paint(cached) {
    const rows = this.models.shipped.map(source => ({ source, entry: cached.find(({ url }) => url === source.from) }))
    for (const entry of cached) {
      if (rows.some(row => row.entry === entry)) continue
      const source = { name: entry.name.replace(/\.gguf$/i, ''), from: entry.url, bytes: entry.total, description: originOf(entry.url) }
      rows.push({ source, entry })
    }
    const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest?.('.model-row'))?.dataset.name
    byId('shelf').replaceChildren(...rows.map(({ source, entry }) => this.row(source, entry)))
    const again = focused && [...byId('shelf').children].find(row => /** @type {HTMLElement} */ (row).dataset.name === focused)
    if (again) /** @type {HTMLElement} */ (again.querySelector('button')).focus()
  }

  /** @param {Source} source @param {import('itera-lite').CachedModel | undefined} entry what is kept of it */
  row(source, entry) {
    const inUse = source.from === this.models.current
    const size = format.bytes(source.bytes ?? NaN)
    const share = entry && !entry.complete && entry.total ? entry.bytes / entry.total : 0
    const state = inUse ? 'In use' : entry?.complete ? 'On this device' : share ? `${Math.round(share * 100)}% on this device` : ''
    const action = inUse ? 'Reload' : entry?.complete ? 'Use' : share ? 'Resume' : 'Download'
    return h('li', { class: 'model-row', 'data-testid': 'model-row', 'data-name': source.name },
      h('div', { class: 'model-words' },
        h('p', { class: 'model-name' }, source.name, h('span', { class: 'tag' }, source.kind === 'chat' ? 'Chat' : source.kind === 'story' ? 'Story' : 'GGUF')),
        h('p', { class: 'note' }, source.description ?? ''),
        h('p', { class: 'note model-state' }, [size, source.quantization, state].filter(Boolean).join(' · '))),
      h('div', { class: 'model-do' },
        h('button', {
          type: 'button', class: inUse ? 'plain' : 'primary', 'data-testid': 'load-shipped',
          'aria-label': `${action} ${source.name}, ${size}`, onclick: () => this.models.choose(source),
        }, action),
        ...entry ? [iconButton('trash', `Delete ${source.name} from this device`, () => this.remove(entry), { 'data-testid': 'model-delete' })] : []))
  }

  /** @param {import('itera-lite').CachedModel} entry */
  async remove(entry) {
    const note = byId('url-note')
    try {
      const { Itera } = await import('itera-lite')
      await Itera.cache.delete(entry.url)
      note.textContent = `${entry.name} is no longer on this device.`
    } catch (error) {
      note.textContent = /** @type {any} */ (error).code === 'busy'
        ? 'Another tab is using this file. Close it, then delete.' : `It could not be deleted: ${/** @type {Error} */ (error).message}`
    }
    await this.refresh()
    byId('close-picker').focus()
  }

  async showStorage() {
    let words = ''
    let persisted = true
    try {
      const { Itera } = await import('itera-lite')
      const { bytes, usage, quota, persisted: kept } = await Itera.cache.estimate()
      const talks = (await this.models.store.memories()).reduce((sum, { size }) => sum + size, 0)
      const free = quota === undefined || usage === undefined ? '' : ` ${format.bytes(quota - usage)} are free.`
      words = `${format.bytes(bytes)} of models${talks ? ` and ${format.bytes(talks)} of memories` : ''} are kept here.${free}`
      persisted = kept
      if (kept) words += ' The browser will keep them.'
    } catch { /* no storage here: nothing to say */ }
    byId('storage').textContent = words
    byId('persist').hidden = !words || persisted
  }
}
