// The model manager: what comes with the page, what has been downloaded, and any other file by address, by its name
// on Hugging Face or from this device. Sizes are shown before anything is fetched.
import { directAddress, HUB, partsOf } from './addresses.js'
import { byId, h, iconButton } from './dom.js'
import * as format from './format.js'

/** @typedef {import('./loader.js').Source} Source */

/** @returns {Promise<Source[]>} the default first */
export async function shippedModels() {
  const response = await fetch('models.json')
  if (!response.ok) throw Object.assign(new Error(`models.json: HTTP ${response.status}`), { code: 'network' })
  const { models } = await response.json()
  return models
    .map((/** @type {any} */ model) => ({ ...model, from: new URL(model.file, document.baseURI).href }))
    .sort((/** @type {Source} */ a, /** @type {Source} */ b) => Number(Boolean(b.default)) - Number(Boolean(a.default)))
}

/** Asks a server for the size of a model without fetching it. @param {URL} url @param {AbortSignal} signal */
async function remoteSize(url, signal) {
  const sizes = await Promise.all(partsOf(url).map(async part => {
    const response = await fetch(part, { method: 'HEAD', signal })
    if (!response.ok) {
      throw new Error(response.status === 404 ? 'There is no file at that address (404).'
        : response.status === 401 || response.status === 403 ? `The server wants a login first (${response.status}).`
        : `The server answered ${response.status} ${response.statusText}.`)
    }
    return Number(response.headers.get('content-length')) || NaN
  }))
  return sizes.reduce((sum, size) => sum + size, 0) || undefined
}

/** Where a downloaded model came from, in few words. @param {string} address */
function originOf(address) {
  const url = new URL(address)
  return url.origin === new URL(HUB).origin ? `${url.pathname.split('/').slice(1, 3).join('/')} on Hugging Face` : url.host
}

export class Models {
  /** @param {{ choose: (source: Source) => void, import: (file: File) => void, store: import('./store.js').Store }} events */
  constructor({ choose, import: take, store }) {
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (byId('picker')))
    this.store = store
    this.choose = (/** @type {Source} */ source) => { this.dialog.close(); choose(source) }
    this.take = take
    /** @type {Source[]} */
    this.shipped = []
    /** What was kept when the package was asked last. @type {import('itera-lite').CachedModel[]} */
    this.known = []
    /** Address of the model in use. */
    this.current = ''
    byId('close-picker').addEventListener('click', () => this.dialog.close())
    this.dialog.addEventListener('click', event => { if (event.target === this.dialog) this.dialog.close() })
    byId('persist').addEventListener('click', async () => {
      const { Itera } = await import('itera-lite')
      await Itera.cache.persist()
      this.showStorage()
    })
    this.wireFile()
    this.wireAddress()
    this.wireDrop()
  }

  open() {
    this.dialog.showModal()
    this.refresh()
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
    const rows = this.shipped.map(source => ({ source, entry: cached.find(({ url }) => url === source.from) }))
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
    const inUse = source.from === this.current
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
          'aria-label': `${action} ${source.name}, ${size}`, onclick: () => this.choose(source),
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
      const talks = (await this.store.memories()).reduce((sum, { size }) => sum + size, 0)
      const free = quota === undefined || usage === undefined ? '' : ` ${format.bytes(quota - usage)} are free.`
      words = `${format.bytes(bytes)} of models${talks ? ` and ${format.bytes(talks)} of memories` : ''} are kept here.${free}`
      persisted = kept
      if (kept) words += ' The browser will keep them.'
    } catch { /* no storage here: nothing to say */ }
    byId('storage').textContent = words
    byId('persist').hidden = !words || persisted
  }

  /** @param {File} file */
  opened(file) {
    if (/\.(json|itera)$/i.test(file.name)) this.take(file)
    else this.choose({ name: file.name.replace(/\.gguf$/i, ''), from: file, bytes: file.size })
  }

  wireFile() {
    const input = /** @type {HTMLInputElement} */ (byId('file'))
    byId('browse').addEventListener('click', () => input.click())
    input.addEventListener('change', () => {
      const file = input.files?.[0]
      input.value = ''                     // so that the same file can be chosen twice in a row
      if (file) this.opened(file)
    })
  }

  wireAddress() {
    const field = /** @type {HTMLInputElement} */ (byId('url'))
    const note = byId('url-note'), button = byId('url-go')
    const first = note.textContent
    /** @type {Source | null} */
    let ready = null
    /** @type {AbortController | null} */
    let lookup = null
    field.addEventListener('input', () => {
      lookup?.abort()
      ready = null
      button.textContent = 'Look up'
      note.textContent = first
    })
    byId('url-form').addEventListener('submit', async event => {
      event.preventDefault()
      if (ready) return this.choose(ready)
      lookup = new AbortController()
      note.textContent = 'Asking for its size…'
      try {
        const url = directAddress(field.value)
        const file = decodeURIComponent(url.pathname.split('/').pop() || url.hostname)
        const bytes = await remoteSize(url, lookup.signal)
        ready = { name: file.replace(/\.gguf$/i, ''), from: url.href, bytes }
        note.textContent = bytes ? `${file} is ${format.bytes(bytes)}.` : `The server does not say how large ${file} is.`
        button.textContent = bytes ? `Download ${format.bytes(bytes)}` : 'Download'
      } catch (error) {
        if (lookup.signal.aborted) return
        note.textContent = error instanceof TypeError
          ? 'No answer. Check the address and the connection; the other site may also forbid pages to read its ' +
            'files. If so, download the file and open it from this device.'
          : /** @type {Error} */ (error).message
      }
    })
  }

  wireDrop() {
    const zone = byId('dropzone')
    let depth = 0                          // dragenter and dragleave also fire on every element passed over
    const carriesFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files')
    addEventListener('dragenter', event => { if (carriesFile(event)) zone.hidden = ++depth === 0 })
    addEventListener('dragleave', event => { if (carriesFile(event)) zone.hidden = --depth <= 0 })
    addEventListener('dragover', event => { if (carriesFile(event)) event.preventDefault() })
    addEventListener('drop', event => {
      if (!carriesFile(event)) return
      event.preventDefault()
      depth = 0
      zone.hidden = true
      const file = event.dataTransfer?.files[0]
      if (file) this.opened(file)
    })
  }
}
