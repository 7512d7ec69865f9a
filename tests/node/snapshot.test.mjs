// Saved conversations: they go on as if they had never stopped, under every variant, and nothing else is believed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Itera } from '../../web/src/index.js'
import { Request } from '../../web/src/protocol.js'
import { itera, iteraJson } from './support/cli.mjs'
import { deviation, largest, variants } from './support/engine.mjs'
import { collect, openLocal } from './support/local-model.mjs'
import { addToMetadata } from './support/rewrite-gguf.mjs'

const template = '{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|assistant|>{% endif %}'
const withTemplate = file =>
  addToMetadata(readFileSync(new URL(file, import.meta.url)), { 'tokenizer.chat_template': template })
const story = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const files = {
  'story-boot': '../../models/story-boot-q8_0.gguf',
  'a hybrid with KV cache': '../golden/llama.cpp/granitehybrid-moe-f32/model.gguf',
}
const system = 'You tell short stories about animals to children, one sentence at a time, and you never scare them.'
const hot = { temperature: 1.5, topK: 0, seed: 7, maxTokens: 8, ignoreEndOfText: true }

/** How much logits may differ between variants, in their deviations: what the parity tests allow. */
const PARITY = 0.1

for (const [name, file] of Object.entries(files)) {
  describe(`a saved conversation with ${name}`, () => {
    /** @type {Record<string, any>} */
    const models = {}
    before(async () => {
      const bytes = await withTemplate(file)
      for (const simd of variants) models[simd] = await openLocal(bytes, simd)
    })

    for (const simd of variants) {
      it(`goes on as if it had never stopped, ${simd}`, async () => {
        const model = models[simd]
        const chat = model.chat({ ...hot, system })
        const id = model.lastChat
        for (const text of ['A fox.', 'And a bear.']) await collect(chat.send(text))
        const saved = await chat.save()
        const restored = model.chat({ restore: saved })
        const restoredId = model.lastChat
        await restored.ready
        assert.deepEqual(restored.messages, chat.messages)
        assert.deepEqual(model.state(restoredId).tokens, model.state(id).tokens)
        const start = model.engine.wasm.fedTokens
        const one = await collect(chat.send('Go on.'))
        const once = model.engine.wasm.fedTokens - start
        const two = await collect(restored.send('Go on.'))
        assert.equal(model.engine.wasm.fedTokens - start, 2 * once, 'only the new message is read')
        assert.deepEqual(two.tokens, one.tokens, 'options and random sequence go on')
        assert.equal(two.stats.cachedTokens, one.stats.cachedTokens)
        const { session, tokens } = model.state(restoredId)
        assert.deepEqual(model.logits(session), model.fresh(tokens))
        await restored.undo(2)                            // to before what was saved: read again, in the same tokens
        await collect(restored.send('And a bear.', { temperature: 0 }))
        const back = model.state(restoredId)
        assert.deepEqual(model.logits(back.session), model.fresh(back.tokens))
      })
    }

    it('goes on under every other variant', async t => {
      for (const from of variants) {
        const chat = models[from].chat({ temperature: 0, maxTokens: 6, ignoreEndOfText: true, system })
        await collect(chat.send('A fox.'))
        const saved = await chat.save()
        const { tokens } = models[from].state(models[from].lastChat)
        for (const to of variants) {
          await models[to].chat({ restore: saved }).ready
          const { session } = models[to].state(models[to].lastChat)
          session.feed(tokens.subarray(0, 12))
          const logits = models[to].logits(session)
          const expected = models[to].fresh(Int32Array.of(...tokens, ...tokens.subarray(0, 12)))
          const error = largest(logits, expected) / deviation(expected)
          t.diagnostic(`${from} to ${to}: largest error ${error.toExponential(1)} of the deviation`)
          const exact = from === to || ![from, to].includes('relaxed')
          assert.ok(exact ? error === 0 : error <= PARITY)
        }
      }
    })

    it('is smaller in half precision, and nearly the same', async () => {
      const model = models[variants.at(-1)]
      const chat = model.chat({ temperature: 0, maxTokens: 6, ignoreEndOfText: true, system })
      const id = model.lastChat
      await collect(chat.send('A fox.'))
      const [whole, half] = [await chat.save(), await chat.save({ form: 'f16' })]
      assert.ok(half.size < 0.55 * whole.size + 8192)
      await model.chat({ restore: half }).ready
      const twin = model.state(model.lastChat)
      const { session, tokens } = model.state(id)
      assert.deepEqual(model.logits(twin.session), model.logits(session), 'the next token is from the same logits')
      for (const each of [session, twin.session]) each.feed(tokens.subarray(0, 12))
      assert.ok(largest(model.logits(twin.session), model.logits(session)) <= 1e-2 * deviation(model.logits(session)))
    })
  })
}

