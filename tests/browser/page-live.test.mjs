// The live view: it draws what the model does, says it in words, and costs nothing while it is closed.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage } from './support/page.mjs'

for (const browser of browsers) {
  describe(`the live view in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { knobs: { maxTokens: 60 } })
    })
    after(() => t?.close())

    /** How many pixels of a lane are of the pen's colour, in the left and the right half. */
    const ink = lane => t.page.evaluate(async lane => {
      await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
      const canvas = document.querySelector(`[data-testid="${lane}"]`)
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      const count = [0, 0]
      for (let i = 0; i < data.length; i += 4) {
        if (data[i] > 140 && data[i + 1] < 120 && data[i + 3] > 0) count[(i / 4) % canvas.width < canvas.width / 2 ? 0 : 1]++
      }
      return count
    }, lane)

    it('is closed at first, and nothing is recorded for it', async () => {
      assert.equal(await t.hidden('live'), true)
      await t.run(() => t.press('starter'))
      await t.click('live-toggle')
      assert.equal(await t.hidden('live'), false)
      assert.equal(await t.page.evaluate(() => document.getElementById('live-toggle').getAttribute('aria-pressed')), 'true')
      await t.page.waitFor(() => /from the next token on/.test(document.getElementById('live').textContent))
    })

    it('shows experts, states and memory of each token', async () => {
      await t.run(() => t.click('again'))
      const [left, right] = await ink('lane-experts')
      assert.ok(left > 200, `${left} pixels of experts`)
      assert.ok(right < left, 'sixty tokens do not fill the lane')
      assert.ok((await ink('lane-states'))[0] > 20)
      const memory = await ink('lane-memory')
      assert.ok(memory[0] > 50 && memory[1] > 5, `a line all across: ${memory}`)
      await t.page.waitFor(() => /2 of 4 in 5 layers/.test(document.getElementById('live').textContent))
    })

    it('tells a memory that does not grow from one that would', async () => {
      const words = async () => [
        ...await t.page.evaluate(() => [document.getElementById('live-memory').dataset.tokens]),
        ...(/^([\d.]+ kB) here, ([\d.]+ \w+) in a Transformer$/.exec(await t.textOf('live-memory')) ?? []),
      ]
      const before = await words()
      assert.equal(before.length, 4, await t.textOf('live-memory'))
      await t.run(() => t.click('write'))
      const after = await words()
      assert.ok(Number(after[0]) > Number(before[0]), 'more tokens')
      assert.equal(after[2], before[2], 'in as much memory')
      assert.notEqual(after[3], before[3])
    })

    it('stays open across a reload, and closes again', async () => {
      await t.page.reload()
      await t.settled()
      assert.equal(await t.hidden('live'), false)
      await t.click('live-toggle')
      assert.equal(await t.hidden('live'), true)
    })

    it('had no error of its own', () => t.noErrors())
  })
}
