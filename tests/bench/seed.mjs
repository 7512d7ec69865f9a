// The seed model against the Transformer of the same size, random weights, in Node on one thread:
//
//   node tests/bench/seed.mjs [--types f32,q8_0] [--prompt 128] [--gen 100] [--repeat 25] [--simd relaxed] [--package web]
//
// The two of a type take turns through the public interface. For comparison, the original project's figures by PyTorch,
// in f32 on two cores of such a machine: 5,148 tokens/s forward, 83 tokens/s writing.

import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import v8 from 'node:v8'
import { presetConfig } from '../../web/bin/convert/presets.js'
import { writeMetadata } from '../../web/bin/convert/itera-lite.js'
import { planTensors } from '../../web/bin/convert/tensors.js'
import { planTypes } from '../../web/bin/quantize/policy.js'
import { modelFolder, root, writeFile } from './models.mjs'
import { median } from './results.mjs'

const PYTORCH = { prefill: 5148, decode: 83 }
const presets = ['tiny', 'transformer-tiny']

const { values } = parseArgs({
  options: {
    types: { type: 'string', default: 'f32,q8_0' },
    prompt: { type: 'string', default: '128' }, gen: { type: 'string', default: '100' },
    repeat: { type: 'string', default: '25' }, simd: { type: 'string', default: 'auto' }, package: { type: 'string', default: 'web' },
  },
})
const [prompt, gen, repeat] = [values.prompt, values.gen, values.repeat].map(Number)

// Newer engines need neither; older ones have relaxed SIMD behind a flag, and get it wrong in their first compiler.
if (values.simd === 'relaxed' && Number(process.versions.node.split('.')[0]) < 22) {
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd')
  v8.setFlagsFromString('--no-liftoff')
}

async function writeSeed(name, mix) {
  const config = presetConfig(name)
  const tensors = planTensors(config).map(({ name, dims }) => ({ name, dims, type: 'F32' }))
  const types = mix === 'f32' ? tensors.map(() => 'F32') : planTypes(tensors, mix, config)
  const { file } = await writeFile(path.join(modelFolder, `${name}-${mix}.gguf`), tensors, types, null,
    writer => writeMetadata(writer, config))
  return file
}

const { Itera } = await import(pathToFileURL(path.resolve(root, values.package, 'src/index.js')).href)

async function run(model) {
  const tokens = Array.from({ length: prompt }, (_, i) => Math.imul(i + 7, 7919) % model.info.vocabulary)
  const pieces = model.generate(tokens, { temperature: 0, maxTokens: gen, ignoreEndOfText: true })
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return value
  }
}

/** Medians of the models of one type, which nothing else shares the caches with. */
async function measure(type) {
  const models = []
  for (const name of presets) models.push({ model: await Itera.load(await writeSeed(name, type), { simd: values.simd }), runs: [] })
  // Compilers in tiers need a few seconds.
  for (const warm = performance.now(); performance.now() - warm < 4000;) for (const { model } of models) await run(model)
  for (let turn = 0; turn < repeat; turn++) {
    for (const { model, runs } of models) runs.push(await run(model))
  }
  const simd = models[0].model.info.simd
  for (const { model } of models) model.dispose()
  return models.map(({ runs }) => ({
    simd, prefill: median(runs.map(stats => stats.prefillTps)), decode: median(runs.map(stats => stats.decodeTps)),
  }))
}

for (const type of values.types.split(',')) {
  const figures = await measure(type)
  console.log(`${type}: node ${process.versions.node}, ${figures[0].simd}, one thread; reading ${prompt}, writing ${gen}, ` +
    `medians of ${repeat}, tokens/s`)
  figures.forEach(({ prefill, decode }, i) => {
    console.log(`  ${presets[i].padEnd(18)} prefill ${prefill.toFixed(0).padStart(7)} (${(prefill / PYTORCH.prefill).toFixed(1)}x PyTorch)   ` +
      `decode ${decode.toFixed(0).padStart(6)} (${(decode / PYTORCH.decode).toFixed(1)}x)`)
  })
  const [ours, theirs] = figures
  console.log(`  state space against attention: prefill ${(ours.prefill / theirs.prefill).toFixed(2)}x, ` +
    `decode ${(ours.decode / theirs.decode).toFixed(2)}x`)
}
