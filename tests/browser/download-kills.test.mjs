// A download that is killed again and again, by closing its tab or cutting its connection at any moment, ends with an
// intact file, and no byte is sent twice beyond one chunk a kill. Of ITERA_KILLS (200) these are 40%, the others are in
// tests/node/download-kills.test.mjs; ITERA_SEED repeats a run.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'

import { hostileServer, noise, sentAgain } from '../node/support/hostile-server.mjs'
import { Kills } from '../node/support/kills.mjs'
import { createRandom, seed } from '../node/support/random.mjs'
import { browsers, serve } from './harness.mjs'

const ALL_KILLS = Number(process.env.ITERA_KILLS ?? 200)
/** @type {Record<string, number>} */
const SHARE = { chromium: 0.25, firefox: 0.15 }
const CHUNK = 256 << 10
const BYTES = 8 * 1024 * 1024 + 4321

/** In the page: begins, and leaves the outcome on it. @param {{ url: string, options: any }} job */
const begin = job => {
  const scope = /** @type {any} */ (globalThis)
  scope.outcome = null
  const worker = new Worker('/pages/download-worker.js', { type: 'module' })
  worker.onmessage = ({ data }) => { scope.outcome = data }
  worker.onerror = event => { scope.outcome = { code: 'crashed', message: event.message } }
  worker.postMessage(job)
}
const outcomeOf = () => /** @type {any} */ (globalThis).outcome

describe('a download under fire', () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let site
  /** @type {Awaited<ReturnType<typeof hostileServer>>} */
  let server
  before(async () => {
    site = await serve()
    server = await hostileServer()
  })
  after(() => Promise.all([site?.close(), server?.close()]))

  for (const browser of browsers) {
    const wanted = Math.ceil(ALL_KILLS * SHARE[browser.name])
    it(`survives ${wanted} kills in ${browser.name}`, { skip: browser.missing, timeout: 60_000 + wanted * 2000 }, async t => {
      t.diagnostic(`ITERA_SEED=${seed}`)
      const random = createRandom(seed)
      const main = await browser.launch()
      const open = () => browser.name === 'chromium' ? main.raw.context().newPage() : main.raw.browser().newPage()
      try {
        const kills = new Kills({ server, random, chunkBytes: CHUNK, wanted })
        let files = 0
        while (!kills.done) {
          const bytes = noise(BYTES, seed + files)
          const path = `/model-${files++}`
          const url = server.url + path
          server.files.set(path, { bytes, etag: `"${files}"` })
          server.log.length = 0
          const killsBefore = kills.count
          const hash = createHash('sha256').update(bytes).digest('hex')
          const options = { chunkBytes: CHUNK, requestBytes: CHUNK, retryDelay: 1, retries: 100 }
          let tab = await open()
          for (let outcome = null; !outcome;) {
            await tab.goto(`${site.url}/pages/blank.html`)
            /** Settled when this tab is to be closed. @type {Promise<void>} */
            const closing = new Promise(resolve => kills.arm(resolve))
            await tab.evaluate(begin, { url, options })
            let closed = false
            void closing.then(() => { closed = true })
            while (!closed && !outcome) {
              outcome = await tab.evaluate(outcomeOf)
              if (!outcome) await Promise.race([closing, new Promise(resolve => setTimeout(resolve, 20))])
            }
            server.disarm()
            if (outcome) assert.deepEqual([outcome.hash, outcome.count], [hash, BYTES], JSON.stringify(outcome))
            // A tab ends by being closed or by going elsewhere.
            if (outcome || random() < 0.5) {
              await tab.close()
              if (!outcome) tab = await open()
            }
          }
          const again = sentAgain(server.log)
          assert.ok(again.every(count => count <= CHUNK), `${path} sent ${Math.max(...again)} bytes again at once`)
          const sum = again.reduce((a, b) => a + b, 0)
          const hits = kills.count - killsBefore
          assert.ok(sum <= hits * CHUNK, `${path} sent ${sum} bytes again after ${hits} kills`)
          const requests = server.log.length
          await main.goto(`${site.url}/pages/blank.html`)
          await main.evaluate(begin, { url, options })
          await main.waitFor(outcomeOf)
          const kept = await main.evaluate(outcomeOf)
          assert.deepEqual([kept.hash, kept.state?.cached, server.log.length], [hash, BYTES, requests])
          server.files.delete(path)
        }
        t.diagnostic(`${kills.count} kills of ${files} downloads`)
      } finally {
        await main.close()
      }
    })
  }
})
