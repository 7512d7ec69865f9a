// Tools: what templates are given, how calls come out of a text, and answers that must be calls.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'

import Ajv from 'ajv'
import { Itera } from '../../web/src/index.js'
import { chatParams } from '../../web/src/openai/params.js'
import { ToolCallParser, toolForm, toolGrammar } from '../../web/src/openai/tools.js'
import { addToMetadata } from './support/rewrite-gguf.mjs'
import { storyModel } from './support/itera-server.mjs'

// The way of Hermes, Qwen and Granite 4, in short.
const template = `{%- if tools %}<|system|>Tools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|end|>{%- endif %}
{%- for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for call in m.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|end|>{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{%- endif %}`

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a place',
    parameters: {
      type: 'object',
      properties: { place: { $ref: '#/$defs/place' }, days: { $ref: '#/$defs/days', maximum: 7 }, share: { type: 'number', minimum: 0, maximum: 1 } },
      required: ['place', 'days', 'share'],
      additionalProperties: false,
      $defs: { place: { enum: ['den', 'forest'] }, days: { type: 'integer', minimum: 1 } },
    },
  },
}
const time = { type: 'function', function: { name: 'get_time' } }
const messages = [{ role: 'user', content: 'What is the weather?' }]

describe('templates', () => {
  it('are seen to know tools, and calls in a known form', () => {
    assert.equal(toolForm(template), 'hermes')
    assert.equal(toolForm('{% if tools %}[TOOLS]{% endif %}'), 'text')
    assert.equal(toolForm('{{ messages }}'), null)
    assert.equal(toolForm(undefined), null)
  })

  it('get arguments as values and content as a string', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }
    const { messages } = chatParams({ messages: [{ role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'c1', content: 'sun' }] })
    assert.deepEqual(messages[0], { role: 'assistant', content: '', tool_calls: [{ ...call, function: { name: 'f', arguments: { x: 1 } } }] })
    assert.deepEqual(messages[1], { role: 'tool', tool_call_id: 'c1', content: 'sun' })
  })
})

describe('calls in a text', () => {
  const call = (name, args) => `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(args)}}\n</tool_call>`
  const cases = [
    ['none', 'just words < and <tool', 'just words < and <tool', []],
    ['one', call('f', { x: 1 }), '', ['f {"x":1}']],
    ['words before', `Let me see.${call('f', {})}`, 'Let me see.', ['f {}']],
    ['two', `${call('f', { a: 'é</tool_cal' })}\n${call('g', [])}\n`, '', ['f {"a":"é</tool_cal"}', 'g []']],
    ['words after', `${call('f', {})} done`, ' done', ['f {}']],
    ['parameters for arguments', '<tool_call>{"name": "f", "parameters": {"y": 2}}</tool_call>', '', ['f {"y":2}']],
    ['arguments as a string', '<tool_call>{"name": "f", "arguments": "{\\"y\\":2}"}</tool_call>', '', ['f {"y":2}']],
    ['no end mark', '<tool_call>{"name": "f", "arguments": {}}', '', ['f {}']],
    ['no JSON', '<tool_call>f(1)</tool_call>!', '<tool_call>f(1)</tool_call>!', []],
    ['no name', 'a<tool_call>{"x": 1}</tool_call>', 'a<tool_call>{"x": 1}</tool_call>', []],
    ['cut off', `${call('f', {})}<tool_call>{"name": "g", "arg`, '<tool_call>{"name": "g", "arg', ['f {}']],
  ]
  for (const [what, text, words, calls] of cases) {
    it(`${what}: the same in pieces of any size`, () => {
      for (let size = 1; size <= text.length; size++) {
        const parser = new ToolCallParser()
        const found = []
        for (let at = 0; at < text.length; at += size) found.push(parser.push(text.slice(at, at + size)))
        found.push(parser.flush())
        assert.equal(found.map(part => part.text).join(''), words)
        const all = found.flatMap(part => part.calls)
        assert.deepEqual(all.map(({ function: f }) => `${f.name} ${f.arguments}`), calls)
        assert.equal(new Set(all.map(({ id }) => id)).size, calls.length)
      }
    })
  }
})

describe('the grammar of calls', () => {
  it('moves references of each tool to where its schema is', () => {
    const { source } = toolGrammar([time, weather], true)
    const schema = JSON.parse(source)
    const validate = new Ajv().compile(schema)
    assert.ok(validate({ name: 'get_weather', arguments: { place: 'den', days: 3, share: 0.5 } }), JSON.stringify(validate.errors))
    assert.ok(!validate({ name: 'get_weather', arguments: { place: 'moon', days: 3, share: 0.5 } }))
    assert.ok(validate({ name: 'get_time', arguments: {} }))
  })
})

