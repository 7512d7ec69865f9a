// Itera-Lite and its peers side by side: node tests/bench/peers.mjs [--help]
//
// All engines of a browser are open in one page; each is warmed up alike, then they take turns (A B A B ...) and the
// median of each is kept, so that a slow minute of the machine falls on all of them.

import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify, parseArgs } from 'node:util'
import { findBrowser } from '../../web/bin/browser.js'
import { mixes, root, shapeNames, writeModel } from './models.mjs'
import { Pages, peersFolder, serveBench } from './pages.mjs'
import { drawPlots } from './plot.mjs'
import { appendRows, commit, machine, median, resultFile } from './results.mjs'
import { plainBias, promptOf } from './vocabulary.mjs'

const WLLAMA = '@wllama/wllama@3.8.1'

/** How each contender is opened; a key is what --engines takes. */
const contenders = {
  itera: { browser: 'chromium', engine: 'itera', simd: 'relaxed' },
  'itera-simd128': { browser: 'chromium', engine: 'itera', simd: 'simd128' },
  wllama: { browser: 'chromium', engine: 'wllama' },
  'itera-firefox': { browser: 'firefox', engine: 'itera', simd: 'auto' },
  'llama.cpp': { native: true },
}

const help = `usage: node tests/bench/peers.mjs [options]

  --shapes LIST    of ${shapeNames.join(', ')} (all)
  --types LIST     of ${mixes.join(', ')} (all)
  --engines LIST   of ${Object.keys(contenders).join(', ')} (all there are)
  --threads LIST   such as 1,2 (1)
  --prompt N       tokens to read (512)
  --gen N          tokens to write (128)
  --repeat N       turns of each engine (3)
  --package DIR    the package to measure (web), such as that of another commit's clone, built there
  --no-save        print only; otherwise rows go to tests/bench/results/ and the plots are drawn anew

LLAMA_BENCH=path names a native llama-bench to measure as well.`

