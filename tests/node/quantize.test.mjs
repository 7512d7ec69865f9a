// `itera quantize`: the files it makes, how much they lose, and what it refuses.
import assert from 'node:assert/strict'
import {
  closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { planTypes } from '../../web/bin/quantize/policy.js'
import { Itera } from '../../web/src/index.js'
import { buildGguf, string, u32 } from '../fixtures/gguf-bytes.mjs'
import { itera, iteraJson } from './support/cli.mjs'
import { variants } from './support/engine.mjs'
import { readGgufMetadata } from './support/gguf-metadata.mjs'
import { sharedPath, skipWithout } from './support/shared.mjs'

const folder = mkdtempSync(join(tmpdir(), 'itera-quantize-'))
const file = (/** @type {string} */ name) => join(folder, name)
after(() => rmSync(folder, { recursive: true }))

const original = sharedPath('models/story-boot-f16.gguf')
const stories = sharedPath('data/tinystories/tinystories_heldout.txt')
const shipped = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const source = existsSync(original) ? original : shipped

/** Bytes of a tensor in a file. @param {string} path @param {number} offset @param {number} bytes */
function readAt(path, offset, bytes) {
  const buffer = Buffer.alloc(bytes)
  const handle = openSync(path, 'r')
  readSync(handle, buffer, 0, bytes, offset)
  closeSync(handle)
  return buffer
}

/** What inspect says of the tensors, by name. @param {string} path */
async function tensorsOf(path) {
  const { tensors } = await iteraJson(['inspect', path])
  return new Map(tensors.map((/** @type {any} */ tensor) => [tensor.name, tensor]))
}

describe('itera quantize', () => {
  const kinds = /** @type {const} */ ([
    ['f16', 1, 7_690_000, 7_710_000], ['q8_0', 7, 4_150_000, 4_165_000], ['q4_0', 2, 2_300_000, 2_550_000],
    ['q4_k_m', 15, 2_800_000, 3_100_000], ['mixed', 2, 2_400_000, 2_550_000],
  ])
  for (const [type, fileType, least, most] of kinds) {
    it(`makes ${type} files that load and generate`, async () => {
      const output = file(`${type}.gguf`)
      const result = await iteraJson(['quantize', source, output, '--type', type])
      assert.equal(result.type, type)
      assert.equal(result.bytes, statSync(output).size)
      assert.ok(result.bytes >= least && result.bytes <= most, `${result.bytes} bytes`)

      const [before, now] = [source, output].map(readGgufMetadata)
      const own = ['general.file_type', 'general.quantization_version']
      assert.equal(now.get('general.file_type'), fileType)
      assert.equal(now.get('general.quantization_version'), 2)
      for (const key of before.keys()) if (!own.includes(key)) assert.deepEqual(now.get(key), before.get(key), key)
      assert.deepEqual(now.keys().filter(key => !own.includes(key)), before.keys().filter(key => !own.includes(key)))

      const [old, made] = [await tensorsOf(source), await tensorsOf(output)]
      assert.deepEqual([...made.keys()], [...old.keys()])
      for (const { name, from, type: given, error } of result.tensors) {
        assert.equal(made.get(name).type, given)
        assert.ok(error < (given.startsWith('Q4') ? 0.09 : given.startsWith('Q5') ? 0.05 : 0.006), `${name}: ${error}`)
        if (/norm|conv1d|ffn_gate_inp|ssm_[ad]$|\.bias$/.test(name)) assert.equal(given, 'F32')
        if (given === from) assert.equal(error, 0)
      }

      const model = await Itera.load(output)
      let text = ''
      for await (const piece of model.generate('Once upon a time', { maxTokens: 24, temperature: 0 })) text += piece.text
      assert.match(text, /there was a/)
      model.dispose()
    })
  }

  it('copies tensors whose type stays, byte for byte', async () => {
    await iteraJson(['quantize', shipped, file('again.gguf'), '--type', 'q8_0'])
    const [bytes, again] = [readFileSync(shipped), readFileSync(file('again.gguf'))]
    const end = (/** @type {Buffer} */ all) => all.subarray(all.length - 4_000_000)
    assert.ok(end(bytes).equals(end(again)))
  })

  it('gives the same bytes every time', async () => {
    await iteraJson(['quantize', source, file('one.gguf'), '--type', 'mixed'])
    await iteraJson(['quantize', source, file('two.gguf'), '--type', 'MIXED'])
    assert.ok(readFileSync(file('one.gguf')).equals(readFileSync(file('two.gguf'))))
  })

  const absent = skipWithout('models/story-boot-f16.gguf') || skipWithout('data/tinystories/tinystories_heldout.txt')
  it('loses at most 0.1% with 8 bits and 3% with 4', { skip: absent }, async () => {
    const text = readFileSync(stories, 'utf8').split('<|endoftext|>').slice(0, 30).join('<|endoftext|>')
    writeFileSync(file('stories.txt'), text)
    const measure = async (/** @type {string} */ path) =>
      (await iteraJson(['eval', '-m', path, '-f', file('stories.txt')])).bits_per_byte
    const reference = await measure(original)
    for (const [type, limit] of Object.entries({ q8_0: 0.001, q4_0: 0.03, q4_k_m: 0.03, mixed: 0.03 })) {
      const path = file(`${type}.gguf`)
      if (!existsSync(path)) await iteraJson(['quantize', original, path, '--type', type])
      const lost = await measure(path) / reference - 1
      assert.ok(lost <= limit, `${type}: ${(100 * lost).toFixed(3)}%`)
    }
  })

  it('says in a line what it made', async () => {
    const { code, stdout } = await itera(['quantize', shipped, file('line.gguf'), '--type', 'q4_0'])
    assert.equal(code, 0)
    assert.match(stdout, /^\S+line\.gguf: 2\.\d MB, \d\d% of 4\.2 MB, \d\.\d\d bits a weight; tensors: .*25 Q4_0.*\n$/)
  })

  for (const [model, name, type] of /** @type {const} */ ([
    ['granitehybrid-moe', 'Q4_0', 'q4_0'], ['granitehybrid-moe', 'Q4_K_M', 'q4_k_m'], ['granitehybrid-moe', 'Q8_0', 'q8_0'],
    ['mamba2', 'Q4_0', 'q4_0'], ['mamba2', 'Q4_K_M', 'q4_k_m'], ['mamba2', 'Q8_0', 'q8_0'],
  ])) {
    const path = `oracle/${model}/model-${name}.gguf`
    it(`gives every tensor the type that llama.cpp gave it: ${model}, ${type}`, { skip: skipWithout(path) }, async () => {
      const { tensors } = await iteraJson(['quantize', sharedPath(path), file('alike.gguf'), '--type', type])
      for (const tensor of tensors) assert.equal(tensor.type, tensor.from, tensor.name)
    })
  }

  it('quantizes rows of 256 to the K types', async () => {
    const data = Float32Array.from({ length: 256 * 8 }, (_, i) => Math.sin(i * i * 0.37))
    const matrix = (/** @type {string} */ name) => ({ name, dims: [256, 8], data })
    const { bytes } = buildGguf({
      kvs: [['general.architecture', string('llama')], ['llama.block_count', u32(1)], ['general.alignment', u32(32)]],
      tensors: ['token_embd.weight', 'output.weight', 'blk.0.attn_qkv.weight', 'blk.0.ffn_up.weight'].map(matrix),
    })
    writeFileSync(file('wide.gguf'), bytes)
    const { tensors } = await iteraJson(['quantize', file('wide.gguf'), file('wide-4.gguf'), '--type', 'q4_k_m'])
    assert.deepEqual(tensors.map((/** @type {any} */ tensor) => tensor.type), ['Q4_K', 'Q6_K', 'Q5_K', 'Q4_K'])
    // Uniform values are the easiest: the whole range is used.
    assert.deepEqual(tensors.map((/** @type {any} */ { error }) => error < 0.05 && error > 0.001), [true, true, true, true])
    assert.equal(readGgufMetadata(file('wide-4.gguf')).get('general.alignment'), undefined)
    // What they expand to is the other way's business; both ways come back to 16 bits.
    const back = await iteraJson(['quantize', file('wide-4.gguf'), file('wide-16.gguf'), '--type', 'f16'])
    assert.ok(back.tensors.every((/** @type {any} */ { type, error }) => type === 'F16' && error < 0.001))
    const view = readAt(file('wide-16.gguf'), statSync(file('wide-16.gguf')).size - 4096, 4096)
    const half = view.readUInt16LE(2)                                    // sin(0.37) = 0.3616
    assert.equal(half >> 10, 13)
    assert.ok(Math.abs((1 + (half & 1023) / 1024) / 4 - data[1]) < 0.08)
  })
})

describe('itera quantize refuses', () => {
  const nothingLeft = () => assert.deepEqual(readdirSync(folder).filter(name => /bad|\.part-/.test(name)), [])

  for (const [title, args, message] of /** @type {const} */ ([
    ['a missing type', [shipped, 'bad.gguf'], /--type is missing \(usage\)/],
    ['an unknown type', [shipped, 'bad.gguf', '--type', 'q3_k'], /one of f16, q8_0, q4_0, q4_k_m, mixed, not 'q3_k'/],
    ['one file alone', [shipped, '--type', 'q8_0'], /give IN\.gguf and OUT\.gguf/],
    ['to write over its input', [shipped, shipped, '--type', 'q8_0'], /are the same file/],
    ['an address', ['https://example.org/a.gguf', 'bad.gguf', '--type', 'q8_0'], /download it first/],
  ])) {
    it(title, async () => {
      const { code, stdout, stderr } = await itera(['quantize', ...args], { cwd: folder })
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      nothingLeft()
    })
  }

  /** @param {string} input @param {RegExp} message @param {string} [output] */
  async function fails(input, message, output = file('bad.gguf')) {
    const { code, stdout, stderr } = await itera(['quantize', input, output, '--type', 'q4_0', '--json'])
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, message)
    assert.equal(stderr.trim().split('\n').length, 1)
    nothingLeft()
  }

  it('a file that is not there', () => fails(file('none.gguf'), /does not exist \(not-found\)/))

  it('something else than GGUF', () => fails(fileURLToPath(import.meta.url), /\(not-gguf\)/))

  it('a file cut short', async () => {
    writeFileSync(file('short.gguf'), readFileSync(shipped))
    truncateSync(file('short.gguf'), 3_000_000)
    await fails(file('short.gguf'), /short\.gguf has 3000000 bytes, but its header describes \d+ \(incomplete\)/)
  })

  it('a place where it cannot write', () => fails(shipped, /cannot be written: .* \(unwritable\)/, file('nowhere/bad.gguf')))

  for (const [what, number] of /** @type {const} */ ([['not a number', NaN], ['infinite', -Infinity], ['too large', 1e6]])) {
    it(`weights that are ${what}`, async () => {
      const data = new Float32Array(64)
      data[40] = number
      const { bytes } = buildGguf({
        kvs: [['general.architecture', string('mamba')]], tensors: [{ name: 'blk.0.ssm_in.weight', dims: [32, 2], data }],
      })
      writeFileSync(file('odd.gguf'), bytes)
      await fails(file('odd.gguf'), new RegExp(`'blk\\.0\\.ssm_in\\.weight' cannot become Q4_0: .*${what}.*\\(corrupt\\)`))
    })
  }
})

