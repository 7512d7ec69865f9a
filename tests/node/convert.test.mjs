// Checkpoints of the seed model as GGUF: the same logits as the independent implementations that made the references.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { toFloat32 } from '../../web/bin/convert/float16.js'
import { SafetensorsFile } from '../../web/bin/convert/safetensors.js'
import { Itera } from '../../web/src/index.js'
import { itera, iteraJson } from './support/cli.mjs'
import { deviation, largest } from './support/engine.mjs'
import { readNpy } from './support/npy.mjs'

const goldens = new URL('../golden/itera-lite/', import.meta.url)
const oracle = new URL('../../../shared/oracle/', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'itera-convert-'))
const file = (/** @type {string} */ name) => join(folder, name)
after(() => rmSync(folder, { recursive: true }))

/** Converts a checkpoint and opens the result. @param {URL | string} checkpoint @param {string} name @param {string[]} [more] */
async function convert(checkpoint, name, more = []) {
  const path = checkpoint instanceof URL ? fileURLToPath(checkpoint) : checkpoint
  const result = await iteraJson(['convert', path, '-o', file(name), ...more])
  return { result, model: await Itera.load(file(name)) }
}

/** @param {any} model @param {Int32Array} tokens @param {Float32Array} expected @param {number} limit */
async function sameLogits(model, tokens, expected, limit) {
  for (const options of [{}, { step: true }, { piece: 3 }]) {
    const error = largest(await model.logits(tokens, options), expected) / deviation(expected)
    assert.ok(error <= limit, `${error} of the deviation, ${JSON.stringify(options)}`)
  }
}

describe('itera convert', () => {
  for (const name of ['seed', 'transformer']) {
    it(`reproduces the golden logits of ${name}`, async () => {
      const { model } = await convert(new URL(`${name}/`, goldens), `${name}.gguf`)
      const read = (/** @type {string} */ part) => readFileSync(new URL(`${name}/${part}`, goldens))
      const tokens = read('tokens.i32')
      const logits = read('logits.f32')
      await sameLogits(model, new Int32Array(new Uint8Array(tokens).buffer), new Float32Array(new Uint8Array(logits).buffer), 1e-4)
      assert.equal(model.info.architecture, 'itera-lite')
      model.dispose()
    })
  }

  for (const [name, total] of [['itera-micro', 293656], ['transformer-tiny', 1829120]]) {
    const place = new URL(`${name}/`, oracle)
    it(`reproduces the PyTorch logits of ${name}`, { skip: existsSync(place) ? false : '../shared/oracle is not there' }, async () => {
      const { model, result } = await convert(place, `${name}.gguf`)
      assert.equal(result.parameters, total)
      assert.equal(model.info.parameters.total, total)
      for (const tokens of readdirSync(place).filter(entry => entry.endsWith('_tokens.npy'))) {
        const logits = tokens.replace('tokens', 'logits')
        await sameLogits(model, readNpy(new URL(tokens, place)), readNpy(new URL(logits, place)), 1e-3)
      }
      model.dispose()
    })
  }

  it('makes a model that says it has no tokenizer, and works on token ids', async () => {
    const { model } = await convert(new URL('seed/', goldens), 'mute.gguf')
    assert.equal(model.info.tokenizer, null)
    await assert.rejects(model.tokenize('a'), { code: 'no-tokenizer' })
    await assert.rejects(model.generate('a').next(), { code: 'no-tokenizer' })
    const { value } = await model.generate([1, 2], { maxTokens: 1 }).next()
    assert.equal(/** @type {any} */ (value).text, '')
    model.dispose()
  })

  it('ends generation, and refuses prompts, at the last position', async () => {
    const { model } = await convert(new URL('seed/', goldens), 'short.gguf')
    const { contextLength } = model.info
    assert.ok(contextLength > 0)
    const pieces = model.generate([1, 2], { maxTokens: 1000, ignoreEndOfText: true })
    for (;;) {
      const { done, value } = await pieces.next()
      if (!done) continue
      assert.equal(value.finishReason, 'length')
      assert.equal(value.generatedTokens, contextLength - 2 + 1)
      break
    }
    await assert.rejects(model.generate(new Array(contextLength + 1).fill(1)).next(), { code: 'context-full' })
    model.dispose()
  })

  it('takes a byte-level BPE tokenizer.json along', async () => {
    const { json } = readCheckpoint('seed')
    const alphabet = [...new Set('abcdefgh .')].map(c => c === ' ' ? 'Ġ' : c)
    const vocab = Object.fromEntries([...alphabet, 'ab', 'Ġab'].map((text, id) => [text, id]))
    const end = Object.keys(vocab).length
    writeFileSync(file('tokenizer.json'), JSON.stringify({
      model: { type: 'BPE', vocab, merges: [['a', 'b'], 'Ġ ab'] },
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
      added_tokens: [{ id: end, content: '<|endoftext|>', special: true }],
    }))
    assert.ok(json.vocab_size > end)
    const { model } = await convert(new URL('seed/', goldens), 'text.gguf', ['--tokenizer', file('tokenizer.json')])
    assert.equal(model.info.tokenizer, 'gpt-2')
    assert.equal(model.info.eosToken, end)
    const ids = await model.tokenize('ab ab.')
    assert.deepEqual(ids, [vocab.ab, vocab['Ġab'], vocab['.']])
    assert.equal(await model.detokenize(ids), 'ab ab.')
    model.dispose()
  })

  it('leaves nothing behind when it fails', async () => {
    const { header, data, json } = readCheckpoint('seed')
    delete header['norm.weight']
    writeCheckpoint('partial', { header, data: pack(header, data), json })
    const { code, stderr } = await itera(['convert', file('partial'), '-o', file('partial.gguf')])
    assert.equal(code, 1)
    assert.match(stderr, /no tensor 'norm\.weight' \(incomplete\)/)
    const missing = await itera(['convert', file('partial'), '-o', file('no/such/place.gguf')])
    assert.equal(missing.code, 1)
    assert.ok(!readdirSync(folder).some(name => name.startsWith('partial.gguf')))
  })
})

