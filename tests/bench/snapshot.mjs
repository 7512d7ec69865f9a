// What saving, forking and undoing a conversation costs, on a model with 21 MB of state.
//
//     node tests/bench/snapshot.mjs [REPEATS]
//
// Medians over all repeats, the first calls apart: they also allocate.
import { Itera } from '../../web/src/index.js'
import { wideStateModel } from '../node/support/wide-state.mjs'

const repeats = Number(process.argv[2] ?? 15)
const model = await Itera.load(await wideStateModel(10))
const chat = model.chat({ temperature: 0, maxTokens: 3, ignoreEndOfText: true, checkpointBytes: 200e6 })
for (let turn = 0; turn < 4; turn++) for await (const _ of chat.send('x')) { /* only the state counts */ }

/** @type {Record<string, number[]>} */
const times = { save: [], fork: [], undo: [] }
async function time(/** @type {string} */ what, /** @type {() => Promise<any>} */ body) {
  const start = performance.now()
  const result = await body()
  times[what].push(performance.now() - start)
  return result
}

for (let i = 0; i <= repeats; i++) {
  await time('save', () => chat.save())
  const twin = await time('fork', () => chat.fork())
  await time('undo', () => twin.undo())
  twin.dispose()
}

const median = (/** @type {number[]} */ list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
console.log(`${(model.info.stateBytes / 1e6).toFixed(1)} MB of state, ${model.info.simd}`)
for (const [what, [first, ...rest]] of Object.entries(times)) {
  console.log(`${what}: median ${median(rest).toFixed(1)} ms, first ${first.toFixed(1)} ms`)
}
model.dispose()
