/**
 * llama.cpp's own tokenizer cases: for every vocabulary a file of texts and a file of the ids it gives them.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createTokenizer } from '../../web/src/tokenizer.js'
import { byteToCharacter, encodeUtf8 } from '../../web/src/tokenizer/bytes.js'
import { createPreTokenizer, preTokenizerNames } from '../../web/src/tokenizer/pre-tokenizers.js'
import { readGgufMetadata } from './support/gguf-metadata.mjs'
import { createRandom, randomText, seed } from './support/random.mjs'
import { sharedPath, skipWithout } from './support/shared.mjs'

const skip = skipWithout('vocab')
const names = skip ? [] : readdirSync(sharedPath('vocab'))
  .flatMap(file => /^ggml-vocab-(.*)\.gguf\.inp$/.exec(file)?.[1] ?? []).filter(name => preTokenizerNames.includes(name))
const vocabularyPath = name => sharedPath(`vocab/ggml-vocab-${name}.gguf`)
const withVocabulary = names.filter(name => existsSync(vocabularyPath(name)))
const withoutVocabulary = names.filter(name => !existsSync(vocabularyPath(name)))

/** @returns {{ text: string, ids: number[] }[]} */
function casesOf(name) {
  const texts = readFileSync(vocabularyPath(name) + '.inp', 'utf8').split('\n__ggml_vocab_test__\n')
  const lines = readFileSync(vocabularyPath(name) + '.out', 'utf8').split('\n')
  return texts.map((text, i) => ({ text, ids: lines[i].split(' ').filter(id => id !== '').map(Number) }))
}

describe("llama.cpp's cases", { skip }, () => {
  it('are here for the vocabularies this test was written with', () => {
    assert.deepEqual(withVocabulary.sort(), ['deepseek-coder', 'falcon', 'gpt-2', 'mpt', 'refact', 'starcoder'])
    assert.deepEqual(withoutVocabulary.sort(), ['command-r', 'deepseek-llm', 'llama-bpe', 'qwen2'])
  })

  for (const name of withVocabulary) {
    it(`match for ${name}`, () => {
      const tokenizer = createTokenizer(readGgufMetadata(vocabularyPath(name)))
      const cases = casesOf(name)
      assert.ok(cases.length > 40)
      for (const { text, ids } of cases) {
        assert.deepEqual([...tokenizer.encode(text, { addBos: false })], ids, JSON.stringify(text))
        assert.equal(tokenizer.decode(ids), text)
      }
    })

    it(`and random text come back whole with ${name}`, () => {
      const tokenizer = createTokenizer(readGgufMetadata(vocabularyPath(name)))
      const random = createRandom(seed)
      for (let i = 0; i < 300; i++) {
        const text = expressible(randomText(random, 30), tokenizer)
        assert.equal(tokenizer.decode(tokenizer.encode(text), { special: true }),
          tokenizer.addsBos ? tokenizer.roleText('bos') + text : text, `ITERA_SEED=${seed}, text ${i}`)
      }
    })
  }

  for (const name of withoutVocabulary) {
    it(`for ${name}, whose vocabulary is absent, can be explained by its pieces`, () => {
      const { split } = createPreTokenizer(name)
      const cases = casesOf(name).map(({ text, ids }) => ({ text, pieces: split(text), ids }))
      const known = knownBytes(name)
      const left = explain(cases, known)
      // A wrong cut shows as a contradiction, which `explain` throws. What it cannot decide must at least be possible.
      assert.ok(left.length <= 8, `${left.length} cases undecided`)
      for (const { text, pieces, ids } of left) assert.ok(isPossible(pieces, ids, known), JSON.stringify(text))
    })

    const apart = name === 'deepseek-llm' && 'one piece of digits has many ids there'
    it(`for ${name} group digits as its pieces do`, { skip: apart }, () => {
      const { split } = createPreTokenizer(name)
      const digits = casesOf(name).filter(({ text }) => /^[0-9]+$/.test(text))
      assert.ok(digits.length >= 9)
      for (const { text, ids } of digits) assert.equal(split(text).length, ids.length, text)
    })
  }
})

/**
 * Some vocabularies lack tokens for a few bytes (control characters, the first of rare ones): llama.cpp drops such bytes,
 * and so do we. Here their characters are replaced.
 */
function expressible(text, tokenizer) {
  const missing = new Set([...byteToCharacter.keys()].filter(byte => tokenizer.tokenId(byteToCharacter[byte]) === null))
  return [...text].map(c => encodeUtf8(c).some(byte => missing.has(byte)) ? '?' : c).join('')
}

