// Makes a static page work offline after the first visit, and isolates it: shared memory (threads) needs two headers
// that many static hosts cannot send. It covers what lies below its own folder: the package must be there, or the
// package's worker would come without the headers and be refused. The model itself is kept by the package, in a store of its own.
const CACHE = 'itera-example-1'

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', event => {
  const { request } = event
  const ours = new URL(request.url).origin === self.location.origin
  if (request.method !== 'GET' || !ours || request.headers.has('range') || request.url.endsWith('.gguf')) return
  event.respondWith(answer(request))
})

/** From the network where there is one, so that a new version is seen; else what was seen last. */
async function answer(request) {
  const cache = await caches.open(CACHE)
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put(request, response.clone())
    return isolated(response)
  } catch (error) {
    const kept = await cache.match(request)
    if (!kept) throw error
    return isolated(kept)
  }
}

function isolated(response) {
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  const { status, statusText, body } = response
  return new Response(body, { status, statusText, headers })
}
