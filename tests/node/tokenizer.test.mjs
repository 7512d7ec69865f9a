import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTokenizer, hasTokenizer } from '../../web/src/tokenizer.js'
import { golden, goldenMetadata, goldenWithTokens } from './support/golden-tokenizer.mjs'
import { createRandom, randomText, seed } from './support/random.mjs'

const tokenizer = createTokenizer(goldenMetadata())
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5 }

describe('tokenizer', () => {
  for (const { text, ids } of golden.cases) {
    it(`gives llama.cpp's ids for ${JSON.stringify(text)}`, () => {
      assert.deepEqual([...tokenizer.encode(text, { special: true })], ids)
    })
  }

  it('gives back any text', () => {
    const random = createRandom(seed)
    for (let i = 0; i < 2000; i++) {
      const text = randomText(random, 1 + Math.floor(random() * 30))
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text, `ITERA_SEED=${seed}, text ${i}`)
    }
  })

  it('encodes the same text alike with a cold and with a warm word cache', () => {
    const random = createRandom(seed)
    const fresh = createTokenizer(goldenMetadata())
    for (let i = 0; i < 200; i++) {
      const text = randomText(random, 20)
      const first = fresh.encode(text)
      assert.deepEqual(fresh.encode(text), first, `ITERA_SEED=${seed}, text ${i}`)
      assert.deepEqual(tokenizer.encode(text), first, `ITERA_SEED=${seed}, text ${i}`)
    }
  })

  it('encodes the empty text to nothing', () => {
    assert.equal(tokenizer.encode('').length, 0)
    assert.equal(tokenizer.decode([]), '')
  })

  it('reads half a surrogate pair as U+FFFD', () => {
    assert.equal(tokenizer.decode(tokenizer.encode('a\ud83d b\ude00')), 'a\ufffd b\ufffd')
  })

  it('adds BOS as the file says, or as the call says', () => {
    const asking = createTokenizer(goldenMetadata({ 'tokenizer.ggml.add_bos_token': true }))
    const bos = 456
    assert.equal(asking.addsBos, true)
    assert.equal(asking.encode('the')[0], bos)
    assert.notEqual(asking.encode('the', { addBos: false })[0], bos)
    assert.notEqual(tokenizer.encode('the')[0], bos)
    assert.equal(tokenizer.encode('the', { addBos: true })[0], bos)
    assert.equal(tokenizer.encode('the', { addEos: true }).at(-1), 456)
  })

  it('adds BOS without being told where the pre-tokenizer stands for models that need it', () => {
    const llama = createTokenizer(goldenMetadata({
      'tokenizer.ggml.pre': 'llama-bpe', 'tokenizer.ggml.add_bos_token': undefined }))
    assert.equal(llama.encode('the')[0], 456)
  })

  it('has no roles where the file names none', () => {
    const bare = createTokenizer(goldenMetadata({
      'tokenizer.ggml.bos_token_id': undefined,
      'tokenizer.ggml.eos_token_id': 99999,
      'tokenizer.ggml.add_bos_token': true,
    }))
    assert.equal(bare.bos, null)
    assert.equal(bare.eos, null)
    assert.equal(bare.addsBos, false)
    assert.equal(bare.roleText('bos'), '')
    assert.deepEqual([...bare.encode('the')], [...tokenizer.encode('the')])
  })

  it('tells texts, bytes and roles of tokens', () => {
    assert.equal(tokenizer.size, 512)
    assert.equal(tokenizer.bos, 456)
    assert.equal(tokenizer.eos, 456)
    assert.equal(tokenizer.roleText('eos'), '<|endoftext|>')
    assert.equal(tokenizer.tokenText(456), '<|endoftext|>')
    assert.equal(tokenizer.tokenId('<|endoftext|>'), 456)
    assert.equal(tokenizer.tokenId('no such token'), null)
    assert.equal(tokenizer.isSpecial(456), true)
    assert.equal(tokenizer.isSpecial(32), false)
    const [space] = tokenizer.encode(' ')
    assert.equal(tokenizer.tokenText(space), ' ')
    assert.deepEqual([...tokenizer.tokenBytes(195)], [195])
    assert.equal(tokenizer.tokenText(195), '\ufffd')
  })

  it('rejects ids outside the vocabulary', () => {
    for (const id of [-1, 512, 1.5, NaN, undefined]) {
      for (const use of [() => tokenizer.decode([id]), () => tokenizer.tokenText(id), () => tokenizer.isSpecial(id),
        () => tokenizer.decodeStream().push(id)]) {
        assert.throws(use, { name: 'IteraError', code: 'token' })
      }
    }
  })

  it('knows whether a file has a tokenizer', () => {
    assert.equal(hasTokenizer(goldenMetadata()), true)
    assert.equal(hasTokenizer(goldenMetadata({ 'tokenizer.ggml.model': undefined })), false)
    assert.equal(hasTokenizer(goldenMetadata({ 'tokenizer.ggml.model': 'none' })), false)
  })
})

