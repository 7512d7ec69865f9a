// A conversation on the page: what is said and answered, branches, edits, and that nothing is read twice.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage } from './support/page.mjs'

for (const browser of browsers) {
  describe(`a conversation in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { chat: true, knobs: { maxTokens: 30, temperature: 0 } })
    })
    after(() => t?.close())

    const texts = async () => (await t.turns()).map(turn => turn.text.trim())

    it('greets with what the model is and with something to say', async () => {
      assert.match(await t.page.evaluate(() => document.getElementById('hello').textContent), /talker[^]*273 kB/)
      assert.ok((await t.textsOf('[data-testid="starter"]')).length >= 3)
      assert.equal(await t.hidden('message'), false)
      assert.equal(await t.page.evaluate(() => document.getElementById('send').disabled), true)
    })

    it('answers, and reads only what is new', async () => {
      await t.page.type(t.at('message'), 'Once upon a time there was a cat')
      await t.run(() => t.page.press('Enter'))
      await t.say('Then the cat')
      const talk = await t.turns()
      assert.deepEqual(talk.map(turn => turn.role), ['user', 'assistant', 'user', 'assistant'])
      assert.equal(talk[2].text, 'Then the cat')
      assert.ok(talk[1].text.length > 20 && talk[3].text.length > 0)
      assert.ok(await t.read() < 10, `read ${await t.read()} tokens for three words`)
      assert.match(await t.textOf('turn-stats'), /tok\/s.*first in/)
    })

    it('answers anew beside the old answer, and goes back to it at once', async () => {
      const before = await texts()
      await t.slide('temperature', 1.2)
      await t.run(() => t.press('turn-again', -1))
      assert.ok(await t.read() <= 1, 'nothing is read for it')
      const after = await t.turns()
      assert.equal(after.length, 4)
      assert.equal(after[3].branch, '2/2')
      assert.notEqual(after[3].text, before[3])
      await t.press('branch-previous', -1)
      assert.deepEqual(await texts(), before)
      await t.slide('temperature', 0)
      await t.say('And then')
      assert.ok(await t.read() < 8, 'the first branch is still in memory')
      assert.equal((await t.turns()).length, 6)
    })

    it('edits an earlier message as a branch of its own', async () => {
      const before = await texts()
      await t.press('turn-edit', 2)
      await t.fill('edit-field', 'Then the dog')
      await t.run(() => t.press('edit-save'))
      const after = await t.turns()
      assert.deepEqual([after.length, after[2].text, after[2].branch], [4, 'Then the dog', '2/2'])
      assert.equal(after[1].text.trim(), before[1])
      assert.ok(await t.read() < 10, `read ${await t.read()}`)
      await t.page.evaluate(() => document.querySelectorAll('.turn')[2].querySelector('[data-testid="branch-previous"]').click())
      assert.deepEqual(await texts(), before)
    })

    it('leaves a message alone when its editing is called off', async () => {
      const before = await texts()
      await t.press('turn-edit', 0)
      await t.fill('edit-field', 'Never mind')
      await t.page.press('Escape')
      assert.deepEqual(await texts(), before)
      assert.equal(await t.page.evaluate(() => document.activeElement.dataset.testid), 'turn-edit')
    })

    it('goes on from an earlier answer, and keeps what followed', async () => {
      const before = await texts()
      await t.press('turn-branch', 0)
      assert.equal((await t.turns()).length, 2)
      assert.match(await t.textOf('later'), /4 later messages kept/)
      await t.say('A bird')
      assert.equal((await t.turns())[2].branch, '3/3')
      assert.ok(await t.read() < 8, `read ${await t.read()}`)
      await t.press('branch-previous', 0)
      await t.press('branch-previous', 0)
      assert.deepEqual(await texts(), before)
    })

    it('takes a turn back, with its question, and brings it again', async () => {
      const before = await texts()
      await t.press('turn-undo')
      assert.deepEqual(await texts(), before.slice(0, -2))
      assert.equal(await t.page.evaluate(() => document.getElementById('message').value), 'And then')
      await t.click('later')
      assert.deepEqual(await texts(), before)
      await t.fill('message', '')
    })

    it('changes an answer by hand', async () => {
      await t.press('turn-edit', -1)
      await t.fill('edit-field', 'They went **home**.')
      await t.press('edit-save')
      const turns = await t.turns()
      assert.deepEqual([turns.at(-1).text.trim(), turns.at(-1).branch], ['They went home.', '2/2'])
      assert.equal(await t.page.evaluate(() => [...document.querySelectorAll('.turn.assistant .words')].at(-1).querySelector('strong').textContent), 'home')
      await t.say('At last')
      assert.equal((await t.turns()).length, turns.length + 2)
    })

    it('shows Markdown, and nothing that could do harm', async () => {
      const dangerous = 'A [link](https://example.org/) and `code`\n\n- one\n- two\n\n```js\nlet a = 1\n```\n\n' +
        '<img src=x onerror="window.harmed=1"><script>window.harmed=2</scr' + 'ipt><iframe src="javascript:window.harmed=3"></iframe>' +
        '<a href="javascript:window.harmed=4">click</a> [also](javascript:window.harmed=5) <p style="position:fixed" onclick="window.harmed=6">x</p>'
      await t.press('turn-edit', -1)
      await t.fill('edit-field', dangerous)
      await t.press('edit-save')
      const found = await t.page.evaluate(() => {
        const words = [...document.querySelectorAll('.turn.assistant .words')].at(-1)
        for (const element of words.querySelectorAll('a, p')) if (!element.getAttribute('href')?.startsWith('https')) element.click()
        return {
          harmed: window.harmed ?? 0, list: words.querySelectorAll('li').length, code: words.querySelector('pre code').textContent,
          link: [...words.querySelectorAll('a[href]')].map(a => [a.href, a.rel, a.target]),
          bad: words.querySelectorAll('img, script, iframe, [onerror], [onclick], [style]').length,
        }
      })
      assert.deepEqual(found, {
        harmed: 0, list: 2, code: 'let a = 1\n', bad: 0,
        link: [['https://example.org/', 'noopener noreferrer nofollow', '_blank']],
      })
    })

    it('copies a message', async () => {
      await t.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', {
        configurable: true, value: { writeText: async text => { window.copied = text } },
      }))
      await t.press('turn-copy', 0)
      assert.equal(await t.page.evaluate(() => window.copied), 'Once upon a time there was a cat')
    })

    it('follows a system prompt, which new conversations begin with', async () => {
      await t.click('new')
      await t.fill('system', 'A story about a lion.')
      await t.say('Once')
      const read = await t.read()
      assert.ok(read > 6, `the system prompt was read: ${read} tokens`)
      await t.click('new')
      assert.equal(await t.page.evaluate(() => document.getElementById('system').value), 'A story about a lion.')
      await t.fill('system', '')
    })

    it('stops in the middle of an answer, and goes on with what was shown', async () => {
      await t.click('new')
      await t.slide('maxTokens', 2000)
      await t.fill('message', 'Once upon a time')
      await t.run(() => t.page.evaluate(() => new Promise(resolve => {
        const turns = document.getElementById('turns')
        new MutationObserver((_, observer) => {
          if ((turns.querySelector('.turn.assistant .words')?.textContent.length ?? 0) < 5) return
          observer.disconnect()
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
          resolve(true)
        }).observe(turns, { childList: true, characterData: true, subtree: true })
        document.getElementById('send').click()
      })))
      assert.equal((await t.state()).ending, 'aborted')
      const stopped = await texts()
      await t.slide('maxTokens', 10)
      await t.say('And')
      assert.deepEqual((await texts()).slice(0, 2), stopped)
      const shown = stopped.join(' ').split(/\s+/).length
      assert.ok(await t.read() < shown * 2 + 12, `read ${await t.read()} tokens after ${shown} words`)
    })

    it('edits the last message with the arrow key', async () => {
      await t.page.evaluate(() => document.getElementById('message').focus())
      await t.page.press('ArrowUp')
      assert.equal(await t.page.evaluate(() => document.activeElement.value), 'And')
      await t.page.press('Escape')
    })

    it('talks with a model that was made for stories, when asked to', async () => {
      await t.click('open-picker')
      await t.page.waitFor(() => document.querySelector('[data-testid="load-shipped"]') !== null)
      await t.press('load-shipped')
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'Story Boot')
      await t.settled()
      await t.click('new')
      assert.equal(await t.hidden('story'), false)
      await t.press('kind-chat')
      await t.say('Once upon a time')
      assert.equal((await t.turns()).length, 2)
    })

    it('had no error of its own', () => t.noErrors())
  })
}
