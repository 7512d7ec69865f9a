// Writes the seeds of the fuzzers into tests/fuzz/corpus: small headers, whole and broken, each behind the bytes that
// say how the fuzzer uses them. Run it again after changing them:
//
//   node tests/fuzz/make-corpus.mjs

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { modelSeeds } from './model-seeds.mjs'
import { array, bool, buildGguf, f32, i32s, string, strings, u32, value } from '../fixtures/gguf-bytes.mjs'

/** An empty folder, and a function that writes a seed there. */
function corpus(/** @type {string} */ fuzzer) {
  const folder = new URL(`./corpus/${fuzzer}/`, import.meta.url)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(new URL(name, folder))
  return (/** @type {string} */ name, /** @type {number[]} */ how, /** @type {Uint8Array} */ file) =>
    writeFileSync(new URL(name, folder), Uint8Array.from([...how, ...file]))
}

/** A header without its padding. */
function header(/** @type {any} */ content) {
  const { bytes, layout } = buildGguf(content)
  return bytes.slice(0, layout.headerEnd)
}

const every = [
  ['general.architecture', string('mamba')],
  ['u8', value(0, Uint8Array.of(200))], ['i8', value(1, Uint8Array.of(251))],
  ['u16', value(2, Uint8Array.of(1, 2))], ['i16', value(3, Uint8Array.of(255, 255))],
  ['u32', u32(7)], ['i32', value(5, Uint8Array.of(255, 255, 255, 255))],
  ['f32', f32(0.5)], ['bool', bool(true)],
  ['u64', value(10, new Uint8Array(8).fill(255))], ['i64', value(11, new Uint8Array(8).fill(255))],
  ['f64', value(12, Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf0, 0x3f))],
  ['words', strings(['one', '', 'three'])], ['numbers', i32s([1, -2, 3])],
  ['none', array(8, 0)], ['flags', array(7, 2, Uint8Array.of(0, 1))],
]
const types = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 30]
  .map((type, i) => ({ name: `t${type}`, dims: [256], type, offset: i * 1024 }))

/** @type {Record<string, Parameters<typeof buildGguf>[0]>} */
const seeds = {
  empty: {},
  'version-2': { version: 2, kvs: [['a', u32(1)]] },
  'every-value': { kvs: /** @type {any} */ (every) },
  'every-type': { tensors: types },
  'four-dims': { tensors: [{ name: 'x', dims: [2, 3, 4, 5] }, { name: 'y', dims: [8], offset: 480 }] },
  alignment: { kvs: [['general.alignment', u32(64)]], tensors: [{ name: 'x', dims: [4], offset: 64 }], alignment: 64 },
  mixed: {
    kvs: [['general.architecture', string('mamba')], ['tokenizer.ggml.tokens', strings(['a', 'b', 'ab'])]],
    tensors: [{ name: 'token_embd.weight', dims: [32, 3], type: 8 }, { name: 'output_norm.weight', dims: [32], offset: 128 }],
  },
  overlap: { tensors: [{ name: 'x', dims: [16] }, { name: 'y', dims: [16], offset: 32 }] },
  'unknown-type': { tensors: [{ name: 'x', dims: [256], type: 10 }] },
  nested: { kvs: [['a', array(9, 1, array(0, 0).bytes)]] },
  'big-endian': { version: 3 << 24 },
  'many-keys': { kvs: Array.from({ length: 24 }, (_, i) => [`k${i}`, bool(i % 2 === 0)]) },
}

const write = corpus('gguf')
for (const [name, content] of Object.entries(seeds)) write(name, [7, 255], header(content))
write('single-bytes', [1, 255], buildGguf(seeds.mixed).bytes)
write('little-memory', [16, 5], header(seeds.mixed))
write('truncated', [0, 255], header(seeds.mixed).slice(0, -5))
write('web-page', [0, 255], new TextEncoder().encode('<!DOCTYPE html><html></html>'))

const writeModel = corpus('model')
const smallFloats = 1 << 2
Object.entries(modelSeeds()).forEach(([name, content], i) => writeModel(name, [smallFloats | i % 3, 255, i], header(content)))
