// What users of the package see: load, generate, chat, abort, dispose, and every error with its code.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { Itera, IteraError } from '../../web/src/index.js'

const path = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const bytes = readFileSync(path)
const greedy = { temperature: 0, maxTokens: 24 }
const start = 'Once upon a time'

/** @param {AsyncGenerator<any, any, void>} pieces */
async function collect(pieces) {
  const list = []
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return { list, text: list.map(piece => piece.text).join(''), stats: value }
    list.push(value)
  }
}

/** @param {string} code @param {RegExp} [message] */
const failure = (code, message = /./) => (/** @type {any} */ error) => {
  assert.ok(error instanceof IteraError, String(error))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, message)
  return true
}

/** A second of waiting at most: nothing here takes longer. @param {() => boolean} condition */
async function until(condition) {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  assert.ok(condition(), 'waited in vain')
}

describe('loading', () => {
  const sources = {
    'a path': path,
    'a file: URL': pathToFileURL(path),
    'a file: URL as text': pathToFileURL(path).href,
    'an ArrayBuffer': bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    'a view of a buffer': new Uint8Array(bytes),
    'a Blob': new Blob([bytes]),
  }
  for (const [name, source] of Object.entries(sources)) {
    it(`takes ${name}`, async () => {
      const model = await Itera.load(source)
      assert.match((await collect(model.generate(start, greedy))).text, /^, there was a little girl named Lily/)
      model.dispose()
    })
  }

  it('leaves the caller\'s buffer as it was', async () => {
    const buffer = new Uint8Array(bytes).buffer
    const model = await Itera.load(buffer)
    model.dispose()
    assert.equal(buffer.byteLength, bytes.length)
  })

  it('tells what was loaded', async () => {
    const model = await Itera.load(path)
    const { info } = model
    assert.deepEqual(info.parameters, { total: 3797338, active: 2691418, embedding: 393216 })
    assert.equal(info.architecture, 'granitehybrid')
    assert.equal(info.fileBytes, bytes.length)
    assert.equal(info.vocabulary, 2048)
    assert.equal(info.kvBytesPerToken, 0)
    assert.equal(info.stateBytes, 272760)
    assert.equal(info.hasChatTemplate, false)
    assert.equal(info.tokenizer, 'gpt-2')
    assert.equal(info.bosToken, 2043)
    assert.ok(info.memoryBytes >= info.weightBytes)
    assert.ok(info.memoryBytes < 1.2 * info.fileBytes + info.stateBytes + info.scratchBytes + (2 << 20))
    assert.ok(Itera.supportedSimd().includes(info.simd))
    model.dispose()
  })

  it('reports progress that grows to the whole', async () => {
    /** @type {any[]} */
    const seen = []
    const model = await Itera.load(path, { onProgress: progress => seen.push(progress) })
    model.dispose()
    assert.ok(seen.length >= 2)
    assert.ok(seen.every(({ loaded, total }, i) => total === bytes.length && loaded >= (seen[i - 1]?.loaded ?? 0)))
    assert.equal(seen.at(-1).loaded, bytes.length)
  })

  it('is aborted by its signal, before and during', async () => {
    await assert.rejects(Itera.load(path, { signal: AbortSignal.abort() }), failure('aborted'))
    const controller = new AbortController()
    const loading = Itera.load(path, { signal: controller.signal, onProgress: () => controller.abort() })
    await assert.rejects(loading, failure('aborted'))
  })

  it('refuses options that are none', async () => {
    for (const options of [null, 'fast', { signal: {} }]) {
      await assert.rejects(Itera.load(path, options), failure('argument', /options|signal/))
      await assert.rejects(Itera.download(path, options), failure('argument', /options|signal/))
    }
  })

  it('refuses what is no source, no file, no model', async () => {
    await assert.rejects(Itera.load(/** @type {any} */ (42)), failure('argument'))
    await assert.rejects(Itera.load('/nowhere/model.gguf'), failure('not-found', /\/nowhere\/model\.gguf/))
    await assert.rejects(Itera.load(fileURLToPath(new URL('.', import.meta.url))), failure('unreadable'))
    await assert.rejects(Itera.load(new Blob(['no model at all'])), failure('not-gguf'))
    await assert.rejects(Itera.load(bytes.subarray(0, 5000)), failure('incomplete', /header/))
    await assert.rejects(Itera.load(bytes.subarray(0, 1e6)), failure('incomplete', /1000000/))
    await assert.rejects(Itera.load(path, { simd: /** @type {any} */ ('avx') }), failure('argument'))
  })
})

