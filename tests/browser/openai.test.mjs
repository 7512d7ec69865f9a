// The OpenAI interface on a page, and the grammar library: found by an import map or by its address, loaded by the worker.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { browsers, serve } from './harness.mjs'

/** @type {Awaited<ReturnType<typeof serve>>} */
let server
before(async () => {
  server = await serve({ mounts: { node_modules: fileURLToPath(new URL('../../node_modules', import.meta.url)) } })
})
after(() => server?.close())

const schema = {
  type: 'object',
  properties: { animal: { enum: ['fox', 'bear'] }, age: { type: 'integer', minimum: 1, maximum: 20 }, name: { type: 'string', maxLength: 8 } },
  required: ['animal', 'age', 'name'],
  additionalProperties: false,
}

for (const browser of browsers) {
  describe(`${browser.name}: model.openai`, { skip: browser.missing, timeout: 120_000 }, () => {
    /** @type {import('./harness.mjs').Page} */
    let page
    before(async () => { page = await browser.launch() })
    after(() => page?.close())

    /** Runs a request on the page: what was answered, or the error's code. */
    const ask = (body, { grammarLibrary, times = 1 } = {}) => page.evaluate(async ({ url, body, grammarLibrary, times }) => {
      const { Itera } = await import(`${url}/web/src/index.js`)
      const model = await Itera.load(`${url}/models/story-boot-q8_0.gguf`, { grammarLibrary, cache: false })
      try {
        const texts = []
        for (let seed = 0; seed < times; seed++) {
          const answer = await model.openai.chat.completions.create({ ...body, seed })
          let text = ''
          if (body.stream) for await (const chunk of answer) text += chunk.choices[0].delta.content ?? ''
          else text = answer.choices[0].message.content
          texts.push(text)
        }
        return { texts }
      } catch (error) {
        return { code: error.code, message: error.message }
      } finally {
        model.dispose()
      }
    }, { url: server.url, body, grammarLibrary, times })

    const messages = [{ role: 'user', content: 'Once upon a time there was an animal.' }]
    const format = { type: 'json_schema', json_schema: { name: 'animal', schema } }

    it('writes JSON that a schema asks for, with the library from the import map', async () => {
      await page.goto(`${server.url}/pages/grammar.html`)
      const { texts, message } = await ask({ messages, response_format: format, temperature: 1, max_tokens: 100 }, { times: 10 })
      assert.ok(texts, message)
      for (const text of texts) {
        const { animal, age, name, ...others } = JSON.parse(text)
        assert.ok(['fox', 'bear'].includes(animal) && Number.isInteger(age) && age >= 1 && age <= 20, text)
        assert.ok([...name].length <= 8 && !Object.keys(others).length, text)
      }
      assert.ok(new Set(texts).size > 5)
    })

    it('streams a text that a regular expression matches', async () => {
      const { texts: [text], message } = await ask({ messages, regex: '(yes|no), [0-9]{3}', stream: true })
      assert.match(text, /^(yes|no), [0-9]{3}$/, message)
    })

    it('says what to install where the library is not known, and answers without it', async () => {
      await page.goto(`${server.url}/pages/blank.html`)
      const { code, message } = await ask({ messages, regex: 'a' })
      assert.equal(code, 'no-grammar', message)
      assert.match(message, /npm install @mlc-ai\/web-xgrammar/)
      const { texts: [text] } = await ask({ messages, max_tokens: 5, temperature: 0 })
      assert.ok(text.length > 5)
    })

    it('takes the address of the library instead of an import map', async () => {
      const grammarLibrary = `${server.url}/node_modules/@mlc-ai/web-xgrammar/lib/index.js`
      const { texts: [text] } = await ask({ messages, regex: '[0-9]{4}' }, { grammarLibrary })
      assert.match(text, /^[0-9]{4}$/)
    })

    it('has nothing to complain about', () => assert.deepEqual(page.errors, []))
  })
}
