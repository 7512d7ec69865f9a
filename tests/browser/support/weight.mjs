// A host of the exported page that weighs what it is asked for.

import { statSync } from 'node:fs'
import path from 'node:path'
import { serve } from '../../../demo/serve.mjs'

/**
 * Bytes of bodies as they went over the network, models left out: what the page and its workers asked for, and what the
 * service worker fetched to keep. Files that a browser has already are answered with 304, and weigh nothing.
 *
 * @param {string} folder of the exported page
 * @param {{ isolate?: boolean }} [options]  false: without the headers that threads need
 */
export async function weighedHost(folder, { isolate = true } = {}) {
  /** @type {{ page: Map<string, number>, precache: Map<string, number> }} */
  const weights = { page: new Map(), precache: new Map() }
  const server = await serve({
    port: 0, isolate, mounts: { '': folder, demo: folder, web: path.join(folder, 'web'), models: path.join(folder, 'models') },
    onAnswer(request, response) {
      const name = (request.url ?? '').split('?')[0]
      // A whole file, then. Who went away before the answer got none.
      if (!response.headersSent || response.statusCode !== 200 || name.endsWith('.gguf')) return
      const forKeeping = request.headers['service-worker'] === 'script' || /\/sw\.js$/.test(request.headers.referer ?? '')
      const files = forKeeping ? weights.precache : weights.page
      files.set(name, (files.get(name) ?? 0) + statSync(path.join(folder, name === '/' ? 'index.html' : name)).size)
    },
  })
  return { ...server, weights }
}