describe('generate', () => {
  /** @type {Awaited<ReturnType<typeof Itera.load>>} */
  let model
  before(async () => { model = await Itera.load(path) })
  after(() => model.dispose())

  it('gives pieces, then figures', async () => {
    const { list, text, stats } = await collect(model.generate(start, greedy))
    assert.equal(list.length, 24)
    assert.equal(text, ', there was a little girl named Lily. She loved to play with her toys and eat ice cream. One day,')
    assert.equal(await model.detokenize(list.map(piece => piece.token)), text)
    assert.equal(stats.promptTokens, 5)
    assert.equal(stats.cachedTokens, 0)
    assert.equal(stats.generatedTokens, 24)
    assert.equal(stats.finishReason, 'length')
    assert.ok(stats.ttftMs > 0 && stats.prefillTps > 0 && stats.decodeTps > 0)
    assert.deepEqual(model.lastStats, stats)
  })

  it('is the same under scalar and SIMD128', async () => {
    const texts = await Promise.all(['scalar', 'simd128'].map(async simd => {
      const other = await Itera.load(path, { simd: /** @type {any} */ (simd) })
      assert.equal(other.info.simd, simd)
      const { list } = await collect(other.generate(start, { temperature: 0, maxTokens: 60 }))
      other.dispose()
      return list.map(piece => piece.token)
    }))
    assert.deepEqual(texts[0], texts[1])
  })

  it('takes token ids as well as text', async () => {
    const ids = await model.tokenize(start, { addSpecial: true })
    assert.equal((await collect(model.generate(ids, greedy))).text, (await collect(model.generate(start, greedy))).text)
  })

  it('repeats itself with the same seed, and tells a seed it chose', async () => {
    const options = { maxTokens: 20, temperature: 1.2 }
    const first = await collect(model.generate(start, options))
    const again = await collect(model.generate(start, { ...options, seed: first.stats.seed }))
    assert.equal(again.text, first.text)
    const other = await collect(model.generate(start, { ...options, seed: first.stats.seed + 1 }))
    assert.notEqual(other.text, first.text)
  })

  it('ends where the model ends a text, unless told to go on', async () => {
    const { stats, list } = await collect(model.generate(start, { temperature: 0, maxTokens: 1000 }))
    assert.equal(stats.finishReason, 'stop')
    const on = await collect(model.generate(start, { temperature: 0, maxTokens: list.length + 10, ignoreEndOfText: true }))
    assert.equal(on.stats.finishReason, 'length')
    assert.equal(on.stats.generatedTokens, list.length + 10)
  })

  it('stops at a stop string and never shows a part of it', async () => {
    for (const stop of ['Lily. She', ['nowhere', 'girl named'], ' girl', 'She loved to play with']) {
      const whole = ', there was a little girl named Lily. She loved to play with her toys'
      const { text, stats, list } = await collect(model.generate(start, { ...greedy, stop }))
      const at = Math.min(...[stop].flat().map(one => whole.indexOf(one)).filter(found => found >= 0))
      assert.equal(text, whole.slice(0, at))
      assert.equal(stats.finishReason, 'stop')
      for (let i = 1, shown = ''; i < list.length; i++) assert.ok(whole.startsWith(shown += list[i - 1].text))
    }
  })

  it('gives back text held for a stop string that never came', async () => {
    const { text } = await collect(model.generate(start, { ...greedy, maxTokens: 7, stop: 'Lily. He' }))
    assert.equal(text, (await collect(model.generate(start, { ...greedy, maxTokens: 7 }))).text)
  })

  it('tells log probabilities and alternatives', async () => {
    const { list } = await collect(model.generate(start, { ...greedy, maxTokens: 5, logprobs: 3 }))
    const ids = await model.tokenize(start, { addSpecial: true })
    const losses = await model.score([...ids, ...list.map(piece => piece.token)])
    list.forEach(({ token, logprob, top }, i) => {
      assert.ok(Math.abs(logprob + losses[ids.length - 1 + i]) < 1e-3)
      assert.equal(top.length, 3)
      assert.deepEqual(top[0].token, token)
      assert.ok(top[0].logprob >= top[1].logprob && top[1].logprob >= top[2].logprob)
      assert.equal(typeof top[2].text, 'string')
    })
    const [plain] = (await collect(model.generate(start, { ...greedy, maxTokens: 1 }))).list
    assert.ok(!('logprob' in plain))
  })

  it('heeds logit bias and penalties', async () => {
    const [comma] = await model.tokenize(',')
    const banned = await collect(model.generate(start, { ...greedy, logitBias: { [comma]: -Infinity } }))
    assert.ok(!banned.list.some(piece => piece.token === comma))
    const forced = await collect(model.generate(start, { ...greedy, maxTokens: 4, logitBias: { [comma]: 1000 } }))
    assert.equal(forced.text, ',,,,')
    const varied = await collect(model.generate(start, {
      ...greedy, maxTokens: 4, logitBias: { [comma]: 20 }, frequencyPenalty: 100,
    }))
    assert.notEqual(varied.text, ',,,,')
  })

  it('reads special tokens in a prompt only when asked', async () => {
    const text = 'a<|endoftext|>'
    assert.ok((await model.tokenize(text)).length > 2)
    assert.deepEqual((await model.tokenize(text, { parseSpecial: true })).slice(-1), [model.info.eosToken])
    assert.equal(await model.detokenize([model.info.eosToken ?? 0]), '')
    assert.equal(await model.detokenize([model.info.eosToken ?? 0], { special: true }), '<|endoftext|>')
  })

  it('begins a text from nothing', async () => {
    assert.equal((await collect(model.generate('', greedy))).stats.promptTokens, 1)
  })

  it('ends between tokens when aborted', async () => {
    const controller = new AbortController()
    const pieces = model.generate(start, { maxTokens: Infinity, ignoreEndOfText: true, signal: controller.signal })
    let count = 0
    for (;;) {
      const { done, value } = await pieces.next()
      if (done) {
        assert.equal(value.finishReason, 'aborted')
        break
      }
      if (++count === 5) controller.abort()
    }
    const { list, stats } = await collect(model.generate(start, { signal: AbortSignal.abort() }))
    assert.equal(list.length, 0)
    assert.equal(stats.finishReason, 'aborted')
  })

  it('stops reading a long prompt when aborted', async () => {
    const controller = new AbortController()
    const prompt = new Array(200_000).fill(300)
    setTimeout(() => controller.abort(), 50)
    const begun = performance.now()
    const { stats } = await collect(model.generate(prompt, { signal: controller.signal }))
    assert.equal(stats.finishReason, 'aborted')
    assert.equal(stats.generatedTokens, 0)
    assert.ok(performance.now() - begun < 30_000)
  })

  it('ends the work in the worker when the loop is left', async () => {
    for await (const _ of model.generate(start, { maxTokens: Infinity, ignoreEndOfText: true })) break
    // The next one would wait for ever if that one went on; its speed shows that it is alone.
    const { stats } = await collect(model.generate(start, greedy))
    assert.equal(stats.generatedTokens, 24)
  })

  it('runs several at once without mixing them', async () => {
    const alone = await Promise.all([1, 2, 3].map(seed => collect(model.generate(start, { seed, maxTokens: 16 }))))
    for (const [i, { text }] of alone.entries()) {
      assert.equal((await collect(model.generate(start, { seed: i + 1, maxTokens: 16 }))).text, text)
    }
  })

  it('refuses options that make no sense', async () => {
    for (const [name, value] of Object.entries({
      temperature: -1, topK: 1.5, topP: 2, minP: -0.1, repetitionPenalty: 0, maxTokens: 0, seed: -1, stop: [''],
      logitBias: { x: 1 }, logprobs: 21, contextTokens: -5, penaltyWindow: NaN,
    })) {
      await assert.rejects(collect(model.generate(start, { [name]: value })), failure('argument', new RegExp(name)))
    }
    await assert.rejects(collect(model.generate([])), failure('argument'))
    await assert.rejects(collect(model.generate([2048])), failure('token', /2048/))
    await assert.rejects(collect(model.generate(start, { logitBias: { 5000: 1 } })), failure('token'))
    await assert.rejects(model.score([1]), failure('argument'))
    await assert.rejects(model.detokenize([-1]), failure('token'))
    await assert.rejects(model.logits([1], { piece: -1 }), failure('argument'))
    for (const wrong of [null, 'fast', { signal: {} }]) {
      await assert.rejects(collect(model.generate(start, wrong)), failure('argument', /options|signal/))
      await assert.rejects(collect(model.chat().send('One', wrong)), failure('argument', /options|signal/))
      await assert.rejects(model.pack(wrong ?? undefined), failure('argument'))
      await assert.rejects(model.pack(wrong), failure('argument'))
      await assert.rejects(model.logits([1], wrong), failure('argument', /options|signal/))
    }
    for (const messages of ['abc', null, ['abc'], [null], {}]) {
      assert.throws(() => model.chat({ messages }), failure('argument', /messages/))
      await assert.rejects(model.pack({ messages }), failure('argument', /messages/))
    }
    assert.throws(() => model.chat(null), failure('argument', /options/))
    await assert.rejects(model.restore(new Uint8Array(), null), failure('argument', /options/))
    await assert.rejects(model.tokenize('a', null), failure('argument', /options/))
    await assert.rejects(model.detokenize([1], null), failure('argument', /options/))
    await assert.rejects(model.chat().save(null), failure('argument', /options/))
    assert.equal((await collect(model.generate(start, greedy))).stats.generatedTokens, 24)
  })

  it('gives logits of every token, however they are fed', async () => {
    const ids = await model.tokenize('The quick brown fox', { addSpecial: true })
    const whole = await model.logits(ids)
    assert.equal(whole.length, ids.length * model.info.vocabulary)
    for (const options of [{ step: true }, { piece: 1 }, { piece: 3 }]) {
      assert.deepEqual(await model.logits(ids, options), whole)
    }
  })

  it('keeps its memory when used a hundred times', async () => {
    await collect(model.generate(start, greedy))
    const before = await model.memoryBytes()
    for (let i = 0; i < 100; i++) await collect(model.generate(start, { maxTokens: 2 }))
    for (let i = 0; i < 30; i++) {
      const chat = model.chat()
      await collect(chat.send('a fox', { maxTokens: 2 }))
      chat.dispose()
    }
    assert.ok(await model.memoryBytes() <= before + (1 << 20))
  })
})

