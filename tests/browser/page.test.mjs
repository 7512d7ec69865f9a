// The demo page as its readers use it, in real browsers: it writes by itself, stops, repeats, says what is wrong
// with a file and goes on, talks with a chat model, and fits a phone.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { browsers, serve } from './harness.mjs'

const shipped = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))

/**
 * The shipped model with a chat template added to its header. The new entry is as long as a multiple of the
 * file's alignment, so nothing behind it has to change.
 */
async function chatModel() {
  const ALIGNMENT = 32
  const HEADER = 24                     // magic, version, tensor count, count of entries
  const file = await readFile(shipped)
  const key = Buffer.from('tokenizer.chat_template')
  const template = '{% for m in messages %}{{ m.content }}{% endfor %}'
  const fixed = 8 + key.length + 4 + 8  // length and text of the key, type, length of the value
  const value = Buffer.from(template + `{# ${' '.repeat(ALIGNMENT - ((fixed + template.length + 6) % ALIGNMENT))} #}`)
  const entry = Buffer.alloc(fixed + value.length)
  entry.writeBigUInt64LE(BigInt(key.length), 0)
  key.copy(entry, 8)
  entry.writeUInt32LE(8, 8 + key.length)                          // type: string
  entry.writeBigUInt64LE(BigInt(value.length), 12 + key.length)
  value.copy(entry, fixed)
  assert.equal(entry.length % ALIGNMENT, 0)
  const head = Buffer.from(file.subarray(0, HEADER))
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16)
  return Buffer.concat([head, entry, file.subarray(HEADER)])
}

