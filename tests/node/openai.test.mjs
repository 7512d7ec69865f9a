// model.openai: the shapes of OpenAI's API, in the same process.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { LogprobQueue } from '../../web/src/openai/logprobs.js'
import { Itera } from '../../web/src/index.js'
import { storyModel } from './support/itera-server.mjs'

/** @type {import('../../web/types.d.ts').Model} */
let model
/** @type {import('../../web/types.d.ts').OpenAIFacade} */
let openai
before(async () => {
  model = await Itera.load(storyModel)
  openai = model.openai
})
after(() => model?.dispose())

const prompt = 'Once upon a time, there was'
const greedy = { prompt, temperature: 0, max_tokens: 30 }
const messages = [{ role: /** @type {const} */ ('user'), content: prompt }]

/** @param {any} body */
async function chunksOf(body, api = openai.completions) {
  const chunks = []
  for await (const chunk of await api.create({ ...body, stream: true })) chunks.push(chunk)
  return chunks
}
const textOf = chunks => chunks.map(({ choices: [choice] }) => choice?.text ?? choice?.delta?.content ?? '').join('')

describe('a completion', () => {
  it('is what model.generate writes', async () => {
    let text = ''
    for await (const piece of model.generate(prompt, { temperature: 0, maxTokens: 30 })) text += piece.text
    const { choices: [choice], usage } = await openai.completions.create(greedy)
    assert.equal(choice.text, text)
    assert.equal(choice.finish_reason, 'length')
    assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [(await model.tokenize(prompt, { addSpecial: true })).length, 30])
  })

  it('is the same whole and in chunks, with all its parts', async () => {
    const body = { prompt: [prompt, 'The dog'], seed: 5, n: 2, max_tokens: 15, logprobs: 3 }
    const whole = await openai.completions.create(body)
    const chunks = await chunksOf({ ...body, stream_options: { include_usage: true } })
    for (const { index, text, logprobs, finish_reason: reason } of whole.choices) {
      const parts = chunks.flatMap(({ choices }) => choices).filter(choice => choice.index === index)
      assert.equal(parts.map(part => part.text).join(''), text)
      assert.equal(parts.at(-1).finish_reason, reason)
      for (const name of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset']) {
        assert.deepEqual(parts.flatMap(part => part.logprobs?.[name] ?? []), logprobs[name], name)
      }
      assert.equal(logprobs.tokens.join(''), text)
      logprobs.text_offset.forEach((at, i) => assert.equal(text.slice(at, at + logprobs.tokens[i].length), logprobs.tokens[i]))
    }
    const { usage } = chunks.at(-1)
    assert.deepEqual({ ...usage, prompt_tokens_details: 0 }, { ...whole.usage, prompt_tokens_details: 0 })
  })

  it('of token ids is that of their text', async () => {
    const tokens = await model.tokenize(prompt, { addSpecial: true })
    const [byIds, byText] = [await openai.completions.create({ ...greedy, prompt: tokens }), await openai.completions.create(greedy)]
    assert.equal(byIds.choices[0].text, byText.choices[0].text)
  })

  it('has 16 tokens unless told otherwise, and ends where the model ends it', async () => {
    assert.equal((await openai.completions.create({ prompt, seed: 1 })).usage.completion_tokens, 16)
    const ended = await openai.completions.create({ prompt, max_tokens: 5, logit_bias: { [model.info.eosToken]: 100 } })
    assert.deepEqual([ended.choices[0].text, ended.choices[0].finish_reason], ['', 'stop'])
  })

  it('of no tokens only reads the prompt, which stays read', async () => {
    const opening = 'The old owl of the northern wood counted every star above the frozen lake, and when she had counted them all she slept.'
    const read = await openai.completions.create({ prompt: [opening, opening], max_tokens: 0, n: 2, logprobs: 1 })
    assert.deepEqual(read.choices, [0, 1, 2, 3].map(index => ({ index, text: '', logprobs: null, finish_reason: 'length' })))
    const { length } = await model.tokenize(opening, { addSpecial: true })
    assert.deepEqual(read.usage, {
      prompt_tokens: 2 * length, completion_tokens: 0, total_tokens: 2 * length, prompt_tokens_details: { cached_tokens: length },
    })
    const whole = { prompt: `${opening} In the morning`, temperature: 0, max_tokens: 8 }
    const [{ choices: [warm], usage }, other] = [await openai.completions.create(whole), await Itera.load(storyModel)]
    assert.equal(usage.prompt_tokens_details.cached_tokens, length)
    assert.equal(warm.text, (await other.openai.completions.create(whole)).choices[0].text)
    other.dispose()
    assert.deepEqual((await chunksOf({ prompt, max_tokens: 0 })).map(({ choices }) => choices), [[read.choices[0]]])
  })

  it('repeats itself for a seed, negative ones included, and not for another', async () => {
    const text = async seed => (await openai.completions.create({ prompt, seed, max_tokens: 20 })).choices[0].text
    const texts = await Promise.all([3, 3, 4, -3, -3].map(text))
    assert.equal(texts[0], texts[1])
    assert.notEqual(texts[0], texts[2])
    assert.equal(texts[3], texts[4])
    assert.notEqual(texts[0], texts[3])
  })

  it('follows biases and penalties', async () => {
    const { choices: [{ text, logprobs: { tokens: [word] } }] } = await openai.completions.create({ ...greedy, logprobs: 0 })
    const [first] = await model.tokenize(text)
    const other = await openai.completions.create({ ...greedy, logprobs: 0, logit_bias: { [first]: -100 } })
    assert.notEqual(other.choices[0].logprobs.tokens[0], word)
    const often = counts => Math.max(...Object.values(counts))
    const repeated = async frequency_penalty => {
      const { choices: [choice] } = await openai.completions.create({ ...greedy, max_tokens: 60, frequency_penalty })
      const counts = {}
      for (const token of await model.tokenize(choice.text)) counts[token] = (counts[token] ?? 0) + 1
      return often(counts)
    }
    assert.ok(await repeated(2) < await repeated(-1))
  })
})

