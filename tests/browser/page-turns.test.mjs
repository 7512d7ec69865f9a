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
      t = await openPage(browser, { chat: true, knobs: { maxTokens: 20, temperature: 0 } })
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

    const tools = index => t.page.evaluate(index =>
      [...document.querySelectorAll('.turn')].at(index).querySelectorAll('.tools button').length, index)
    const editors = () => t.page.evaluate(() => document.querySelectorAll('.turn textarea').length)
    /** Starts an answer, and stops it once the state is "writing". @param {() => Promise<unknown>} begin @param {() => Promise<unknown>} meanwhile */
    const stopped = async (begin, meanwhile) => {
      await t.slide('maxTokens', 2000)
      await begin()
      await t.page.waitFor(() => document.documentElement.dataset.state === 'writing')
      await meanwhile()
      await t.page.evaluate(() => { if (document.documentElement.dataset.state === 'writing') document.getElementById('send').click() })
      await t.settled()
      await t.slide('maxTokens', 20)
    }

    it('are edited one at a time', async () => {
      await start('First')
      await t.say('Second')
      const before = await texts()
      await t.press('turn-edit', 0)
      await t.press('turn-edit', -1)
      assert.equal(await editors(), 1)
      await t.press('edit-cancel')
      assert.deepEqual([await editors(), await texts()], [0, before])
      assert.ok(await tools(0) >= 2 && await tools(2) >= 2)
    })

    it('have their buttons again when an editor was left open', async () => {
      await t.press('turn-edit', 0)
      await t.click('new')
      await t.page.evaluate(() => [...document.querySelectorAll('[data-testid="entry-open"]')].find(entry => entry.textContent === 'First').click())
      await t.page.waitFor(() => document.querySelectorAll('.turn').length === 4)
      assert.equal(await editors(), 0)
      assert.ok(await tools(0) >= 2)
    })

    it('cannot be sent while an answer is written, and lose nothing by it', async () => {
      await t.press('turn-edit', 0)
      await t.fill('edit-field', 'Edited')
      await stopped(async () => {
        await t.fill('message', 'Something else')
        await t.press('send')
      }, async () => {
        await t.press('edit-save')
        await t.page.evaluate(() => document.querySelector('[data-testid="edit-field"]')
          .dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })))
        assert.equal(await t.page.evaluate(() => document.querySelector('[data-testid="edit-field"]')?.value), 'Edited')
      })
      await t.run(() => t.press('edit-save'))
      assert.equal((await texts())[0], 'Edited')
    })

    it('show the same answer again when another did not come', async () => {
      await start('Answers')
      await t.slide('temperature', 1.2)
      await t.run(() => t.press('turn-again', -1))
      await t.run(() => t.press('turn-again', -1))
      await t.press('branch-previous', -1)
      await t.press('branch-previous', -1)
      assert.equal((await t.turns()).at(-1).branch, '1/3')
      // Stopped within the press that starts it: nothing can have come.
      await t.run(() => t.page.evaluate(() => {
        [...document.querySelectorAll('[data-testid="turn-again"]')].at(-1).click()
        return new Promise(resolve => {
          const stop = () => document.documentElement.dataset.state === 'writing' ? resolve(document.getElementById('send').click()) : queueMicrotask(stop)
          stop()
        })
      }))
      assert.equal((await t.turns()).at(-1).branch, '1/3')
      await t.slide('temperature', 0)
    })

    it('are answered when the last of them is a question from a file', async () => {
      const file = path.join(t.folder, 'question.json')
      await writeFile(file, JSON.stringify({ messages: [{ role: 'user', content: 'Nobody answered' }] }))
      assert.equal(await t.bringIn(file), 'Nobody answered')
      await t.run(() => t.press('turn-answer'))
      const [question, answer] = await t.turns()
      assert.ok(question.branch === '' && answer.role === 'assistant' && answer.text.length > 0)
      assert.equal(await t.page.evaluate(() => document.querySelectorAll('[data-testid="turn-answer"]').length), 0)
    })

    const words = () => t.page.evaluate(() => {
      const words = [...document.querySelectorAll('.turn.assistant .words')].at(-1)
      return { text: words.textContent, links: [...words.querySelectorAll('a')].map(a => [a.textContent, a.href]), lines: words.querySelectorAll('br').length,
        images: words.querySelectorAll('img, input').length, sides: [...words.children].map(block => getComputedStyle(block).direction) }
    })
    const answer = async text => {
      await t.press('turn-edit', -1)
      await t.fill('edit-field', text)
      await t.press('edit-save')
    }

    it('show all of an answer, tags and pictures in words', async () => {
      await answer('a <T> b, vector<int> v; ![a cat](http://example.org/a.png) ![](http://example.org/b.png)\n\n<div>in\ntags</div>\n\n- [ ] todo\n- [x] done\n\none<br>two')
      const { text, links, lines, images } = await words()
      for (const part of ['a <T> b, vector<int> v; a cat', '<div>in\ntags</div>', '☐ todo', '☑ done']) assert.ok(text.includes(part), `${part} in ${text}`)
      assert.deepEqual(links, [['a cat', 'http://example.org/a.png'], ['http://example.org/b.png', 'http://example.org/b.png']])
      assert.deepEqual([images, lines >= 1], [0, true])
    })

    it('are written from their own side', async () => {
      await answer('مرحبا بالعالم\n\nIn English\n\n- שלום')
      assert.deepEqual((await words()).sides, ['rtl', 'ltr', 'rtl'])
      await t.fill('message', 'مرحبا')
      assert.equal(await t.page.evaluate(() => getComputedStyle(document.getElementById('message')).direction), 'rtl')
      await t.fill('message', '')
    })

    it('have the name of their conversation on the tab', async () => {
      await start('Before')
      await menu('Before', 'menu-rename')
      await t.fill('ask-field', 'After')
      await t.click('ask-yes')
      await t.page.waitFor(() => document.title.startsWith('After'))
    })

    it('say so when the seed is none', async () => {
      await t.seed('abc')
      await t.say('Again')
      assert.match(await t.page.evaluate(() => document.getElementById('seed-note').textContent), /not a number, last \d+/)
      await t.seed('')
    })

    it('do not take a half-typed message into another conversation', async () => {
      const typed = () => t.page.evaluate(() => document.getElementById('message').value)
      await start('Here')
      await t.fill('message', 'half-typed')
      await t.click('new')
      assert.equal(await typed(), '')
      await t.fill('message', 'something new')
      await t.page.evaluate(() => [...document.querySelectorAll('[data-testid="entry-open"]')].find(entry => entry.textContent === 'Here').click())
      await t.page.waitFor(() => document.querySelectorAll('.turn').length === 2)
      assert.equal(await typed(), 'half-typed')
      await t.click('new')
      assert.equal(await typed(), 'something new')
      await t.fill('message', '')
    })

    it('have room on a very small screen', async () => {
      await t.page.setViewport(320, 256)
      const room = await t.page.evaluate(() => document.getElementById('scroll').clientHeight)
      await t.page.setViewport(1280, 800)
      assert.ok(room > 100, `${room} pixels`)
    })

    it('had no error of its own', () => t.noErrors())
  })
}
