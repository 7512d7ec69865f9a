// Conversations through a chat template: what is read in each turn, and that nothing is read twice.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'

import { Itera } from '../../web/src/index.js'
import { addToMetadata } from './support/rewrite-gguf.mjs'

const plain = readFileSync(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const template = '{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|assistant|>{% endif %}'

/** @param {AsyncGenerator<any, any, void>} pieces */
async function collect(pieces) {
  let text = ''
  const tokens = []
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return { text, tokens, stats: value }
    text += value.text
    if (value.token !== undefined) tokens.push(value.token)
  }
}

describe('chat with a template', () => {
  /** @type {Awaited<ReturnType<typeof Itera.load>>} */
  let model
  before(async () => { model = await Itera.load(await addToMetadata(plain, { 'tokenizer.chat_template': template })) })
  after(() => model.dispose())
  const options = { temperature: 0, maxTokens: 16 }

  /** The prompt as the template writes it. @param {any[]} messages */
  const prompt = messages => model.tokenize(
    `<|endoftext|>${messages.map(({ role, content }) => `<|${role}|>${content}<|end|>`).join('')}<|assistant|>`,
    { parseSpecial: true })

  it('reads the template\'s own words, with one BOS', async () => {
    assert.equal(model.info.hasChatTemplate, true)
    const messages = [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'A fox, please.' }]
    const expected = await prompt(messages)
    assert.equal(expected.filter(token => token === model.info.bosToken).length, 1)
    const direct = await collect(model.generate(expected, options))
    const { text, stats } = await collect(model.chat({ system: 'Be kind.', ...options }).send('A fox, please.'))
    assert.equal(stats.promptTokens, expected.length)
    assert.equal(text, direct.text)
  })

  it('reads the new message only, whatever tokens the answers were made of', async () => {
    // Hot enough that the answers are not spelled as the tokenizer would spell them.
    const [first] = await model.tokenize('<|endoftext|>', { parseSpecial: true })
    const plainText = Object.fromEntries([0, 1, 2, 3, 4].map(i => [first + i, -Infinity]))
    for (let seed = 0; seed < 20; seed++) {
      const chat = model.chat({
        temperature: 5, topK: 0, topP: 1, minP: 0, maxTokens: 9, seed, logitBias: plainText, ignoreEndOfText: true,
      })
      let known = 0
      for (let turn = 0; turn < 4; turn++) {
        const { stats } = await collect(chat.send('Go on.'))
        assert.equal(stats.cachedTokens, known, `seed ${seed}, turn ${turn}`)
        known = stats.promptTokens + stats.generatedTokens - 1
      }
      chat.dispose()
    }
  })

  it('goes on exactly as if all tokens had been read in one go', async () => {
    const chat = model.chat(options)
    const first = await collect(chat.send('A fox.'))
    const second = await collect(chat.send('More.'))
    const opening = await prompt([{ role: 'user', content: 'A fox.' }])
    const rest = await model.tokenize('<|end|><|user|>More.<|end|><|assistant|>', { parseSpecial: true })
    const direct = await collect(model.generate([...opening, ...first.tokens, ...rest], options))
    assert.deepEqual(second.tokens, direct.tokens)
    assert.ok(second.stats.cachedTokens > opening.length)
  })

  it('starts anew after an earlier message was changed', async () => {
    const chat = model.chat(options)
    await collect(chat.send('A fox.'))
    const other = model.chat({ ...options, messages: [{ role: 'user', content: 'A bear.' }, { role: 'assistant', content: 'Yes.' }] })
    assert.equal((await collect(other.send('More.'))).stats.cachedTokens, 0)
    chat.reset()
    const again = await collect(chat.send('A bear.'))
    assert.equal(again.stats.cachedTokens, 0)
    assert.equal(again.text, (await collect(model.chat(options).send('A bear.'))).text)
  })

  it('survives an abort while the prompt is read', async () => {
    const chat = model.chat(options)
    const stopped = await collect(chat.send('word '.repeat(3000), { signal: AbortSignal.timeout(30) }))
    assert.equal(stopped.stats.finishReason, 'aborted')
    assert.equal((await collect(chat.send('And?', { maxTokens: 2 }))).stats.generatedTokens, 2)
  })

  it('reports a template that fails', async () => {
    const broken = await Itera.load(await addToMetadata(plain, {
      'tokenizer.chat_template': '{{ raise_exception("roles must alternate") }}',
    }))
    await assert.rejects(collect(broken.chat().send('a')), { code: 'template', message: /roles must alternate/ })
    assert.equal((await collect(broken.generate('a', { maxTokens: 1 }))).stats.generatedTokens, 1)
    broken.dispose()
    const unreadable = await Itera.load(await addToMetadata(plain, { 'tokenizer.chat_template': '{% for %}' }))
    await assert.rejects(collect(unreadable.chat().send('a')), { code: 'template' })
    unreadable.dispose()
  })
})
