// What can be done with the turns of a conversation, at the places where one gets lost: nothing may be lost with it.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage } from './support/page.mjs'

for (const browser of browsers) {
  describe(`the turns of a conversation in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { chat: true })
      await t.slide('maxTokens', 20)
      await t.slide('temperature', 0)
    })
    after(() => t?.close())

    const texts = async () => (await t.turns()).map(turn => turn.text.trim())
    const start = async text => {
      await t.click('new')
      await t.say(text)
    }
    const menu = async (title, item) => {
      await t.page.evaluate(title => [...document.querySelectorAll('[data-testid="entry"]')]
        .find(entry => entry.querySelector('.entry-open').textContent === title).querySelector('[data-testid="entry-more"]').click(), title)
      await t.press(item)
    }

    it('come back after the first of them was taken back', async () => {
      await start('Hi there')
      const before = await texts()
      await t.press('turn-undo')
      assert.deepEqual([await texts(), await t.textOf('later')], [[], '2 later messages kept. Show again'])
      assert.equal(await t.hidden('later'), false)
      await t.catchDownloads()
      await menu('Hi there', 'menu-export-memory')
      assert.match((await t.caught()).name, /\.itera$/)
      assert.equal(await t.hidden('error'), true)
      await t.click('later')
      assert.deepEqual(await texts(), before)
      await t.fill('message', '')
    })

    it('had no error of its own', () => t.noErrors())
  })
}
