// The model manager: what comes with the page, what has been downloaded (shelf.js), and any other file by address, by
// its name on Hugging Face or from this device. Sizes are shown before anything is fetched.
import { byId } from './dom.js'
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

export class Models {
  /** @param {{ choose: (source: Source) => void, import: (file: File) => void, store: import('./store.js').Store }} events */
  constructor({ choose, import: take, store }) {
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (byId('picker')))
    this.store = store
    this.choose = (/** @type {Source} */ source) => { this.dialog.close(); choose(source) }
    this.take = take
    /** @type {Source[]} */
    this.shipped = []
    /** Address of the model in use. */
    this.current = ''
    /** @type {import('./shelf.js').Shelf | null} */
    this.shelf = null
    byId('close-picker').addEventListener('click', () => this.dialog.close())
    this.dialog.addEventListener('click', event => { if (event.target === this.dialog) this.dialog.close() })
    this.wireFile()
    this.wireAddress()
    this.wireDrop()
  }

  async open() {
    this.dialog.showModal()
    try {
      const { Shelf } = await import('./shelf.js')      // fetched when it is first looked at
      this.shelf ??= new Shelf(this)
      await this.shelf.refresh()
    } catch {
      byId('storage').textContent = 'The list cannot be fetched: check the connection and open it again.'
    }
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
        const { directAddress, remoteSize } = await import('./addresses.js')
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
