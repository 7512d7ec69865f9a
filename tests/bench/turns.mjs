// Does a turn cost more the longer the conversation is? Ten turns of 64 tokens and answers of 32, in Chromium, ours
// beside wllama on the same file, each handed the whole conversation at every turn:
//
//   node tests/bench/turns.mjs [FILE.gguf | shape] [--type q4_0] [--turns 10] [--only itera|wllama] [--browser chromium]
//
// Random-weight files of `shapes.mjs` speak in plain words by a bias. Exits 1 when ours reads a token twice.

import path from 'node:path'
import { parseArgs } from 'node:util'
import { writeModel } from './models.mjs'
import { Pages, serveBench } from './pages.mjs'
import { plainBias, promptOf } from './vocabulary.mjs'

const MESSAGE = 64
const ANSWER = 32

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: 'string', default: 'q4_0' }, turns: { type: 'string', default: '10' }, only: { type: 'string' },
    browser: { type: 'string', default: 'chromium' }, package: { type: 'string' },
  },
})
const what = positionals[0] ?? 'granite-4.0-h-350m'
const count = Number(values.turns)
const given = what.endsWith('.gguf')
const file = path.resolve(given ? what : (await writeModel(what, values.type)).file)
const server = await serveBench(values.package, { 'bench-file': path.dirname(file) })
const pages = new Pages(server.url)
// A trained model is asked in its own words.
const sentence = i => `Then the little fox number ${i} went into the wood to look for the red ball, because his friend the bear had lost ` +
  'it near the river, and they both wanted to play with it before the night came and all the animals of the wood went to sleep.'
const job = {
  url: `${server.url}/bench-file/${path.basename(file)}`, context: 2 * count * (MESSAGE + ANSWER) + 512, gen: ANSWER,
  warmup: given ? sentence(0) : promptOf(MESSAGE, 99),
  messages: Array.from({ length: count }, (_, i) => given ? sentence(i + 1) : promptOf(MESSAGE, i + 1)), bias: given ? {} : plainBias(),
}
try {
  for (const engine of values.only ? [values.only] : ['itera', 'wllama']) {
    let rows
    try {
      rows = await pages.call(values.browser, 'turns', { engine, ...job })
    } catch (error) {
      // llama.cpp asserts that a hybrid file has an attention layer.
      if (engine === 'itera') throw error
      console.log(`${engine} cannot run ${path.basename(file)}: ${error.message.split('\n')[0]}`)
      continue
    }
    console.log(`${engine}, ${path.basename(file)}, ${values.browser}, one thread`)
    console.log('turn  tokens of the conversation  of which read now  first word, ms')
    for (const [i, { ttftMs, prompt, cached }] of rows.entries()) {
      const first = ttftMs ? ttftMs.toFixed(1) : '-'    // where it ended its answer at once
      console.log(`${String(i + 1).padStart(4)}  ${String(prompt).padStart(26)}  ${String(prompt - cached).padStart(17)}  ${first.padStart(14)}`)
    }
    const fresh = rows.map(({ prompt, cached }) => prompt - cached)
    console.log(`turn ${count} against turn 1: ${(rows.at(-1).ttftMs / rows[0].ttftMs).toFixed(2)} times as long to the first word\n`)
    if (engine === 'itera' && fresh.some((n, i) => n > fresh[0] + 2 && i > 0)) process.exitCode = 1
  }
} finally {
  await pages.close()
  await server.close()
}
