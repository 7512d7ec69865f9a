// The list of conversations: kept across reloads with the engine's memory of them, named, found, deleted, and moved
// between browsers as files.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { browsers, serve } from './harness.mjs'
import { handsOf, openPage } from './support/page.mjs'

for (const browser of browsers) {
  describe(`conversations in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { knobs: { maxTokens: 40, temperature: 0 } })
    })
    after(() => t?.close())

    const list = () => t.textsOf('[data-testid="entry-open"]')
    const open = title => t.page.evaluate(title => {
      [...document.querySelectorAll('[data-testid="entry-open"]')].find(entry => entry.textContent === title).click()
    }, title)
    const menu = async (title, item) => {
      await t.page.evaluate(title => [...document.querySelectorAll('[data-testid="entry"]')]
        .find(entry => entry.querySelector('.entry-open').textContent === title).querySelector('[data-testid="entry-more"]').click(), title)
      await t.press(item)
    }
    const reload = async () => {
      await t.saved()
      await t.page.reload()
      await t.settled()
    }

    it('lists what was written, the latest first', async () => {
      await t.run(() => t.press('starter', 1))
      await t.click('new')
      await t.press('kind-chat')
      await t.say('Once upon a time')
      await t.say('Then the cat')
      assert.deepEqual(await list(), ['Once upon a time', 'One day, a little fox'])
      assert.equal(await t.page.evaluate(() => document.querySelector('[aria-current="page"]').textContent), 'Once upon a time')
    })

    it('is as it was after a reload, and goes on without reading it again', async () => {
      const before = await t.turns()
      await reload()
      assert.deepEqual(await t.turns(), before)
      await t.say('And the dog')
      assert.equal((await t.state()).memory, 'restored')
      assert.ok(await t.read() < 10, `read ${await t.read()} tokens`)
    })

    it('returns to a manuscript in the same way', async () => {
      await open('One day, a little fox')
      const before = await t.textOf('story')
      assert.match(before, /^One day, a little fox.{20}/)
      await reload()
      assert.equal(await t.textOf('story'), before)
      await t.run(() => t.click('write'))
      assert.equal((await t.state()).memory, 'restored')
      assert.ok(await t.read() <= 2, `read ${await t.read()} tokens`)
    })

    it('keeps a text that was only typed', async () => {
      await t.click('new')
      await t.page.type(t.at('story'), 'A draft, no more')
      await t.page.waitFor(() => document.querySelector('[data-testid="entry-open"]').textContent.startsWith('A draft'))
      await t.page.reload()
      await t.settled()
      await open('A draft, no more')
      assert.equal(await t.textOf('story'), 'A draft, no more')
    })

    it('renames', async () => {
      await menu('One day, a little fox', 'menu-rename')
      await t.fill('ask-field', 'The fox')
      await t.click('ask-yes')
      await t.page.waitFor(() => [...document.querySelectorAll('[data-testid="entry-open"]')].some(entry => entry.textContent === 'The fox'))
      await t.page.reload()
      await t.settled()
      assert.ok((await list()).includes('The fox'))
    })

    it('searches what was said', async () => {
      await t.fill('search', 'AND THE DOG')
      assert.deepEqual(await list(), ['Once upon a time'])
      await t.fill('search', 'nowhere to be found')
      assert.deepEqual(await list(), [])
      assert.match(await t.textOf('list'), /Nothing found/)
      await t.fill('search', '')
      assert.equal((await list()).length, 3)
    })

    it('exports all branches as JSON and imports them again', async () => {
      await open('Once upon a time')
      await t.run(() => t.press('turn-again', -1))
      const before = await t.turns()
      await t.catchDownloads()
      await menu('Once upon a time', 'menu-export')
      const { name, bytes } = await t.caught()
      assert.equal(name, 'once-upon-a-time.json')
      const file = path.join(t.folder, name)
      await writeFile(file, Buffer.from(bytes))
      assert.equal(JSON.parse(Buffer.from(bytes).toString()).turns.length, 7)

      await t.bringIn(file)
      assert.equal((await list()).length, 4)
      assert.deepEqual(await t.turns(), before)
      await t.press('branch-previous', -1)
      assert.equal((await t.turns()).at(-1).branch, '1/2')
    })

    it('exports the memory itself, and goes on from it without reading', async () => {
      await open('Once upon a time')
      const before = (await t.turns()).map(turn => turn.text.trim())
      await t.page.evaluate(() => { window.caught = [] })
      await menu('Once upon a time', 'menu-export-memory')
      const { name, bytes } = await t.caught()
      assert.match(name, /\.itera$/)
      const file = path.join(t.folder, name)
      await writeFile(file, Buffer.from(bytes))
      await t.page.reload()
      await t.settled()
      await t.bringIn(file)
      // The model here has no chat template: what two messages would be is a story, and these are six.
      assert.deepEqual((await t.turns()).map(turn => turn.text.trim()), before)
      await t.say('The end')
      assert.ok(await t.read() < 8, `read ${await t.read()} tokens`)
    })

    for (const [name, content] of [
      ['nonsense.json', '{"no": "messages"}'], ['broken.json', '{"format": '], ['loop.json', JSON.stringify({
        format: 'itera-conversation', version: 1, turns: [{ id: 'a', parent: 'b', role: 'user', text: '' }, { id: 'b', parent: 'a', role: 'user', text: '' }],
      })], ['broken.itera', 'not a snapshot at all'],
    ]) {
      it(`refuses ${name} with advice`, async () => {
        const count = (await list()).length
        const file = path.join(t.folder, name)
        await writeFile(file, content)
        await t.page.setFile(t.at('import-file'), file)
        await t.page.waitFor(() => !document.getElementById('notice').hidden)
        assert.match(await t.textOf('error-advice'), /import/)
        assert.equal((await list()).length, count)
        await t.click('error-close')
      })
    }

    it('imports a plain list of messages', async () => {
      const file = path.join(t.folder, 'messages.json')
      await writeFile(file, JSON.stringify({ messages: [
        { role: 'system', content: 'Be brief.' }, { role: 'user', content: 'A plain question' }, { role: 'assistant', content: 'A plain answer' },
      ] }))
      assert.equal(await t.bringIn(file), 'A plain question')
      assert.equal((await t.turns()).length, 2)
      assert.equal(await t.page.evaluate(() => document.getElementById('system').value), 'Be brief.')
    })

    it('shows as it is what cannot be formatted', async () => {
      const deep = '>'.repeat(20_000)
      const file = path.join(t.folder, 'deep.json')
      await writeFile(file, JSON.stringify(['How deep?', '*So* deep', 'Deeper!', deep].map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }))))
      assert.equal(await t.bringIn(file), 'How deep?')
      await t.page.waitFor(() => document.querySelector('.turn.assistant .words em') !== null)
      assert.deepEqual((await t.turns()).map(turn => turn.text.trim()), ['How deep?', 'So deep', 'Deeper!', deep])
      assert.equal(await t.hidden('notice'), true)
    })

    it('hears of what another tab writes', async () => {
      await t.keepElsewhere([{ role: 'user', content: 'Written elsewhere' }])
      await t.page.waitFor(() => [...document.querySelectorAll('[data-testid="entry-open"]')].some(entry => entry.textContent === 'Written elsewhere'))
    })

    it('deletes, once that was confirmed', async () => {
      const count = (await list()).length
      await menu('A plain question', 'menu-delete')
      await t.click('ask-no')
      assert.equal((await list()).length, count)
      await menu('A plain question', 'menu-delete')
      await t.click('ask-yes')
      await t.page.waitFor(count => document.querySelectorAll('[data-testid="entry"]').length === count - 1, count)
      await t.page.reload()
      await t.settled()
      assert.ok(!(await list()).includes('A plain question'))
    })

    it('had no error of its own', () => t.noErrors())
  })

  describe(`a page that may keep nothing in ${browser.name}`, { skip: browser.missing }, () => {
    it('works all the same, and forgets at its end', async () => {
      const server = await serve()
      const page = await browser.launch()
      const refuse = () => {
        Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('refused', 'SecurityError') } })
        Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('refused', 'SecurityError') } })
      }
      await (page.raw.addInitScript ?? page.raw.evaluateOnNewDocument).call(page.raw, refuse)
      const t = handsOf(page)
      try {
        await page.goto(`${server.url}/`)
        await t.settled()
        await t.slide('maxTokens', 30)
        await t.press('kind-chat')
        await t.say('Once upon a time')
        await t.run(() => t.press('turn-again', -1))
        assert.equal((await t.turns())[1].branch, '2/2')
        assert.deepEqual(await t.textsOf('[data-testid="entry-open"]'), ['Once upon a time'])
        await page.reload()
        await t.settled()
        assert.deepEqual(await t.textsOf('[data-testid="entry-open"]'), [])
        t.noErrors()
      } finally {
        await page.close()
        await server.close()
      }
    })
  })
}
