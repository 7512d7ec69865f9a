// Training of vocabularies, files of tokens, and mixtures of texts.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'

import { PairHeap } from '../../web/bin/tokenizer/pair-heap.js'
import { splitDocuments } from '../../web/bin/tokenizer/documents.js'
import { trainMerges } from '../../web/bin/tokenizer/trainer.js'
import { createVocabulary, vocabularyJson, vocabularyMetadata } from '../../web/bin/tokenizer/vocabulary.js'
import { byteToCharacter, encodeUtf8, toByteAlphabet } from '../../web/src/tokenizer/bytes.js'
import { createPreTokenizer } from '../../web/src/tokenizer/pre-tokenizers.js'
import { createTokenizer } from '../../web/src/tokenizer.js'
import { itera, iteraJson } from './support/cli.mjs'
import { readGgufMetadata } from './support/gguf-metadata.mjs'
import { createRandom, randomText, seed } from './support/random.mjs'

const folder = mkdtempSync(join(tmpdir(), 'itera-train-'))
const file = (/** @type {string} */ name) => join(folder, name)
after(() => rmSync(folder, { recursive: true }))

/** @param {Record<string, number>} words */
const counts = words => new Map(Object.entries(words))

/** Words of a text with how often each occurs. @param {string} text */
function countWords(text) {
  const map = new Map()
  for (const word of createPreTokenizer('gpt-2').split(text)) map.set(word, (map.get(word) ?? 0) + 1)
  return map
}

/** The same training without any cleverness: every pair is counted anew for every merge. */
function trainSlowly(words, size) {
  const tokens = [...byteToCharacter]
  const list = [...words].map(([word, count]) => ({ count, parts: Array.from(encodeUtf8(word), byte => byte) }))
  const merges = []
  while (tokens.length < size) {
    const pairs = new Map()
    for (const { parts, count } of list) {
      for (let i = 0; i + 1 < parts.length; i++) {
        const key = `${parts[i]},${parts[i + 1]}`
        pairs.set(key, (pairs.get(key) ?? 0) + count)
      }
    }
    let best = null
    for (const [key, count] of pairs) {
      const [left, right] = key.split(',').map(Number)
      const better = !best || count > best.count ||
        (count === best.count && (left < best.left || (left === best.left && right < best.right)))
      if (count >= 2 && better) best = { left, right, count }
    }
    if (!best) break
    const text = tokens[best.left] + tokens[best.right]
    const known = tokens.indexOf(text)
    const id = known < 0 ? tokens.push(text) - 1 : known
    const merge = `${tokens[best.left]} ${tokens[best.right]}`
    if (!merges.includes(merge)) merges.push(merge)
    for (const word of list) {
      const parts = []
      for (let i = 0; i < word.parts.length; i++) {
        const here = word.parts[i] === best.left && word.parts[i + 1] === best.right
        parts.push(here ? id : word.parts[i])
        if (here) i++
      }
      word.parts = parts
    }
  }
  return { tokens, merges }
}

describe('training of merges', () => {
  it('joins the most frequent pair first, of equals the one of smaller ids', () => {
    const { merges, tokens } = trainMerges(counts({ low: 5, lower: 2, newest: 6, widest: 3 }), 256 + 8)
    // 'e s' and 's t' are there 9 times each, 'l o' and 'o w' 7 times.
    assert.deepEqual(merges.slice(0, 4), ['e s', 'es t', 'l o', 'lo w'])
    assert.deepEqual(tokens.slice(256, 260), ['es', 'est', 'lo', 'low'])
    assert.equal(tokens.length, 264)
  })

  it('counts what overlaps and replaces from the left', () => {
    const { merges } = trainMerges(counts({ aaaa: 2, aaa: 1 }), 259)
    assert.deepEqual(merges, ['a a', 'aa aa'])                  // "aaa" is aa a, a pair that occurs once
  })

  it('stops where pairs are too rare', () => {
    assert.equal(trainMerges(counts({ ab: 1 }), 300).merges.length, 0)
    assert.deepEqual(trainMerges(counts({ ab: 1 }), 300, { minCount: 1 }).merges, ['a b'])
    assert.deepEqual(trainMerges(new Map(), 300).tokens, [...byteToCharacter])
  })

  it('has no token twice, though two pairs make the same', () => {
    const words = counts({ abc: 10, ab: 5, xbc: 20, bc: 30, abcd: 3, abd: 30 })
    const { tokens, merges } = trainMerges(words, 300, { minCount: 1 })
    assert.equal(new Set(tokens).size, tokens.length)
    assert.equal(new Set(merges).size, merges.length)
  })

  it(`finds what counting anew finds, on text made of everything (seed ${seed})`, () => {
    const random = createRandom(seed)
    for (let round = 0; round < 6; round++) {
      const text = Array.from({ length: 4 }, () => randomText(random, 60)).join(' ').repeat(2)
      const words = countWords(text)
      assert.deepEqual(trainMerges(words, 380), trainSlowly(words, 380))
    }
  })

  it('takes pairs from the heap in order', () => {
    const heap = new PairHeap()
    const random = createRandom(seed)
    const entries = Array.from({ length: 5000 }, () => [Math.floor(random() * 50), Math.floor(random() * 1e12)])
    for (const [count, pair] of entries) heap.push(count, pair)
    entries.sort((a, b) => b[0] - a[0] || a[1] - b[1])
    for (const [count, pair] of entries) assert.deepEqual(heap.pop(), { count, pair })
    assert.equal(heap.size, 0)
  })
})

