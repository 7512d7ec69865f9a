// The parts of the demo page that need no browser.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { explain } from '../../demo/src/errors.js'
import * as format from '../../demo/src/format.js'
import { cut, extend, followEdit } from '../../demo/src/inks.js'

const file = name => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

describe('page errors', () => {
  it('has words and advice for every code the package can give', async () => {
    const types = await file('web/types.d.ts')
    const union = /export type ErrorCode =([^]*?)\n\n/.exec(types)?.[1] ?? ''
    const codes = [...union.matchAll(/'([a-z-]+)'/g)].map(match => match[1])
    assert.ok(codes.length > 10, 'the codes were found')
    const fallback = explain(new Error('x')).title
    for (const code of codes) {
      const words = explain({ code, message: 'the detail' })
      assert.ok(words.advice.length > 20 && words.title && words.detail.includes('the detail'), code)
      // Only what the reader asked for, our own mistakes and what only Node can meet share the words for the rest.
      if (!['aborted', 'internal', 'unwritable'].includes(code)) assert.notEqual(words.title, fallback, code)
    }
  })

  it('tells a SIMD variant that is not there from a model that cannot run', () => {
    const error = { code: 'unsupported', message: 'this engine does not validate the relaxed build of WebAssembly' }
    assert.match(explain(error, { simd: 'relaxed' }).title, /SIMD/)
    assert.doesNotMatch(explain({ code: 'unsupported', message: 'architecture llama' }, { simd: 'relaxed' }).title, /SIMD/)
  })
})

describe('page inks', () => {
  const text = 'Once upon a time, there was a cat.'
  const model = [[16, text.length]]
  const follow = (after, spans = model) => followEdit(text, after, spans).map(([from, to]) => after.slice(from, to))

  it('leaves what the reader adds at the end to the reader', () => {
    assert.deepEqual(follow(`${text} But then`), [', there was a cat.'])
  })
  it('splits the model\'s words around the reader\'s', () => {
    assert.deepEqual(follow('Once upon a time, there was a big red cat.'), [', there was a ', 'cat.'])
  })
  it('moves them when the opening changes', () => {
    assert.deepEqual(follow('Long ago, there was a cat.'), [', there was a cat.'])
  })
  it('shortens them when some are deleted', () => {
    assert.deepEqual(follow('Once upon a time, there was.'), [', there was.'])
    assert.deepEqual(follow('Once upon'), [])
    assert.deepEqual(follow(''), [])
  })
  it('agrees with a plain model of editing, for random edits', () => {
    let seed = 7
    const random = below => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below
    for (let round = 0; round < 2000; round++) {
      // Each character is a different one, so that there is one reading of each edit.
      const before = Array.from({ length: 1 + random(30) }, (_, i) => String.fromCharCode(0x4e00 + i))
      const owned = before.map(() => random(3) > 0)
      const spans = []
      owned.forEach((mine, i) => { if (mine) extend(spans, i, i + 1) })
      const from = random(before.length + 1), removed = random(before.length - from + 1)
      const added = Array.from({ length: random(5) }, (_, i) => String.fromCharCode(0x7000 + i))
      const after = [...before.slice(0, from), ...added, ...before.slice(from + removed)]
      const expected = [...owned.slice(0, from), ...added.map(() => false), ...owned.slice(from + removed)]
      const moved = followEdit(before.join(''), after.join(''), spans)
      const got = after.map((_, i) => moved.some(([a, b]) => i >= a && i < b))
      assert.deepEqual(got, expected)
    }
  })
  it('cuts and extends', () => {
    assert.deepEqual(cut([[0, 4], [6, 9]], 7), [[0, 4], [6, 7]])
    const spans = [[0, 4]]
    extend(spans, 4, 6)
    extend(spans, 8, 9)
    assert.deepEqual(spans, [[0, 6], [8, 9]])
  })
})

describe('page figures', () => {
  it('reads as people write them', () => {
    assert.equal(format.bytes(4156928), '4.2 MB')
    assert.equal(format.bytes(272640), '273 kB')
    assert.equal(format.bytes(999_900), '1.0 MB')
    assert.equal(format.bytes(NaN), 'unknown size')
    assert.equal(format.count(3797338), '3.8 M')
    assert.equal(format.duration(0.7), '0.7 ms')
    assert.equal(format.duration(47.2), '47 ms')
    assert.equal(format.duration(1530), '1.5 s')
    assert.equal(format.rate(5674.2), '5,674')
    assert.equal(format.plural(1, 'token'), '1 token')
  })
})

describe('page models', () => {
  it('lists shipped files with their true sizes', async () => {
    const { models } = JSON.parse(await file('demo/models.json'))
    assert.ok(models.length > 0)
    for (const model of models) {
      const bytes = await readFile(new URL(model.file, new URL('../../demo/index.html', import.meta.url)))
      assert.equal(bytes.length, model.bytes, model.file)
      assert.ok(model.name && model.description && model.starters.length > 2)
    }
  })
})
