// What a text must be like: JSON schemas, regular expressions, grammars.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import Ajv from 'ajv'
import { Itera } from '../../web/src/index.js'
import { openLocal } from './support/local-model.mjs'
import { storyModel } from './support/itera-server.mjs'
import { Grammars } from '../../web/src/grammar.js'
import { findGrammarLibrary } from '../../web/src/grammar-library.js'

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 8 },
    kind: { enum: ['fox', 'bear', 'hare'] },
    age: { type: 'integer', minimum: 0, maximum: 30 },
    friends: { type: 'array', items: { $ref: '#/$defs/friend' }, maxItems: 2 },
    brave: { type: 'boolean' },
    home: { anyOf: [{ type: 'null' }, { const: 'den' }] },
  },
  required: ['name', 'kind', 'age', 'friends', 'brave', 'home'],
  additionalProperties: false,
  $defs: { friend: { type: 'object', properties: { name: { type: 'string', maxLength: 4 } }, required: ['name'], additionalProperties: false } },
}
const messages = [{ role: 'user', content: 'Once upon a time there was an animal.' }]

/** @type {import('../../web/types.d.ts').Model} */
let model
before(async () => { model = await Itera.load(storyModel) })
after(() => model?.dispose())
const complete = async body => (await model.openai.completions.create({ prompt: 'The number was ', max_tokens: 60, ...body })).choices[0]

describe('a JSON schema', () => {
  it('holds in 100 of 100 answers of the smallest model', async () => {
    const validate = new Ajv().compile(schema)
    const texts = new Set()
    for (let seed = 0; seed < 100; seed++) {
      const { choices: [{ message, finish_reason: reason }] } = await model.openai.chat.completions.create({
        messages, seed, temperature: 1.5, top_p: 1, top_k: 0, min_p: 0, max_tokens: 200,
        response_format: { type: 'json_schema', json_schema: { name: 'animal', schema } },
      })
      assert.equal(reason, 'stop', message.content)
      assert.ok(validate(JSON.parse(message.content)), `${message.content}: ${JSON.stringify(validate.errors)}`)
      texts.add(message.content)
    }
    assert.ok(texts.size > 90, `${texts.size} different ones`)
  })

  it('allows any object where that is all that is asked for', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { text, finish_reason: reason } = await complete({ response_format: { type: 'json_object' }, max_tokens: 300, seed, temperature: 0.3 })
      assert.match(text, /^\{/)
      if (reason === 'stop') assert.equal(typeof JSON.parse(text), 'object')
    }
  })

  it('holds for strings of any bytes that the model can write', async () => {
    // Every token equally likely, so to speak: bytes of broken characters and control characters would come soon.
    const body = { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object', properties: { s: { type: 'string', minLength: 24, maxLength: 24 } }, required: ['s'], additionalProperties: false } } }
    for (let seed = 0; seed < 20; seed++) {
      const flat = { temperature: 2, top_p: 1, top_k: 0, min_p: 0, presence_penalty: 2, seed }
      const { text, finish_reason: reason } = await complete({ response_format: body, max_tokens: 200, ...flat })
      assert.equal(reason, 'stop', text)
      assert.equal([...JSON.parse(text).s].length, 24, text)
      assert.ok(!text.includes('\ufffd'), text)
    }
  })
})

describe('a regular expression', () => {
  for (const [regex, check] of [
    ['[0-9]{3}-[0-9]{4}', /^\d{3}-\d{4}$/],
    ['(red|green|blue)( fox| bear)?', /^(red|green|blue)( fox| bear)?$/],
    ['[a-z]+@[a-z]{2,8}\\.(com|org)', /^[a-z]+@[a-z]{2,8}\.(com|org)$/],
  ]) {
    it(`holds: ${regex}`, async () => {
      for (let seed = 0; seed < 10; seed++) {
        const { text, finish_reason: reason } = await complete({ regex, seed, temperature: 1, max_tokens: 100 })
        if (reason === 'stop') assert.match(text, check)
        else assert.equal(regex[0], '[')                // [a-z]+ may go on and on
      }
    })
  }

  it('can also be the response_format of a chat, streamed', async () => {
    let text = ''
    for await (const { choices: [{ delta }] } of await model.openai.chat.completions.create(
      { messages, stream: true, response_format: { type: 'regex', regex: '(yes|no), \\d{2}\\.' } })) text += delta.content ?? ''
    assert.match(text, /^(yes|no), \d{2}\.$/)
  })
})