describe('a trained vocabulary', () => {
  const text = 'The fox met a hen. "Hello," said the hen. The fox said hello to the hen, and the hen told a story. '.repeat(3)
  const special = ['<|endoftext|>', '<|user|>', '<|end|>']
  const trained = createVocabulary(trainMerges(countWords(text), 288), { pre: 'gpt-2', special })
  const tokenizer = createTokenizer({ get: key => vocabularyMetadata(trained)[key] })

  it('writes any text and reads it back', () => {
    const random = createRandom(seed)
    for (const sample of [text, '', 'naïve 😀\n\n\tfin', randomText(random, 200)]) {
      const ids = tokenizer.encode(sample, { addBos: false })
      assert.equal(tokenizer.decode(ids), sample.replace(/\p{Surrogate}/gu, '\ufffd'))
    }
    assert.ok(tokenizer.encode(text, { addBos: false }).length < text.length / 3)
  })

  it('has bytes first and special tokens last, with their roles', () => {
    assert.equal(tokenizer.size, 291)
    assert.equal(trained.tokens[0x20], 'Ġ')
    assert.equal(tokenizer.tokenId('<|user|>'), 289)
    assert.deepEqual([tokenizer.bos, tokenizer.eos, tokenizer.addsBos], [288, 288, true])
    assert.deepEqual([...tokenizer.encode('<|user|>fox', { special: true, addBos: false })].slice(0, 1), [289])
    assert.ok(tokenizer.isSpecial(290) && !tokenizer.isSpecial(287))
    const ends = createVocabulary({ tokens: [], merges: [] }, { pre: 'gpt-2', special, eos: '<|end|>', pad: '<|user|>' })
    assert.deepEqual(ends.roles, { bos: 0, eos: 2, padding: 1 })
  })

  it('is a tokenizer.json of the usual form', () => {
    const json = JSON.parse(vocabularyJson(trained))
    assert.equal(json.model.type, 'BPE')
    assert.equal(Object.keys(json.model.vocab).length, 291)
    assert.equal(json.model.vocab[toByteAlphabet(' hen')], trained.tokens.indexOf('Ġhen'))
    assert.deepEqual(json.model.merges, trained.merges)
    assert.deepEqual(json.added_tokens.map((/** @type {any} */ { id, content }) => [id, content]),
      [[288, '<|endoftext|>'], [289, '<|user|>'], [290, '<|end|>']])
  })
})

const stories = [
  'Tom had a red ball.\nHe lost it.', 'Amy found the ball. "Is it yours?"', 'They played <|user|> all day.', 'Ünïcode 😀 too',
]
const corpus = [
  stories[0], '<|endoftext|>', stories[1], '', '<|endoftext|>\r', '<|endoftext|>', `  ${stories[2]}`, '<|endoftext|>', stories[3], '',
].join('\n')

