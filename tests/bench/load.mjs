// How long a load takes, and how long it is from the call to the first token:
//
//   node tests/bench/load.mjs [FILE.gguf | shape] [--type q8_0,q4_k_m] [--threads 1,2] [--in node,chromium,firefox]
//                             [--repeat 5] [--against DIR]
//
// Node reads the file. Browsers have it from a server on this machine without a cache (`fetched`), with one that is
// empty (`kept`) and with one that is full (`cached`), in a profile on disk. `--against web` of another clone measures
// that package too, in turns with ours. Medians; the first load of each runtime, which also warms it up, is left out.

import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { findBrowser, openBrowser } from '../../web/bin/browser.js'
import { mixes, root, shapeNames, writeModel } from './models.mjs'
import { serveBench } from './pages.mjs'
import { median } from './results.mjs'
import { promptOf } from './vocabulary.mjs'

const runtimes = ['node', 'chromium', 'firefox']
const { values, positionals: [what = 'granite-4.0-h-350m', ...more] } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: 'string', default: 'q8_0,q4_k_m' }, threads: { type: 'string', default: '1,2' },
    in: { type: 'string', default: runtimes.join() }, repeat: { type: 'string', default: '5' }, against: { type: 'string' },
  },
})
const given = what.endsWith('.gguf')
const types = given ? [''] : values.type.split(',')
const threads = values.threads.split(',').map(Number)
const repeat = Number(values.repeat)
const wanted = values.in.split(',')
if (more.length || !(given || shapeNames.includes(what))) throw new Error(`one file, or one shape of ${shapeNames.join(', ')}`)
if (!given && !types.every(type => mixes.includes(type))) throw new Error(`--type: some of ${mixes.join()}`)
if (!threads.every(n => Number.isInteger(n) && n > 0)) throw new Error('--threads: whole numbers')
if (!(Number.isInteger(repeat) && repeat > 0)) throw new Error('--repeat: a whole number')
if (!wanted.every(name => runtimes.includes(name))) throw new Error(`--in: some of ${runtimes.join()}`)

/**
 * One load and one token. Runs where the package runs, so it sees nothing around it.
 *
 * @param {{ packageUrl: string, source: string, threads: number, way: string, prompt: string }} of
 */
async function loadOnce({ packageUrl, source, threads, way, prompt }) {
  const { Itera } = await import(packageUrl)
  if (way === 'kept') await Itera.cache.clear()
  const begin = performance.now()
  const model = await Itera.load(source, { threads, cache: way === 'kept' || way === 'cached' })
  const loaded = performance.now() - begin
  for await (const piece of model.generate(prompt, { temperature: 0, maxTokens: 1, ignoreEndOfText: true })) void piece
  const token = performance.now() - begin
  const { info } = model
  model.dispose()
  if (info.threads !== threads) throw new Error(`${info.threads} threads instead of ${threads}`)
  return { loaded, token, simd: info.simd, bytes: info.fileBytes }
}

/**
 * All of a file in one runtime, packages and numbers of threads in turns.
 *
 * @param {string} where
 * @param {string} file
 * @param {(of: Parameters<typeof loadOnce>[0]) => ReturnType<typeof loadOnce>} run
 * @param {{ source: string, packages: Record<string, string>, ways: string[] }} of
 */
async function measure(where, file, run, { source, packages, ways }) {
  const prompt = promptOf(8, 1)
  const jobs = ways.flatMap(way => threads.flatMap(n => Object.entries(packages).map(([name, packageUrl]) =>
    ({ name, job: { packageUrl, source, threads: n, way, prompt }, results: [] }))))
  await run(jobs[0].job)
  for (let i = 0; i < repeat; i++) for (const { job, results } of jobs) results.push(await run(job))
  for (const { name, job, results } of jobs) {
    const of = key => median(results.map(result => result[key]))
    const { simd, bytes } = results[0]
    console.log(`${where}, ${path.basename(file)}, ${simd}${name}, ${job.threads} thread${job.threads > 1 ? 's' : ''}, ${job.way}: ` +
      `loaded after ${of('loaded').toFixed(0)} ms (${(bytes / of('loaded') / 1e3).toFixed(0)} MB/s), first token after ${of('token').toFixed(0)} ms`)
  }
}

/** A page of a browser whose profile is on disk: private ones keep their cache in memory. @param {string} name */
async function openPage(name) {
  if (name !== 'chromium') return openBrowser(/** @type {any} */ (name))       // has a profile of its own
  const { chromium } = await import('playwright-core')
  const profile = mkdtempSync(path.join(os.tmpdir(), 'itera-load-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser('chromium'), headless: true, args: ['--disable-gpu', '--no-sandbox'],
  })
  const page = context.pages()[0] ?? await context.newPage()
  return {
    goto: url => page.goto(url),
    evaluate: (body, argument) => page.evaluate(body, argument),
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

for (const type of types) {
  const file = path.resolve(given ? what : (await writeModel(what, type)).file)
  if (wanted.includes('node')) {
    const packages = { '': path.join(root, 'web'), ...values.against && { ', against': path.resolve(values.against) } }
    await measure(`Node ${process.versions.node}`, file, loadOnce, {
      source: file, ways: ['read'],
      packages: Object.fromEntries(Object.entries(packages).map(([name, folder]) => [name, pathToFileURL(path.join(folder, 'src/index.js')).href])),
    })
  }
  for (const browser of wanted.filter(name => name !== 'node')) {
    const server = await serveBench('web', { 'bench-file': path.dirname(file), ...values.against && { against: path.resolve(values.against) } })
    const page = await openPage(browser)
    try {
      await page.goto(`${server.url}/bench/index.html`)
      await measure(browser, file, of => page.evaluate(loadOnce, of), {
        source: `${server.url}/bench-file/${path.basename(file)}`, ways: ['fetched', 'kept', 'cached'],
        packages: { '': `${server.url}/package/src/index.js`, ...values.against && { ', against': `${server.url}/against/src/index.js` } },
      })
    } finally {
      await page.close()
      await server.close()
    }
  }
}
