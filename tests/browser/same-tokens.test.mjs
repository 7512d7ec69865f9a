// Greedy tokens of the shipped model: the same in every engine, and under scalar and SIMD128 bit for bit.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Itera } from '../../web/src/index.js'
import { browsers, serve } from './harness.mjs'

const MODEL = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const PROMPT = 'Once upon a time'
const TOKENS = 200

/** Runs in Node and, sent as text, in a page: the tokens and the text of a greedy continuation. */
async function story({ Itera, source, simd, prompt, maxTokens }) {
  const model = await Itera.load(source, { simd })
  const tokens = []
  let text = ''
  for await (const piece of model.generate(prompt, { temperature: 0, maxTokens })) {
    if (piece.token !== undefined) tokens.push(piece.token)
    text += piece.text
  }
  model.dispose()
  return { tokens, text, simd: model.info.simd }
}

const inPage = new Function('argument', `
  return import('/web/src/index.js').then(({ Itera }) => (${story})({ Itera, ...argument }))
`)

describe('greedy tokens of the shipped model', () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server
  /** @type {Awaited<ReturnType<typeof story>>} */
  let expected
  before(async () => {
    server = await serve()
    expected = await story({ Itera, source: MODEL, simd: 'scalar', prompt: PROMPT, maxTokens: TOKENS })
  })
  after(() => server?.close())

  it('are a story, in Node', () => {
    assert.match(expected.text, /^, there was a little girl named Lily\. She loved to play with her toys and eat ice cream\./)
    assert.ok(expected.tokens.length > 50)
  })

  it('are the same under simd128, in Node', async () => {
    const actual = await story({ Itera, source: MODEL, simd: 'simd128', prompt: PROMPT, maxTokens: TOKENS })
    assert.deepEqual(actual, { ...expected, simd: 'simd128' })
  })

  for (const browser of browsers) {
    describe(browser.name, { skip: browser.missing, timeout: 120_000 }, () => {
      /** @type {import('./harness.mjs').Page} */
      let page
      before(async () => {
        page = await browser.launch()
        await page.goto(`${server.url}/pages/blank.html`)
      })
      after(() => page?.close())

      for (const simd of ['scalar', 'simd128']) {
        it(`are the same under ${simd}`, async () => {
          const source = `${server.url}/models/story-boot-q8_0.gguf`
          const actual = await page.evaluate(inPage, { source, simd, prompt: PROMPT, maxTokens: TOKENS })
          assert.deepEqual(actual, { ...expected, simd })
        })
      }

      it('begin the same story under the best variant', async () => {
        const source = `${server.url}/models/story-boot-q8_0.gguf`
        const actual = await page.evaluate(inPage, { source, simd: 'relaxed', prompt: PROMPT, maxTokens: TOKENS })
        assert.equal(actual.simd, 'relaxed')
        assert.equal(actual.text.slice(0, 100), expected.text.slice(0, 100))
      })
    })
  }
})