describe('itera tokenizer train', () => {
  writeFileSync(file('corpus.txt'), corpus)
  writeFileSync(file('more.txt.gz'), gzipSync('The ball rolled. The ball fell.'))

  it('makes the same GGUF vocabulary every time, which itera tokenize reads', async () => {
    const train = (/** @type {string} */ output) => iteraJson(['tokenizer', 'train', '-f', file('corpus.txt'),
      '-f', file('more.txt.gz'), '--vocab', '290', '--min-count', '1', '-o', file(output), '--special', '<|endoftext|>,<|user|>'])
    const result = await train('a.gguf')
    await train('b.gguf')
    const [a, b] = ['a', 'b'].map(name => readGgufMetadata(file(`${name}.gguf`)))
    for (const key of a.keys()) if (key !== 'general.name') assert.deepEqual(a.get(key), b.get(key), key)
    assert.deepEqual([result.vocabulary, result.documents, result.special.length], [290, 5, 2])
    assert.equal(a.get('tokenizer.ggml.tokens').length, 290)
    assert.deepEqual(a.get('tokenizer.ggml.token_type').slice(-3), [1, 3, 3])
    // A special token in the text is learnt nothing from.
    assert.ok(!a.get('tokenizer.ggml.merges').some((/** @type {string} */ merge) => merge.includes('|')))
    const { ids } = await iteraJson(['tokenize', '-m', file('a.gguf'), 'the ball'])
    assert.equal(createTokenizer(a).decode(ids), 'the ball')
  })

  it('makes a tokenizer.json of the same merges', async () => {
    await iteraJson(['tokenizer', 'train', file('corpus.txt'), file('more.txt.gz'), '--vocab', '290', '--min-count', '1',
      '-o', file('tokenizer.json'), '--special', '<|endoftext|>,<|user|>'])
    const json = JSON.parse(readFileSync(file('tokenizer.json'), 'utf8'))
    assert.deepEqual(json.model.merges, readGgufMetadata(file('a.gguf')).get('tokenizer.ggml.merges'))
  })

  it('carries a chat template', async () => {
    writeFileSync(file('template.jinja'), '{{ messages[0].content }}\n')
    await iteraJson(['tokenizer', 'train', '-f', file('corpus.txt'), '--vocab', '280', '-o', file('chat.gguf'),
      '--chat-template', file('template.jinja')])
    assert.equal(readGgufMetadata(file('chat.gguf')).get('tokenizer.chat_template'), '{{ messages[0].content }}')
    assert.equal(readGgufMetadata(file('a.gguf')).get('tokenizer.chat_template'), undefined)
  })

  it('says so when the text is too short for the vocabulary', async () => {
    const { code, stdout, stderr } = await itera(['tokenizer', 'train', '-f', file('corpus.txt'), '--vocab', '5000',
      '-o', file('c.gguf'), '--json'])
    assert.equal(code, 0)
    assert.match(stderr, /pairs for \d+ tokens only/)
    assert.equal(JSON.parse(stdout).vocabulary, readGgufMetadata(file('c.gguf')).get('tokenizer.ggml.tokens').length)
  })

  const usual = ['train', '-f', 'corpus.txt', '-o', 'x.gguf', '--vocab']
  for (const [title, args, message] of /** @type {const} */ ([
    ['another action', ['learn'], /unknown action 'learn'/],
    ['no file', ['train', '--vocab', '300', '-o', 'x.gguf'], /either -f FILE or --manifest/],
    ['a vocabulary below the bytes', [...usual, '256'], /at least 257/],
    ['an unknown pre-tokenizer', [...usual, '300', '--pre', 'none'], /--pre is one of gpt-2/],
    ['a role without a token', [...usual, '300', '--eos', '</s>'], /none of the special tokens/],
    ['a special token twice', [...usual, '300', '--special', '<a>,<a>'], /twice/],
    ['a chat template in tokenizer.json', [...usual, '300', '--chat-template', 'corpus.txt', '-o', 'x.json'], /no place for a chat template/],
    ['a tokenizer.json it cannot write', [...usual, '300', '--pre', 'qwen2', '-o', 'x.json'], /write GGUF/],
  ])) {
    it(`refuses ${title}`, async () => {
      const { code, stderr } = await itera(['tokenizer', ...args], { cwd: folder })
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
    })
  }

  it('refuses a file that is not there, and one without text', async () => {
    const train = (/** @type {string} */ name) =>
      itera(['tokenizer', 'train', '-f', file(name), '--vocab', '300', '-o', file('x.gguf')])
    assert.match((await train('none')).stderr, /\(not-found\)/)
    writeFileSync(file('empty.txt'), '\n<|endoftext|>\n \n')
    assert.match((await train('empty.txt')).stderr, /no text to learn from \(argument\)/)
    assert.ok(!readdirSync(folder).some(name => name.startsWith('x.')))
  })
})

