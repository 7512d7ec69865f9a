// Models and conversations come and go: nothing is left of them, and those at work do not disturb each other.
import assert from 'node:assert/strict'
import process from 'node:process'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'
import vm from 'node:vm'

import { Itera } from '../../web/src/index.js'
import { collect } from './support/local-model.mjs'

const story = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const options = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }

/** ITERA_CYCLES=1000 for the long run. */
const cycles = Number(process.env.ITERA_CYCLES ?? 24)

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

/** Memory of the whole process once the dust has settled. */
async function settledBytes() {
  for (let i = 0; i < 3; i++) {
    gc()
    await sleep(50)
  }
  return process.memoryUsage().rss
}

describe('lifecycle', () => {
  it(`leaves nothing of ${cycles} models`, { timeout: 1200e3 }, async t => {
    let early = 0
    for (let i = 0; i < cycles; i++) {
      const model = await Itera.load(story)
      await collect(model.generate('Once', options))
      const chat = model.chat({ ...options, system: 'Be kind.' })
      await collect(chat.send('A fox.'))
      await (await chat.fork()).save()
      model.dispose()
      if (i + 1 === Math.ceil(cycles / 3)) early = await settledBytes()
    }
    const late = await settledBytes()
    t.diagnostic(`${(early / 1e6).toFixed(0)} MB after a third of the cycles, ${(late / 1e6).toFixed(0)} MB after all`)
    // Its heap breathes by some MB; tests/bench/lifecycle.mjs measures a thousand cycles. A model left alive would be 8 MB
    // a cycle, a worker that compiles for itself 40 kB in Node 20.
    const allowed = 20e6 + 10e3 * cycles
    assert.ok(late - early < allowed, `${early} bytes became ${late}`)
  })

  it('leaves nothing of a hundred conversations in one model', async () => {
    const model = await Itera.load(story)
    /** @type {number[]} */
    const sizes = []
    for (let i = 0; i < 100; i++) {
      const chat = model.chat({ ...options, checkpointBytes: 2 << 20 })
      for (const text of ['A fox.', 'A bear.']) await collect(chat.send(text))
      const twin = await chat.fork()
      await twin.undo()
      await collect(twin.regenerate())
      await collect(twin.edit(0, 'A cat.'))
      const restored = await model.restore(await twin.save())
      for (const each of [chat, twin, restored]) each.dispose()
      sizes.push(await model.memoryBytes())
    }
    assert.equal(sizes[99], sizes[9])
    const { sessions } = await model.call('memory', {})
    assert.equal(sessions, 0)
    model.dispose()
  })

  it('lets several models and conversations answer at once', async () => {
    const alone = await Itera.load(story)
    const expected = []
    for (const text of ['A fox.', 'A bear.', 'A cat.']) expected.push((await collect(alone.chat(options).send(text))).text)
    alone.dispose()
    const open = (/** @type {any} */ simd) => Itera.load(story, { simd })
    const models = await Promise.all([open('scalar'), open('simd128'), open('simd128')])
    const texts = await Promise.all(models.slice(1).flatMap(model => ['A fox.', 'A bear.', 'A cat.'].map(async text => {
      const chat = model.chat(options)
      const { text: answer } = await collect(chat.send(text))
      await collect(chat.send('More.'))
      return answer
    })))
    assert.deepEqual(texts, [...texts.slice(0, 3), ...texts.slice(0, 3)])
    if (alone.info.simd !== 'relaxed') assert.deepEqual(texts.slice(0, 3), expected)
    assert.equal((await collect(models[0].generate('Once', options))).tokens.length, 6)
    for (const model of models) model.dispose()
  })

  it('is usable after an abort, in whatever it was at', async () => {
    const model = await Itera.load(story)
    const chat = model.chat(options)
    await collect(chat.send('A fox.'))
    for (const ms of [0, 1, 3, 10, 30]) {
      const { stats } = await collect(chat.send('word '.repeat(400), { maxTokens: 400, signal: AbortSignal.timeout(ms) }))
      assert.ok(['aborted', 'length'].includes(stats.finishReason))
      const next = await collect(chat.send('And?'))
      assert.equal(next.stats.generatedTokens, 6)
      // All that was read before, and what was generated but for a last token not fed yet.
      assert.ok(next.stats.cachedTokens >= stats.cachedTokens)
      await chat.undo(2)
    }
    assert.equal(chat.messages.length, 2)
    assert.equal((await collect(chat.regenerate())).tokens.length, 6)
    model.dispose()
  })

  it('refuses what would disturb an answer under way, and what makes no sense', async () => {
    const model = await Itera.load(story)
    const chat = model.chat(options)
    await assert.rejects(collect(chat.regenerate()), { code: 'argument' })
    await assert.rejects(chat.undo(), { code: 'argument' })
    await assert.rejects(collect(chat.edit(0, 'a')), { code: 'argument' })
    assert.equal((await (await chat.fork()).info()).tokens, 0)
    assert.deepEqual((await model.restore(await chat.save())).messages, [])
    const answer = chat.send('A fox.', { maxTokens: 200 })
    await answer.next()
    const calls = [
      () => chat.undo(), () => chat.fork(), () => chat.save(), () => collect(chat.regenerate()), () => collect(chat.edit(0, 'a')),
      () => collect(chat.send('a')),
    ]
    for (const call of calls) await assert.rejects(call(), { code: 'busy' })
    await answer.return(/** @type {any} */ (undefined))
    await assert.rejects(chat.undo(2), { code: 'argument' })
    await assert.rejects(chat.undo(0), { code: 'argument' })
    await assert.rejects(chat.save({ form: /** @type {any} */ ('q8') }), { code: 'argument' })
    await chat.undo()
    assert.deepEqual(chat.messages, [])
    model.dispose()
    await assert.rejects(chat.save(), { code: 'disposed' })
  })
})
