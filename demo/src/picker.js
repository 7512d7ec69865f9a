// The dialog that chooses a model: the ones shipped with the page, a file of this device, or an address whose
// size is looked up before anything is downloaded. Files may also be dropped anywhere on the page.
import { byId, h } from './dom.js'
import * as format from './format.js'

/** @typedef {import('./loader.js').Source} Source */

/** @returns {Promise<Source[]>} */
export async function shippedModels() {
  const response = await fetch('models.json')
  if (!response.ok) throw Object.assign(new Error(`models.json: HTTP ${response.status}`), { code: 'network' })
  const { models } = await response.json()
  return models.map((/** @type {any} */ model) => ({ ...model, from: new URL(model.file, document.baseURI).href }))
}

/** A page about a file on the Hugging Face hub becomes the address of the file. @param {string} address */
export function directAddress(address) {
  const url = new URL(address, document.baseURI)
  if (url.hostname === 'huggingface.co') {
    url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, '$1/resolve/')
  }
  return url
}

/** Asks a server for the size of a file without fetching it. @param {URL} url @param {AbortSignal} signal */
async function remoteSize(url, signal) {
  const response = await fetch(url, { method: 'HEAD', signal })
  if (!response.ok) {
    throw new Error(response.status === 404 ? 'There is no file at that address (404).'
      : `The server answered ${response.status} ${response.statusText}.`)
  }
  return Number(response.headers.get('content-length')) || undefined
}

export class Picker {
  /** @param {(source: Source) => void} choose */
  constructor(choose) {
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (byId('picker')))
    this.choose = (/** @type {Source} */ source) => { this.dialog.close(); choose(source) }
    byId('close-picker').addEventListener('click', () => this.dialog.close())
    this.dialog.addEventListener('click', (event) => { if (event.target === this.dialog) this.dialog.close() })
    this.wireFile()
    this.wireAddress()
    this.wireDrop()
  }

  open() {
    this.dialog.showModal()
  }

  /** @param {Source[]} models */
  show(models) {
    byId('shelf').replaceChildren(...models.map((model) => {
      const size = format.bytes(model.bytes ?? NaN)
      return h('li', {},
        h('div', {}, h('p', { class: 'model-name' }, model.name), h('p', { class: 'note' }, model.description ?? '')),
        h('button', {
          type: 'button', class: 'plain', 'data-testid': 'load-shipped',
          'aria-label': `Load, ${size}: ${model.name}`, onclick: () => this.choose(model),
        }, `Load, ${size}`))
    }))
  }

  wireFile() {
    const input = /** @type {HTMLInputElement} */ (byId('file'))
    byId('browse').addEventListener('click', () => input.click())
    input.addEventListener('change', () => {
      const file = input.files?.[0]
      input.value = ''                     // so that the same file can be chosen twice in a row
      if (file) this.choose({ name: file.name, from: file, bytes: file.size })
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
    byId('url-form').addEventListener('submit', async (event) => {
      event.preventDefault()
      if (ready) return this.choose(ready)
      const url = directAddress(field.value)
      const name = decodeURIComponent(url.pathname.split('/').pop() || url.hostname)
      lookup = new AbortController()
      note.textContent = 'Asking for its size…'
      try {
        const bytes = await remoteSize(url, lookup.signal)
        ready = { name, from: url.href, bytes }
        note.textContent = bytes ? `${name} is ${format.bytes(bytes)}.` : `The server does not say how large ${name} is.`
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
    addEventListener('dragenter', (event) => { if (carriesFile(event)) zone.hidden = ++depth === 0 })
    addEventListener('dragleave', (event) => { if (carriesFile(event)) zone.hidden = --depth <= 0 })
    addEventListener('dragover', (event) => { if (carriesFile(event)) event.preventDefault() })
    addEventListener('drop', (event) => {
      if (!carriesFile(event)) return
      event.preventDefault()
      depth = 0
      zone.hidden = true
      const file = event.dataTransfer?.files[0]
      if (file) this.choose({ name: file.name, from: file, bytes: file.size })
    })
  }
}
