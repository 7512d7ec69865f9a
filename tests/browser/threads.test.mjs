// Threads in browsers: they start in an isolated page, give Node's bits, and end with the model.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Itera } from '../../web/src/index.js'
import { browsers, serve } from './harness.mjs'

const MODELS = {
  story: fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url)),
  experts: fileURLToPath(new URL('../golden/llama.cpp/granitehybrid-moe-f32/model.gguf', import.meta.url)),
}

/** Runs in Node and, sent as text, in a page: the bits of the logits after 90 tokens and of one more step. */
async function logits({ Itera, source, threads }) {
  const model = await Itera.load(source, { simd: 'simd128', threads })
  const tokens = Array.from({ length: 90 }, (_, i) => (i * 7919 + 13) % model.info.vocabulary)
  const batch = await model.logits(tokens)
  let last = 0
  for await (const piece of model.generate(tokens, { temperature: 0, maxTokens: 5, ignoreEndOfText: true })) last = piece.token
  const bits = Array.from(new Uint32Array(batch.buffer, batch.byteLength - 4 * model.info.vocabulary))
  model.dispose()
  return { bits, last, threads: model.info.threads }
}

const inPage = new Function('argument', `
  return import('/web/src/index.js').then(({ Itera }) => (${logits})({ Itera, ...argument }))
`)

const digest = (/** @type {any} */ { bits, last }) =>
  `${createHash('sha256').update(Uint32Array.from(bits)).digest('hex')} ${last}`

for (const browser of browsers) {
  describe(`threads in ${browser.name}`, { skip: browser.missing, timeout: 120_000 }, () => {
    /** @type {Awaited<ReturnType<typeof serve>>} */
    let server
    /** @type {import('./harness.mjs').Page} */
    let page
    before(async () => {
      server = await serve({ mounts: { golden: fileURLToPath(new URL('../golden', import.meta.url)) } })
      page = await browser.launch()
      await page.goto(`${server.url}/pages/blank.html`)
    })
    after(async () => {
      await page?.close()
      server?.close()
    })

    for (const [name, file] of Object.entries(MODELS)) {
      it(`give the bits that one gives in Node: ${name}`, async () => {
        const expected = await logits({ Itera, source: file, threads: 1 })
        const source = name === 'story' ? '/models/story-boot-q8_0.gguf' : '/golden/llama.cpp/granitehybrid-moe-f32/model.gguf'
        for (const threads of [1, 3]) {
          const actual = await page.evaluate(inPage, { source, threads })
          assert.equal(actual.threads, threads)
          assert.equal(digest(actual), digest(expected))
        }
      })
    }

    it('end with the model: one after another can be loaded, in the midst of work too', async () => {
      const count = await page.evaluate(async () => {
        const entry = '/web/src/index.js'
        const { Itera } = await import(entry)
        let loaded = 0
        for (; loaded < 6; loaded++) {
          const model = await Itera.load('/models/story-boot-q8_0.gguf', { threads: 4 })
          if (model.info.threads !== 4) break
          const endless = model.generate('Once', { maxTokens: Infinity, ignoreEndOfText: true })
          await endless.next()
          model.dispose()
        }
        return loaded
      })
      assert.equal(count, 6)
    })

    it('save a conversation as a Blob, out of shared memory', async () => {
      const text = await page.evaluate(async () => {
        const entry = '/web/src/index.js'
        const { Itera } = await import(entry)
        const model = await Itera.load('/models/story-boot-q8_0.gguf', { threads: 2 })
        const options = { temperature: 0, maxTokens: 12, ignoreEndOfText: true }
        const chat = model.chat(options)
        for await (const _ of chat.send('A fox.'));
        const saved = await chat.save()
        const twin = await model.restore(saved)
        const say = async (/** @type {any} */ chat) => {
          let text = ''
          for await (const piece of chat.send('And?')) text += piece.text
          return text
        }
        const [one, two] = [await say(chat), await say(twin)]
        model.dispose()
        return one === two && one.length > 0 ? one : `${one} is not ${two}`
      })
      assert.doesNotMatch(text, / is not /)
    })

    it('have nothing to complain about', () => assert.deepEqual(page.errors, []))
  })
}
