// The page as it is exported, on a host that can send no headers: how much a first visit weighs, that the page works
// without a network afterwards, becomes isolated for threads, and takes a new version when the reader says so.

import assert from 'node:assert/strict'
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

/** Bytes of all that is loaded until the model is ready, the model left out, as files are: without a server's compression. */
const WEIGHT_LIMIT = 500_000
/** The same with compression, and with what a conversation loads. */
const COMPRESSED_LIMIT = 250_000

const host = (folder, port = 0) => serve({
  port, isolate: false, mounts: { '': folder, demo: folder, web: path.join(folder, 'web'), models: path.join(folder, 'models') },
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

  it(`weighs less than ${WEIGHT_LIMIT / 1000} kB at a first visit`, { skip: browsers[0].missing }, async () => {
    const server = await host(folder)
    const page = await browsers[0].launch()
    const t = handsOf(page)
    const files = new Map()
    page.raw.on('response', async response => {
      const { pathname } = new URL(response.url())
      if (!pathname.endsWith('.gguf')) files.set(pathname, await response.body().catch(() => Buffer.alloc(0)))
    })
    const total = size => [...files.values()].reduce((sum, bytes) => sum + size(bytes), 0)
    try {
      await page.goto(`${server.url}/`)
      await t.settled()
      assert.ok(files.size > 30 && [...files.keys()].some(name => name.endsWith('.wasm')), 'all was seen')
      const largest = [...files].sort((a, b) => b[1].length - a[1].length).slice(0, 9).map(([name, { length }]) => `${name} ${length}`)
      const bytes = total(({ length }) => length)
      assert.ok(bytes < WEIGHT_LIMIT, `${bytes} bytes: ${largest.join(', ')}`)

      await t.press('kind-chat')
      await t.say('Once upon a time')
      await page.waitFor(() => document.querySelector('.turn.assistant .words:not([data-plain])') !== null)
      const compressed = total(body => gzipSync(body).length)
      assert.ok(compressed < COMPRESSED_LIMIT, `${compressed} bytes`)
    } finally {
      await page.close()
      await server.close()
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
        assert.ok(kept.includes('/index.html') && kept.includes('/web/src/worker.js') && kept.includes('/vendor/marked.js'))
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
        await t.press('kind-story')
        await t.run(() => t.press('starter'))
        assert.match(await t.textOf('story'), /^Once upon a time.{20}/)
        server = await host(folder, port)
        assert.equal(server.port, port)
      })

      it('offers a new version, and changes to it as a whole when asked', async () => {
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
        assert.deepEqual(await page.evaluate(() => caches.keys()), [`itera-page-${browser.name}`])
      })

      it('had no error of its own', () => t.noErrors(/ERR_CONNECTION_REFUSED|Failed to load|NetworkError/))
    })
  }
})