/** Vocabularies in the order of tiktoken begin with the 256 bytes, visible ones first. @param {string} name */
function knownBytes(name) {
  const known = new Map()
  if (name !== 'llama-bpe' && name !== 'qwen2') return known
  const codeOf = byte => byteToCharacter[byte].charCodeAt(0)
  const order = [...byteToCharacter.keys()].sort((a, b) => codeOf(a) - codeOf(b))
  order.forEach((byte, id) => { if (byte < 0x80) known.set(String.fromCharCode(byte), [id]) })
  return known
}

/**
 * A piece has the same ids wherever it stands. Known pieces are taken off both ends of every case, which must agree with
 * its ids; where one unknown piece is left, its ids become known; and so on until nothing new is learnt.
 * @param {{ text: string, pieces: string[], ids: number[] }[]} cases
 * @param {Map<string, number[]>} known
 * @returns what is left of the cases that could not be decided
 */
function explain(cases, known) {
  let open = cases.map(item => ({ ...item }))
  for (let learnt = -1; learnt !== known.size;) {
    learnt = known.size
    for (const item of open) {
      const describeCase = `${JSON.stringify(item.text)} cut into ${JSON.stringify(item.pieces)}`
      while (known.has(item.pieces[0])) {
        const ids = known.get(item.pieces[0])
        assert.deepEqual(item.ids.slice(0, ids.length), ids, describeCase)
        item.ids = item.ids.slice(ids.length)
        item.pieces = item.pieces.slice(1)
      }
      while (known.has(item.pieces.at(-1))) {
        const ids = known.get(item.pieces.at(-1))
        assert.deepEqual(item.ids.slice(-ids.length), ids, describeCase)
        item.ids = item.ids.slice(0, -ids.length)
        item.pieces = item.pieces.slice(0, -1)
      }
      if (item.pieces.length === 1) {
        assert.ok(item.ids.length > 0, describeCase)
        known.set(item.pieces[0], item.ids)
      } else if (item.pieces.length === item.ids.length) {
        // As many ids as pieces: one each.
        item.pieces.forEach((piece, i) => known.set(piece, [item.ids[i]]))
      } else if (item.pieces.length === 0) {
        assert.equal(item.ids.length, 0, describeCase)
      }
    }
    open = open.filter(item => item.pieces.length > 0)
  }
  return open
}

/**
 * Whether ids can be dealt out to pieces in order: known pieces get theirs, any other at least one.
 * @param {string[]} pieces
 * @param {number[]} ids
 * @param {Map<string, number[]>} known
 */
function isPossible(pieces, ids, known) {
  let ends = new Set([0]) // where the ids of the pieces so far may end
  for (const piece of pieces) {
    const own = known.get(piece)
    const next = new Set()
    for (const end of ends) {
      if (!own) for (let i = end + 1; i <= ids.length; i++) next.add(i)
      else if (own.every((id, i) => ids[end + i] === id)) next.add(end + own.length)
    }
    ends = next
  }
  return ends.has(ids.length)
}

describe("llama.cpp's examples for the oracle models", () => {
  for (const model of ['mamba', 'mamba2', 'granitehybrid-moe-small']) {
    const report = `oracle/${model}/f32_report.json`
    it(`match for ${model}`, { skip: skipWithout(report) }, () => {
      const tokenizer = createTokenizer(readGgufMetadata(sharedPath(`oracle/${model}/model-F32.gguf`)))
      const { tokenize } = JSON.parse(readFileSync(sharedPath(report), 'utf8'))
      assert.ok(tokenize.length > 0)
      for (const { text, ids } of tokenize) {
        assert.deepEqual([...tokenizer.encode(text, { special: true })], ids, JSON.stringify(text))
      }
    })
  }
})

describe('speed', { skip: skipWithout('vocab/ggml-vocab-gpt-2.gguf') }, () => {
  it('of loading a vocabulary and encoding a megabyte of English is well under a second', t => {
    const metadata = readGgufMetadata(vocabularyPath('gpt-2'))
    const book = skipWithout('data/standard-ebooks') ? 'Once upon a time, there was a little fox who lived alone. '
      : readFileSync(sharedPath('data/standard-ebooks/rudyard-kipling_just-so-stories.txt'), 'utf8')
    const text = book.repeat(Math.ceil(1e6 / book.length)).slice(0, 1e6)
    const start = performance.now()
    const tokenizer = createTokenizer(metadata)
    const made = performance.now()
    const ids = tokenizer.encode(text)
    const encoded = performance.now()
    assert.equal(tokenizer.decode(ids), text)
    const decoded = performance.now()
    t.diagnostic(`vocabulary of ${tokenizer.size}: ${(made - start).toFixed()} ms; 1 MB: encode ` +
      `${(encoded - made).toFixed()} ms, decode ${(decoded - encoded).toFixed()} ms`)
    // Loose, for a busy machine: these are ten times the usual.
    assert.ok(made - start < 1000)
    assert.ok(encoded - made < 1500)
  })
})