describe('special tokens', () => {
  it('are text unless asked for, and left out of decoded text unless asked for', () => {
    const text = 'a<|endoftext|>b'
    assert.ok(!tokenizer.encode(text).includes(456))
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text)

    const parsed = tokenizer.encode(text, { special: true })
    assert.deepEqual([...parsed], [...tokenizer.encode('a'), 456, ...tokenizer.encode('b')])
    assert.equal(tokenizer.decode(parsed), 'ab')
    assert.equal(tokenizer.decode(parsed, { special: true }), text)
  })

  it('of the user-defined kind are found and shown always', () => {
    const withSpaces = createTokenizer(goldenWithTokens([
      { text: '   ', kind: kinds.userDefined }, { text: '  ', kind: kinds.userDefined }]))
    const ids = withSpaces.encode('a      b') // six spaces: the token of three, twice
    assert.deepEqual([...ids].filter(id => id >= 512), [512, 512])
    assert.equal(withSpaces.decode(ids), 'a      b')
    assert.equal(withSpaces.isSpecial(512), false)
  })

  it('are taken longest first, not leftmost first', () => {
    const overlapping = createTokenizer(goldenWithTokens([
      { text: '<ab', kind: kinds.control }, { text: 'b>cdef', kind: kinds.control }, { text: 'cd', kind: kinds.control }]))
    const ids = [...overlapping.encode('<ab>cdef cd', { special: true })]
    assert.deepEqual(ids.filter(id => id >= 512), [513, 514])
    assert.equal(overlapping.decode(ids, { special: true }), '<ab>cdef cd')
  })

  it('repeat without overlapping themselves', () => {
    const doubled = createTokenizer(goldenWithTokens([{ text: '<><>', kind: kinds.control }]))
    const ids = [...doubled.encode('<><><><><>', { special: true })]
    assert.deepEqual(ids.slice(0, 2), [512, 512])
    assert.equal(doubled.decode(ids, { special: true }), '<><><><><>')
  })

  it('of length in bytes, not characters, decide which is longer', () => {
    const mixed = createTokenizer(goldenWithTokens([
      { text: 'xyé', kind: kinds.control }, { text: 'é你', kind: kinds.control }]))
    assert.ok(mixed.encode('xyé你', { special: true }).includes(513))
  })

  it('stay fast when there are thousands, in a long text', () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ text: `<|extra_${i}|>`, kind: kinds.control }))
    const tokenizerOfMany = createTokenizer(goldenWithTokens(many))
    const text = many.map(({ text }) => `${text} < <| <|extra_`).join(' and ').repeat(4)
    const start = performance.now()
    const ids = tokenizerOfMany.encode(text, { special: true })
    assert.ok(performance.now() - start < 30_000)
    assert.equal(tokenizerOfMany.decode(ids, { special: true }), text)
    assert.equal(ids.filter(id => id >= 512).length, 20000)
  })

  it('that no text can hold have a name instead', () => {
    const withEmpty = createTokenizer(goldenWithTokens([{ text: '', kind: kinds.userDefined }]))
    assert.equal(withEmpty.tokenText(512), '[EMPTY_512]')
    assert.equal(withEmpty.encode('any text').includes(512), false)
  })

  it('that are unused add nothing to a text', () => {
    assert.equal(tokenizer.decode([500, 501], { special: true }), '')
  })
})

describe('end of generation', () => {
  const endsOf = (tokens, changes) => {
    const made = createTokenizer(goldenWithTokens(tokens, changes))
    return { made, ends: [...made.endOfGeneration].map(id => made.tokenText(id)).sort() }
  }

  it('is EOS, EOT and every token known to end a turn, whatever kind the file gives it', () => {
    const { made, ends } = endsOf([{ text: '<|im_end|>', kind: kinds.normal }, { text: '<|user|>', kind: kinds.control }])
    assert.deepEqual(ends, ['<|endoftext|>', '<|im_end|>'])
    assert.equal(made.eot, 512)
    assert.equal(made.isSpecial(512), true)
  })

  it('takes EOT from the file where it is named', () => {
    const { made, ends } = endsOf([{ text: '<|stop|>', kind: kinds.control }], { 'tokenizer.ggml.eot_token_id': 512 })
    assert.equal(made.eot, 512)
    assert.deepEqual(ends, ['<|endoftext|>', '<|stop|>'])
  })

  it('includes marks of the next file or repository', () => {
    const { ends } = endsOf([{ text: '<|file_sep|>', kind: kinds.control }, { text: '<|repo_name|>', kind: kinds.control },
      { text: '<|fim_pad|>', kind: kinds.control }, { text: '<|fim_middle|>', kind: kinds.control }])
    assert.deepEqual(ends, ['<|endoftext|>', '<|file_sep|>', '<|fim_pad|>', '<|repo_name|>'])
  })

  it('is not <|end|> in formats where that ends only a part of an answer', () => {
    const { made, ends } = endsOf(['<|return|>', '<|call|>', '<|end|>', '<|message|>'].map(text => ({ text, kind: 3 })))
    assert.deepEqual(ends, ['<|call|>', '<|endoftext|>', '<|return|>'])
    assert.equal(made.isSpecial(514), false)
    assert.equal(made.isSpecial(515), false)
  })
})