describe('a grammar', () => {
  const move = 'root ::= "move " ("north" | "south") (", then " ("east" | "west"))* "."'

  it('holds', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { text, finish_reason: reason } = await complete({ grammar: move, seed, temperature: 1 })
      if (reason === 'stop') assert.match(text, /^move (north|south)(, then (east|west))*\.$/)
    }
    assert.match((await complete({ response_format: { type: 'grammar', grammar: move }, temperature: 0 })).text, /^move /)
  })

  it('leaves log probabilities those of the model, whatever it forbids', async () => {
    const { text, logprobs } = await complete({ grammar: 'root ::= "xyzzy"', logprobs: 1, temperature: 0 })
    assert.equal(text, 'xyzzy')
    assert.ok(logprobs.token_logprobs[0] < -3)           // no word this model would have chosen
    const best = Math.max(...Object.values(logprobs.top_logprobs[0]))
    assert.ok(best > logprobs.token_logprobs[0])
  })

  it('takes one mask at a time for requests that run together', async () => {
    const texts = await Promise.all(['"aaa"', '"bbb"', '[0-9]{5}', '"ccc" | "ddd"'].map(rule => complete({ grammar: `root ::= ${rule}` })))
    const expected = [/^aaa$/, /^bbb$/, /^\d{5}$/, /^(ccc|ddd)$/]
    texts.forEach(({ text }, i) => assert.match(text, expected[i]))
  })

  it('gives each of several answers a beginning of its own', async () => {
    const { choices } = await model.openai.completions.create({ prompt: 'The number was ', regex: '[0-9]{4}', n: 4, temperature: 1, max_tokens: 20 })
    for (const { text } of choices) assert.match(text, /^\d{4}$/)
  })
})

describe('a wrong grammar', () => {
  it('is told by its reason', async () => {
    await assert.rejects(complete({ grammar: 'root ::= "' }), { code: 'grammar', message: /string literal/ })
    await assert.rejects(complete({ grammar: 'root ::= other' }), { code: 'grammar', message: /other/ })
    await assert.rejects(complete({ regex: '[' }), { code: 'grammar' })
    await assert.rejects(complete({ regex: 'a'.repeat(200_000) }), { code: 'grammar', message: /200000 characters/ })
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: { $ref: '#/$defs/none' } } }
    await assert.rejects(complete({ response_format: format }), { code: 'grammar', message: /none/ })
  })

  it('never spoils those that follow, however many there are', async () => {
    const { engine } = await openLocal(storyModel)
    const grammars = new Grammars(engine)
    const library = findGrammarLibrary()
    for (let i = 0; i < 200; i++) {
      await assert.rejects(grammars.matcher({ kind: 'ebnf', source: `root ::= "a${i}" (` }, library), { code: 'grammar' })
      if (i % 10) continue
      const matcher = await grammars.matcher({ kind: 'ebnf', source: `root ::= "b${i}"` }, library)
      const mask = await matcher.mask()
      const allowed = []
      for (let id = 0; id < engine.vocabulary; id++) if (mask[id >> 5] >>> (id % 32) & 1) allowed.push(engine.tokenText(id))
      assert.ok(allowed.includes('b') && allowed.every(text => `b${i}`.startsWith(text)), String(allowed))
      matcher.free()
    }
  })
})

describe('the library', () => {
  it('that is not there is named, with what to install, and only when it is needed', async () => {
    const other = await Itera.load(storyModel, { grammarLibrary: new URL('nothing.js', import.meta.url) })
    await assert.rejects(other.openai.completions.create({ prompt: 'x', regex: 'a' }),
      { code: 'no-grammar', message: /npm install @mlc-ai\/web-xgrammar/ })
    assert.equal((await other.openai.completions.create({ prompt: 'x', max_tokens: 2 })).usage.completion_tokens, 2)
    other.dispose()
  })

  it('that is something else is named as well', async () => {
    const other = await Itera.load(storyModel, { grammarLibrary: 'data:text/javascript,export const a = 1' })
    await assert.rejects(other.openai.completions.create({ prompt: 'x', regex: 'a' }), { code: 'no-grammar', message: /something else/ })
    other.dispose()
  })
})