describe('chat', () => {
  /** @type {Awaited<ReturnType<typeof Itera.load>>} */
  let model
  before(async () => { model = await Itera.load(path) })
  after(() => model.dispose())

  it('reads only what is new in each turn', async () => {
    const chat = model.chat({ temperature: 0, maxTokens: 12 })
    let known = 0
    for (let turn = 0; turn < 4; turn++) {
      const { stats } = await collect(chat.send('Then the fox said:'))
      // All that was fed before: prompt and answer, but for the last token, which nobody has read yet.
      assert.equal(stats.cachedTokens, known)
      known = stats.promptTokens + stats.generatedTokens - 1
    }
    assert.equal(chat.messages.length, 8)
  })

  it('answers as a fresh reading of the same conversation would', async () => {
    const chat = model.chat({ temperature: 0, maxTokens: 12 })
    await collect(chat.send('There was a fox.'))
    const messages = chat.messages
    const second = await collect(chat.send('And a bear.'))
    const fresh = await collect(model.chat({ messages, temperature: 0, maxTokens: 12 }).send('And a bear.'))
    assert.equal(fresh.stats.cachedTokens, 0)
    assert.equal(second.text, fresh.text)
  })

  it('keeps a stopped answer as far as it came, and goes on', async () => {
    const chat = model.chat({ system: 'Stories.', temperature: 0, maxTokens: 50 })
    let text = ''
    for await (const piece of chat.send('One day')) {
      text += piece.text
      if (text.length > 20) break
    }
    assert.deepEqual(chat.messages, [
      { role: 'system', content: 'Stories.' }, { role: 'user', content: 'One day' }, { role: 'assistant', content: text },
    ])
    const { stats } = await collect(chat.send('Then', { maxTokens: 3 }))
    assert.equal(stats.generatedTokens, 3)
    chat.reset()
    assert.deepEqual(chat.messages, [{ role: 'system', content: 'Stories.' }])
    assert.equal((await collect(chat.send('One day', { maxTokens: 2 }))).stats.cachedTokens, 0)
  })

  it('answers one message at a time', async () => {
    const chat = model.chat({ maxTokens: 30 })
    const first = chat.send('One')
    await first.next()
    await assert.rejects(collect(chat.send('Two')), failure('busy'))
    await collect(first)
    assert.equal(chat.messages.length, 2)
  })

  it('is as before after an error', async () => {
    const chat = model.chat({ maxTokens: 3 })
    await collect(chat.send('One'))
    const before = chat.messages
    await assert.rejects(collect(chat.send('Two', { logitBias: { 5000: 1 } })), failure('token'))
    assert.deepEqual(chat.messages, before)
    assert.equal((await collect(chat.send('Two'))).stats.generatedTokens, 3)
  })

  it('takes undefined for what is not said, and leaves its own options', async () => {
    const chat = model.chat({ maxTokens: 3, temperature: 0 })
    assert.equal((await collect(chat.send('One', { maxTokens: undefined }))).stats.generatedTokens, 3)
    const restored = await model.restore(await chat.save(), { maxTokens: undefined })
    assert.equal((await collect(restored.send('Two'))).stats.generatedTokens, 3)
  })
})

