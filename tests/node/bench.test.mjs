// The benchmark of the kernels compiles, and what it times gives right results. How fast they are is not a test.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const path = name => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const skip = existsSync(path('build/toolchain/emcc')) ? false : 'no Emscripten in build/toolchain: make toolchain'

describe('the benchmark of the kernels', { skip }, () => {
  it('compiles, checks every product and measures every kernel', () => {
    const said = execFileSync(process.execPath, [path('tests/bench/kernels.mjs'), '--rounds', '1'], { encoding: 'utf8' })
    assert.doesNotMatch(said, /WRONG|NaN|undefined/)
    for (const type of ['F32', 'Q8_0', 'Q4_0', 'Q4_K', 'Q6_K']) assert.match(said, new RegExp(`^${type} +relaxed +\\d`, 'm'))
    assert.match(said, /^mamba2 scan/m)
    assert.match(said, /silu_mul \d/)
  })
})
