// Where the time goes in Chromium, function by function, reading and writing apart:
//
//   node tests/bench/profile.mjs FILE.gguf [--prompt 512] [--gen 64] [--simd relaxed] [--tree DIR] [--top 14]
//
// Compiles the core of the tree once more with function names kept (build/bench/profile-VARIANT.wasm) and samples it on
// the page's own thread. Static functions are inlined into those that call them, as in the shipped module. Times are of
// the thread, so other work on the machine shows less in them than in tokens a second.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { launchChromium } from '../browser/harness.mjs'
import { root } from './models.mjs'
import { serveBench } from './pages.mjs'

const { values, positionals: [model] } = parseArgs({
  allowPositionals: true,
  options: {
    prompt: { type: 'string', default: '512' }, gen: { type: 'string', default: '64' },
    simd: { type: 'string', default: 'relaxed' }, tree: { type: 'string', default: root }, top: { type: 'string', default: '14' },
  },
})

/** The flags of the shipped module, out of the file that gives them. @param {string} kind */
function flags(kind) {
  const text = readFileSync(path.join(values.tree, 'wasm/flags.mk'), 'utf8')
  return [...text.matchAll(new RegExp(`^${kind}\\s*[:+]=([^#\\n]*)`, 'gm'))].flatMap(([, found]) => found.trim().split(/\s+/))
    .filter(Boolean)
}

function compile() {
  const listed = [
    ...readdirSync(path.join(values.tree, 'src'), { recursive: true }).map(name => `src/${name}`),
    ...readdirSync(path.join(values.tree, 'wasm')).map(name => `wasm/${name}`).filter(name => !name.endsWith('_quantize.c')),
  ]
  const left = { relaxed: /^$/, simd128: /_relaxed\.c$/, scalar: /_(simd128|relaxed)\.c$/ }[values.simd]
  const sources = listed.filter(name => name.endsWith('.c') && !/^src\/(train|native)\//.test(name) && !left.test(name))
  const out = `profile-${values.simd}.wasm`
  mkdirSync(path.join(root, 'build/bench'), { recursive: true })
  execFileSync(path.join(root, 'build/toolchain/emcc'), [
    ...flags('WASM_CFLAGS'), ...flags(`WASM_FEATURES_${values.simd}`), ...sources,
    ...flags('WASM_LDFLAGS'), '--profiling-funcs', '-Wno-version-check', '-o', path.join(root, 'build/bench', out),
  ], { cwd: values.tree, stdio: 'inherit' })
  return out
}

const wasmFile = compile()
const server = await serveBench(path.join(values.tree, 'web'), { 'bench-model': path.dirname(path.resolve(model)) })
const page = await launchChromium()
const [prompt, gen] = [Number(values.prompt), Number(values.gen)]
const call = (name, argument) => page.evaluate(({ name, argument }) => globalThis.bench[name](argument), { name, argument })
try {
  await page.goto(`${server.url}/bench/index.html`)
  await page.waitFor(() => 'bench' in globalThis)
  const devtools = await page.raw.context().newCDPSession(page.raw)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const threadSeconds = async () =>
    (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value

  /** @param {string} title @param {string} name @param {number} count */
  const sampled = async (title, name, count) => {
    await devtools.send('Profiler.start')
    const before = await threadSeconds()
    const wall = await call(name, { count })
    const ms = (await threadSeconds() - before) * 1000
    const { profile } = await devtools.send('Profiler.stop')
    const names = new Map(profile.nodes.map(node => [node.id, node.callFrame.functionName || '(anonymous)']))
    const all = profile.samples.map(id => names.get(id)).filter(found => !/^\((idle|program)\)$/.test(found))
    const self = new Map()
    for (const found of all) self.set(found, (self.get(found) ?? 0) + 1)
    console.log(`\n${title} ${count}: ${(count / wall * 1000).toFixed(1)} tokens/s, ${(ms / count).toFixed(3)} ms of the thread a token, of it`)
    for (const [found, samples] of [...self].sort((a, b) => b[1] - a[1]).slice(0, Number(values.top))) {
      const share = samples / all.length
      if (share < 0.003) break
      console.log(`  ${(share * 100).toFixed(1).padStart(5)}%  ${(share * ms / count * 1000).toFixed(0).padStart(6)} us  ${found}`)
    }
  }

  console.log(`${path.basename(model)}, ${values.simd}, chromium`)
  await call('profiledOpen', {
    url: `${server.url}/bench-model/${path.basename(model)}`, wasmUrl: `/bench-build/${wasmFile}`, simd: values.simd,
    prompt, gen: gen + 32,
  })
  await devtools.send('Profiler.enable')
  await devtools.send('Profiler.setSamplingInterval', { interval: 500 })
  await sampled('reading', 'profiledRead', prompt)
  await sampled('writing', 'profiledWrite', gen)
} finally {
  await page.close()
  await server.close()
}
