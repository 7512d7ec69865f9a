// The page as it is exported, on a host that can send no headers: how much a first visit weighs, that the page works
// without a network afterwards, becomes isolated for threads, and takes a new version when the reader says so.

import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { exportSite } from '../../demo/export.mjs'
import { serve } from '../../demo/serve.mjs'
import { precacheScript } from '../../demo/site.mjs'
import { browsers } from './harness.mjs'
import { handsOf } from './support/page.mjs'
import { weighedHost } from './support/weight.mjs'

/** Bytes of all that is loaded until the model is ready, the model left out, as files are: without a server's compression. */
const WEIGHT_LIMIT = 500_000
/** The same with compression, and with all that the service worker keeps for later. */
const COMPRESSED_LIMIT = 250_000

const host = (folder, port = 0, onAnswer) => serve({
  port, isolate: false, onAnswer, mounts: { '': folder, demo: folder, web: path.join(folder, 'web'), models: path.join(folder, 'models') },
})

describe('the exported page', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'itera-site-'))
    await exportSite(folder)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('lists every file but the models and the builds of the engine for keeping', async () => {
    const { files } = JSON.parse((await readFile(path.join(folder, 'precache.js'), 'utf8')).replace(/^self\.PRECACHE = /, ''))
    const all = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile())
      .map(entry => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    assert.deepEqual(all.filter(name => !/\.(wasm|gguf)$/.test(name) && !['sw.js', 'precache.js', 'licences.txt'].includes(name)).sort(), files)
  })

  it('has a version that changes with any file', () => {
    const version = files => JSON.parse(precacheScript(files).replace(/^self\.PRECACHE = /, '')).version
    assert.equal(version({ 'a.js': '1', 'b.wasm': '2' }), version({ 'b.wasm': '2', 'a.js': '1' }))
    assert.notEqual(version({ 'a.js': '1', 'b.wasm': '2' }), version({ 'a.js': '1', 'b.wasm': '3' }))
  })

  for (const isolate of [false, true]) {
    const where = isolate ? 'an isolated page' : 'a page that is not isolated'
    it(`weighs less than ${WEIGHT_LIMIT / 1000} kB at a first visit: ${where}`, { skip: browsers[0].missing }, async () => {
      const server = await weighedHost(folder, { isolate })
      const page = await browsers[0].launch()
      try {
        await page.goto(`${server.url}/`)
        await page.waitFor(() => performance.getEntriesByName('model-ready').length > 0)
        const first = new Map(server.weights.page)
        await page.waitFor(() => document.documentElement.dataset.offline === 'ready')
        assert.equal(await page.evaluate(() => crossOriginIsolated), isolate)
        const { precache } = server.weights
        const total = files => [...files.values()].reduce((sum, bytes) => sum + bytes, 0)
        for (const name of ['/', '/src/main.js', '/web/src/index.js', '/web/src/worker.js']) assert.ok(first.get(name) > 0, name)
        assert.equal([...first.keys()].filter(name => name.endsWith('.wasm')).length, 1, 'one build of the engine')
        const listing = [...first].sort((a, b) => b[1] - a[1]).map(([name, bytes]) => `${name} ${bytes}`).join(', ')
        assert.ok(total(first) < WEIGHT_LIMIT, `${total(first)} bytes: ${listing}`)
        // What neither the first paint nor this model needs comes afterwards, for visits without a network.
        for (const name of ['/vendor/marked.js', '/vendor/purify.js', '/web/dist/jinja.js', '/web/src/helper.js']) {
          assert.ok((precache.has(name) || server.weights.page.has(name)) && !first.has(name), name)
        }
        const names = [...new Set([...first.keys(), ...precache.keys()])].map(name => (name === '/' ? 'index.html' : name))
        const zipped = await Promise.all(names.map(async name => gzipSync(await readFile(path.join(folder, name))).length))
        const compressed = zipped.reduce((sum, bytes) => sum + bytes, 0)
        assert.ok(compressed < COMPRESSED_LIMIT, `${compressed} bytes`)
      } finally {
        await page.close()
        await server.close()
      }
    })
  }

  it('is not ready for a visit without a network while a build of the engine is missing', { skip: browsers[0].missing }, async () => {
    // It is there when the page needs it, and gone when the service worker wants it.
    const gone = []
    const server = await host(folder, 0, ({ url }) => {
      const file = path.join(folder, url)
      if (!url.endsWith('.wasm') || gone.includes(file)) return
      renameSync(file, `${file}.gone`)
      gone.push(file)
    })
    const page = await browsers[0].launch()
    try {
      await page.goto(`${server.url}/`)
      await page.waitFor(() => document.documentElement.dataset.offline)
      assert.equal(await page.evaluate(() => document.documentElement.dataset.offline), 'partly')
      assert.equal(gone.length, 1)
    } finally {
      await page.close()
      await server.close()
      for (const file of gone) renameSync(`${file}.gone`, file)
    }
  })

  for (const browser of browsers) {
    describe(`in ${browser.name}`, { skip: browser.missing }, () => {
      let server, page, t
      before(async () => {
        server = await host(folder)
        page = await browser.launch()
        t = handsOf(page)
      })
      after(async () => {
        await page?.close()
        await server?.close()
      })

      it('writes, and keeps what it is made of', async () => {
        await page.goto(`${server.url}/`)
        await t.settled()
        assert.equal(await page.evaluate(() => crossOriginIsolated), false)
        await page.waitFor(() => document.documentElement.dataset.offline === 'ready')
        const kept = await page.evaluate(async () => {
          const [name] = await caches.keys()
          return (await (await caches.open(name)).keys()).map(request => new URL(request.url).pathname)
        })
        assert.ok(['/index.html', '/web/src/worker.js', '/web/dist/jinja.js', '/vendor/marked.js'].every(name => kept.includes(name)))
        assert.equal(kept.filter(name => name.endsWith('.wasm')).length, 1, 'one build of the engine')
      })

      it('is isolated from the second visit on', async () => {
        await page.reload()
        await t.settled()
        assert.equal(await page.evaluate(() => crossOriginIsolated), true)
      })

      it('works without a network, model included', async () => {
        const { port } = server
        await server.close()
        await page.reload()
        await t.settled()
        // A conversation needs more than is loaded at first: all of that is kept.
        await t.press('kind-chat')
        await t.say('Hello! What can you do?')
        await page.waitFor(() => document.querySelector('.turn.assistant .words:not([data-plain])') !== null)
        assert.match((await t.turns()).at(-1).text, /\w \w/)
        server = await host(folder, port)
        assert.equal(server.port, port)
      })

      it('offers a new version, and changes to it as a whole when asked', async () => {
        const other = await (page.raw.context?.() ?? page.raw.browser()).newPage()
        await other.goto(`${server.url}/`)
        await other.waitForFunction(() => document.documentElement.dataset.state === 'ready')
        // A build that the new version has no more, and what another page of this origin keeps.
        const elsewhere = await page.evaluate(async () => {
          const [name] = await caches.keys()
          const gone = new URL('web/dist/itera-gone.wasm', location.href).href
          await (await caches.open(name)).put(gone, new Response(''))
          const elsewhere = name.replace(/\/ .*$/, '/elsewhere/ 1')
          await (await caches.open(elsewhere)).put(gone.replace('gone', 'other'), new Response(''))
          return elsewhere
        })
        await appendFile(path.join(folder, 'style.css'), `\n:root { --version: ${browser.name} }\n`)
        const list = path.join(folder, 'precache.js')
        await writeFile(list, (await readFile(list, 'utf8')).replace(/"version": "\w+"/, `"version": "${browser.name}"`))
        const version = () => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--version').trim())
        await page.reload()
        await page.waitFor(() => !document.getElementById('toast').hidden)
        assert.notEqual(await version(), browser.name, 'the old version until the reader asks')
        await t.click('toast-do')
        await page.waitFor(name => getComputedStyle(document.documentElement).getPropertyValue('--version').trim() === name, browser.name)
        await t.settled()
        assert.deepEqual((await page.evaluate(() => caches.keys())).sort(), [`itera-page ${server.url}/ ${browser.name}`, elsewhere].sort())
        assert.deepEqual(await page.evaluate(async name => {
          const kept = await (await caches.open(name)).keys()
          return kept.map(({ url }) => url).filter(url => /gone|other/.test(url))
        }, `itera-page ${server.url}/ ${browser.name}`), [])
        // The other tab is still what it was; it reloads when its reader says so, though nothing waits any more.
        await other.waitForFunction(() => !document.getElementById('toast').hidden)
        await other.evaluate(() => document.getElementById('toast-do').click())
        await other.waitForFunction(name => getComputedStyle(document.documentElement).getPropertyValue('--version').trim() === name,
          ...page.browser === 'firefox' ? [{}, browser.name] : [browser.name])
        await other.close()
      })

      it('had no error of its own', () => t.noErrors(/ERR_CONNECTION_REFUSED|Failed to load|NetworkError/))
    })
  }
})