describe('itera tokenize --out', () => {
  const vocabulary = () => readGgufMetadata(file('a.gguf'))

  it('writes BOS and the tokens of each document, and EOS at the end', async () => {
    const result = await iteraJson(['tokenize', '-m', file('a.gguf'), '--out', file('t.bin'), '-f', file('corpus.txt')])
    const bytes = readFileSync(file('t.bin'))
    const ids = new Uint16Array(new Uint8Array(bytes).buffer)
    const metadata = vocabulary()
    const tokenizer = createTokenizer(metadata)
    assert.equal(ids.length, result.tokens)
    assert.equal(ids.at(-1), tokenizer.eos)
    const documents = tokenizer.decode(ids.subarray(1, -1), { special: true }).split('<|endoftext|>')
    assert.deepEqual(documents, stories)
    assert.deepEqual(splitDocuments(corpus), stories)

    assert.deepEqual(JSON.parse(readFileSync(file('t.bin.json'), 'utf8')), result)
    const lines = ['pre', 'tokens', 'merges'].flatMap(key => metadata.get(`tokenizer.ggml.${key}`))
    assert.deepEqual(result, {
      format: 'itera-tokens', type: 'u16', tokens: ids.length, documents: 4,
      bytes: stories.reduce((sum, story) => sum + Buffer.byteLength(story), 0),
      vocabulary: {
        size: 290, bos: 288, eos: 288, sha256: createHash('sha256').update(`${lines.join('\n')}\n`).digest('hex'),
      },
    })
    assert.ok(!ids.includes(289))                               // <|user|> was written out, not meant
    const meant = await iteraJson(['tokenize', '-m', file('a.gguf'), '--out', file('s.bin'), '-f', file('corpus.txt'),
      '--special'])
    assert.ok(new Uint16Array(new Uint8Array(readFileSync(file('s.bin'))).buffer).includes(289))
    assert.ok(meant.tokens < result.tokens)
  })

  /** Documents of a token file. @param {string} name */
  const documentsOf = name => {
    const ids = new Uint16Array(new Uint8Array(readFileSync(file(name))).buffer)
    return createTokenizer(vocabulary()).decode(ids.subarray(1, -1), { special: true }).split('<|endoftext|>')
  }
  const list = (/** @type {string} */ letter, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, i) => `${letter}${i}${letter}`.padEnd(4, letter))
  writeFileSync(file('many.txt'), list('a', 30).join('\n<|endoftext|>\n'))
  writeFileSync(file('few.txt'), list('b', 4).join('\n<|endoftext|>\n'))
  const mix = async (/** @type {string} */ name, /** @type {unknown} */ manifest) => {
    writeFileSync(file('mix.json'), JSON.stringify(manifest))
    const result = await iteraJson(['tokenize', '-m', file('a.gguf'), '--out', file(name), '--manifest', file('mix.json')])
    return { result, documents: documentsOf(name) }
  }
  const tally = (/** @type {string[]} */ documents) => ({
    a: documents.filter(text => text.startsWith('a')).length, b: documents.filter(text => text.startsWith('b')).length,
  })

  it('repeats and shuffles the documents of several files, the same way for the same seed', async () => {
    const manifest = { seed: 5, sources: [{ path: 'many.txt', repeat: 0.5 }, { path: 'few.txt', repeat: 3 }] }
    const one = await mix('m1.bin', manifest)
    assert.deepEqual(tally(one.documents), { a: 15, b: 12 })
    for (const text of list('b', 4)) assert.equal(one.documents.filter(other => other === text).length, 3)
    assert.equal(new Set(one.documents.filter(text => text.startsWith('a'))).size, 15)
    assert.deepEqual((await mix('m2.bin', manifest)).documents, one.documents)
    const other = (await mix('m3.bin', { ...manifest, seed: 6 })).documents
    assert.notDeepEqual(other, one.documents)
    assert.deepEqual(tally(other), { a: 15, b: 12 })
    assert.equal(one.result.seed, 5)
    assert.deepEqual(one.result.sources.map((/** @type {any} */ { path, documents, repeat }) => [path, documents, repeat]),
      [['many.txt', 15, 0.5], ['few.txt', 12, 3]])
  })

  it('mixes by weight, as much as the repeats allow', async () => {
    const sources = [{ path: 'many.txt', weight: 3 }, { path: 'few.txt', weight: 1, repeat: 2 }]
    const { documents } = await mix('w.bin', { sources })
    assert.deepEqual(tally(documents), { a: 24, b: 8 })
  })

  it('refuses manifests that make no sense', async () => {
    for (const [manifest, message] of /** @type {const} */ ([
      [{}, /"sources" is no list/],
      [{ sources: [{ path: 'many.txt', weight: 1 }, { path: 'few.txt' }] }, /some have none/],
      [{ sources: [{ path: 'many.txt', repeat: -1 }] }, /"repeat" of many.txt is no positive number/],
      [{ sources: [{ path: 'many.txt', wieght: 1 }] }, /not "wieght"/],
      [{ seed: 'x', sources: [{ path: 'many.txt' }] }, /"seed"/],
      [{ sources: [{ path: 'gone.txt' }] }, /\(not-found\)/],
    ])) {
      writeFileSync(file('bad.json'), JSON.stringify(manifest))
      const { code, stderr } = await itera(['tokenize', '-m', file('a.gguf'), '--out', file('bad.bin'),
        '--manifest', file('bad.json')])
      assert.equal(code, 1)
      assert.match(stderr, message)
    }
    assert.ok(!readdirSync(folder).includes('bad.bin'))
  })

  it('wants one source of text', async () => {
    for (const args of [[], ['text'], ['-f', 'a', '--manifest', 'b']]) {
      assert.equal((await itera(['tokenize', '-m', file('a.gguf'), '--out', file('bad.bin'), ...args])).code, 2)
    }
    assert.equal((await itera(['tokenize', '-m', file('a.gguf'), '--manifest', 'b'])).code, 2)
  })
})