const { values } = parseArgs({
  options: {
    shapes: { type: 'string' }, types: { type: 'string' }, engines: { type: 'string' }, threads: { type: 'string' },
    prompt: { type: 'string' }, gen: { type: 'string' }, repeat: { type: 'string' },
    package: { type: 'string' }, 'no-save': { type: 'boolean' }, help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(help)
  process.exit()
}

const list = (text, all) => {
  const chosen = text?.split(',') ?? all
  const unknown = chosen.find(name => !all.includes(name))
  if (unknown) throw new Error(`'${unknown}' is none of ${all.join(', ')}`)
  return chosen
}
const job = {
  prompt: Number(values.prompt ?? 512), gen: Number(values.gen ?? 128), repeat: Number(values.repeat ?? 3),
}

/** wllama lives apart from the project's own packages. */
function installPeers() {
  if (existsSync(path.join(peersFolder, 'node_modules/@wllama/wllama/esm/index.js'))) return
  mkdirSync(peersFolder, { recursive: true })
  writeFileSync(path.join(peersFolder, 'package.json'), '{ "private": true }\n')
  execFileSync('npm', ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--loglevel=error', WLLAMA],
    { cwd: peersFolder, stdio: 'inherit' })
}

let lastSeed = 0
const newJob = (prompt, gen) => ({ prompt: promptOf(prompt, ++lastSeed), gen, bias: plainBias() })

/** Opens an engine in a page and warms it up: compilers in tiers need a few seconds, whatever they compile. */
async function openInPage(pages, { browser, engine, simd }, { url, threads }) {
  const id = `${engine}-${simd}-${threads}`
  const facts = await pages.call(browser, 'open',
    { id, engine, simd, url, threads, context: job.prompt + job.gen + 64 })
  const measure = async work => pages.call(browser, 'measure', { id, ...work })
  for (const begin = Date.now(); Date.now() - begin < 4000;) await measure(newJob(64, 16))
  return { facts, run: () => measure(newJob(job.prompt, job.gen)) }
}

/** llama-bench warms itself up at every call. */
function openNative(file, threads) {
  const run = async () => {
    const { stdout } = await promisify(execFile)(process.env.LLAMA_BENCH, [
      '-m', file, '-p', String(job.prompt), '-n', String(job.gen), '-t', String(threads), '-r', '1', '-o', 'json',
    ], { maxBuffer: 1 << 24 })
    const [read, written] = JSON.parse(stdout)
    return { promptTokens: read.n_prompt, generated: written.n_gen, prefillTps: read.avg_ts, decodeTps: written.avg_ts,
      build: read.build_number }
  }
  return { facts: { threads }, run }
}

/** One file, all engines, one number of threads. */
async function compare({ pages, server, model, threads, names }) {
  const url = `${server.url}/bench-models/${path.basename(model.file)}`
  const open = []
  for (const name of names) {
    const contender = contenders[name]
    try {
      const opened = contender.native ? openNative(model.file, threads) : await openInPage(pages, contender, { url, threads })
      if (opened.facts.threads !== threads) throw new Error(`runs ${opened.facts.threads} threads`)
      open.push({ name, contender, ...opened, runs: [] })
    } catch (error) {
      console.log(`  ${name}, ${threads} threads: left out: ${error.message.split('\n')[0]}`)
    }
  }
  const limits = { dotGmacs: 0, readGbs: 0 }
  for (let turn = 0; turn < job.repeat; turn++) {
    if (names.some(name => contenders[name].browser === 'chromium')) {
      const now = await pages.call('chromium', 'ceilings', { threads })
      for (const key of Object.keys(limits)) limits[key] = Math.max(limits[key], now[key])
    }
    for (const one of open) one.runs.push(await one.run())
  }
  const results = open.map(({ name, contender, facts, runs }) => {
    const wrong = runs.find(run => run.promptTokens !== job.prompt || run.generated !== job.gen)
    if (wrong) console.log(`  ${name} read ${wrong.promptTokens} and wrote ${wrong.generated} tokens`)
    return {
      name, contender, facts, build: runs[0].build,
      prefill: median(runs.map(run => run.prefillTps)), decode: median(runs.map(run => run.decodeTps)),
    }
  })
  return { results, limits }
}

/** @returns {import('./results.mjs').Row[]} */
function rowsOf({ results, limits }, { model, threads, loadAverage }, run) {
  const peer = results.find(({ name }) => name === 'wllama')
  const share = (part, whole) => whole ? (part / whole).toFixed(3) : ''
  const rows = results.map(({ name, contender, facts, build, prefill, decode }) => ({
    ...run, browser: contender.browser ?? '', file: path.basename(model.file, '.gguf'),
    engine: build ? `llama.cpp ${build}` : contender.engine === 'wllama' ? WLLAMA.slice(1).replace('wllama/', '') : 'itera-lite',
    simd: facts.simd ?? 'native', threads, ...job,
    prefill_tps: prefill.toFixed(1), decode_tps: decode.toFixed(1), load_ms: facts.loadMs?.toFixed(0),
    prefill_ratio: peer && name !== 'wllama' ? (prefill / peer.prefill).toFixed(1) : '',
    decode_ratio: peer && name !== 'wllama' ? (decode / peer.decode).toFixed(1) : '',
    dot_share: share(prefill * model.cost.prefillMacs / 1e9, limits.dotGmacs),
    read_share: share(decode * model.cost.decodeBytes / 1e9, limits.readGbs),
    load_average: loadAverage.toFixed(2),
  }))
  if (limits.readGbs) {
    console.log(`  ceilings, ${threads} thr: dot product ${limits.dotGmacs.toFixed(1)} GMAC/s, reading ${limits.readGbs.toFixed(1)} GB/s`)
  }
  for (const row of rows) {
    console.log(`  ${`${row.engine} ${row.simd}${row.browser === 'firefox' ? ' firefox' : ''}`.padEnd(28)} ` +
      `${String(threads).padStart(2)} thr ${row.prefill_tps.padStart(8)} ${row.decode_tps.padStart(7)} tokens/s ` +
      `${(row.prefill_ratio && `${row.prefill_ratio}x ${row.decode_ratio}x`).padStart(12)}  dot ${row.dot_share} read ${row.read_share}` +
      `  load ${row.load_ms ?? '-'} ms`)
  }
  return rows
}

const available = Object.keys(contenders).filter(name => {
  const { native, browser } = contenders[name]
  return native ? process.env.LLAMA_BENCH : findBrowser(browser)
})
const names = list(values.engines, Object.keys(contenders)).filter(name => {
  if (!available.includes(name)) console.log(`${name}: left out, not installed`)
  return available.includes(name)
})
if (names.includes('wllama')) installPeers()
const server = await serveBench(values.package)
const pages = new Pages(server.url)
const run = { commit: commit(path.resolve(root, values.package ?? 'web')), date: new Date().toISOString().slice(0, 10), machine: machine() }
console.log(`${run.machine}; commit ${run.commit}; reading ${job.prompt}, writing ${job.gen}, medians of ${job.repeat}`)
try {
  for (const shape of list(values.shapes, shapeNames)) {
    for (const mix of list(values.types, mixes)) {
      const model = await writeModel(shape, mix)
      console.log(`${shape} ${mix}`)
      for (const threads of (values.threads ?? '1').split(',').map(Number)) {
        const loadAverage = os.loadavg()[0]
        const rows = rowsOf(await compare({ pages, server, model, threads, names }), { model, threads, loadAverage }, run)
        await pages.close()
        if (!values['no-save']) appendRows(rows)
      }
    }
  }
  if (!values['no-save']) for (const file of drawPlots(resultFile())) console.log(path.relative(root, file))
} finally {
  await pages.close()
  await server.close()
}
