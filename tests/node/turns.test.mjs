// Undo, edit, regenerate and fork: the state is that of a fresh run of the same tokens, bit for bit, and no token is
// read that had been read before.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'

import { variants } from './support/engine.mjs'
import { collect, openLocal } from './support/local-model.mjs'
import { addToMetadata } from './support/rewrite-gguf.mjs'

const template = '{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}' +
  '{% if add_generation_prompt %}<|assistant|>{% endif %}'
const system = 'You tell short stories about animals to children, one sentence at a time, and you never scare them.'
const files = {
  'story-boot': '../../models/story-boot-q8_0.gguf',
  'a hybrid with KV cache': '../golden/llama.cpp/granitehybrid-moe-f32/model.gguf',
}
const options = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }

/** Runs `body` and tells how many tokens it fed. */
async function fedBy(model, body) {
  const start = model.engine.wasm.fedTokens
  const result = await body()
  return { ...result, fed: model.engine.wasm.fedTokens - start }
}

/** The state equals that of a fresh run of its tokens. */
function checkState(model, id) {
  const { session, tokens } = model.state(id)
  assert.equal(session.position, tokens.length)
  assert.deepEqual(model.logits(session), model.fresh(tokens))
}

for (const [name, file] of Object.entries(files)) {
  for (const simd of variants) {
    describe(`turns of ${name}, ${simd}`, () => {
      let model
      before(async () => {
        const bytes = readFileSync(new URL(file, import.meta.url))
        model = await openLocal(await addToMetadata(bytes, { 'tokenizer.chat_template': template }), simd)
      })

      /** A chat of some turns, its number, and the state's tokens after each. */
      async function begin(turns, more = {}) {
        const chat = model.chat({ ...options, system, ...more })
        const id = model.lastChat
        const after = []
        for (let turn = 0; turn < turns; turn++) {
          await collect(chat.send(`Message number ${turn}, about a fox.`))
          after.push(model.state(id).tokens)
        }
        return { chat, id, after }
      }

      it('feeds each token once', async () => {
        const { fed, id, chat } = await fedBy(model, () => begin(5))
        assert.equal(fed, model.state(id).tokens.length)
        checkState(model, id)
        const { stats } = await collect(chat.send('And?'))
        assert.equal(stats.cachedTokens, fed)
        const words = model.engine.encode('<|end|><|user|>And?<|end|><|assistant|>', { special: true, addBos: false })
        assert.equal(stats.promptTokens - stats.cachedTokens, words.length + 1, 'the message, and the last token of the answer')
      })

      it('takes back turns without reading anything', async () => {
        const { chat, id, after } = await begin(4)
        const { fed, gone } = await fedBy(model, async () => ({ gone: await chat.undo() }))
        assert.equal(fed, 0)
        assert.deepEqual(gone.map(({ role }) => role), ['user', 'assistant'])
        assert.deepEqual(model.state(id).tokens, after[2])
        checkState(model, id)
        await chat.undo(2)
        assert.deepEqual(model.state(id).tokens, after[0])
        checkState(model, id)
        const again = await fedBy(model, () => collect(chat.send('Message number 1, about a fox.')))
        assert.deepEqual(model.state(id).tokens, after[1])
        assert.equal(again.fed, after[1].length - after[0].length)
        await chat.undo(2)
        assert.equal(chat.messages.length, 1)
        assert.ok(model.state(id).tokens.length > 16, 'the system message has been read')
        checkState(model, id)
      })

      it('answers anew from the end of the prompt', async () => {
        const { chat, id } = await begin(3)
        const first = chat.messages.at(-1)
        const { stats, fed, tokens } = await fedBy(model, () => collect(chat.regenerate()))
        assert.equal(stats.promptTokens, stats.cachedTokens)
        assert.equal(fed, tokens.length - 1)              // the last one is fed when the conversation goes on
        assert.deepEqual(chat.messages.at(-1), first)
        assert.equal(chat.messages.length, 7)
        checkState(model, id)
      })

      it('reads a changed message only', async () => {
        const { chat, id, after } = await begin(4)
        const { stats, fed } = await fedBy(model, () => collect(chat.edit(1, 'Now about a bear.')))
        assert.equal(stats.cachedTokens, after[0].length)
        assert.equal(fed, stats.promptTokens - stats.cachedTokens + stats.generatedTokens - 1)
        assert.equal(chat.messages.length, 5)
        checkState(model, id)
        // The first message is behind the opening, which is not read again either.
        const other = await collect(chat.edit(0, 'A very different beginning.'))
        assert.ok(other.stats.cachedTokens > 16)
        assert.equal(chat.messages.length, 3)
        checkState(model, id)
      })

      it('branches, and both go on as one would have', async () => {
        const { chat, id } = await begin(2)
        const { fed, twin } = await fedBy(model, async () => ({ twin: await chat.fork() }))
        assert.equal(fed, 0)
        const twinId = model.lastChat
        assert.deepEqual(model.state(twinId).tokens, model.state(id).tokens)
        const one = await collect(chat.send('Go on.'))
        const two = await collect(twin.send('Go on.'))
        assert.deepEqual(two.tokens, one.tokens)
        await collect(twin.send('Differently.'))
        await twin.undo(3)                                // beyond the fork, through marks that both use
        chat.dispose()
        checkState(model, twinId)
        await collect(twin.send('Still there?'))
        checkState(model, twinId)
        twin.dispose()
      })

      it('reads again from the nearest place when a checkpoint was dropped', async () => {
        const bytes = model.markBytes
        const { chat, id, after } = await begin(5, { checkpointBytes: 3 * bytes })
        const info = await chat.info()
        assert.deepEqual([info.checkpoints, info.checkpointBytes], [3, 3 * bytes])
        const { stats } = await collect(chat.edit(2, 'Another one.'))
        assert.ok(stats.cachedTokens < after[1].length)
        assert.deepEqual(model.state(id).tokens.subarray(0, after[1].length), after[1], 'the same tokens, not a new spelling')
        checkState(model, id)
        const none = await begin(3, { checkpointBytes: 0 })
        assert.equal((await none.chat.info()).checkpoints, 0)
        await none.chat.undo(2)
        await collect(none.chat.send('Message number 1, about a fox.'))
        assert.deepEqual(model.state(none.id).tokens, none.after[1])
        checkState(model, none.id)
      })

      it('is as before after an answer that failed, or was stopped early', async () => {
        const { chat, id, after } = await begin(2, { contextTokens: 1500 })
        if (name !== 'story-boot') {                      // only a cache can be full
          await assert.rejects(collect(chat.send('word '.repeat(1500))), { code: 'context-full' })
          assert.equal(chat.messages.length, 5)
          assert.deepEqual(model.state(id).tokens, after[1])
          checkState(model, id)
        }
        const controller = new AbortController()
        setImmediate(() => controller.abort())
        const stopped = await collect(chat.send('word '.repeat(300), { signal: controller.signal }))
        assert.equal(stopped.stats.finishReason, 'aborted')
        const read = model.state(id).tokens.length
        assert.ok(read > after[1].length && read < after[1].length + 300)
        const { stats } = await collect(chat.send('And?', { maxTokens: 2 }))
        assert.equal(stats.cachedTokens, read, 'what was read stays read')
        checkState(model, id)
      })
    })
  }
}
