// The parts of the demo page that need no browser.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { directAddress, partsOf } from '../../demo/src/addresses.js'
import { explain } from '../../demo/src/errors.js'
import { blank, fileName, fromJson, fromMessages, titleOf, toJson } from '../../demo/src/exchange.js'
import * as format from '../../demo/src/format.js'
import { cut, extend, followEdit } from '../../demo/src/inks.js'
import { merge } from '../../demo/src/merge.js'
import { checkTurns, messagesOf, Tree } from '../../demo/src/tree.js'

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

describe('page branches', () => {
  const say = (tree, parent, role, text) => tree.add(parent, { role, text }).id
  const texts = tree => tree.path().map(turn => turn.text)

  it('keep both versions of a message, and what follows each', () => {
    const tree = new Tree()
    const a = say(tree, null, 'user', 'a')
    const b = say(tree, a, 'assistant', 'b')
    say(tree, b, 'user', 'c')
    const b2 = say(tree, a, 'assistant', 'b2')
    say(tree, b2, 'user', 'd')
    assert.deepEqual(texts(tree), ['a', 'b2', 'd'])
    assert.deepEqual(tree.siblings(b).map(({ text }) => text), ['b', 'b2'])
    tree.go(b)
    assert.deepEqual(texts(tree), ['a', 'b', 'c'])
    tree.go(b2)
    assert.deepEqual(texts(tree), ['a', 'b2', 'd'])
  })

  it('remember what lies behind a turn that was gone back to', () => {
    const tree = new Tree()
    const a = say(tree, null, 'user', 'a')
    const b = say(tree, a, 'assistant', 'b')
    say(tree, say(tree, b, 'user', 'c'), 'assistant', 'd')
    tree.leaf = b
    assert.equal(tree.later, 2)
    assert.deepEqual(texts(tree), ['a', 'b'])
    tree.go(b)
    assert.deepEqual([texts(tree), tree.later], [['a', 'b', 'c', 'd'], 0])
  })

  it('remember all of it where the first turn was gone back from', () => {
    const tree = new Tree()
    assert.deepEqual([tree.later, tree.end], [0, null])
    say(tree, null, 'user', 'older')
    const b = say(tree, say(tree, null, 'user', 'a'), 'assistant', 'b')
    tree.leaf = null
    assert.deepEqual([texts(tree), tree.later, tree.end], [[], 2, b])
    tree.go(tree.end)
    assert.deepEqual([texts(tree), tree.later], [['a', 'b'], 0])
  })

  it('forget a turn with all behind it', () => {
    const tree = new Tree()
    const a = say(tree, null, 'user', 'a')
    const b = say(tree, a, 'assistant', 'b')
    say(tree, b, 'user', 'c')
    const other = say(tree, a, 'assistant', 'other')
    tree.go(b)
    tree.remove(b)
    assert.equal(tree.turns.size, 2)
    tree.go(a)
    assert.equal(tree.leaf, other)
  })

  it('may be as long as any file, in any order', () => {
    const turns = Array.from({ length: 100_000 }, (_, i) => ({ id: `${i}`, parent: i ? `${i - 1}` : null, role: i % 2 ? 'assistant' : 'user', text: '' }))
    const circle = turns.with(50_000, { ...turns[50_000], parent: '99999' })
    for (const given of [turns, turns.toReversed()]) {
      const tree = new Tree(checkTurns(given), '99999')
      assert.equal(tree.path().length, 100_000)
      tree.remove('1')
      assert.deepEqual([tree.turns.size, tree.leaf], [1, '0'])
    }
    assert.equal(checkTurns(circle), null)
    assert.equal(checkTurns(circle.toReversed()), null)
  })

  it('end, wherever a file or the store says that they go on', () => {
    const turns = () => [
      { id: 'a', parent: null, role: 'user', text: 'a', at: 0, next: 'b' },
      { id: 'b', parent: 'a', role: 'assistant', text: 'b', at: 0, next: 'a' },
    ]
    assert.deepEqual(checkTurns(turns()).map(({ next }) => next), ['b', undefined])
    const tree = new Tree(turns(), 'a')
    assert.deepEqual([tree.later, tree.end], [1, 'b'])
    tree.go('a')
    assert.deepEqual(texts(tree), ['a', 'b'])
  })

  it('survive being stored', () => {
    const tree = new Tree()
    say(tree, say(tree, null, 'user', 'a'), 'assistant', 'b')
    const copy = new Tree(structuredClone([...tree.turns.values()]), tree.leaf)
    assert.deepEqual(texts(copy), ['a', 'b'])
    assert.equal(new Tree([], 'gone').leaf, null)
  })

  it('give the model its system message first', () => {
    assert.deepEqual(messagesOf([{ role: 'user', text: 'hi' }], 'Be kind.'),
      [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'hi' }])
    assert.deepEqual(messagesOf([{ role: 'user', text: 'hi' }], ''), [{ role: 'user', content: 'hi' }])
  })

  it('are refused where they contradict themselves', () => {
    const turn = { id: 'a', parent: null, role: 'user', text: '' }
    assert.equal(checkTurns([turn]).length, 1)
    for (const bad of [
      null, [null], [{ ...turn, id: 7 }], [{ ...turn, parent: 'b' }], [{ ...turn, role: 'robot' }], [{ ...turn, text: 1 }], [turn, turn],
      [{ ...turn, parent: 'b' }, { ...turn, id: 'b', parent: 'a' }],
    ]) assert.equal(checkTurns(bad), null, JSON.stringify(bad))
  })
})

