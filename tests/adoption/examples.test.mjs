// Everything under demo/examples is built and run.
import assert from 'node:assert/strict'
import { cpSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'

import { browsers } from '../browser/harness.mjs'
import { host, model, output, root, source, tool, workshop } from './support.mjs'

const examples = path.join(root, 'demo/examples')

/** @type {Awaited<ReturnType<typeof workshop>>} */
let shop
/** @type {Awaited<ReturnType<typeof host>>} */
let site
/** @type {Awaited<ReturnType<typeof host>>} */
let reactSite
/** @type {string} */
let offline

/** A copy of an example with the packed package beside it. @param {string} name */
function copy(name) {
  const folder = shop.project(name, {})
  cpSync(path.join(examples, name), folder, { recursive: true })
  return folder
}

before(async () => {
  shop = await workshop('examples')
  site = await host(root)
  offline = copy('service-worker')
  const folder = copy('react')
  await output(tool('vite'), ['build'], { cwd: folder })
  reactSite = await host(path.join(folder, 'dist'))
})
after(() => Promise.all([site?.close(), reactSite?.close()]))

describe('the examples', { timeout: 240_000 }, () => {
  it('are all here', () => {
    assert.deepEqual(readdirSync(examples).sort(), ['README.md', 'node', 'page', 'react', 'service-worker', 'ten-lines.html'])
    const lines = source('demo/examples/ten-lines.html').trim().split('\n')
    assert.ok(lines.length <= 10, `${lines.length} lines`)
  })

  it('write a story from Node', async () => {
    const text = await output(process.execPath, ['story.mjs', model, 'Once upon a time'], { cwd: copy('node') })
    assert.match(text, /^Once upon a time.{40}[^]*tokens, \d+ a second\n$/)
  })

  it('say what is wrong from Node', async () => {
    await assert.rejects(output(process.execPath, ['story.mjs', 'missing.gguf'], { cwd: path.join(shop.folder, 'node') }), /not-found: /)
  })

  it('have a hook whose types hold', async () => {
    const folder = path.join(shop.folder, 'react')
    await output(tool('tsc'), ['--noEmit', '--strict', '--allowJs', '--checkJs', '--skipLibCheck', '--target', 'es2022',
      '--module', 'esnext', '--moduleResolution', 'bundler', '--types', 'react', 'useItera.js'], { cwd: folder })
  })

  for (const browser of browsers) {
    describe(browser.name, { skip: browser.missing }, () => {
      /** @type {import('../browser/harness.mjs').Page} */
      let page
      before(async () => { page = await browser.launch() })
      after(() => page?.close())

      it('ten lines', async () => {
        await page.goto(`${site.url}demo/examples/ten-lines.html`)
        await page.waitFor(() => (document.body?.textContent ?? '').replace(/import[^]*dispose\(\)/, '').trim().length > 40)
      })

      it('page', async () => {
        await page.goto(`${site.url}demo/examples/page/`)
        await page.waitFor(() => document.querySelector('button[name=write]')?.disabled === false)
        await page.click('button[name=write]')
        await page.waitFor(() => (document.querySelector('article')?.textContent ?? '').length > 60)
        await page.waitFor(() => /tokens, .* ended by/.test(document.querySelector('[role=status]')?.textContent ?? ''))
        assert.match(await page.evaluate(() => document.querySelector('article')?.textContent ?? ''), /^Once upon a time/)
      })

      it('React hook, in strict mode', async () => {
        await page.goto(reactSite.url)
        await page.waitFor(() => document.querySelector('button')?.disabled === false)
        await page.click('button')
        await page.waitFor(() => (document.querySelector('article')?.textContent ?? '').length > 60)
        await page.waitFor(() => document.querySelector('[role=status]')?.textContent === 'ready')
        assert.match(await page.evaluate(() => document.querySelector('article')?.textContent ?? ''), /^Once upon a time/)
      })

      it('service worker: isolated on a plain host, and offline after the first visit', async () => {
        // A host of its own, to be shut down.
        const brief = await host(offline)
        await page.goto(brief.url)
        const isolated = () => /^Isolated/.test(document.querySelector('[role=status]')?.textContent ?? '')
        await page.waitFor(isolated)
        // Once more, so that all of it went through the service worker.
        await page.reload()
        await page.waitFor(isolated)
        await brief.close()
        await assert.rejects(fetch(brief.url))
        await page.reload()
        await page.waitFor(isolated)
        assert.ok(await page.evaluate(() => (document.querySelector('article')?.textContent ?? '').length > 40))
      })

      it('nothing to complain about', () => {
        assert.deepEqual(page.errors.filter(text => !/ERR_CONNECTION_REFUSED|service-worker/.test(text)), [])
        assert.deepEqual([...site.missing, ...reactSite.missing], [])
      })
    })
  }
})