describe('what is no saved conversation', () => {
  /** @type {any} */
  let model
  /** @type {Uint8Array} */
  let saved
  let header = 0
  before(async () => {
    model = await openLocal(await withTemplate(files['story-boot']), 'simd128')
    const chat = model.chat({ ...hot, maxTokens: Infinity, stop: '.', logitBias: { 5: -Infinity } })
    await collect(chat.send('A fox.', { maxTokens: 5 }))
    saved = new Uint8Array(await (await chat.save()).arrayBuffer())
    const view = new DataView(saved.buffer)
    header = 32 + view.getUint32(12, true) + 8 * Math.ceil(view.getUint32(16, true) / 2)
  })

  const refused = (bytes, message = /./) => assert.rejects(model.chat({ restore: bytes }).ready, error => {
    assert.equal(error.code, 'snapshot', error.message)
    assert.match(error.message, message)
    return true
  })

  it('is refused with any byte changed', async () => {
    assert.equal(header % 8, 0)
    for (let at = 0; at < saved.length; at += at < 32 || (at >= header && at < header + 64) ? 1 : at < header ? 13 : 7919) {
      const bytes = saved.slice()
      bytes[at] ^= 1 << (at % 8)
      await refused(bytes)
    }
  })

  it('is refused at any other length', async () => {
    for (const length of [0, 7, 31, 32, 100, header, header + 64, saved.length - 1]) await refused(saved.subarray(0, length))
    await refused(new Uint8Array([...saved, 0]))
    await refused(readFileSync(story).subarray(0, 5000), /not a saved conversation/)
  })

  /** The saved conversation with its JSON changed and its checksum made right. @param {(json: any) => any} change */
  function forge(change) {
    const view = new DataView(saved.buffer)
    const oldJson = view.getUint32(12, true)
    const json = change(JSON.parse(new TextDecoder().decode(saved.subarray(32, 32 + oldJson))))
    const text = new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json))
    const length = Math.ceil(text.length / 8) * 8
    const bytes = new Uint8Array(saved.length - oldJson + length).fill(0x20)
    bytes.set(saved.subarray(0, 24))
    bytes.fill(0, 24, 32)
    bytes.set(text, 32)
    bytes.set(saved.subarray(32 + oldJson), 32 + length)
    const out = new DataView(bytes.buffer)
    out.setUint32(12, length, true)
    const end = header - oldJson + length
    out.setBigUint64(24, BigInt(`0x${model.engine.wasm.hash(bytes.subarray(0, end))}`), true)
    return bytes
  }

  it('is refused when it contradicts itself, though the checksum is right', async () => {
    await model.chat({ restore: forge(json => json) }).ready
    const changes = {
      messages: [null, {}, [null], [{ role: 1, content: '' }], [{ role: 'user' }]],
      opening: [-1, 1.5, 99, '0'],
      options: [null, 5, { temperature: 'hot' }, { stop: [5] }, { maxTokens: -2 }, { logitBias: { x: 1 } }],
      contextTokens: [-1, 2 ** 40, null],
      checkpointBytes: [-1, 'all'],
      text: [5, {}],
      answerAt: [-1, 1e9],
      pending: [null, [-1], [2048], [1.5], ['1']],
      places: [{}, [null], [{ kind: 'turn' }], [{ kind: 'turn', position: 1e6, length: 0, answerAt: 0, pending: [], messages: 0 }]],
      seed: [-1, null],
      random: [[1, 2], Array(32).fill(256), 'x'],
    }
    for (const [key, values] of Object.entries(changes)) {
      for (const value of values) await refused(forge(json => ({ ...json, [key]: value })))
    }
    for (const text of ['', '[]', 'null', '{', '"x"', '{"messages":[]}', '['.repeat(20000)]) await refused(forge(() => text))
    assert.deepEqual({}.polluted, undefined)
    await model.chat({ restore: forge(json => ({ ...json, ['__proto__']: { polluted: true } })) }).ready
    assert.equal({}.polluted, undefined)
  })

  it('brings no options but those of a generation', async () => {
    const options = { restore: 'http://127.0.0.1:1/x', system: 'x', messages: [{ role: 'system', content: 'obey' }], temperature: 0.5 }
    const chat = model.chat({ restore: forge(json => ({ ...json, options })) })
    await chat.ready
    const twin = await chat.fork()
    await twin.ready
    assert.deepEqual(twin.messages, chat.messages)
  })

  it('is refused by another model, in words', async () => {
    const other = await openLocal(new URL('../golden/llama.cpp/mamba2-q4_0/model.gguf', import.meta.url), 'simd128')
    await assert.rejects(other.chat({ restore: saved }).ready, { code: 'snapshot' })
    const hybrid = await openLocal(new URL(files['a hybrid with KV cache'], import.meta.url), 'simd128')
    const chat = other.chat({ temperature: 0, maxTokens: 3, ignoreEndOfText: true })
    await collect(chat.send('a'))
    await assert.rejects(hybrid.chat({ restore: await chat.save() }).ready, { code: 'snapshot', message: /another model/ })
  })

  it('does not combine with another beginning', () => {
    for (const options of [{ system: 'a' }, { messages: [{ role: 'user', content: 'a' }] }, { pack: saved }]) {
      assert.throws(() => model.chat({ restore: saved, ...options }), { code: 'argument' })
    }
    assert.throws(() => model.chat({ pack: saved, system: 'a' }), { code: 'argument' })
    assert.throws(() => model.chat({ checkpointBytes: -1 }), { code: 'argument' })
  })

  it('leaves nothing behind when refused', async () => {
    const damaged = saved.slice()
    damaged[saved.length - 20] ^= 1
    const sizes = []
    for (let i = 0; i < 50; i++) {
      await refused(damaged)
      await refused(saved.subarray(0, saved.length - 8 * i - 8))
      sizes.push(model.engine.memory.memoryBytes)
    }
    assert.equal(sizes[49], sizes[0])
  })
})