describe('page files', () => {
  const record = () => {
    const tree = new Tree()
    const question = tree.add(null, { role: 'user', text: 'What is *rain*?' })
    tree.add(question.id, { role: 'assistant', text: 'Water.' })
    tree.add(question.id, { role: 'assistant', text: 'Falling water.' })
    return { ...blank('chat'), system: 'Be brief.', turns: [...tree.turns.values()], leaf: tree.leaf }
  }

  it('come back as they went, under names of their own', async () => {
    const before = record()
    const after = await fromJson(toJson(before))
    const shape = ({ turns, leaf, system, kind }) => ({ system, kind, path: new Tree(turns, leaf).path().map(({ text }) => text), count: turns.length })
    assert.deepEqual(shape(after), shape(before))
    assert.notEqual(after.id, before.id)
    assert.ok(!after.turns.some(turn => before.turns.some(({ id }) => id === turn.id)))
  })

  it('may be plain messages of another program', async () => {
    const messages = [{ role: 'system', content: 'S' }, { role: 'user', content: 'Q' }, { role: 'assistant', content: 'A' }]
    for (const given of [messages, { messages }]) {
      const { system, turns, leaf } = await fromJson(new Blob([JSON.stringify(given)]))
      assert.deepEqual([system, new Tree(turns, leaf).path().map(({ text }) => text)], ['S', ['Q', 'A']])
    }
  })

  it('may have messages in parts', () => {
    const { turns } = fromMessages([{ role: 'user', content: [{ type: 'text', text: 'One ' }, { type: 'text', text: 'two' }] }])
    assert.equal(turns[0].text, 'One two')
    for (const content of [[], [null], [{ type: 'image_url', image_url: {} }]]) {
      assert.throws(() => fromMessages([{ role: 'user', content }]), { code: 'import' })
    }
  })

  it('are refused with a code that has words', async () => {
    for (const text of ['', '{', '{}', '[]', '[{"role":"tool","content":""}]', '{"format":"itera-conversation","turns":[{}]}']) {
      await assert.rejects(fromJson(new Blob([text])), { code: 'import' }, text)
    }
    assert.throws(() => fromMessages([{ role: 'user' }]), { code: 'import' })
    assert.match(explain({ code: 'import', message: 'x' }).advice, /exported/)
  })

  it('are called after what was said first', () => {
    assert.equal(titleOf(record()), 'What is *rain*?')
    assert.equal(fileName(record(), 'json'), 'what-is-rain.json')
    assert.equal(titleOf({ ...record(), title: 'Weather', named: true }), 'Weather')
    assert.equal(titleOf(blank('story')), 'New manuscript')
    const long = { ...blank('chat'), turns: [{ id: 'a', parent: null, role: 'user', text: 'word '.repeat(40), at: 0 }] }
    assert.match(titleOf(long), /^(word ){5,}word…$/)
    for (let before = 0; before < 3; before++) {
      const smiles = { ...blank('chat'), turns: [{ id: 'a', parent: null, role: 'user', text: 'a'.repeat(before) + '😀'.repeat(80), at: 0 }] }
      assert.ok(titleOf(smiles).isWellFormed() && [...titleOf(smiles)].length === 61, titleOf(smiles))
      assert.ok(fileName({ ...smiles, title: 'a'.repeat(before) + '𠮷'.repeat(80), named: true }, 'json').isWellFormed())
    }
  })
})

