// A first visit to the exported page on this machine: weight, first paint, and when the model is ready. Weights are those
// of files as they are, without a server's compression and without the model: `first_visit` is what the page asks for
// until the model is ready, threads' headers sent; `precache` what the service worker fetches behind that, for visits
// without a network.
//
//   node tests/bench/first-visit.mjs [--browser chromium|firefox] [--repeat 5] [--files]

import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { exportSite } from '../../demo/export.mjs'
import { browsers } from '../browser/harness.mjs'
import { weighedHost } from '../browser/support/weight.mjs'

const { values } = parseArgs({ options: {
  browser: { type: 'string', default: 'chromium' }, repeat: { type: 'string', default: '5' }, files: { type: 'boolean' },
} })
const browser = browsers.find(({ name }) => name === values.browser)
if (!browser || browser.missing) throw new Error(browser?.missing || `unknown browser ${values.browser}`)
const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

const folder = await mkdtemp(path.join(os.tmpdir(), 'itera-site-'))
await exportSite(folder)
const runs = []
let weights
for (let run = 0; run < Number(values.repeat); run++) {
  // Another port is another origin: nothing of the run before is in a cache.
  const host = await weighedHost(folder)
  const page = await browser.launch()
  await page.goto(`${host.url}/pages-none`).catch(() => {})    // the browser itself has started
  await page.goto(`${host.url}/`)
  await page.waitFor(() => performance.getEntriesByName('model-ready').length > 0)
  const times = await page.evaluate(() => ['first-contentful-paint', 'model-ready'].map(name =>
    performance.getEntriesByName(name)[0]?.startTime ?? NaN))
  const ready = new Map(host.weights.page)
  runs.push(times)
  await page.waitFor(() => document.documentElement.dataset.offline === 'ready').catch(() => {})
  weights = { first_visit: ready, precache: host.weights.precache }
  await page.close()
  await host.close()
}
await rm(folder, { recursive: true, force: true })
const sum = files => ({ files: files.size, bytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0) })
if (values.files) {
  for (const [kind, files] of Object.entries(weights)) {
    for (const [name, bytes] of [...files].sort((a, b) => b[1] - a[1])) console.log(`${kind}\t${bytes}\t${name}`)
  }
}
console.log(JSON.stringify({
  browser: browser.name,
  first_paint_ms: Math.round(median(runs.map(([paint]) => paint))),
  model_ready_ms: Math.round(median(runs.map(([, ready]) => ready))),
  first_visit: sum(weights.first_visit),
  precache: sum(weights.precache),
}))