describe('a model whose template knows tools', () => {
  /** @type {import('../../web/types.d.ts').Model} */
  let model
  before(async () => { model = await Itera.load(await addToMetadata(readFileSync(storyModel), { 'tokenizer.chat_template': template })) })
  after(() => model?.dispose())
  const create = body => model.openai.chat.completions.create({ messages, tools: [weather, time], max_tokens: 150, ...body })
  const validate = new Ajv().compile(weather.function.parameters)

  it('says so', () => assert.equal(model.info.toolCalls, 'hermes'))

  it('reads the tools, unless told to leave them', async () => {
    const tokens = async body => (await create({ max_tokens: 1, ...body })).usage.prompt_tokens
    const without = await tokens({ tools: undefined })
    assert.equal(await tokens({ tool_choice: 'none' }), without)
    assert.ok(await tokens({}) > without + 50)
    assert.ok(await tokens({ tools: [time] }) < await tokens({}))
  })

  it('calls one where it is required to, with arguments that fit', async () => {
    const names = new Set()
    for (let seed = 0; seed < 20; seed++) {
      const { choices: [{ message, finish_reason: reason }] } = await create({ tool_choice: 'required', parallel_tool_calls: false, seed, temperature: 1.5 })
      assert.equal(message.content, null)
      assert.equal(reason, 'tool_calls')
      const [{ id, type, function: { name, arguments: json } }, ...others] = message.tool_calls
      assert.deepEqual(others, [])
      assert.match(id, /^call_\w{24}$/)
      assert.equal(type, 'function')
      assert.ok(name === 'get_time' ? json === '{}' : validate(JSON.parse(json)), `${name} ${json}`)
      names.add(name)
    }
    assert.deepEqual([...names].sort(), ['get_time', 'get_weather'])
  })

  it('refuses by its name what arguments cannot be held to', async () => {
    const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { n: { type: 'integer', multipleOf: 5 } } } } }
    await assert.rejects(create({ tools: [tool], tool_choice: 'required' }), { code: 'grammar', message: /multipleOf/ })
  })

  it('calls the one that is named', async () => {
    const { choices: [{ message, finish_reason: reason }] } = await create({ tool_choice: { type: 'function', function: { name: 'get_weather' } } })
    assert.equal(reason, 'stop')
    assert.equal(message.tool_calls.length, 1)
    assert.equal(message.tool_calls[0].function.name, 'get_weather')
  })

  it('streams calls in the shape that clients put together', async () => {
    const calls = []
    let last
    for await (const { choices: [choice] } of await create({ tool_choice: 'required', stream: true, seed: 2, logprobs: false })) {
      assert.ok(!choice.delta.content)
      for (const { index, ...call } of choice.delta.tool_calls ?? []) calls[index] = call
      last = choice.finish_reason ?? last
    }
    const whole = await create({ tool_choice: 'required', seed: 2 })
    assert.deepEqual(calls.map(call => call.function), whole.choices[0].message.tool_calls.map(call => call.function))
    assert.equal(last, whole.choices[0].finish_reason)
  })

  it('reads calls and their results back', async () => {
    const { choices: [{ message }] } = await create({ tool_choice: { type: 'function', function: { name: 'get_weather' } } })
    const again = await create({ messages: [...messages, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'Sun.' }] })
    assert.equal(again.choices[0].message.role, 'assistant')
    assert.ok(again.usage.prompt_tokens_details.cached_tokens > 50)
  })

  it('refuses what cannot be', async () => {
    await assert.rejects(create({ tool_choice: { type: 'function', function: { name: 'other' } } }), { param: 'tool_choice' })
    await assert.rejects(create({ response_format: { type: 'json_object' } }), { param: 'response_format' })
    await assert.rejects(create({ tools: [{ ...time, function: { name: 'a b' } }] }), { param: 'tools' })
    const parameters = JSON.parse('{"items":'.repeat(60_000) + '{}' + '}'.repeat(60_000))
    for (const choice of ['auto', 'required']) {
      const deep = create({ tools: [{ ...time, function: { name: 'f', parameters } }], tool_choice: choice })
      await assert.rejects(deep, { code: 'argument', param: 'tools', message: /nested too deep/ })
    }
  })
})

describe('a model whose template writes calls in its own way', () => {
  it('is given the tools, and cannot be made to call one', async () => {
    const model = await Itera.load(await addToMetadata(readFileSync(storyModel), { 'tokenizer.chat_template': '{% if tools %}[{{ tools | length }}]{% endif %}{{ messages[0].content }}' }))
    assert.equal(model.info.toolCalls, 'text')
    const body = { messages, tools: [weather], max_tokens: 3 }
    assert.equal((await model.openai.chat.completions.create(body)).choices[0].message.tool_calls, undefined)
    await assert.rejects(model.openai.chat.completions.create({ ...body, tool_choice: 'required' }), { param: 'tool_choice' })
    model.dispose()
  })
})
