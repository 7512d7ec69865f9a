// The page without a network: a service worker keeps what the page is made of, and gives it the headers that threads
// need on hosts that cannot send them. A new version is taken when the reader says so, never in the middle.
import { byId } from './dom.js'

const { serviceWorker } = navigator
let controlled = Boolean(serviceWorker?.controller)
/** The reader wants the new version, in this tab. */
let asked = false
serviceWorker?.addEventListener('controllerchange', () => {
  if (asked) location.reload()
  // Another tab took the new version. This one may be writing: its reader says when.
  else if (controlled) offer(() => location.reload())
  controlled = true
})

/** @param {() => void} take */
const offer = take => toast('A new version of this page is here.', 'Reload', take)

/** @param {{ simd: string, threads: number }} info of the model: the builds of the engine in use are kept as well */
export async function startOffline({ simd, threads }) {
  if (!serviceWorker || !isSecureContext) return
  const scope = new URL('./', document.baseURI)
  // It also has to serve the package's worker; a page beside the package instead of above it does without.
  const engine = new URL(import.meta.resolve('itera-lite'))
  if (!engine.href.startsWith(scope.href)) return
  try {
    const registration = await serviceWorker.register('sw.js', { updateViaCache: 'none' })
    const offerWaiting = () => {
      if (!registration.waiting || !serviceWorker.controller) return
      offer(() => {
        asked = true
        if (registration.waiting) registration.waiting.postMessage({ type: 'take-over' })
        else location.reload()                           // it took over meanwhile
      })
    }
    offerWaiting()
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing
      worker?.addEventListener('statechange', () => { if (worker.state === 'installed') offerWaiting() })
    })
    const { active } = await serviceWorker.ready
    const builds = threads > 1 ? [simd, `${simd}-threads`] : [simd]
    const urls = builds.map(build => new URL(`../dist/itera-${build}.wasm`, engine).href)
    const channel = new MessageChannel()
    channel.port1.onmessage = ({ data }) => { document.documentElement.dataset.offline = data === true ? 'ready' : 'partly' }
    active?.postMessage({ type: 'keep', urls }, [channel.port2])
  } catch { /* a browser that refuses: the page works as before, with a network */ }
}

/** @param {string} text @param {string} [action] @param {() => void} [run] */
export function toast(text, action = '', run) {
  const bar = byId('toast'), button = byId('toast-do')
  byId('toast-text').textContent = text
  button.textContent = action
  button.hidden = !action
  button.onclick = () => { bar.hidden = true; run?.() }
  bar.hidden = false
  clearTimeout(Number(bar.dataset.timer))
  if (!action) bar.dataset.timer = String(setTimeout(() => { bar.hidden = true }, 4000))
}
