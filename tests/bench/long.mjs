// Does time a token grow? Writing at position 100 against position 100,000 of one model, in Chromium:
//
//   node tests/bench/long.mjs [shape] [--type q4_0] [--far 100000] [--browser chromium] [--package web]
//
// On a pure state-space model (mamba2-130m is the default) speed and memory must not change. The two conversations write
// in short turns; what counts is the median of the ratio of neighbouring turns, which other work on the machine hardly
// touches. Exits 1 when it is more than 5% from one, or memory grew.

import path from 'node:path'
import { parseArgs } from 'node:util'
import { writeModel } from './models.mjs'
import { Pages, serveBench } from './pages.mjs'
import { median } from './results.mjs'

const NEAR = 100
const ALLOWED = 0.05

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: 'string', default: 'q4_0' }, far: { type: 'string', default: '100000' },
    browser: { type: 'string', default: 'chromium' }, package: { type: 'string' },
  },
})
const far = Number(values.far)
const { file } = await writeModel(positionals[0] ?? 'mamba2-130m', values.type)
const server = await serveBench(values.package)
const pages = new Pages(server.url)
try {
  const result = await pages.call(values.browser, 'positions',
    { url: `${server.url}/bench-models/${path.basename(file)}`, near: NEAR, far, steps: 6, turns: 80 })
  const early = median(result.earlyTps)
  const late = median(result.lateTps)
  const change = median(result.earlyTps.map((tps, turn) => tps / result.lateTps[turn])) - 1    // of the time a token takes
  const grown = result.memoryFar - result.memoryNear
  const spread = list => `${Math.min(...list).toFixed(1)} to ${Math.max(...list).toFixed(1)}`
  console.log(`${path.basename(file)} in ${values.browser}, ${result.simd}, tokens/s, medians of ${result.earlyTps.length} turns`)
  console.log(`near ${NEAR} (now at ${result.earlyAt}): ${early.toFixed(1)} (${spread(result.earlyTps)})`)
  console.log(`near ${far} (now at ${result.lateAt}): ${late.toFixed(1)} (${spread(result.lateTps)})`)
  console.log(`time a token ${change < 0 ? '' : '+'}${(change * 100).toFixed(1)}%; memory of the engine ` +
    `${result.memoryFar} bytes, ${grown} more than before; of the conversation ${result.sessionBytes} bytes`)
  if (Math.abs(change) > ALLOWED || grown !== 0) process.exitCode = 1
} finally {
  await pages.close()
  await server.close()
}