/** The parts of a golden checkpoint. @param {string} name */
function readCheckpoint(name) {
  const bytes = readFileSync(new URL(`${name}/weights.safetensors`, goldens))
  const length = Number(bytes.readBigUInt64LE(0))
  return {
    header: JSON.parse(bytes.toString('utf8', 8, 8 + length)),
    data: bytes.subarray(8 + length),
    json: JSON.parse(readFileSync(new URL(`${name}/config.json`, goldens), 'utf8')),
  }
}

/** Moves the data of what is left in a header together again. @param {any} header @param {Buffer} data */
function pack(header, data) {
  let at = 0
  return Buffer.concat(Object.entries(header).filter(([name]) => name !== '__metadata__').map(([, entry]) => {
    const part = data.subarray(...entry.data_offsets)
    entry.data_offsets = [at, at += part.length]
    return part
  }))
}

/** @param {any} header  an object, or its text */
function safetensors(header, data = Buffer.alloc(0)) {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, data])
}

/** @param {string} name @param {{ header: any, data: Buffer, json: any }} parts */
function writeCheckpoint(name, { header, data, json }) {
  mkdirSync(file(name), { recursive: true })
  writeFileSync(join(file(name), 'weights.safetensors'), safetensors(header, data))
  writeFileSync(join(file(name), 'config.json'), JSON.stringify(json))
}

