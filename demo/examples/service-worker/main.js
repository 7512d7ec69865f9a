// The first visit installs the service worker and loads the page once more, so that all of it went through there.
import { Itera } from 'itera-lite'

const status = document.querySelector('[role=status]')

async function begin() {
  const worker = navigator.serviceWorker
  if (!worker) return write()                           // no secure context: the page works, but not offline
  await worker.register(new URL('sw.js', import.meta.url))
  await worker.ready
  if (sessionStorage.getItem('reloaded') !== 'yes' && !globalThis.crossOriginIsolated) {
    sessionStorage.setItem('reloaded', 'yes')
    return location.reload()
  }
  return write()
}

async function write() {
  const model = await Itera.load(new URL('story.gguf', import.meta.url))
  const story = document.querySelector('article')
  for await (const { text } of model.generate('Once upon a time', { maxTokens: 100 })) story.append(text)
  status.textContent = `${globalThis.crossOriginIsolated ? 'Isolated' : 'Not isolated'}; ${navigator.onLine ? 'online' : 'offline'}.`
  model.dispose()
}

begin().catch(error => { status.textContent = `${error.code ?? error.name}: ${error.message}` })