describe('the end', () => {
  it('rejects pending and later calls after dispose', async () => {
    const model = await Itera.load(path)
    const running = collect(model.generate(start, { maxTokens: Infinity, ignoreEndOfText: true }))
    const asked = model.tokenize('a')
    model.dispose()
    model.dispose()
    await assert.rejects(running, failure('disposed'))
    await assert.rejects(asked, failure('disposed'))
    await assert.rejects(model.tokenize('a'), failure('disposed'))
    await assert.rejects(collect(model.generate('a')), failure('disposed'))
    await assert.rejects(collect(model.chat().send('a')), failure('disposed'))
  })

  it('of a conversation ends its answer, and no call brings it back', async () => {
    const model = await Itera.load(path)
    const sessions = async () => (await model.call('memory', {})).sessions
    const chat = model.chat({ maxTokens: 600, ignoreEndOfText: true })
    let pieces = 0
    await assert.rejects(async () => {
      for await (const _ of chat.send('One day')) if (++pieces === 5) chat.dispose()
    }, failure('disposed', /conversation/))
    assert.ok(pieces < 50, `${pieces} pieces`)
    assert.equal(model.lastStats?.finishReason, 'aborted')
    assert.deepEqual(chat.messages, [])
    const calls = [
      () => collect(chat.send('a')), () => collect(chat.edit(0, 'a')), () => collect(chat.regenerate()),
      () => chat.undo(), () => chat.fork(), () => chat.save(), () => chat.info(),
    ]
    for (const call of calls) await assert.rejects(call(), failure('disposed', /conversation/))
    chat.reset()
    chat.dispose()
    assert.equal(await sessions(), 0)

    const aborting = new AbortController()
    const other = model.chat({ maxTokens: 600, ignoreEndOfText: true })
    const answer = other.send('One day', { signal: aborting.signal })
    await answer.next()
    aborting.abort()
    assert.equal((await collect(answer)).stats.finishReason, 'aborted')
    assert.equal((await collect(other.send('And?', { signal: aborting.signal }))).stats.finishReason, 'aborted')
    assert.equal(await sessions(), 1)
    model.dispose()
  })

  it('comes with the end of a `using` block', async () => {
    const model = await Itera.load(path)
    const chat = model.chat()
    // As `using` calls it, which Node 20 does not parse.
    chat[Symbol.dispose]()
    await assert.rejects(chat.info(), failure('disposed', /conversation/))
    assert.equal(model.error, null)
    model[Symbol.dispose]()
    assert.equal(model.error?.code, 'disposed')
  })

  it('rejects everything with "crashed" when the worker dies or its engine traps', async () => {
    /** @type {any[]} */
    const workers = []
    // A worker that loads, then says nothing until the test speaks for it.
    globalThis.Worker = /** @type {any} */ (class extends EventTarget {
      constructor() {
        super()
        workers.push(this)
      }

      postMessage(/** @type {any} */ { id, type }) {
        if (type === 'load') this.say({ id, result: {} })
        this.last = id
      }

      say(/** @type {any} */ data) {
        queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('message'), { data })))
      }

      terminate() { this.terminated = true }
    })
    try {
      const [died, trapped] = await Promise.all([Itera.load(path), Itera.load(path)])
      const pending = [died.tokenize('a'), died.tokenize('b')]
      workers[0].dispatchEvent(Object.assign(new Event('error'), { message: 'out of memory' }))
      for (const call of [...pending, died.tokenize('c')]) await assert.rejects(call, failure('crashed', /out of memory/))

      const calls = [trapped.tokenize('a'), trapped.tokenize('b')]
      await until(() => workers[1].last !== undefined)
      workers[1].say({ id: workers[1].last, error: { code: 'crashed', message: 'unreachable' } })
      for (const call of calls) await assert.rejects(call, failure('crashed'))
      assert.ok(workers.every(worker => worker.terminated))
    } finally {
      delete (/** @type {any} */ (globalThis).Worker)
    }
  })
})