describe('stop strings', () => {
  it('end the text before them, wherever tokens divide them, and no part of them is shown', async () => {
    const { choices: [{ text }] } = await openai.completions.create(greedy)
    assert.ok(text.length > 60)
    for (let at = 0; at < text.length - 7; at += 5) {
      for (const length of [1, 4, 7]) {
        const stop = text.slice(at, at + length)
        const expected = text.slice(0, text.indexOf(stop))
        const chunks = await chunksOf({ ...greedy, stop: [stop, 'never said'] })
        assert.equal(textOf(chunks), expected, JSON.stringify(stop))
        assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop')
        assert.equal((await openai.completions.create({ ...greedy, stop })).choices[0].text, expected)
      }
    }
  })

  it('that are only begun are shown in the end', async () => {
    const { choices: [{ text }] } = await openai.completions.create(greedy)
    const chunks = await chunksOf({ ...greedy, stop: `${text.slice(-9)} and never this` })
    assert.equal(textOf(chunks), text)
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'length')
  })

  it('take their tokens out of the log probabilities', async () => {
    const all = await openai.completions.create({ ...greedy, logprobs: 0 })
    const { text, logprobs: { tokens } } = all.choices[0]
    const stop = tokens.slice(5, 8).join('').slice(1)     // from the second character of the sixth token on
    const { choices: [cut] } = await openai.completions.create({ ...greedy, logprobs: 0, stop })
    assert.equal(cut.text, text.slice(0, text.indexOf(stop)))
    assert.deepEqual(cut.logprobs.tokens, tokens.slice(0, 6))
  })
})

describe('log probabilities', () => {
  it('add up to the score of the text', async () => {
    const { choices: [{ message, logprobs }] } = await openai.chat.completions.create(
      { messages, temperature: 0, max_tokens: 25, logprobs: true, top_logprobs: 4 })
    const before = await model.tokenize(prompt, { addSpecial: true })
    const nll = await model.score([...before, ...await model.tokenize(message.content)])
    const expected = -nll.slice(before.length - 1).reduce((sum, value) => sum + value, 0)
    const sum = logprobs.content.reduce((total, entry) => total + entry.logprob, 0)
    assert.equal(logprobs.content.length, 25)
    assert.ok(Math.abs(sum - expected) < 1e-3, `${sum} against ${expected}`)
    for (const { token, bytes, logprob, top_logprobs: top } of logprobs.content) {
      assert.deepEqual(bytes, [...new TextEncoder().encode(token)])
      assert.equal(top.length, 4)
      assert.ok(Math.abs(top[0].logprob - logprob) < 1e-5)  // greedy: the best is the one
      assert.ok(top.every((entry, i) => i === 0 || entry.logprob <= top[i - 1].logprob))
      assert.ok(top.reduce((mass, entry) => mass + Math.exp(entry.logprob), 0) <= 1 + 1e-6)
    }
    assert.equal(logprobs.content.map(entry => entry.token).join(''), message.content)
  })

  it('wait for the text of their tokens, and go with it', () => {
    const queue = new LogprobQueue()
    const bytes = text => [...new TextEncoder().encode(text)]
    const push = (token, text, more) => queue.push({ choice: 0, token: 1, text, logprob: -1, bytes: bytes(token), ...more }).map(entry => entry.token)
    assert.deepEqual(push('one', 'one'), ['one'])
    assert.deepEqual(push(' tw', ''), [])
    assert.deepEqual(push('o', ''), [])
    assert.deepEqual(push(' <x>', '', { hidden: true }), [])
    assert.deepEqual(push('!', ' two'), [' tw', 'o'])
    assert.deepEqual(push('?', '!?'), [' <x>', '!', '?'])
    assert.deepEqual(queue.push({ choice: 0, token: 1, text: '', logprob: -1, bytes: [0xf0, 0x9f] }), [])
    assert.deepEqual(queue.push({ choice: 0, token: 1, text: '🦊', logprob: -1, bytes: [0xa6, 0x8a] }).map(entry => entry.token),
      ['bytes:\\xf0\\x9f', 'bytes:\\xa6\\x8a'])
  })
})

