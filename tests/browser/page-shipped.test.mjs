// What ships with the page: each model of demo/models.json loads there and writes, the default one at once.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { browsers, serve, shippedModels } from './harness.mjs'
import { openPage } from './support/page.mjs'

const { models } = JSON.parse(await readFile(shippedModels, 'utf8'))
const first = models.find(model => model.default)
const others = models.filter(model => model !== first)
const WORDS = /[a-z]+ [a-z]+/

for (const browser of browsers) {
  describe(`shipped models in ${browser.name}`, { skip: browser.missing }, () => {
    /** @type {Awaited<ReturnType<typeof openPage>>} */
    let t
    let server
    before(async () => {
      server = await serve({ mounts: { 'models.json': shippedModels } })
      t = await openPage(browser, { url: server.url })
    })
    after(async () => {
      await t?.close()
      await server?.close()
    })

    /** What it makes of the first suggestion. */
    const answer = async ({ kind, starters }) => {
      await t.press('new')
      await t.run(() => t.press('starter', 0))
      return kind === 'chat' ? (await t.turns()).at(-1).text : (await t.textOf('story')).slice(starters[0].length)
    }

    it('begins with the default one', async () => {
      assert.equal(await t.textOf('model-name'), first.name)
      assert.match(await answer(first), WORDS)
    })

    for (const model of others) {
      it(`has ${model.name}`, async () => {
        await t.use(model.name)
        assert.match(await answer(model), WORDS)
      })
    }

    it('had no error', () => assert.deepEqual(t.page.errors, []))
  })
}
