// Conversations when something comes in between: another tab that has the same one open, the end of the page in the
// middle of an answer, a device without room.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage } from './support/page.mjs'

/** What another tab does to the conversation that is open: runs in the page, with a store of its own. */
const elsewhere = async what => {
  const { Store } = await import('./src/store.js')
  const store = new Store()
  await store.open(() => {})
  const id = document.querySelector('.entry:has([aria-current])').dataset.id
  if (what === 'delete') return store.delete(id)
  await store.change(id, stored => what === 'rename' ? { ...stored, title: 'Renamed elsewhere', named: true } : {
    ...stored, turns: [...stored.turns, { id: 'elsewhere', parent: stored.turns[0].id, role: 'assistant', text: 'From elsewhere', at: 1 }],
  })
}

/** Sends a message, and holds the answer once some of it is there: frames come no more. Runs in the page. */
const holdAnswer = text => {
  const frame = window.requestAnimationFrame
  const held = []
  const shown = () => (document.querySelector('.turn.assistant .words')?.textContent.length ?? 0) > 5
  window.isHeld = () => held.length > 0
  window.requestAnimationFrame = callback => shown() ? held.push(callback) : frame(callback)
  window.letGo = () => {
    window.requestAnimationFrame = frame
    for (const callback of held) frame(callback)
  }
  const field = document.getElementById('message')
  field.value = text
  field.dispatchEvent(new Event('input'))
  document.getElementById('send').click()
}

for (const browser of browsers) {
  describe(`conversations that are disturbed in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { chat: true, knobs: { temperature: 0.9, maxTokens: 2000 } })
    })
    after(() => t?.close())

    const list = () => t.textsOf('[data-testid="entry-open"]')
    /** Sends, and does something while the answer is written; waits for the end. */
    const during = async (text, what) => {
      await t.click('new')
      await t.page.evaluate(holdAnswer, text)
      await t.page.waitFor(() => window.isHeld())
      await what()
      assert.equal((await t.state()).state, 'writing', 'it came in between')
      await t.page.press('Escape')
      await t.page.evaluate(() => window.letGo())
      await t.settled()
    }
    const stored = () => t.page.evaluate(async () => {
      const { Store } = await import('./src/store.js')
      const store = new Store()
      await store.open(() => {})
      return (await store.all()).map(({ title, draft, turns }) => ({ title, draft, texts: turns.map(({ text }) => text) }))
    })

    it('keep what another tab wrote in the meantime, and show it', async () => {
      await during('A question', () => t.page.evaluate(elsewhere, 'answer'))
      await t.page.waitFor(() => document.querySelector('[data-testid="branch-count"]')?.textContent.startsWith('1/2'))
      assert.equal((await t.turns()).length, 2)
      const [{ texts }] = await stored()
      assert.equal(texts.length, 3)
      assert.ok(texts[1].length > 5 && texts[2] === 'From elsewhere', texts.join('|'))
    })

    it('keep the name that another tab gave in the meantime', async () => {
      await during('To be renamed', () => t.page.evaluate(elsewhere, 'rename'))
      await t.page.waitFor(() => document.querySelector('[aria-current="page"]').textContent === 'Renamed elsewhere')
      assert.ok((await stored()).some(({ title }) => title === 'Renamed elsewhere'))
    })

    it('stay deleted when another tab deleted them in the meantime', async () => {
      const count = (await list()).length
      await during('To be deleted', () => t.page.evaluate(elsewhere, 'delete'))
      await t.page.waitFor(() => document.querySelectorAll('.turn').length === 0)
      assert.equal((await list()).length, count)
      assert.equal((await stored()).length, count)
    })

    it('keep what there is of an answer when the page is left', async () => {
      await during('Left alone', async () => {
        await t.page.evaluate(() => { window.dispatchEvent(new Event('pagehide')) })
        const { texts } = (await stored()).find(({ texts }) => texts[0] === 'Left alone')
        assert.ok(texts[1].length > 5, texts[1])
      })
    })

    it('are without an answer that never came', async () => {
      const id = await t.keepElsewhere([{ role: 'user', content: 'Closed too soon' }, { role: 'assistant', content: '' }])
      await t.page.evaluate(id => localStorage.setItem('itera.last', JSON.stringify(id)), id)
      await t.page.reload()
      await t.settled()
      assert.deepEqual((await t.turns()).map(({ text }) => text), ['Closed too soon'])
      await t.run(() => t.press('turn-answer'))
      assert.equal((await t.turns())[1].branch, '')
    })

    it('keep a text that was typed just before the page is left', async () => {
      await t.click('new')
      if (await t.hidden('story')) await t.press('kind-story')
      await t.page.type(t.at('story'), 'At the last moment')
      await t.page.reload()
      await t.settled()
      assert.ok((await list()).includes('At the last moment'), (await list()).join('|'))
    })

    it('are not taken back to where a page was left, when another went on from there', async () => {
      const id = await t.keepElsewhere([{ role: 'user', content: 'Gone on with' }])
      await t.click('new')                  // nothing on this page is to be left
      await t.page.evaluate(id => {
        const record = { id, kind: 'chat', title: '', named: false, system: '', turns: [], leaf: null, draft: { text: 'Long ago', written: [] }, updated: 1 }
        localStorage.setItem('itera.left', JSON.stringify({ record, seen: [], at: 1 }))
      }, id)
      await t.page.reload()
      await t.settled()
      const kept = (await stored()).find(({ texts }) => texts[0] === 'Gone on with')
      assert.ok(kept && !kept.draft, JSON.stringify(await stored()))
    })

    it('say once that the device has no room for them, and go on', async () => {
      await t.slide('maxTokens', 20)
      await t.page.evaluate(() => {
        const put = IDBObjectStore.prototype.put
        IDBObjectStore.prototype.put = function (...given) {
          if (this.name === 'conversations') throw new DOMException('full', 'QuotaExceededError')
          return put.apply(this, given)
        }
      })
      await t.click('new')
      await t.press('kind-chat')
      await t.say('No room')
      await t.page.waitFor(() => !document.getElementById('toast').hidden)
      assert.match(await t.textOf('toast'), /no room.*Export/)
      await t.click('toast-do')
      await t.say('Still no room')
      assert.equal((await t.turns()).length, 4)
      assert.equal(await t.hidden('toast'), true)
    })

    it('had no error of its own', () => t.noErrors())
  })
}
