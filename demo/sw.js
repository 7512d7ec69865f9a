// The service worker: the page as it was when it was installed, served from the cache as one version. A new version
// is fetched whole beside it, and takes over when all tabs of the old one are gone or the reader says so in one of them;
// the others then offer to reload. Models are no business of this worker; the package keeps them itself.
/* eslint-env serviceworker */

importScripts('precache.js')            // sets self.PRECACHE = { version, files }: part of what an update is told by
const { version, files } = self.PRECACHE
// An origin may have several pages, each with a worker and caches of its own. No address has a space.
const OURS = `itera-page ${self.registration.scope} `
const NAME = OURS + version
const isOurs = name => name.startsWith(OURS)

// What a page needs to share memory between threads, on hosts that cannot send headers.
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

async function keep(cache, url) {
  const response = await fetch(url, { cache: 'no-cache' })
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`)
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value)
  headers.delete('content-encoding')    // what is kept is decoded
  headers.delete('content-length')
  await cache.put(url, new Response(await response.blob(), { status: 200, headers }))
}

const absolute = file => new URL(file, self.registration.scope).href

self.addEventListener('install', event => event.waitUntil((async () => {
  const cache = await caches.open(NAME)
  // The engine's builds are kept as they are used; a new version takes those that the old one had, where it has them.
  const builds = new Set()
  for (const name of (await caches.keys()).filter(isOurs)) {
    for (const { url } of await (await caches.open(name)).keys()) if (url.endsWith('.wasm')) builds.add(url)
  }
  await Promise.all(files.map(file => keep(cache, absolute(file))))
  await Promise.allSettled([...builds].map(url => keep(cache, url)))
})()))

self.addEventListener('activate', event => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (isOurs(name) && name !== NAME) await caches.delete(name)
  await self.clients.claim()
})()))

self.addEventListener('message', event => {
  const { type, urls } = event.data ?? {}
  if (type === 'take-over') self.skipWaiting()
  if (type === 'keep') {
    event.waitUntil((async () => {
      const cache = await caches.open(NAME)
      const kept = await Promise.allSettled(urls
        .filter(url => url.startsWith(self.registration.scope))
        .map(async url => await cache.match(url) ?? keep(cache, url)))
      event.ports[0]?.postMessage(kept.every(({ status }) => status === 'fulfilled'))
    })())
  }
})

self.addEventListener('fetch', event => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin || request.headers.has('range')) return
  const wanted = request.mode === 'navigate' && url.href.split(/[?#]/)[0] === self.registration.scope
    ? absolute('index.html') : url.href.split(/[?#]/)[0]
  const known = files.some(file => absolute(file) === wanted) || /\/itera-[\w-]+\.wasm$/.test(wanted)
  if (!known) return
  event.respondWith((async () => {
    const cached = await (await caches.open(NAME)).match(wanted)
    return cached ?? fetch(request)
  })())
})
