// Every broken file, opened on the page as a reader would: one notice with its code, and the page goes on.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { brokenFiles } from '../fixtures/broken.mjs'
import { browsers, serve } from './harness.mjs'

for (const browser of browsers) {
  describe(`broken files on the page in ${browser.name}`, { skip: browser.missing, timeout: 300_000 }, () => {
    /** @type {Awaited<ReturnType<typeof serve>>} */
    let server
    /** @type {import('./harness.mjs').Page} */
    let page
    let folder = ''
    const settled = () => page.waitFor(() => ['ready', 'idle'].includes(document.documentElement.dataset.state))

    before(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'itera-broken-'))
      server = await serve()
      page = await browser.launch()
      await page.goto(server.url)
      await settled()
    })
    after(async () => {
      await page?.close()
      await server?.close()
      await rm(folder, { recursive: true, force: true })
    })

    for (const [index, [name, bytes, code]] of brokenFiles().entries()) {
      it(`${name}: "${code}"`, async () => {
        const file = path.join(folder, `${index}.gguf`)
        await writeFile(file, bytes)
        await page.evaluate(() => {
          const notice = document.getElementById('notice')
          notice.hidden = true
          delete notice.dataset.code
        })
        await page.setFile('[data-testid="file"]', file)
        await page.waitFor(() => !document.getElementById('notice').hidden)
        const shown = await page.evaluate(() => ({
          code: document.getElementById('notice').dataset.code,
          title: document.querySelector('[data-testid="error-title"]').textContent,
          advice: document.querySelector('[data-testid="error-advice"]').textContent,
        }))
        assert.equal(shown.code, code)
        assert.ok(shown.title.length > 10 && shown.advice.length > 30)
      })
    }

    it('still writes a story with the model it had', async () => {
      await settled()
      await page.evaluate(() => document.querySelector('[data-testid="starter"]').click())
      await page.waitFor(() => document.querySelector('[data-testid="story"]').textContent.length > 100)
      await settled()
      assert.equal(await page.evaluate(() => document.getElementById('notice').hidden), true)
      assert.match(await page.evaluate(() => document.querySelector('[data-testid="story"]').textContent), /^Once upon a time.{80}/s)
      assert.deepEqual(page.errors, [])
    })
  })
}
