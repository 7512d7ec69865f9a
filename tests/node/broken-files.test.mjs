// Every broken file gives one clear error with its code, through the whole package and inside one engine; nothing
// else suffers: other models go on, the next file loads, no memory is lost.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { Itera, IteraError } from '../../web/src/index.js'
import { loadModel } from '../../web/src/loader.js'
import { loadWasm } from '../../web/src/wasm.js'
import { brokenFiles, brokenModels, buildTinyMamba } from '../fixtures/broken.mjs'

const files = brokenFiles()
const good = buildTinyMamba()

/** A few greedy tokens' text. */
async function write(/** @type {any} */ model) {
  let text = ''
  for await (const piece of model.generate('the', { temperature: 0, maxTokens: 8 })) text += piece.text
  return text
}

/** One sentence for people: no control characters, no traces of the program's inside. */
function assertClear(/** @type {IteraError} */ error, /** @type {string} */ code) {
  assert.ok(error instanceof IteraError, `not an IteraError: ${error}`)
  assert.equal(error.code, code, error.message)
  assert.match(error.message, /^[ -~]{10,300}$/)
  assert.doesNotMatch(error.message, /undefined|\bNaN\b|\[object/)
}

describe('a broken file', () => {
  /** @type {any} */
  let bystander
  let text = ''
  before(async () => {
    bystander = await Itera.load(good.slice().buffer)
    text = await write(bystander)
    assert.ok(text.length > 0)
  })
  after(() => bystander?.dispose())

  for (const [name, bytes, code] of files) {
    it(`${name}: "${code}"`, async () => {
      let error
      try {
        const model = await Itera.load(bytes.slice().buffer)
        model.dispose()
      } catch (thrown) {
        error = thrown
      }
      assertClear(/** @type {any} */ (error), code)
    })
  }

  it('leaves the model that was loaded before as it was', async () => {
    assert.equal(await write(bystander), text)
  })

  it('leaves room for the next model', async () => {
    const model = await Itera.load(good.slice().buffer)
    assert.equal(await write(model), text)
    model.dispose()
  })
})

describe('broken files in one engine, in small pieces', () => {
  /** The bytes as they come from a network, a header's worth of them one by one. */
  async function * pieces(/** @type {Uint8Array} */ bytes) {
    let at = 0
    for (; at < bytes.length && at < 3000; at++) yield bytes.subarray(at, at + 1)
    for (; at < bytes.length; at += 997) yield bytes.subarray(at, at + 997)
  }

  /** Loads as the worker does, the size known beforehand or not. */
  const load = (/** @type {any} */ wasm, /** @type {Uint8Array} */ bytes, /** @type {boolean} */ sized) =>
    loadModel(wasm, /** @type {any} */ ({ name: 'test.gguf', total: sized ? bytes.length : undefined, pieces: pieces(bytes) }), {})

  const cases = brokenModels()

  it('give the same errors, lose no memory and leave room for a good one', async () => {
    const wasm = await loadWasm({ simd: 'scalar' })
    const rounds = []
    for (let round = 0; round < 3; round++) {
      for (const [name, bytes, code] of cases) {
        for (const sized of [true, false]) {
          const error = await load(wasm, bytes, sized).then(() => undefined, thrown => thrown)
          assert.ok(error, `${name} was loaded`)
          assertClear(error, code)
        }
      }
      const { model } = await load(wasm, good, true)
      assert.ok(model)
      wasm.exports.itera_model_free(model)
      rounds.push(wasm.exports.memory.buffer.byteLength)
    }
    assert.equal(rounds[1], rounds[2], 'each round of broken files takes more memory')
  })
})
