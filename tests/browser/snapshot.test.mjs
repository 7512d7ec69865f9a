// A conversation saved in Node goes on in every browser, and one saved there goes on in Node: with the same words.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Itera } from '../../web/src/index.js'
import { browsers, serve } from './harness.mjs'

const MODEL = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const options = { temperature: 1, seed: 3, maxTokens: 12, ignoreEndOfText: true }

/** Runs in Node and, sent as text, in a page: restores, says something, takes it back, branches, and saves the branch. */
async function goOn({ Itera, source, simd, saved, text }) {
  const model = await Itera.load(source, { simd })
  const say = async chat => {
    let answer = ''
    for await (const piece of chat.send(text)) answer += piece.text
    return { answer, cached: model.lastStats.cachedTokens }
  }
  const chat = await model.restore(Uint8Array.from(saved))
  const twin = await chat.fork()
  const first = await say(chat)
  const second = await say(twin)
  await chat.undo()
  const bytes = new Uint8Array(await (await twin.save()).arrayBuffer())
  const { tokens } = await chat.info()
  model.dispose()
  return { first, second, tokens, saved: Array.from(bytes) }
}

const inPage = new Function('argument', `
  return import('/web/src/index.js').then(({ Itera }) => (${goOn})({ Itera, ...argument }))
`)

describe('a saved conversation', () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server
  /** @type {number[]} */
  let saved
  /** @type {Awaited<ReturnType<typeof goOn>>} */
  let expected
  before(async () => {
    server = await serve()
    const model = await Itera.load(MODEL, { simd: 'simd128' })
    const chat = model.chat(options)
    for await (const _ of chat.send('Once upon a time there was a fox.'));
    saved = Array.from(new Uint8Array(await (await chat.save()).arrayBuffer()))
    model.dispose()
    expected = await goOn({ Itera, source: MODEL, simd: 'simd128', saved, text: 'Then' })
    assert.deepEqual(expected.second, expected.first)
    assert.equal(expected.tokens, expected.first.cached)
  })
  after(() => server?.close())

  for (const browser of browsers) {
    it(`goes on in ${browser.name} and comes back`, { skip: browser.missing, timeout: 120_000 }, async () => {
      const page = await browser.launch()
      try {
        await page.goto(`${server.url}/pages/blank.html`)
        const source = `${server.url}/models/story-boot-q8_0.gguf`
        const actual = await page.evaluate(inPage, { source, simd: 'simd128', saved, text: 'Then' })
        assert.deepEqual({ ...actual, saved: null }, { ...expected, saved: null })
        const back = await goOn({ Itera, source: MODEL, simd: 'scalar', saved: actual.saved, text: 'And' })
        const known = await goOn({ Itera, source: MODEL, simd: 'scalar', saved: expected.saved, text: 'And' })
        assert.deepEqual(back.first, known.first)
      } finally {
        await page.close()
      }
    })
  }
})
