// Parts of the package that can be looked at alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { errorCode, IteraError, toIteraError } from '../../web/src/errors.js'
import { chooseVariant, validates, variants } from '../../web/src/features.js'
import { completeOptions } from '../../web/src/options.js'
import { breathe } from '../../web/src/platform.js'
import { describeSource } from '../../web/src/source.js'
import { StopStrings } from '../../web/src/stop-strings.js'

describe('the choice of a build', () => {
  it('takes the last that validates, or the one that is asked for', () => {
    assert.ok(validates('scalar'))
    assert.ok(validates('simd128'))
    assert.equal(chooseVariant(), variants.filter(validates).at(-1))
    assert.equal(chooseVariant('scalar'), 'scalar')
    assert.throws(() => chooseVariant(/** @type {any} */ ('mmx')), { code: 'argument' })
  })

  it('names a build that the engine refuses', t => {
    t.mock.method(WebAssembly, 'validate', () => false)
    assert.equal(chooseVariant(), 'scalar')
    assert.throws(() => chooseVariant('relaxed'), { code: 'unsupported', message: /relaxed/ })
  })
})

describe('stop strings', () => {
  /** @param {string[]} stops @param {string[]} pieces */
  const run = (stops, pieces) => {
    const filter = new StopStrings(stops)
    let text = ''
    for (const piece of pieces) {
      const shown = filter.push(piece)
      text += shown.text
      if (shown.stopped) return `${text}|`
    }
    return text + filter.flush()
  }

  it('are found across pieces, the first in the text first', () => {
    assert.equal(run(['END'], ['a E', 'N', 'D b']), 'a |')
    assert.equal(run(['b', 'ab'], ['xxab']), 'xx|')
    assert.equal(run(['\n\n'], ['a\n', 'b\n', '\n', 'c']), 'a\nb|')
    assert.equal(run(['aab'], ['a', 'a', 'a', 'b']), 'a|')
  })

  it('leave other text whole', () => {
    assert.equal(run([], ['a', 'b']), 'ab')
    assert.equal(run(['END'], ['a EN', 'X', ' E']), 'a ENX E')
  })

  it('hold nothing back that cannot become one', () => {
    const filter = new StopStrings(['END'])
    assert.equal(filter.push('abcE').text, 'abc')
    assert.equal(filter.push('x').text, 'Ex')
  })
})

describe('options', () => {
  it('have the defaults that llama.cpp has', () => {
    const { temperature, topK, topP, minP, repetitionPenalty, penaltyWindow } = completeOptions()
    assert.deepEqual({ temperature, topK, topP, minP, repetitionPenalty, penaltyWindow },
      { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, repetitionPenalty: 1, penaltyWindow: 64 })
  })

  it('choose another seed each time', () => {
    const seeds = new Set(Array.from({ length: 20 }, () => completeOptions().seed))
    assert.ok(seeds.size > 15)
  })
})

describe('sources', () => {
  it('tell URLs from paths', () => {
    assert.equal(describeSource('https://a.example/b.gguf').kind, 'url')
    assert.equal(describeSource('models/b.gguf').kind, 'path')
    assert.equal(describeSource('C:\\models\\b.gguf').kind, 'path')
    assert.equal(describeSource(new URL('file:///b.gguf')).kind, 'path')
  })

  it('are posted without what lies around them in their buffer', () => {
    const all = Uint8Array.from({ length: 1000 }, (_, i) => i)
    for (const view of [all.subarray(10, 20), new DataView(all.buffer, 10, 10), Buffer.from(all.buffer, 10, 10)]) {
      const { bytes } = describeSource(view)
      assert.deepEqual([...bytes], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
      assert.equal(bytes.buffer.byteLength, 10)
    }
    // What is copied already, or not at all, is left where it is.
    assert.equal(describeSource(all).bytes.buffer, all.buffer)
    const shared = new Uint8Array(new SharedArrayBuffer(1000), 10, 10)
    assert.equal(describeSource(shared).bytes.buffer, shared.buffer)
  })
})

describe('errors', () => {
  it('have a code whatever was thrown', () => {
    assert.equal(errorCode(new IteraError('corrupt', 'x')), 'corrupt')
    assert.equal(errorCode(new WebAssembly.RuntimeError('unreachable')), 'crashed')
    assert.equal(errorCode(new DOMException('stop', 'AbortError')), 'aborted')
    assert.equal(errorCode(new RangeError('Array buffer allocation failed')), 'memory')
    assert.equal(errorCode('what'), 'internal')
    assert.equal(toIteraError(new Error('odd')).message, 'odd')
  })
})

describe('a turn of the event loop', () => {
  it('lets others run first', async () => {
    let ran = false
    setImmediate(() => { ran = true })
    await breathe()
    assert.ok(ran)
  })
})
