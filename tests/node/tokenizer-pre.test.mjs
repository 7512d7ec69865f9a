import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPreTokenizer, preTokenizerNames } from '../../web/src/tokenizer/pre-tokenizers.js'
import { createRandom, randomText, seed } from './support/random.mjs'
import { splitLikeGpt2, splitLikeLlama3 } from './support/split-by-hand.mjs'

const split = (name, text) => createPreTokenizer(name).split(text)

describe('pre-tokenizers', () => {
  it('lose and change nothing', () => {
    const random = createRandom(seed)
    for (let i = 0; i < 300; i++) {
      const text = randomText(random, 1 + Math.floor(random() * 40))
      for (const name of preTokenizerNames) {
        const pieces = split(name, text)
        assert.equal(pieces.join(''), text, `${name}, ITERA_SEED=${seed}, text ${i}`)
        assert.ok(pieces.every(piece => piece !== ''), `${name}, ITERA_SEED=${seed}, text ${i}`)
        assert.ok(pieces.every(piece => !/\p{Surrogate}/u.test(piece)), `${name}, ITERA_SEED=${seed}, text ${i}`)
      }
    }
  })

  it('of the gpt-2 and llama-bpe kinds agree with a splitter written without regular expressions', () => {
    const random = createRandom(seed + 1)
    for (let i = 0; i < 2000; i++) {
      const text = randomText(random, 1 + Math.floor(random() * 40))
      assert.deepEqual(split('gpt-2', text), splitLikeGpt2(text), `ITERA_SEED=${seed}, text ${i}`)
      assert.deepEqual(split('llama-bpe', text), splitLikeLlama3(text, 3), `ITERA_SEED=${seed}, text ${i}`)
      assert.deepEqual(split('qwen2', text), splitLikeLlama3(text, 1), `ITERA_SEED=${seed}, text ${i}`)
    }
  })

  const text = "I'LL see it's 12345 naïve—wörds!!\n\n  ok \t\u0085x 你好。"
  const expected = {
    'gpt-2': [
      'I', "'", 'LL', ' see', ' it', "'s", ' 12345', ' naïve', '—', 'wörds', '!!', '\n\n ', ' ok', ' \t',
      '\u0085', 'x', ' 你好', '。',
    ],
    default: [
      'I', "'", 'LL', ' see', ' it', "'", 's', ' ', '123', '45', ' naïve', '—', 'wörds', '!!', '\n\n ', ' ok',
      ' \t', '\u0085', 'x', ' 你好', '。',
    ],
    falcon: [
      'I', "'", 'LL', ' see', ' it', "'", 's', ' ', '123', '45', ' naïve', '—', 'wörds', '!!', '\n\n ', ' ok',
      ' \t', '\u0085', 'x', ' 你好', '。',
    ],
    starcoder: [
      'I', "'", 'LL', ' see', ' it', "'s", ' ', '1', '2', '3', '4', '5', ' naïve', '—', 'wörds', '!!', '\n\n ',
      ' ok', ' \t', '\u0085', 'x', ' 你好', '。',
    ],
    dbrx: [
      'I', "'LL", ' see', ' it', "'s", ' ', '123', '45', ' naïve', '—wörds', '!!\n\n', ' ', ' ok', ' \t',
      '\u0085x', ' 你好', '。',
    ],
    qwen2: [
      'I', "'LL", ' see', ' it', "'s", ' ', '1', '2', '3', '4', '5', ' naïve', '—wörds', '!!\n\n', ' ', ' ok',
      ' \t', '\u0085x', ' 你好', '。',
    ],
    'gpt-4o': [
      "I'LL", ' see', " it's", ' ', '123', '45', ' naïve', '—wörds', '!!\n\n', ' ', ' ok', ' \t', '\u0085x',
      ' 你好', '。',
    ],
  }
  for (const [name, pieces] of Object.entries(expected)) {
    it(`${name} cuts a difficult line as expected`, () => assert.deepEqual(split(name, text), pieces))
  }

  it('see each other’s pieces alone: white space before a cut stays whole', () => {
    assert.deepEqual(split('starcoder', 'a   1'), ['a', '   ', '1'])
    assert.deepEqual(split('gpt-2', 'a   1'), ['a', '  ', ' 1'])
  })

  it('keep combining marks in words only where the scheme says so', () => {
    assert.deepEqual(split('qwen35', 'हिन्दी'), ['हिन्दी'])
    assert.deepEqual(split('qwen2', 'e\u0301t'), ['e', '\u0301t'])
  })

  it('of the cased kind end a word where small letters turn into capitals', () => {
    assert.deepEqual(split('tekken', 'camelCase HTTPServer x1'), ['camel', 'Case', ' HTTPServer', ' x', '1'])
  })

  it('are taken by name, and "default" where the file has none', () => {
    assert.equal(createPreTokenizer('no such'), null)
    assert.deepEqual(createPreTokenizer('').split('a 1234'), createPreTokenizer('default').split('a 1234'))
    const promised = ['gpt-2', 'mpt', 'olmo', 'llama-bpe', 'qwen2', 'refact', 'starcoder', 'dbrx', 'default', 'falcon']
    for (const name of promised) assert.ok(preTokenizerNames.includes(name), name)
  })

  it('stay linear on runs of a million characters', () => {
    const start = performance.now()
    for (const unit of [' ', 'a', 'A', '!', '\n', ' \t', "'", '你', '1']) {
      const run = unit.repeat(1_000_000 / unit.length)
      for (const name of ['gpt-2', 'default', 'llama-bpe', 'qwen35', 'gpt-4o', 'deepseek-llm']) {
        assert.ok(split(name, run + 'x').length > 0)
      }
    }
    assert.ok(performance.now() - start < 30_000)
  })
})