describe('streaming decoder', () => {
  it('never gives half a character, and gives the same text as decoding at once', () => {
    const random = createRandom(seed)
    for (let i = 0; i < 300; i++) {
      const text = randomText(random, 20)
      const stream = tokenizer.decodeStream()
      let streamed = ''
      for (const id of tokenizer.encode(text)) {
        const piece = stream.push(id)
        assert.doesNotMatch(piece, /\p{Surrogate}/u, `ITERA_SEED=${seed}, text ${i}`)
        streamed += piece
      }
      assert.equal(streamed, text, `ITERA_SEED=${seed}, text ${i}`)
      assert.equal(stream.flush(), '')
    }
  })

  it('holds the bytes of a character back until it is whole', () => {
    const stream = tokenizer.decodeStream()
    assert.deepEqual([0xf0, 0x9f, 0x98, 0x80].map(byte => stream.push(byte)), ['', '', '', '😀'])
  })

  it('gives U+FFFD as soon as bytes cannot become a character, or at the end', () => {
    const stream = tokenizer.decodeStream()
    assert.equal(stream.push(0xf0), '')
    assert.equal(stream.push(0x41), '\ufffdA')
    assert.equal(stream.push(0x80), '\ufffd')
    assert.equal(stream.push(0xe4), '')
    assert.equal(stream.push(0xbd), '')
    assert.equal(stream.flush(), '\ufffd')
    assert.equal(stream.push(0x42), 'B')
  })

  it('keeps a byte order mark', () => {
    const stream = tokenizer.decodeStream()
    assert.equal([0xef, 0xbb, 0xbf, 0x41].map(byte => stream.push(byte)).join(''), '\ufeffA')
  })

  it('shows special tokens when asked', () => {
    assert.equal(tokenizer.decodeStream().push(456), '')
    assert.equal(tokenizer.decodeStream({ special: true }).push(456), '<|endoftext|>')
  })
})

describe('a file whose tokenizer cannot be used', () => {
  const rejects = (changes, code, message) =>
    assert.throws(() => createTokenizer(goldenMetadata(changes)), { name: 'IteraError', code, message })

  it('of another model is named, with what is supported', () => {
    rejects({ 'tokenizer.ggml.model': 'llama' }, 'unsupported', /"llama".*supported: gpt2/)
    rejects({ 'tokenizer.ggml.model': undefined }, 'unsupported', /no tokenizer/)
  })

  it('with another pre-tokenizer is named, with what is supported', () => {
    rejects({ 'tokenizer.ggml.pre': 'kimi-k2' }, 'unsupported', /"kimi-k2".*supported: gpt-2, .*llama-bpe.*qwen2/)
    rejects({ 'tokenizer.ggml.pre': 7 }, 'unsupported', /"7"/)
  })

  it('with broken lists is corrupt', () => {
    rejects({ 'tokenizer.ggml.tokens': undefined }, 'corrupt', /tokens/)
    rejects({ 'tokenizer.ggml.tokens': [] }, 'corrupt', /empty/)
    rejects({ 'tokenizer.ggml.tokens': [1, 2] }, 'corrupt', /strings/)
    rejects({ 'tokenizer.ggml.token_type': [1, 1] }, 'corrupt', /token_type/)
    rejects({ 'tokenizer.ggml.merges': undefined }, 'corrupt', /merges/)
    rejects({ 'tokenizer.ggml.merges': [null] }, 'corrupt', /merges/)
  })

  it('may lack token types and still works', () => {
    const untyped = createTokenizer(goldenMetadata({ 'tokenizer.ggml.token_type': undefined }))
    assert.deepEqual(untyped.encode('the end'), tokenizer.encode('the end'))
    assert.equal(untyped.isSpecial(456), true)
  })

  it('may have merges that make no token, or bytes that have none', () => {
    const tokens = golden.metadata['tokenizer.ggml.tokens'].map((text, id) => id === 122 ? '' : text) // the letter z
    const odd = createTokenizer(goldenMetadata({
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.merges': ['q x', 'nospace', '', 'qx z', ...golden.metadata['tokenizer.ggml.merges']],
    }))
    assert.equal(odd.decode(odd.encode('qxqx the qz')), 'qxqx the q')
  })
})
