// `itera serve` as the official client of OpenAI sees it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import Ajv from 'ajv'
import OpenAI from 'openai'
import { startServer, until } from './support/itera-server.mjs'

const messages = [
  { role: 'system', content: 'You tell short stories about animals to children, one sentence at a time, and never scare them.' },
  { role: 'user', content: 'Once upon a time there was a fox who' },
]
const model = 'gpt-4o-mini'                             // as in any example: there is one model, whatever it is called
const noEnd = { 2043: -100 }                             // the token that ends a story
const settings = { model, messages, temperature: 0.7, seed: 7, max_tokens: 24 }

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server
/** @type {OpenAI} */
let client
before(async () => {
  server = await startServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any', maxRetries: 0 })
})
after(() => server?.close())

describe('the openai client', () => {
  it('completes a chat', async () => {
    const completion = await client.chat.completions.create(settings)
    assert.equal(completion.object, 'chat.completion')
    assert.equal(completion.model, 'story-boot-q8_0')
    const [{ message, finish_reason: reason, index }] = completion.choices
    assert.equal(message.role, 'assistant')
    assert.equal(reason, 'length')
    assert.equal(index, 0)
    assert.ok(message.content.length > 20)
    assert.equal(completion.usage.completion_tokens, 24)
    assert.equal(completion.usage.total_tokens, completion.usage.prompt_tokens + 24)
    assert.match(completion._request_id, /^req_/)
  })

  it('streams the same text', async () => {
    const whole = await client.chat.completions.create(settings)
    const stream = await client.chat.completions.create({ ...settings, stream: true })
    let text = ''
    const reasons = []
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk')
      assert.ok(!('usage' in chunk))
      text += chunk.choices[0].delta.content ?? ''
      reasons.push(chunk.choices[0].finish_reason)
    }
    assert.equal(text, whole.choices[0].message.content)
    assert.deepEqual(reasons.filter(Boolean), ['length'])
  })

  it('gives usage as the last chunk of a stream when asked', async () => {
    const chunks = []
    for await (const chunk of await client.chat.completions.create(
      { ...settings, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk)
    const last = chunks.pop()
    assert.deepEqual(last.choices, [])
    assert.equal(last.usage.completion_tokens, 24)
    assert.ok(chunks.every(chunk => chunk.usage === null && chunk.choices.length === 1))
  })

  it('collects a stream with its own helper', async () => {
    const events = []
    const runner = client.chat.completions.stream(settings).on('content', delta => events.push(delta))
    const final = await runner.finalChatCompletion()
    assert.equal(final.choices[0].message.content, events.join(''))
    assert.equal(final.choices[0].finish_reason, 'length')
  })

  it('gives several answers, each the one of its seed', async () => {
    const { choices } = await client.chat.completions.create({ ...settings, n: 3 })
    assert.deepEqual(choices.map(choice => choice.index), [0, 1, 2])
    for (const [i, choice] of choices.entries()) {
      const alone = await client.chat.completions.create({ ...settings, seed: settings.seed + i })
      assert.equal(alone.choices[0].message.content, choice.message.content)
    }
    assert.ok(new Set(choices.map(choice => choice.message.content)).size > 1)
  })

  it('completes texts, several at once, streamed or not', async () => {
    const body = { model, prompt: ['Once upon a time', 'The little dog'], n: 2, max_tokens: 8, seed: 3 }
    const { choices, usage } = await client.completions.create(body)
    assert.deepEqual(choices.map(choice => choice.index), [0, 1, 2, 3])
    assert.equal(usage.completion_tokens, 32)
    const texts = ['', '', '', '']
    for await (const chunk of await client.completions.create({ ...body, stream: true })) {
      for (const { index, text } of chunk.choices) texts[index] += text
    }
    assert.deepEqual(texts, choices.map(choice => choice.text))
  })

  it('writes JSON that a schema asks for', async () => {
    const schema = {
      type: 'object',
      properties: { animal: { enum: ['fox', 'bear'] }, age: { type: 'integer', minimum: 0, maximum: 20 } },
      required: ['animal', 'age'],
      additionalProperties: false,
    }
    const { choices: [{ message, finish_reason: reason }] } = await client.chat.completions.parse(
      { ...settings, max_tokens: 64, response_format: { type: 'json_schema', json_schema: { name: 'pet', schema, strict: true } } })
    assert.equal(reason, 'stop')
    assert.ok(new Ajv().validate(schema, message.parsed), message.content)
  })

  it('lists the model and finds it by name', async () => {
    const { data } = await client.models.list()
    assert.deepEqual(data.map(card => card.id), ['story-boot-q8_0'])
    assert.equal((await client.models.retrieve('story-boot-q8_0')).object, 'model')
    await assert.rejects(client.models.retrieve('other'), OpenAI.NotFoundError)
  })

  it('is told what is wrong by its own error classes', async () => {
    await assert.rejects(client.chat.completions.create({ ...settings, temperature: 3 }), error => {
      assert.ok(error instanceof OpenAI.BadRequestError)
      assert.equal(error.param, 'temperature')
      assert.equal(error.type, 'invalid_request_error')
      return true
    })
  })

  it('reads only what is new of a conversation that goes on', async () => {
    const start = [...messages.slice(0, 1), { role: 'user', content: `A story about ${Date.now() % 1e6}, a rabbit with a number.` }]
    const first = await client.chat.completions.create({ ...settings, messages: start, max_tokens: 12 })
    const next = [...start, first.choices[0].message, { role: 'user', content: 'And then?' }]
    const second = await client.chat.completions.create({ ...settings, messages: next })
    const { prompt_tokens: tokens, prompt_tokens_details: { cached_tokens: cached } } = second.usage
    assert.ok(cached >= first.usage.prompt_tokens + 11 - 1, JSON.stringify(second.usage))
    assert.ok(tokens - cached < 10, JSON.stringify(second.usage))
  })

  it('ends a stream by leaving its loop, which ends the work', async () => {
    const before = await server.metrics()
    const stream = await client.chat.completions.create({ ...settings, max_tokens: 100_000, stream: true, logit_bias: noEnd })
    let seen = 0
    for await (const _ of stream) if (++seen === 5) break
    await until(async () => {
      const now = await server.metrics()
      return now.itera_requests_running === 0 && now.itera_requests_aborted_total === before.itera_requests_aborted_total + 1
    })
  })

  it('gives up a whole answer by its signal, which ends the work', async () => {
    const before = await server.metrics()
    const aborting = new AbortController()
    const answer = client.chat.completions.create({ ...settings, max_tokens: 1_000_000, logit_bias: noEnd },
      { signal: aborting.signal })
    await until(async () => (await server.metrics()).itera_requests_running === 1)
    aborting.abort()
    await assert.rejects(answer, OpenAI.APIUserAbortError)
    await until(async () => {
      const now = await server.metrics()
      return now.itera_requests_running === 0 && now.itera_requests_aborted_total === before.itera_requests_aborted_total + 1
    })
  })
})

describe('/metrics', () => {
  it('counts requests, tokens and time', async () => {
    const before = await server.metrics()
    const { usage } = await client.chat.completions.create(settings)
    await client.chat.completions.create({ ...settings, n: 0 }).catch(() => {})
    const after = await server.metrics()
    const grown = name => after[name] - (before[name] ?? 0)
    assert.equal(grown('itera_requests_total{route="/v1/chat/completions",status="200"}'), 1)
    assert.equal(grown('itera_requests_total{route="/v1/chat/completions",status="400"}'), 1)
    assert.equal(grown('itera_generated_tokens_total'), usage.completion_tokens)
    assert.equal(grown('itera_prompt_tokens_total'), usage.prompt_tokens)
    assert.equal(grown('itera_prompt_tokens_cached_total'), usage.prompt_tokens_details.cached_tokens)
    assert.equal(grown('itera_request_duration_seconds_count'), 1)
    assert.equal(grown('itera_time_to_first_token_seconds_bucket{le="+Inf"}'), 1)
    assert.ok(grown('itera_request_duration_seconds_sum') >= grown('itera_time_to_first_token_seconds_sum'))
    assert.ok(after.itera_memory_bytes > 1e6)
    assert.equal(after.itera_ready, 1)
  })

  it('gives every family its help and type, and every line a number', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map(([, name, type]) => [name, type]))
    for (const line of text.trimEnd().split('\n').filter(line => !line.startsWith('#'))) {
      const [, name, value] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? assert.fail(line)
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
      assert.ok(types.has(family), line)
      assert.ok(Number.isFinite(Number(value)), line)
      assert.ok(text.includes(`# HELP ${family} `))
    }
  })
})