describe('page conversations in two tabs', () => {
  const turn = (id, parent, text, more) => ({ id, parent, role: 'user', text, at: 0, ...more })
  const told = (turns, more) => ({ ...blank('chat'), id: 'c', turns, leaf: turns.at(-1).id, ...more })
  const a = turn('a', null, 'A'), b = turn('b', 'a', 'B'), c = turn('c', 'a', 'C')
  const ids = record => record.turns.map(({ id }) => id)

  it('keep the turns of both, and the branch of the one that writes', () => {
    const merged = merge(told([a, b]), told([a, c]), new Set(['a']))
    assert.deepEqual([ids(merged), merged.leaf], [['a', 'c', 'b'], 'c'])
  })
  it('lose a turn that was taken out here', () => {
    assert.deepEqual(ids(merge(told([a, b]), told([a]), new Set(['a', 'b']))), ['a'])
  })
  it('take the longer text of a turn that the other tab was writing', () => {
    const merged = merge(told([a, turn('b', 'a', 'Bees', { ending: 'stop' })]), told([a, b]), new Set(['a', 'b']))
    assert.deepEqual([merged.turns[1].text, merged.turns[1].ending], ['Bees', 'stop'])
    assert.equal(merge(told([a, b]), told([a, turn('b', 'a', 'Bees')]), new Set(['a', 'b'])).turns[1].text, 'Bees')
  })
  it('have the name that is stored', () => {
    assert.equal(titleOf(merge(told([a], { title: 'New', named: true }), told([a], { title: 'Old', named: true }), new Set(['a']))), 'New')
  })
  it('do not take over an answer that never came', () => {
    const empty = turn('b', 'a', '', { role: 'assistant' })
    assert.deepEqual(ids(merge(told([a, empty]), told([a, c]), new Set(['a']))), ['a', 'c'])
    assert.deepEqual(ids(merge(told([a, empty, turn('d', 'b', 'D')]), told([a, c]), new Set(['a']))), ['a', 'c', 'b', 'd'])
  })
  it('stay deleted, and are kept when they are new', () => {
    assert.equal(merge(undefined, told([a]), new Set(['a'])), null)
    assert.deepEqual(ids(merge(undefined, told([a]), undefined)), ['a'])
  })
})

describe('page addresses', () => {
  const direct = text => directAddress(text).href
  it('are made of what readers type', () => {
    const file = 'https://huggingface.co/owner/repo/resolve/main/sub/model.Q8_0.gguf'
    assert.equal(direct('owner/repo/sub/model.Q8_0.gguf'), file)
    assert.equal(direct(' hf:owner/repo/sub/model.Q8_0.gguf '), file)
    assert.equal(direct('https://huggingface.co/owner/repo/blob/main/sub/model.Q8_0.gguf'), file)
    assert.equal(direct('hf:owner/repo@v2/model.gguf'), 'https://huggingface.co/owner/repo/resolve/v2/model.gguf')
    assert.equal(direct('https://example.org/a/b/c.gguf'), 'https://example.org/a/b/c.gguf')
    assert.equal(direct('example.org/models/x.gguf'), 'https://example.org/models/x.gguf')
    assert.throws(() => direct('file:///etc/passwd'), TypeError)
  })
  it('of a split model stand for all its parts', () => {
    assert.deepEqual(partsOf(new URL('https://x.org/m-00001-of-00003.gguf')).map(({ pathname }) => pathname),
      ['/m-00001-of-00003.gguf', '/m-00002-of-00003.gguf', '/m-00003-of-00003.gguf'])
    assert.equal(partsOf(new URL('https://x.org/m.gguf')).length, 1)
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
      assert.match(model.kind, /^(story|chat)$/)
    }
    assert.equal(models.filter(model => model.default).length, 1)
  })
})