describe('the types of q4_0, q4_k_m and mixed', () => {
  /** @param {string} recipe @param {[string, ...number[]][]} list @param {any} [counts] */
  const plan = (recipe, list, counts = { layers: 16, experts: 0 }) =>
    planTypes(list.map(([name, ...dims]) => ({ name, dims, type: /** @type {const} */ ('F32') })), recipe, counts)

  it('keep what is small or sensitive as it is', () => {
    const kept = /** @type {[string, ...number[]][]} */ ([
      ['output_norm.weight', 256], ['blk.0.ssm_a', 16, 256], ['blk.0.ssm_conv1d.weight', 4, 256], ['blk.0.ssm_dt.bias', 8],
      ['blk.0.ffn_gate_inp.weight', 256, 8], ['blk.0.ssm_norm.weight', 128, 2], ['position_embd.weight', 256, 64],
      ['blk.0.shortconv.conv.weight', 3, 256],
    ])
    for (const recipe of ['f16', 'q8_0', 'q4_0', 'q4_k_m', 'mixed']) {
      assert.deepEqual(plan(recipe, kept), kept.map(() => 'F32'))
    }
  })

  it('give the head more bits, which may be the embedding', () => {
    assert.deepEqual(plan('q4_0', [['token_embd.weight', 256, 9], ['output.weight', 256, 9]]), ['Q4_0', 'Q6_K'])
    assert.deepEqual(plan('q4_0', [['token_embd.weight', 256, 9]]), ['Q6_K'])
    assert.deepEqual(plan('q4_0', [['token_embd.weight', 192, 9]]), ['Q8_0'])
    assert.deepEqual(plan('q8_0', [['token_embd.weight', 256, 9]]), ['Q8_0'])
  })

  it('fall back where blocks do not divide a row', () => {
    assert.deepEqual(plan('q4_k_m', [['blk.0.ssm_in.weight', 192, 9], ['blk.0.ssm_x.weight', 48, 9],
      ['blk.0.ffn_down.weight', 96, 9], ['blk.0.attn_qkv.weight', 96, 9]]), ['Q5_0', 'F16', 'Q8_0', 'Q5_1'])
    assert.deepEqual(plan('q8_0', [['blk.0.ssm_dt.weight', 8, 256]]), ['F16'])
    assert.deepEqual(plan('mixed', [['blk.0.ssm_in.weight', 48, 9]]), ['F16'])
  })

  it('give half of the values and of the way down 6 bits in q4_k_m', () => {
    const layers = Array.from({ length: 16 }, (_, i) => i)
    const six = [0, 1, 4, 7, 10, 13, 14, 15]
    const expected = layers.map(i => six.includes(i) ? 'Q6_K' : 'Q4_K')
    for (const name of ['ffn_down', 'attn_v']) {
      assert.deepEqual(plan('q4_k_m', layers.map(i => [`blk.${i}.${name}.weight`, 256, 256])), expected)
    }
    // With experts the number in the name counts, as other layers may have none.
    assert.deepEqual(plan('q4_k_m', [['blk.3.ffn_down_exps.weight', 256, 9, 4], ['blk.15.ffn_down_shexp.weight', 256, 9]],
      { layers: 16, experts: 4 }), ['Q4_K', 'Q6_K'])
    const attention = ['attn_v', 'attn_k', 'attn_output', 'attn_q'].map(name => [`blk.5.${name}.weight`, 256, 256])
    assert.deepEqual(plan('q4_k_m', attention, { layers: 16, experts: 8 }), ['Q8_0', 'Q8_0', 'Q5_K', 'Q4_K'])
  })

  it('are ours in mixed: experts 4 bits, mixers 5, the head 6, the unknown 8', () => {
    const names = ['token_embd', 'blk.0.ffn_up_exps', 'blk.0.ssm_in', 'blk.0.attn_output', 'blk.0.ffn_up', 'blk.0.ssm_x']
    assert.deepEqual(plan('mixed', names.map(name => [`${name}.weight`, 256, 9])),
      ['Q6_K', 'Q4_K', 'Q5_K', 'Q5_K', 'Q5_K', 'Q8_0'])
    assert.deepEqual(plan('mixed', names.map(name => [`${name}.weight`, 192, 9])),
      ['Q5_1', 'Q4_0', 'Q5_0', 'Q5_0', 'Q5_0', 'Q8_0'])
  })
})

describe('the quantizer in wasm', () => {
  it('is in the scalar module alone', async () => {
    for (const variant of variants) {
      const bytes = readFileSync(new URL(`../../web/dist/itera-${variant}.wasm`, import.meta.url))
      const names = WebAssembly.Module.exports(await WebAssembly.compile(bytes)).map(({ name }) => name)
      assert.equal(names.includes('itera_quantize'), variant === 'scalar', variant)
    }
  })
})
