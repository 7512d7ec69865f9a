// Prompts that begin as earlier ones did: what is read of them, that the answers stay the same, and what it takes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'

import { Completer } from '../../web/src/openai/completer.js'
import { completeOptions } from '../../web/src/options.js'
import { NO_MEMORY, openLocal, withExport } from './support/local-model.mjs'
import { addToMetadata } from './support/rewrite-gguf.mjs'

const template = '{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|assistant|>{% endif %}'
const files = {
  'story-boot': '../../models/story-boot-q8_0.gguf',
  'a hybrid with KV cache': '../golden/llama.cpp/granitehybrid-moe-f32/model.gguf',
}
const system = 'You tell short stories about animals to children, one sentence at a time, and you never scare them.'
const say = (role, content) => ({ role, content })
const MIB = 1 << 20

for (const [name, file] of Object.entries(files)) {
  describe(`prompts of ${name}`, () => {
    let engine
    let plain
    before(async () => {
      const bytes = readFileSync(new URL(file, import.meta.url))
      engine = (await openLocal(await addToMetadata(bytes, { 'tokenizer.chat_template': template }))).engine
      plain = new Completer(engine)
    })

    /** An answer, the tokens fed for it, and what it used. */
    async function answer(completer, prompt, { maxTokens = 6, count = 1, cacheBytes = 64 * MIB, signal = new AbortController().signal, temperature = 0, onPiece = () => {} } = {}) {
      const fed = engine.wasm.fedTokens
      const texts = []
      const stats = await completer.run({
        prompt: Array.isArray(prompt) ? { messages: prompt } : { text: prompt }, count, special: false, cacheBytes,
        options: completeOptions({ temperature, maxTokens, seed: 1, ignoreEndOfText: true }),
      }, { signal, emit: (_, piece) => { texts[piece.choice] = (texts[piece.choice] ?? '') + (piece.text ?? ''); onPiece(piece) } })
      return { text: texts[0], texts, stats, fed: engine.wasm.fedTokens - fed }
    }

    /** How many tokens a text takes, give or take where it meets others. */
    const tokensOf = text => engine.encode(text, { special: true, addBos: false }).length + 2

    /** And the system message. */
    const opening = () => engine.openingTokens([say('system', system)]).length

    /** The same without any cache. */
    const fresh = (prompt, options) => answer(plain, prompt, { ...options, cacheBytes: 0 })

    /** An answer that must be that of a fresh run. */
    async function checked(completer, prompt, options) {
      const cached = await answer(completer, prompt, options)
      assert.deepEqual(cached.texts, (await fresh(prompt, options)).texts)
      return cached
    }

    it('are read once: a conversation feeds each of its tokens once', async () => {
      const completer = new Completer(engine)
      let messages = [say('system', system), say('user', 'A fox, please.')]
      let fed = 0
      for (let turn = 0; turn < 5; turn++) {
        const { text, stats, fed: now } = await answer(completer, messages)
        fed += now
        assert.equal(stats.promptTokens - stats.cachedTokens + stats.generatedTokens - 1, now)
        // The last token of the answer, and what was said since.
        const said = tokensOf(`<|end|><|user|>${messages.at(-1).content}<|end|><|assistant|>`) + 1
        if (turn) assert.ok(stats.promptTokens - stats.cachedTokens <= said, JSON.stringify(stats))
        // Everything there is was fed once: the prompt, and all of the answer but its last token.
        assert.equal(fed, stats.promptTokens + stats.generatedTokens - 1)
        messages = [...messages, say('assistant', text), say('user', `And then, number ${turn}?`)]
      }
    })

    it('share a system message between conversations, which leave each other alone', async () => {
      const completer = new Completer(engine)
      const begin = word => [say('system', system), say('user', `Tell me about a ${word}.`)]
      await checked(completer, begin('fox'))
      const other = await checked(completer, begin('hedgehog'))
      assert.ok(other.stats.cachedTokens >= opening(), JSON.stringify(other.stats))
      // Both go on where they were.
      for (const word of ['fox', 'hedgehog']) {
        const { text, stats: { promptTokens } } = await fresh(begin(word))
        const { stats } = await answer(completer, [...begin(word), say('assistant', text), say('user', 'Go on.')])
        assert.ok(stats.cachedTokens >= promptTokens, JSON.stringify(stats))
      }
    })

    it('of plain text are compared token by token, and learn where they part', async () => {
      const completer = new Completer(engine)
      const shared = 'Here is a list of animals and what they like to eat, which every child should know by heart. '
      await checked(completer, `${shared}Foxes eat`)
      const second = await checked(completer, `${shared}Bears eat`)
      const third = await checked(completer, `${shared}Mice eat`)
      assert.equal(second.stats.cachedTokens, 0)        // nobody knew then that prompts would part there
      assert.ok(third.stats.cachedTokens > 15, JSON.stringify(third.stats))
      const again = await checked(completer, `${shared}Bears eat`)
      assert.equal(again.stats.cachedTokens, again.stats.promptTokens)
    })

    it('are read again from where a message was changed', async () => {
      const completer = new Completer(engine)
      const start = [say('system', system), say('user', 'A fox, please.')]
      const { text } = await checked(completer, start)
      const next = [...start, say('assistant', text)]
      await answer(completer, [...next, say('user', 'And then?')])
      const { stats } = await answer(completer, [...next, say('user', 'Something quite different now.')])
      assert.ok(stats.cachedTokens >= (await fresh(start)).stats.promptTokens, JSON.stringify(stats))
    })

    it('are read once for several answers, which are those of their seeds', async () => {
      const prompt = [say('system', system), say('user', 'A fox, please.')]
      const { texts, stats, fed } = await checked(new Completer(engine), prompt, { count: 3, temperature: 1 })
      assert.equal(stats.generatedTokens, 18)
      assert.equal(fed, stats.promptTokens + 3 * 5)
      assert.equal(texts.length, 3)
      // Without memory for a place to come back to, they are merely slower.
      const without = await answer(new Completer(engine), prompt, { count: 3, temperature: 1, cacheBytes: 0 })
      assert.deepEqual(without.texts, texts)
    })

    it('of requests at the same time do not disturb one another', async () => {
      const completer = new Completer(engine)
      await answer(completer, [say('system', system), say('user', 'A fox, please.')])
      const prompts = Array.from({ length: 6 }, (_, i) => [say('system', system), say('user', `Number ${i % 4}, please.`)])
      const together = await Promise.all(prompts.map(prompt => answer(completer, prompt)))
      for (const [i, { text, stats }] of together.entries()) {
        assert.equal(text, (await fresh(prompts[i])).text)
        assert.ok(stats.cachedTokens >= opening())
      }
    })

    it('whose reading was aborted are read on from there', async () => {
      const completer = new Completer(engine)
      const long = [say('system', system), say('user', 'word '.repeat(400))]
      const aborting = new AbortController()
      const first = answer(completer, long, { signal: aborting.signal })
      setImmediate(() => setImmediate(() => aborting.abort()))
      assert.equal((await first).stats.finishReason, 'aborted')
      const { stats } = await checked(completer, long)
      assert.ok(stats.cachedTokens > 0 && stats.cachedTokens < stats.promptTokens, JSON.stringify(stats))
    })

    it('that fail leave nothing to go on from', async () => {
      const completer = new Completer(engine)
      const tokens = [...engine.encodePrompt('word '.repeat(30)), 1e9]
      await assert.rejects(completer.run({ prompt: { tokens }, count: 1, special: false, cacheBytes: MIB, options: completeOptions({}) },
        { signal: new AbortController().signal, emit() {} }), { code: 'token' })
      assert.equal(completer.cache.size.sessions, 0)
    })

    it('stay within the memory they were given, and the oldest are forgotten first', async () => {
      const completer = new Completer(engine)
      const one = new Completer(engine)
      await answer(one, [say('system', system), say('user', 'How large?')])
      const cacheBytes = one.cache.size.bytes * 3
      const prompt = i => [say('system', `${i} ${system}`), say('user', 'Please.')]
      for (let i = 0; i < 12; i++) {
        await answer(completer, prompt(i), { cacheBytes })
        assert.ok(completer.cache.size.bytes <= cacheBytes, `${completer.cache.size.bytes} of ${cacheBytes}`)
      }
      assert.ok(completer.cache.size.sessions >= 2)
      assert.ok((await answer(completer, prompt(11), { cacheBytes })).stats.cachedTokens >= opening())
      assert.equal((await answer(completer, prompt(0), { cacheBytes })).stats.cachedTokens, 0)
      await answer(completer, prompt(1), { cacheBytes: 0 })
      assert.deepEqual(completer.cache.size, { sessions: 0, bytes: 0 })
    })

    it('go back in place where there is no room for a copy', async () => {
      const completer = new Completer(engine)
      const begin = word => [say('system', system), say('user', `Tell me about a ${word}.`)]
      await checked(completer, begin('fox'))
      const cacheBytes = completer.cache.size.bytes
      for (const word of ['hedgehog', 'mole', 'fox', 'mole']) {
        const { stats } = await checked(completer, begin(word), { cacheBytes })
        assert.ok(stats.cachedTokens >= opening(), JSON.stringify(stats))
        assert.equal(completer.cache.size.sessions, 1)
        assert.ok(completer.cache.size.bytes <= cacheBytes)
      }
    })

    it('are forgotten when memory runs out', async () => {
      const completer = new Completer(engine)
      await answer(completer, [say('system', system), say('user', 'One.')])
      /** @type {Record<string, number>} */
      const faults = { itera_session_create: 0 }
      // What grows may find no memory later, too.
      if (engine.numbers.kvBytesPerToken) faults.itera_session_reserve = NO_MEMORY
      for (const [fault, result] of Object.entries(faults)) {
        let refused = 0
        await withExport(engine.wasm, fault, (real, ...args) => refused++ ? real(...args) : result, async () => {
          await checked(completer, [say('system', `Something else for ${fault}. ${system}`), say('user', 'Two.')])
          assert.equal(completer.cache.size.sessions, 1)
          assert.ok(refused > 1)
        })
      }
    })

    it('do not leak: a thousand take no more than a hundred', async () => {
      const completer = new Completer(engine)
      const ask = i => answer(completer, [say('system', system), say('user', `Number ${i % 50}.`)], { cacheBytes: 2 * MIB, maxTokens: 2 })
      for (let i = 0; i < 100; i++) await ask(i)
      const { memoryBytes } = engine.wasm
      for (let i = 0; i < 900; i++) await ask(i * 7)
      // One lost state each would be hundreds; blocks of different sizes may still find other places.
      assert.ok(engine.wasm.memoryBytes - memoryBytes <= MIB, `${engine.wasm.memoryBytes - memoryBytes} bytes more`)
    })
  })
}

describe('a conversation that outgrows its KV cache', () => {
  it('moves to a larger one without reading anything again', async () => {
    const bytes = readFileSync(new URL(files['a hybrid with KV cache'], import.meta.url))
    const { engine } = await openLocal(await addToMetadata(bytes, { 'tokenizer.chat_template': template }))
    const completer = new Completer(engine)
    const context = { signal: new AbortController().signal, emit() {} }
    const ask = (messages, cacheBytes) => completer.run({
      prompt: { messages }, count: 1, special: false, cacheBytes, options: completeOptions({ temperature: 0, maxTokens: 2, ignoreEndOfText: true }),
    }, context)
    const first = [say('user', 'word '.repeat(300))]
    const { promptTokens } = await ask(first, 256 * MIB)
    const { cachedTokens } = await ask([...first, say('assistant', ''), say('user', 'word '.repeat(600))], 256 * MIB)
    assert.ok(promptTokens < 1024)
    assert.ok(cachedTokens >= promptTokens)
  })
})