describe('a hostile checkpoint', () => {
  const entry = (/** @type {any} */ change) => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...change })
  const eight = Buffer.alloc(8)
  const long = Buffer.alloc(8)
  long.writeBigUInt64LE(2n ** 63n)
  /** @type {[string, Buffer, string][]} */
  const files = [
    ['empty', Buffer.alloc(0), 'corrupt'],
    ['a header longer than the file', Buffer.concat([long, eight]), 'corrupt'],
    ['no JSON', safetensors('{"a":'), 'corrupt'],
    ['JSON, but no object', safetensors('[1]'), 'corrupt'],
    ['an entry that is no object', safetensors({ a: 1 }), 'unsupported'],
    ['an unknown type', safetensors({ a: entry({ dtype: 'F3' }) }, eight), 'unsupported'],
    ['a type from the prototype', safetensors({ a: entry({ dtype: 'constructor' }) }, eight), 'unsupported'],
    ['sizes that are no list', safetensors({ a: entry({ shape: 2 }) }, eight), 'corrupt'],
    ['a negative size', safetensors({ a: entry({ shape: [-2] }) }, eight), 'corrupt'],
    ['a huge size', safetensors({ a: entry({ shape: [2 ** 53 - 1, 2 ** 53 - 1] }) }, eight), 'corrupt'],
    ['sizes that need other bytes', safetensors({ a: entry({ shape: [3] }) }, eight), 'corrupt'],
    ['offsets in the wrong order', safetensors({ a: entry({ data_offsets: [8, 0] }) }, eight), 'corrupt'],
    ['offsets that are no numbers', safetensors({ a: entry({ data_offsets: ['0', '8'] }) }, eight), 'corrupt'],
    ['overlapping tensors', safetensors({ a: entry({}), b: entry({ data_offsets: [4, 12] }) }, Buffer.alloc(12)), 'corrupt'],
    ['a gap', safetensors({ a: entry({ data_offsets: [4, 12] }) }, Buffer.alloc(12)), 'corrupt'],
    ['data cut short', safetensors({ a: entry({}) }, Buffer.alloc(4)), 'corrupt'],
    ['data behind the end', safetensors({ a: entry({}) }, Buffer.alloc(12)), 'corrupt'],
  ]
  for (const [name, bytes, code] of files) {
    it(`is refused: ${name}`, async () => {
      writeFileSync(file('bad.safetensors'), bytes)
      await assert.rejects(SafetensorsFile.open(file('bad.safetensors')), { name: 'IteraError', code })
    })
  }

  /** @type {[string, (parts: ReturnType<typeof readCheckpoint>) => void, RegExp][]} */
  const changes = [
    ['a tensor of another shape', ({ header }) => header['norm.weight'].shape.unshift(1), /'norm\.weight' is \[1,.*\(corrupt\)/],
    ['an integer tensor', ({ header }) => { header['norm.weight'].dtype = 'I32' }, /I32; supported are .*\(unsupported\)/],
    ['a size that is no number', ({ json }) => { json.hidden_size = 'wide' }, /hidden_size is "wide".*\(corrupt\)/],
    ['a size beyond reason', ({ json }) => { json.num_layers = 2 ** 40 }, /num_layers is.*\(corrupt\)/],
    ['a missing size', ({ json }) => { delete json.ssm_state_size }, /ssm_state_size is missing.*\(corrupt\)/],
    ['experts on a layer that is not there', ({ json }) => { json.moe_layers = [99] }, /moe_layers.*\(corrupt\)/],
    ['more chosen experts than there are', ({ json }) => { json.top_k_experts = 1000 }, /top_k_experts.*\(corrupt\)/],
  ]
  for (const [name, change, message] of changes) {
    it(`is refused: ${name}`, async () => {
      const parts = readCheckpoint('seed')
      change(parts)
      writeCheckpoint('changed', parts)
      const { code, stderr } = await itera(['convert', file('changed'), '-o', file('changed.gguf')])
      assert.equal(code, 1)
      assert.match(stderr, message)
      assert.ok(!existsSync(file('changed.gguf')))
    })
  }

  it('is refused without its config.json, and where nothing is', async () => {
    writeFileSync(file('alone.safetensors'), safetensors({}))
    rmSync(file('config.json'), { force: true })
    assert.match((await itera(['convert', file('alone.safetensors'), '-o', file('x.gguf')])).stderr, /config\.json does not exist \(not-found\)/)
    assert.match((await itera(['convert', file('nothing'), '-o', file('x.gguf')])).stderr, /nothing does not exist \(not-found\)/)
  })
})

describe('half precision', () => {
  it('is read exactly', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0x7e00, 0x3555)
    assert.deepEqual([...toFloat32(new Uint8Array(halves.buffer), 'F16')],
      [1, -2, 65504, 2 ** -14, 2 ** -24, -0, Infinity, NaN, 0.333251953125])
    const brain = Uint16Array.of(0x3f80, 0xc000, 0x7f80)
    assert.deepEqual([...toFloat32(new Uint8Array(brain.buffer), 'BF16')], [1, -2, Infinity])
  })
})
