// A look inside the model while it writes: what it shows is there for each token, makes sense, and changes nothing.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'

import { Itera } from 'itera-lite'

const file = new URL('../../models/story-boot-q8_0.gguf', import.meta.url)
const options = { seed: 3, maxTokens: 24 }

describe('trace', () => {
  let model
  before(async () => { model = await Itera.load(new Uint8Array(readFileSync(file)).buffer) })
  after(() => model?.dispose())

  const write = async more => {
    const pieces = []
    for await (const piece of model.generate('Once upon a time', { ...options, ...more })) pieces.push(piece)
    return pieces
  }

  it('is not there unless asked for', async () => {
    await write({ trace: true })
    for (const piece of await write({})) assert.equal('trace' in piece, false)
  })

  it('leaves the text as it is', async () => {
    const text = pieces => pieces.map(piece => piece.text).join('')
    assert.equal(text(await write({ trace: true })), text(await write({})))
  })

  it('shows for each token the experts of each layer that has some, and every state', async () => {
    const seen = new Map()
    const norms = new Set()
    for (const { token, trace } of await write({ trace: true })) {
      if (token === undefined) continue
      assert.equal(trace.states.length, model.info.layers)
      assert.ok(trace.experts.length > 0)
      for (const { norm } of trace.states) {
        assert.ok(norm > 0)
        norms.add(norm)
      }
      for (const { layer, of, chosen, gates } of trace.experts) {
        assert.ok(layer < model.info.layers)
        assert.deepEqual(chosen, [...new Set(chosen)].sort((a, b) => a - b))
        assert.ok(chosen.every(expert => Number.isInteger(expert) && expert >= 0 && expert < of))
        assert.ok(Math.abs(gates.reduce((sum, gate) => sum + gate) - 1) < 1e-5)
        seen.set(layer, new Set([...seen.get(layer) ?? [], ...chosen]))
      }
    }
    // The router does choose: more experts fire over a text than for one token.
    for (const [layer, experts] of seen) assert.ok(experts.size > 2, `layer ${layer} used only ${experts.size} experts`)
    assert.ok(norms.size > 20, 'states change from token to token')
  })

  it('works in conversations', async () => {
    const chat = model.chat(options)
    const pieces = []
    for await (const piece of chat.send('Once', { trace: true })) pieces.push(piece)
    assert.ok(pieces.filter(piece => piece.token !== undefined).every(piece => piece.trace.states.length > 0))
    const again = []
    for await (const piece of chat.regenerate({ trace: true })) again.push(piece)
    // The pass that the first token comes from was not part of this call.
    assert.equal(again[0].trace, undefined)
    assert.ok(again[1].trace.states.every(({ norm }) => norm > 0))
    chat.dispose()
  })
})
