// A manuscript on the page, as its readers use it: it writes, stops, goes on, is taken back and written again, and
// says what is wrong with a file.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage, shipped } from './support/page.mjs'

for (const browser of browsers) {
  describe(`a manuscript in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => { t = await openPage(browser) })
    after(() => t?.close())

    const begin = async () => {
      await t.click('new')
      await t.press('starter')
    }

    /** Writes, and stops in the very moment when the first words appear, before a story can end by itself. */
    const writeUntil = way => t.run(() => t.page.evaluate(way => new Promise(resolve => {
      const sheet = document.getElementById('manuscript')
      const go = document.getElementById('go')
      const before = sheet.textContent.length
      new MutationObserver((_, observer) => {
        if (sheet.textContent.length < before + 5) return
        observer.disconnect()
        if (way === 'button') go.click()
        else document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
        resolve(true)
      }).observe(sheet, { childList: true, characterData: true, subtree: true })
      go.click()
    }), way))

    it('loads the default model and offers beginnings', async () => {
      assert.equal(await t.textOf('model-name'), 'Story Boot')
      assert.ok((await t.textsOf('[data-testid="starter"]')).length >= 3)
      assert.equal(await t.textOf('story'), '')
    })

    it('writes a story', async () => {
      await t.run(() => t.press('starter'))
      const story = await t.textOf('story')
      assert.match(story, /^Once upon a time/)
      assert.ok(story.split(/\s+/).length > 30, `a story of more than 30 words, not: ${story}`)
      assert.match((await t.state()).ending, /^(stop|length)$/)
      assert.deepEqual(await t.textsOf('[data-testid="entry-open"]'), ['Once upon a time'])
    })

    it('fills in every reading', async () => {
      assert.match(await t.textOf('speed'), /^[\d.,]+ tok\/s$/)
      assert.match(await t.textOf('first-token'), /^<?[\d.]+ ms$|^[\d.]+ s$/)
      assert.match(await t.textOf('prompt-tokens'), /^5 of 5 tokens$/)
      assert.match(await t.textOf('written-tokens'), /^\d+ tokens$/)
      assert.match(await t.textOf('memory'), /^4\.1 MB \+ \d+ kB$/)
      assert.match(await t.textOf('simd'), /128-bit|scalar/)
      assert.match(await t.textOf('model-card'), /4\.2 MB, 3\.8 M parameters/)
    })

    it('writes it again beside the first, the same for the same seed', async () => {
      await t.seed(11)
      await t.run(() => t.click('again'))
      const second = await t.textOf('story')
      await t.run(() => t.click('again'))
      assert.equal(await t.textOf('story'), second)
      assert.equal((await t.textsOf('#story-switch [aria-hidden="true"]')).join(''), '3/3')
      assert.ok(await t.read() <= 5, 'only the opening is read again')
    })

    it('goes through the versions', async () => {
      const third = await t.textOf('story')
      await t.press('branch-previous')
      assert.equal(await t.textOf('story'), third)
      await t.press('branch-previous')
      const first = await t.textOf('story')
      assert.match(first, /^Once upon a time/)
      assert.notEqual(first, third)
      await t.press('branch-next')
      assert.equal(await t.textOf('story'), third)
    })

    it('goes on without reading anything again', async () => {
      await t.slide('maxTokens', 20)
      await begin()
      await t.settled()
      await t.page.waitFor(() => document.documentElement.dataset.ending === 'length')
      const before = await t.textOf('story')
      await t.run(() => t.click('write'))
      const after = await t.textOf('story')
      assert.ok(after.startsWith(before) && after.length > before.length)
      assert.ok(await t.read() <= 2, `read ${await t.read()}`)
    })

    it('takes back what was written, step by step, and brings it again', async () => {
      const whole = await t.textOf('story')
      await t.click('undo')
      const half = await t.textOf('story')
      assert.ok(whole.startsWith(half) && half.length < whole.length)
      await t.click('undo')
      assert.equal(await t.textOf('story'), 'Once upon a time')
      await t.click('later')
      assert.equal(await t.textOf('story'), whole)
    })

    it('keeps what the reader writes, and who wrote it', async () => {
      await t.click('new')
      await t.page.type(t.at('story'), 'The green door')
      await t.page.waitFor(() => document.querySelector('[data-testid="entry-open"]')?.textContent)
      await t.run(() => t.click('write'))
      const text = await t.textOf('story')
      assert.match(text, /^The green door/)
      const inks = await t.page.evaluate(() => [...CSS.highlights.get('model')].map(range => range.toString()).join(''))
      assert.equal(inks, text.slice('The green door'.length))
    })

    it('writes the same story in scalar and SIMD128 code', async () => {
      const stories = []
      await t.slide('temperature', 0)
      await t.slide('maxTokens', 60)
      for (const variant of ['scalar', 'simd128']) {
        await t.press(`simd-${variant}`)
        await t.page.waitFor(v => document.getElementById('r-simd').dataset.simd === v, variant)
        await t.settled()
        await t.click('new')
        await t.run(() => t.press('starter'))
        stories.push(await t.textOf('story'))
      }
      assert.equal(stories[0], stories[1])
      await t.press('simd-auto')
      await t.settled()
      await t.slide('temperature', 0.7)
      await t.seed('')
    })

    it('stops when asked, and goes on from there', async () => {
      await t.slide('maxTokens', 2000)
      await t.click('new')
      await t.page.type(t.at('story'), 'One day, a little fox')
      await writeUntil('button')
      assert.equal((await t.state()).ending, 'aborted')
      const stopped = await t.textOf('story')
      assert.match(stopped, /^One day, a little fox/)
      await t.slide('maxTokens', 20)
      assert.equal(await t.textOf('write'), 'Continue')
      await t.run(() => t.click('write'))
      const longer = await t.textOf('story')
      assert.ok(longer.startsWith(stopped.trimEnd()) && longer.length > stopped.length)
    })

    it('stops at Esc', async () => {
      await t.slide('maxTokens', 2000)
      await writeUntil('Escape')
      assert.equal((await t.state()).ending, 'aborted')
    })

    for (const [name, bytes, code, words] of [
      ['web-page.gguf', Buffer.from('not a gguf'), 'not-gguf', /not a GGUF file/],
      ['half.gguf', null, 'incomplete', /missing/],
    ]) {
      it(`says in words what is wrong with ${name}, and still works`, async () => {
        const file = path.join(t.folder, name)
        await writeFile(file, bytes ?? (await readFile(shipped)).subarray(0, 2_000_000))
        await t.page.setFile(t.at('file'), file)
        await t.page.waitFor(() => !document.querySelector('[data-testid="error"]').hidden)
        await t.settled()
        assert.match(await t.textOf('error-title'), words)
        assert.ok((await t.textOf('error-advice')).length > 30, 'it says what to do')
        assert.equal(await t.page.evaluate(() => document.getElementById('notice').dataset.code), code)

        await t.slide('maxTokens', 40)
        await t.click('new')
        await t.run(() => t.press('starter'))
        assert.match(await t.textOf('story'), /^Once upon a time.{20}/)
        assert.equal(await t.hidden('error'), true)
      })
    }

    it('says so when its worker crashes, and goes on with another', { skip: browser.name !== 'chromium' && 'the driver cannot reach the worker' }, async () => {
      const before = await t.textOf('story')
      const [worker] = t.page.raw.workers()
      await worker.evaluate(() => { setTimeout(() => { throw new Error('meant by the test') }) })
      await t.page.waitFor(() => !document.getElementById('notice').hidden)
      assert.match(await t.textOf('error-title'), /stopped unexpectedly/)
      assert.equal(await t.textOf('story'), before)
      await t.click('error-retry')
      await t.settled()
      await t.run(() => t.click('write'))
      assert.ok((await t.textOf('story')).length > before.length)
      t.page.errors.splice(0, Infinity, ...t.page.errors.filter(line => !/meant by the test/.test(line)))
    })

    it('had no error of its own', () => t.noErrors())
  })
}
