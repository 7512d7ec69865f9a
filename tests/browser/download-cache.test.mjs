// The cache of downloads as pages have it: private file system or database, several tabs, no room.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'

import { hostileServer, noise, sentAgain } from '../node/support/hostile-server.mjs'
import { browsers, serve } from './harness.mjs'

const CHUNK = 256 << 10
const bytes = noise(4 * 1024 * 1024 + 99, 5)
const model = readFileSync(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))

/** Runs in the page, with the package at hand; what it ends with comes back, also when that is an error. @param {string} body */
const inPage = body => /** @type {(argument?: any) => any} */ (new Function('argument', `
  return import('/web/src/index.js').then(async ({ Itera }) => {
    try { ${body} } catch (error) { return { code: error.code ?? error.name, message: error.message } }
  })
`))

/** In the page: what download-worker.js makes of a job. @param {any} job */
const inWorker = job => new Promise((resolve, reject) => {
  const worker = new Worker('/pages/download-worker.js', { type: 'module' })
  worker.onmessage = ({ data }) => resolve(data)
  worker.onerror = event => reject(new Error(event.message))
  worker.postMessage(job)
})

const hash = createHash('sha256').update(bytes).digest('hex')

for (const browser of browsers) {
  describe(`the cache of downloads in ${browser.name}`, { skip: browser.missing }, () => {
    /** @type {Awaited<ReturnType<typeof serve>>} */
    let site
    /** @type {Awaited<ReturnType<typeof hostileServer>>} */
    let server
    /** @type {import('./harness.mjs').Page} */
    let page
    before(async () => {
      site = await serve()
      server = await hostileServer()
      page = await browser.launch()
      await page.goto(`${site.url}/pages/blank.html`)
    })
    after(async () => {
      await page?.close()
      await Promise.all([site?.close(), server?.close()])
    })
    afterEach(async () => {
      await page.evaluate(inPage('await Itera.cache.clear()'))
      server.log.length = 0
      server.files.clear()
    })

    const sent = () => server.log.reduce((sum, entry) => sum + entry.sent, 0)

    it('loads a model once from the net, then from the cache, and lets go of it', async () => {
      server.files.set('/model.gguf', { bytes: model, etag: '"1"' })
      const url = `${server.url}/model.gguf`
      const load = inPage(`
        let last
        const model = await Itera.load(argument, { onProgress: progress => { last = progress } })
        model.dispose()
        return last
      `)
      const first = await page.evaluate(load, url)
      assert.deepEqual([first.loaded, first.total, first.cached, first.cacheError], [model.length, model.length, 0, undefined])
      assert.equal(sent(), model.length)
      server.files.clear()
      assert.equal((await page.evaluate(load, url)).cached, model.length)
      const told = await page.evaluate(inPage(`
        const list = await Itera.cache.list(), estimate = await Itera.cache.estimate()
        return { list, estimate, persisted: typeof await Itera.cache.persisted(), other: await Itera.cache.list({ cache: 'other' }),
          removed: await Itera.cache.delete(argument), again: await Itera.cache.delete(argument), left: await Itera.cache.list() }
      `), url)
      assert.deepEqual(told.list.map((/** @type {any} */ row) => ({ ...row, updated: 0 })),
        [{ url, name: 'model.gguf', bytes: model.length, total: model.length, complete: true, files: 1, updated: 0 }])
      assert.equal(told.estimate.bytes, model.length)
      assert.ok(told.estimate.quota > model.length)
      assert.equal(told.persisted, 'boolean')
      assert.deepEqual([told.other, told.removed, told.again, told.left], [[], true, false, []])
      const gone = await page.evaluate(load, url)
      assert.equal(gone?.code ?? gone, 'not-found')
    })

    it('is seen but not deleted while it is written, and resumes', async () => {
      server.files.set('/held', { bytes, etag: '"1"', script: [{}, {}, {}, { stallAfter: 1000 }] })
      const url = `${server.url}/held`
      const options = { chunkBytes: CHUNK, requestBytes: CHUNK }
      const held = await page.evaluate(inPage(`
        const abort = new AbortController()
        const { promise, resolve } = Promise.withResolvers()
        const download = Itera.download(argument.url, { ...argument.options, signal: abort.signal,
          onProgress: ({ loaded }) => { if (loaded > 3 * argument.options.chunkBytes) resolve() } })
        await promise
        const list = await Itera.cache.list()
        const busy = await Itera.cache.delete(argument.url).catch(error => error.code)
        abort.abort()
        const end = await download.catch(error => error.code)
        return { list, busy, end, after: await Itera.cache.list() }
      `), { url, options })
      assert.equal(held.busy, 'busy')
      assert.equal(held.end, 'aborted')
      for (const list of [held.list, held.after]) {
        assert.deepEqual(list.map((/** @type {any} */ row) => [row.bytes, row.total, row.complete]), [[3 * CHUNK, bytes.length, false]])
      }
      await page.evaluate(inPage('await Itera.download(argument.url, argument.options)'), { url, options })
      assert.equal(sent(), bytes.length + 1000)
      assert.ok(await page.evaluate(inPage('return Itera.cache.delete(argument)'), url))
    })

    it('is shared by tabs that ask at once', async () => {
      server.files.set('/shared', { bytes, etag: '"1"' })
      const tabs = await Promise.all([1, 2, 3].map(() =>
        browser.name === 'chromium' ? page.raw.context().newPage() : page.raw.browser().newPage()))
      for (const tab of tabs) await tab.goto(`${site.url}/pages/blank.html`)
      const fetchAll = inPage(`
        const seen = new Set()
        const { complete } = await Itera.download(argument, { onProgress: ({ status }) => seen.add(status) })
        return { complete, seen: [...seen] }
      `)
      const outcomes = await Promise.all(tabs.map(tab => tab.evaluate(fetchAll, `${server.url}/shared`)))
      assert.ok(outcomes.every(({ complete }) => complete), JSON.stringify(outcomes))
      assert.equal(sent(), bytes.length)
      assert.ok(sentAgain(server.log).every(again => again === 0))
      await Promise.all(tabs.map(tab => tab.close()))
    })

    it('takes the database where there is no private file system', async () => {
      server.files.set('/plain', { bytes, etag: '"1"', script: [{}, { cutAfter: 100 }, {}, { status: 500 }] })
      const job = { url: `${server.url}/plain`, without: ['handles'], options: { cache: 'database', chunkBytes: CHUNK, retryDelay: 1 } }
      const first = await page.evaluate(inWorker, job)
      assert.deepEqual([first.hash, first.state?.cached, first.state?.resumed], [hash, 0, 2], JSON.stringify(first))
      const before = sent()
      const second = await page.evaluate(inWorker, job)
      assert.deepEqual([second.hash, second.state.cached], [hash, bytes.length])
      assert.equal(sent(), before)
    })

    it('goes on without a cache where there is none', async () => {
      server.files.set('/plain', { bytes, etag: '"1"' })
      const job = { url: `${server.url}/plain`, without: ['handles', 'database'], options: {} }
      const result = await page.evaluate(inWorker, job)
      assert.deepEqual([result.hash, result.state?.cacheError], [hash, 'storage'], JSON.stringify(result))
    })

    // Only Chromium lets a test set the quota; for all others a full disk is in tests/node/download-cache.test.mjs.
    if (browser.name === 'chromium') it('says when there is no room, and loads all the same', async () => {
      server.files.set('/model.gguf', { bytes: model, etag: '"1"' })
      const session = await page.raw.context().newCDPSession(page.raw)
      await session.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 2_000_000 })
      try {
        const url = `${server.url}/model.gguf`
        const result = await page.evaluate(inPage(`
          const code = await Itera.download(argument).then(() => 'kept', error => error.code)
          let last
          const model = await Itera.load(argument, { onProgress: progress => { last = progress } })
          model.dispose()
          return { code, last }
        `), url)
        assert.equal(result.code, 'quota', JSON.stringify(result))
        assert.equal(result.last.cacheError, 'quota')
        assert.equal(result.last.loaded, model.length)
      } finally {
        await session.send('Storage.overrideQuotaForOrigin', { origin: site.url })
      }
    })
  })
}