for (const browser of browsers) {
  describe(`page in ${browser.name}`, { skip: browser.missing }, () => {
    /** @type {Awaited<ReturnType<typeof serve>>} */
    let server
    /** @type {import('./harness.mjs').Page} */
    let page
    let folder = ''

    const state = () => page.evaluate(() => ({ ...document.documentElement.dataset }))
    const textOf = id => page.evaluate(id => document.querySelector(`[data-testid="${id}"]`).textContent, id)
    const numberOf = async id => Number((await textOf(id)).replace(/[^\d.]/g, ''))
    const click = id => page.click(`[data-testid="${id}"]`)
    const settled = () => page.waitFor(() => ['ready', 'idle'].includes(document.documentElement.dataset.state))
    /** Sets a slider as a reader's key presses would. */
    const slide = (name, value) => page.evaluate(([name, value]) => {
      const input = /** @type {HTMLInputElement} */ (document.getElementById(`knob-${name}`))
      input.value = String(value)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, [name, value])
    const setSeed = seed => page.evaluate(seed => {
      /** @type {HTMLInputElement} */ (document.getElementById('seed')).value = seed
    }, String(seed))

    /**
     * Writes, and stops in the very moment when the first words appear, before a story can end by itself.
     * @param {'button' | 'Escape'} way
     */
    const writeUntil = way => page.evaluate(way => new Promise(resolve => {
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
    }), way)

    before(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'itera-page-'))
      server = await serve()
      page = await browser.launch()
      await page.goto(`${server.url}/`)
    })
    after(async () => {
      await page?.close()
      await server?.close()
      await rm(folder, { recursive: true, force: true })
    })

    it('loads the shipped model and writes a story by itself', async () => {
      await page.waitFor(() => Boolean(document.documentElement.dataset.ending), undefined, 60_000)
      const story = await textOf('story')
      assert.match(story, /^Once upon a time/)
      assert.ok(story.split(/\s+/).length > 30, `a story of more than 30 words, not: ${story}`)
      assert.match((await state()).ending, /^(stop|length)$/)
    })

    it('fills in every reading', async () => {
      assert.match(await textOf('speed'), /^[\d.,]+ tok\/s$/)
      assert.match(await textOf('first-token'), /^<?[\d.]+ ms$|^[\d.]+ s$/)
      assert.ok(await numberOf('prompt-tokens') >= 4)
      assert.ok(await numberOf('written-tokens') > 30)
      assert.match(await textOf('memory'), /^4\.1 MB \+ \d+ kB$/)
      assert.match(await textOf('simd'), /128-bit|scalar/)
      assert.match(await textOf('model-card'), /4\.2 MB, 3\.8 M parameters/)
    })

    it('writes the same story again for the same seed', async () => {
      await setSeed(11)
      await click('again')
      await settled()
      const first = await textOf('story')
      await click('again')
      await settled()
      assert.equal(await textOf('story'), first)
      assert.match(first, /^Once upon a time/)
    })

    it('writes the same story in scalar and SIMD128 code', async () => {
      const stories = []
      await slide('temperature', 0)
      for (const variant of ['scalar', 'simd128']) {
        await page.evaluate(id => document.querySelector(`[data-testid="${id}"]`).click(), `simd-${variant}`)
        await page.waitFor(v => document.getElementById('r-simd').dataset.simd === v, variant)
        await settled()
        await click('again')
        await settled()
        stories.push(await textOf('story'))
      }
      assert.equal(stories[0], stories[1])
      await page.evaluate(() => document.querySelector('[data-testid="simd-auto"]').click())
      await settled()
      await slide('temperature', 0.7)
      await setSeed('')
    })

    it('stops when asked, and goes on from there', async () => {
      await slide('maxTokens', 2000)
      await click('new')
      await page.type('[data-testid="story"]', 'One day, a little fox')
      await writeUntil('button')
      await settled()
      assert.equal((await state()).ending, 'aborted')
      const stopped = await textOf('story')
      assert.match(stopped, /^One day, a little fox/)
      await slide('maxTokens', 20)
      assert.equal(await textOf('write'), 'Continue')
      await click('write')
      await settled()
      const longer = await textOf('story')
      assert.ok(longer.startsWith(stopped.trimEnd()) && longer.length > stopped.length)
    })

    it('stops at Esc', async () => {
      await slide('maxTokens', 2000)
      await writeUntil('Escape')
      await settled()
      assert.equal((await state()).ending, 'aborted')
    })

    for (const [name, bytes, code, words] of [
      ['web-page.gguf', Buffer.from('not a gguf'), 'not-gguf', /not a GGUF file/],
      ['half.gguf', null, 'incomplete', /missing/],
    ]) {
      it(`says in words what is wrong with ${name}, and still works`, async () => {
        const file = path.join(folder, name)
        await writeFile(file, bytes ?? (await readFile(shipped)).subarray(0, 2_000_000))
        await page.setFile('[data-testid="file"]', file)
        await page.waitFor(() => !document.querySelector('[data-testid="error"]').hidden)
        await settled()
        assert.match(await textOf('error-title'), words)
        assert.ok((await textOf('error-advice')).length > 30, 'it says what to do')
        assert.equal(await page.evaluate(() => document.getElementById('notice').dataset.code), code)

        await slide('maxTokens', 40)
        await page.evaluate(() => document.querySelector('[data-testid="starter"]').click())
        await page.waitFor(() => document.documentElement.dataset.state === 'writing'
          || Number(document.getElementById('r-written').textContent.replace(/\D/g, '')) > 5)
        await settled()
        assert.match(await textOf('story'), /^Once upon a time.{20}/)
        assert.equal(await page.evaluate(() => document.getElementById('notice').hidden), true)
      })
    }

    it('shows the size of a file at an address before it downloads it', async () => {
      await click('open-picker')
      await page.type('[data-testid="url"]', `${server.url}/models/story-boot-q8_0.gguf`)
      await click('url-go')
      await page.waitFor(() => /4\.2 MB/.test(document.querySelector('[data-testid="url-note"]').textContent))
      assert.equal(await textOf('url-go'), 'Download 4.2 MB')
      await click('url-go')
      await page.waitFor(() => document.querySelector('[data-testid="model-name"]').textContent === 'story-boot-q8_0.gguf')
      await settled()
    })

    it('says so when there is nothing at an address', async () => {
      await click('open-picker')
      await page.evaluate(() => { document.querySelector('[data-testid="url"]').value = '' })
      await page.type('[data-testid="url"]', `${server.url}/models/none.gguf`)
      await click('url-go')
      await page.waitFor(() => /no file at that address/.test(document.querySelector('[data-testid="url-note"]').textContent))
      await click('close-picker')
    })

    it('talks with a model that has a chat template', async () => {
      const file = path.join(folder, 'chat.gguf')
      await writeFile(file, await chatModel())
      await page.setFile('[data-testid="file"]', file)
      await page.waitFor(() => !document.getElementById('composer').hidden)
      await settled()
      await slide('maxTokens', 30)
      for (const message of ['Once upon a time there was a cat', 'Then the cat']) {
        await page.type('[data-testid="message"]', message)
        await page.press('Enter')
        await settled()
      }
      const turns = () => page.evaluate(() => [...document.querySelectorAll('.turn .words')].map(turn => turn.textContent))
      const talk = await turns()
      assert.equal(talk.length, 4)
      assert.equal(talk[2], 'Then the cat')
      assert.ok(talk[1].length > 20 && talk[3].length > 0)
      await click('again')
      await settled()
      const repeated = await turns()
      assert.deepEqual(repeated.slice(0, 3), talk.slice(0, 3))
      assert.equal(repeated.length, 4)
    })

    it('fits a phone without scrolling sideways', async () => {
      for (const width of [390, 360]) {
        await page.setViewport(width, 844)
        for (let round = 0; round < 2; round++) {
          const [content, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth])
          assert.ok(content <= room, `${content} pixels of content in ${room}`)
          // What is wider than the screen inside an area of its own counts as well, save the row of starters.
          const wide = await page.evaluate(() => [...document.querySelectorAll('.desk, .dock, .strip, .rail, .actions')]
            .filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.className))
          assert.deepEqual(wide, [])
          await click('open-settings')    // the drawer, then the text again
        }
      }
    })

    it('had no error of its own', () => {
      // Browsers log a failed request by themselves; the missing file above is meant to fail.
      assert.deepEqual(page.errors.filter(line => !/404|none\.gguf/.test(line)), [])
    })
  })
}
