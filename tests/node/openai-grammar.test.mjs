// What a text must be like: JSON schemas, regular expressions, grammars.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import Ajv from 'ajv/dist/2020.js'
import { Itera } from '../../web/src/index.js'
import { openLocal } from './support/local-model.mjs'
import { storyModel } from './support/itera-server.mjs'
import { IteraError } from '../../web/src/errors.js'
import { Grammars, Matcher } from '../../web/src/grammar.js'
import { findGrammarLibrary } from '../../web/src/grammar-library.js'
import { Completer } from '../../web/src/openai/completer.js'
import { completeOptions } from '../../web/src/options.js'

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

const object = (properties, more) => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false, ...more })
const closed = { additionalProperties: false }

describe('what the grammar library passes over in a JSON schema', () => {
  const flat = { temperature: 2, top_p: 1, top_k: 0, min_p: 0, max_tokens: 120 }
  const format = schema => ({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })
  for (const [name, schema] of Object.entries({
    'bounds of a number': object({ confidence: { type: 'number', minimum: 0, maximum: 1 } }),
    'bounds with decimals': { type: 'number', minimum: 2.5, maximum: 2.75 },
    'bounds on both sides of zero': { type: 'array', items: { type: 'number', minimum: -1.5, exclusiveMaximum: 12 }, minItems: 3, maxItems: 3 },
    'bounds that are excluded': { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    'bounds of an integer': { type: 'array', items: { type: 'integer', minimum: 4, maximum: 321 }, minItems: 3, maxItems: 3 },
    'a lowest integer below zero': { type: 'array', items: { type: 'integer', minimum: -2, maximum: 1000 }, minItems: 3, maxItems: 3 },
    'bounds of an integer that are none': { type: 'integer', minimum: 1.5, exclusiveMinimum: 2, maximum: 7.5 },
    'bounds beside a reference': { $defs: { p: { type: 'integer' } }, $ref: '#/$defs/p', minimum: 1, maximum: 3 },
    'a reference with escapes': { $defs: { 'a/b': { enum: [1, 2] } }, $ref: '#/$defs/a~1b' },
    'a schema within itself, with more beside it': {
      $defs: { node: { type: 'object', properties: { v: { const: 1 }, kids: { type: 'array', items: { type: 'object', $ref: '#/$defs/node' }, maxItems: 1 } }, required: ['v'] } },
      $ref: '#/$defs/node',
    },
    'allOf': { allOf: [object({ a: { type: 'integer', minimum: 0, maximum: 9 } }, { additionalProperties: true }), { properties: { b: { type: 'boolean' } }, required: ['b'] }] },
    'allOf of one, and more': { type: 'integer', allOf: [{ minimum: 5 }], maximum: 6 },
    'anyOf, and more': { type: 'object', properties: { a: { const: 1 }, b: { const: 2 } }, anyOf: [{ required: ['a'] }, { required: ['b'] }], ...closed },
    'oneOf': { oneOf: [object({ kind: { const: 'a' }, x: { type: 'null' } }), object({ kind: { const: 'b' }, y: { type: 'null' } })] },
    'types of values': { type: 'string', enum: ['a', 1, null] },
    'required properties without a schema': { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a', 'z'], additionalProperties: true },
    'several types': { type: ['integer', 'string'], minimum: 3, maximum: 4, maxLength: 2 },
    'a type that goes without saying': { minItems: 2, maxItems: 3, items: { const: 1 } },
    'formats beside lengths': { type: 'string', format: 'uuid', maxLength: 4 },
    'quotes in patterns': { type: 'string', pattern: '^.[^a]["\\s\\S][!-~]\\S{2}$' },
    'anchors of alternatives': { type: 'string', pattern: '^ab|cd$' },
  })) {
    it(`holds: ${name}`, async () => {
      const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
      let whole = 0
      for (let seed = 0; seed < 12; seed++) {
        const { text, finish_reason: reason } = await complete({ ...flat, ...format(schema), seed })
        if (reason !== 'stop') continue
        whole++
        assert.ok(validate(JSON.parse(text)), `${text}: ${JSON.stringify(validate.errors)}`)
      }
      assert.ok(whole > 1, `${whole} complete answers`)
    })
  }

  for (const [name, schema] of Object.entries({
    multipleOf: { type: 'integer', multipleOf: 5 },
    uniqueItems: { type: 'array', items: { enum: [1, 2] }, uniqueItems: true },
    contains: { type: 'array', contains: { const: 7 } },
    not: { type: 'integer', not: { const: 1 } },
    if: { type: 'integer', if: { minimum: 2 }, then: { minimum: 3 } },
    oneOf: { oneOf: [{ type: 'integer', minimum: 0, maximum: 5 }, { type: 'integer', minimum: 3, maximum: 9 }] },
    propertyNames: { type: 'object', propertyNames: { maxLength: 2 } },
    patternProperties: { type: 'object', patternProperties: { '^x': { const: 1 } } },
    dependentRequired: { type: 'object', properties: { a: true, b: true }, dependentRequired: { a: ['b'] } },
    'maxLength beside pattern': { type: 'string', pattern: '^[a-z]+$', maxLength: 4 },
    'additionalProperties with a schema': { type: 'object', properties: { a: { const: 1 } }, additionalProperties: { const: 2 } },
    "'z' is required and forbidden": { type: 'object', properties: { a: true }, required: ['z'], ...closed },
    '#named': { $ref: '#named' },
    'refers to itself': { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
  })) {
    it(`is refused by its name: ${name}`, async () => {
      const nested = object({ deep: { anyOf: [{ type: 'null' }, schema.$ref ? schema : { items: schema }] } }, { $defs: schema.$defs })
      for (const whole of [schema, nested]) {
        await assert.rejects(complete(format(whole)), error => error.code === 'grammar' && error.message.includes(name))
      }
    })
  }

  it('takes annotations for what they are', async () => {
    const notes = { title: 'T', description: 'D', default: 3, examples: [1], $comment: 'c', deprecated: true, 'x-own': {}, $schema: 'https://json-schema.org/draft/2020-12/schema' }
    assert.equal((await complete(format({ const: 'yes', ...notes }))).text, '"yes"')
    assert.equal((await complete(format(object({ 'é"': { const: '@number0 "é' , ...notes } }).properties['é"']))).text, '"@number0 \\"é"')
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

describe('a grammar that is followed', () => {
  it('is let go of when there is no memory for its text', async t => {
    const { engine } = await openLocal(storyModel)
    const completer = new Completer(engine)
    const free = t.mock.method(Matcher.prototype, 'free')
    const ask = () => completer.run({
      prompt: { text: 'x' }, count: 1, special: false, cacheBytes: 0, options: completeOptions({ maxTokens: 3 }),
      grammar: { kind: 'regex', source: 'a+' }, grammarLibrary: findGrammarLibrary(),
    }, { signal: new AbortController().signal, emit() {} })
    t.mock.method(engine, 'newSession', () => { throw new IteraError('memory', 'none left') }, { times: 1 })
    await assert.rejects(ask(), { code: 'memory' })
    assert.equal(free.mock.callCount(), 1)
    assert.ok((await ask()).generatedTokens > 0)
    assert.equal(free.mock.callCount(), 2)
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

  it('is one of which a part would be left out, and nothing of that is printed', async t => {
    const printed = t.mock.method(console, 'log', () => {})
    const { engine } = await openLocal(storyModel)
    const wrong = new Grammars(engine).matcher({ kind: 'regex', source: '(^a|b)' }, findGrammarLibrary())
    await assert.rejects(wrong, { code: 'grammar', message: /'\^' should be at the start/ })
    assert.equal(printed.mock.callCount(), 0)
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
  it('is not loaded anew for schemas that it never saw, however many are refused', async t => {
    const { engine } = await openLocal(storyModel)
    const asked = t.mock.method(engine.tokenizer, 'isSpecial')     // once a token for each instance
    const grammars = new Grammars(engine)
    for (let i = 0; i < 40; i++) {
      const source = JSON.stringify(i % 2 ? { type: 'number', multipleOf: i + 2 } : { $ref: '#/%zz', title: `${i}` })
      const reason = i % 2 ? /enforced: multipleOf/ : /wrong: URI malformed/
      await assert.rejects(grammars.matcher({ kind: 'json-schema', source }, findGrammarLibrary()), { code: 'grammar', message: reason })
    }
    assert.equal(asked.mock.callCount(), engine.vocabulary)
  })

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