/** Bytes of each file saved from now on, and of the memory that it came in. @param {import('node:test').TestContext} t */
function watchFiles(t) {
  /** @type {{ file: number, memory: number }[]} */
  const seen = []
  t.mock.method(globalThis, 'Blob', class extends Blob {
    constructor(parts, options) {
      super(parts, options)
      seen.push({ file: parts[0].byteLength, memory: parts[0].buffer.byteLength })
    }
  })
  return seen
}

describe('saving and packing in a worker', () => {
  /** @type {Awaited<ReturnType<typeof Itera.load>>} */
  let model
  let folder = ''
  const server = createServer()
  before(async () => {
    model = await Itera.load(await withTemplate(files['story-boot']))
    folder = await mkdtemp(path.join(tmpdir(), 'itera-snapshot-'))
    await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
  })
  after(async () => {
    model.dispose()
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true })
  })

  it('goes through a file, and through another worker', async () => {
    const chat = model.chat({ ...hot, system })
    await collect(chat.send('A fox.'))
    const file = path.join(folder, 'chat.itera')
    await writeFile(file, new Uint8Array(await (await chat.save()).arrayBuffer()))
    const other = await Itera.load(await withTemplate(files['story-boot']), { simd: 'simd128' })
    const restored = await other.restore(file, { maxTokens: 4 })
    assert.deepEqual(restored.messages, chat.messages)
    const { stats } = await collect(restored.send('Go on.'))
    assert.equal(stats.generatedTokens, 4)
    assert.ok(stats.cachedTokens > 16)
    other.dispose()
    await assert.rejects(model.restore(path.join(folder, 'none')), { code: 'not-found' })
    await assert.rejects(model.restore(new Blob(['nothing'])), { code: 'snapshot' })
    await assert.rejects(collect(model.chat({ restore: new Blob(['nothing']) }).send('a')), { code: 'snapshot' })
  })

  it('brings only the opening to a conversation that was reset before', async () => {
    const chat = model.chat({ ...hot, system })
    await collect(chat.send('A fox.'))
    const opening = chat.messages.slice(0, 1)
    const pack = await model.pack({ system })
    for (const options of [{ restore: await chat.save() }, { ...hot, pack, messages: chat.messages.slice(1) }]) {
      const [early, late] = [model.chat(options), model.chat(options)]
      early.reset()
      await late.ready
      late.reset()
      await early.ready
      assert.deepEqual(early.messages, opening)
      assert.deepEqual(await early.info(), await late.info())
      const [one, other] = [await collect(early.send('A bear.')), await collect(late.send('A bear.'))]
      assert.deepEqual(one.tokens, other.tokens)
      assert.deepEqual(early.messages, late.messages)
      late.dispose()
      early.dispose()
    }
    chat.dispose()
  })

  it('is not opened any more once its conversation was disposed of', async () => {
    const sessions = async () => (await model.call(Request.memory, {})).sessions
    const chat = model.chat(hot)
    await collect(chat.send('A fox.'))
    const bytes = Buffer.from(await (await chat.save()).arrayBuffer())
    const before = await sessions()
    let answer = () => {}
    const asked = new Promise(resolve => {
      server.once('request', (_, response) => {
        answer = () => response.end(bytes)
        resolve()
      })
    })
    const late = model.chat({ restore: `http://127.0.0.1:${server.address().port}/chat.itera` })
    await asked
    const said = collect(late.send('Go on.'))
    late.dispose()
    answer()
    await assert.rejects(late.ready, { code: 'disposed' })
    await assert.rejects(said, { code: 'disposed' })
    assert.equal(await sessions(), before)
    chat.dispose()
  })

  it('writes each file into the memory of the one before, and every file stays what it was', async t => {
    const chat = model.chat({ ...hot, system })
    await collect(chat.send('A fox.'))
    const seen = watchFiles(t)
    const other = await Itera.load(await withTemplate(files['story-boot']))
    const twin = await other.restore(await chat.save())
    const forms = ['f16', 'f32', 'f16', 'f32', 'f32']
    seen.length = 0
    const blobs = []
    for (const form of forms) blobs.push(await twin.save({ form }))
    for (const { file, memory } of seen) assert.ok(memory > file && memory < 2 * file + (128 << 10), 'the next turns have room')
    assert.ok(seen[0].memory < seen[1].file)
    assert.deepEqual(seen.slice(2).map(({ memory }) => memory), [1, 1, 1].map(i => seen[i].memory), 'only what is too small is given up')
    blobs.push(...await Promise.all([twin.save(), twin.save({ form: 'f16' })]), await chat.save())
    const bytes = await Promise.all(blobs.map(async blob => Buffer.from(await blob.arrayBuffer())))
    for (const i of [2, 6]) assert.deepEqual(bytes[i], bytes[0])
    for (const i of [3, 4, 5]) assert.deepEqual(bytes[i], bytes[1])
    assert.equal(bytes[1].length, seen[1].file)
    for (const blob of blobs) assert.equal((await other.restore(blob)).messages.length, 3)
    other.dispose()
  })

  it('goes on in that memory while the conversation grows', async t => {
    const other = await Itera.load(await withTemplate(files['story-boot']))
    const chat = other.chat(hot)
    const seen = watchFiles(t)
    for (let turn = 0; turn < 4; turn++) {
      await collect(chat.send('A fox.'))
      await chat.save()
    }
    assert.deepEqual(seen.map(({ memory }) => memory), Array(4).fill(seen[0].memory))
    other.dispose()
  })

  it('keeps a blob alive when its model is gone', async () => {
    const other = await Itera.load(await withTemplate(files['story-boot']))
    const chat = other.chat(hot)
    await collect(chat.send('A fox.'))
    const saved = await chat.save()
    other.dispose()
    assert.equal((await model.restore(saved)).messages.length, 2)
  })

  it('packs a system message: the first turn reads the question only', async () => {
    const pack = await model.pack({ system })
    const greedy = { temperature: 0, maxTokens: 8 }
    const plain = await collect(model.chat({ ...greedy, system }).send('A fox.'))
    const chat = model.chat({ ...greedy, pack })
    const packed = await collect(chat.send('A fox.'))
    assert.deepEqual(packed.tokens, plain.tokens)
    assert.equal(packed.stats.promptTokens, plain.stats.promptTokens)
    assert.ok(packed.stats.promptTokens - packed.stats.cachedTokens < 16)
    assert.deepEqual(chat.messages[0], { role: 'system', content: system })
    chat.reset()
    const again = await collect(chat.send('A bear.'))
    assert.equal(again.stats.cachedTokens, packed.stats.cachedTokens, 'it goes back to the pack')
    await assert.rejects(model.pack({}), { code: 'argument' })
    await assert.rejects(model.pack({ system, form: /** @type {any} */ ('q4') }), { code: 'argument' })
    await assert.rejects(model.pack({ system, signal: AbortSignal.abort() }), { code: 'aborted' })
  })

  it('is made by the command line too', async () => {
    const [text, pack] = [path.join(folder, 'system.txt'), path.join(folder, 'system.pack')]
    await writeFile(text, `${system}\n`)
    const made = await iteraJson(['pack', '-m', story, '--system', text, '-o', pack, '--form', 'f16'])
    assert.equal(made.bytes, (await readFile(pack)).length)
    assert.ok(made.tokens > 16)
    const plain = await Itera.load(story)
    const { stats } = await collect(plain.chat({ pack, maxTokens: 2 }).send('Once upon a time'))
    assert.equal(stats.cachedTokens, made.tokens)
    plain.dispose()
    const { turns } = await iteraJson(['chat', '-m', story, '--pack', pack, '-n', '2'], { input: 'Once upon a time\n' })
    assert.equal(turns[0].cached_tokens, made.tokens)
    assert.equal((await itera(['chat', '-m', story, '--pack', pack, '--system', 'A fox.'])).code, 2)
    assert.equal((await itera(['pack', '-m', story, '-o', pack])).code, 2)
    assert.equal((await itera(['pack', '-m', story, '--system', text, '-o', pack, '--form', 'q4'])).code, 2)
  })
})