describe('a chat completion', () => {
  it('of a model without a template continues what was said, as model.chat does', async () => {
    const { choices: [{ message }] } = await openai.chat.completions.create({ messages, temperature: 0, max_tokens: 12 })
    const chat = model.chat({ temperature: 0, maxTokens: 12 })
    let answer = ''
    for await (const piece of chat.send(prompt)) answer += piece.text
    chat.dispose()
    assert.equal(message.content, answer)
  })

  it('takes content in parts, and the developer for the system', async () => {
    const plain = [{ role: 'system', content: 'Be nice.' }, { role: 'user', content: 'Once upon' }]
    const parts = [{ role: 'developer', content: [{ type: 'text', text: 'Be ' }, { type: 'text', text: 'nice.' }] }, plain[1]]
    const [a, b] = await Promise.all([plain, parts].map(messages => openai.chat.completions.create({ messages, seed: 1, max_tokens: 10 })))
    assert.equal(a.choices[0].message.content, b.choices[0].message.content)
  })

  it('names every chunk alike, and each choice begins with its role', async () => {
    const chunks = await chunksOf({ messages, n: 2, max_tokens: 4 }, openai.chat.completions)
    assert.equal(new Set(chunks.map(({ id, object, created, model }) => `${id} ${object} ${created} ${model}`)).size, 1)
    for (const index of [0, 1]) {
      const own = chunks.flatMap(chunk => chunk.choices).filter(choice => choice.index === index)
      assert.deepEqual(own[0].delta, { role: 'assistant', content: '' })
      assert.deepEqual(own.at(-1).delta, {})
      assert.equal(own.at(-1).finish_reason, 'length')
      assert.ok(own.slice(1, -1).every(choice => choice.delta.content && choice.finish_reason === null))
    }
  })
})

describe('aborting', () => {
  const endless = { messages, max_tokens: 1e6, logit_bias: { 2043: -100 } }

  it('rejects a whole answer', async () => {
    const aborting = new AbortController()
    const answer = openai.chat.completions.create(endless, { signal: aborting.signal })
    setTimeout(() => aborting.abort(), 50)
    await assert.rejects(answer, { code: 'aborted' })
    await assert.rejects(openai.chat.completions.create(endless, { signal: AbortSignal.abort() }), { code: 'aborted' })
  })

  it('takes nothing for a signal that is none', async () => {
    for (const wrong of [null, 'fast', { signal: {} }]) {
      await assert.rejects(openai.chat.completions.create(endless, wrong), { code: 'argument', message: /options|signal/ })
    }
  })

  it('just ends a stream, by its signal, its controller or leaving the loop', async () => {
    const aborting = new AbortController()
    for (const end of [() => aborting.abort(), stream => stream.controller.abort(), null]) {
      const stream = await openai.chat.completions.create({ ...endless, stream: true }, { signal: aborting.signal })
      let seen = 0
      for await (const chunk of stream) {
        assert.equal(chunk.choices[0].finish_reason, null)
        if (++seen < 5) continue
        if (!end) break
        end(stream)
      }
      assert.ok(seen < 2000)
    }
    // What is asked next is not held up by anything still at work.
    assert.equal((await openai.chat.completions.create({ messages, max_tokens: 1 })).usage.completion_tokens, 1)
  })

  it('gives a stream of lines as well', async () => {
    const stream = await openai.chat.completions.create({ messages, max_tokens: 3, stream: true })
    const text = await new Response(stream.toReadableStream()).text()
    const lines = text.trimEnd().split('\n').map(line => JSON.parse(line))
    assert.equal(lines.at(-1).choices[0].finish_reason, 'length')
    assert.throws(() => stream[Symbol.asyncIterator](), { code: 'argument' })
  })
})

describe('mistakes', () => {
  it('are rejected before any work, with the name of the parameter', async () => {
    for (const [param, body] of Object.entries({ temperature: { temperature: -1 }, n: { n: 129 }, stop: { stop: '' }, tools: { tools: 7 } })) {
      await assert.rejects(openai.chat.completions.create({ messages, ...body }), { code: 'argument', param })
    }
    await assert.rejects(openai.chat.completions.create(null), { code: 'argument' })
    await assert.rejects(openai.completions.create({ prompt: [[]] }), { code: 'argument', param: 'prompt' })
    await assert.rejects(openai.completions.create({ prompt, max_tokens: -1 }), { code: 'argument', param: 'max_tokens' })
    await assert.rejects(openai.chat.completions.create({ messages, max_tokens: 0 }), { code: 'argument', param: 'max_tokens' })
  })

  it('of nothing said are null as well as absent', async () => {
    const nulls = Object.fromEntries(['temperature', 'top_p', 'n', 'stop', 'seed', 'max_tokens', 'logprobs', 'top_logprobs', 'logit_bias',
      'presence_penalty', 'frequency_penalty', 'response_format', 'tools', 'tool_choice', 'stream', 'stream_options', 'user'].map(name => [name, null]))
    const { usage } = await openai.chat.completions.create({ messages, ...nulls, max_completion_tokens: 2 })
    assert.equal(usage.completion_tokens, 2)
  })
})
