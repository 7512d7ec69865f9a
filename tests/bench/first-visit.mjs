// A first visit to the exported page on this machine: weight, first paint, and when the model is ready.
//
//   node tests/bench/first-visit.mjs [--browser chromium|firefox] [--repeat 5]

import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { exportSite } from '../../demo/export.mjs'
import { serve } from '../../demo/serve.mjs'
import { browsers } from '../browser/harness.mjs'

const { values } = parseArgs({ options: { browser: { type: 'string', default: 'chromium' }, repeat: { type: 'string', default: '5' } } })
const browser = browsers.find(({ name }) => name === values.browser)
if (!browser || browser.missing) throw new Error(browser?.missing || `unknown browser ${values.browser}`)
const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

const folder = await mkdtemp(path.join(os.tmpdir(), 'itera-site-'))
await exportSite(folder)
const runs = []
const files = new Map()
for (let run = 0; run < Number(values.repeat); run++) {
  // Another port is another origin: nothing of the run before is in a cache.
  const server = await serve({ port: 0, mounts: { '': folder, web: path.join(folder, 'web'), models: path.join(folder, 'models') } })
  const page = await browser.launch()
  if (browser.name === 'chromium') {
    page.raw.on('response', async response => {
      const { pathname } = new URL(response.url())
      if (!pathname.endsWith('.gguf')) files.set(pathname, await response.body().catch(() => Buffer.alloc(0)))
    })
  }
  await page.goto(`${server.url}/pages-none`).catch(() => {})    // the browser itself has started
  await page.goto(`${server.url}/`)
  const ready = await page.evaluate(() => new Promise(resolve => {
    const look = () => (document.documentElement.dataset.state === 'ready' ? resolve(performance.now()) : setTimeout(look, 5))
    look()
  }))
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN)
  runs.push({ paint, ready })
  await page.close()
  await server.close()
}
await rm(folder, { recursive: true, force: true })
files.delete('/pages-none')
const bytes = [...files.values()]
console.log(JSON.stringify({
  browser: browser.name,
  first_paint_ms: Math.round(median(runs.map(({ paint }) => paint))),
  model_ready_ms: Math.round(median(runs.map(({ ready }) => ready))),
  ...bytes.length && {
    files: bytes.length,
    bytes: bytes.reduce((sum, { length }) => sum + length, 0),
    gzipped: bytes.reduce((sum, body) => sum + gzipSync(body).length, 0),
  },
}))
