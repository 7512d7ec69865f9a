// Memory over many cycles of load, generate and dispose, next to controls that run as many bare workers.
//
//     node tests/bench/lifecycle.mjs [CYCLES] [node] [chromium]        default: 1000 cycles, both
//
// Node: resident memory of the process after its garbage collector ran. Chromium: the proportional share of all its
// processes, after collecting in the page (Linux only). The slope is from a third of the cycles to all of them: what
// comes before is warm-up. Flat is what the first control is.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'
import vm from 'node:vm'
import { Worker } from 'node:worker_threads'

import { Itera } from '../../web/src/index.js'

const words = process.argv.slice(2)
const cycles = Number(words.find(word => /^\d+$/.test(word)) ?? 1000)
const wanted = words.filter(word => !/^\d+$/.test(word))
const file = (/** @type {string} */ name) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const story = file('models/story-boot-q8_0.gguf')
const options = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }

/**
 * @param {string} name
 * @param {(count: number) => Promise<unknown>} run  that many cycles
 * @param {() => Promise<number>} settledBytes
 */
async function measure(name, run, settledBytes) {
  const third = Math.floor(cycles / 3)
  await run(third)
  const early = await settledBytes()
  await run(third)
  const middle = await settledBytes()
  await run(cycles - 2 * third)
  const late = await settledBytes()
  const slope = (late - early) / (cycles - third)
  console.log(`${name}: ${[early, middle, late].map(bytes => (bytes / 1e6).toFixed(1)).join(', ')} MB after ` +
    `${third}, ${2 * third}, ${cycles} cycles; ${(slope / 1e3).toFixed(1)} kB a cycle`)
}

const times = (/** @type {() => Promise<unknown>} */ cycle) => async (/** @type {number} */ count) => {
  for (let i = 0; i < count; i++) await cycle()
}

// ---- Node

/** @param {string} code */
async function bareWorker(code) {
  const worker = new Worker(code, { eval: true })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
}

async function loadGenerateDispose() {
  const model = await Itera.load(story)
  for await (const piece of model.generate('Once', options)) void piece
  model.dispose()
}

async function inNode() {
  v8.setFlagsFromString('--expose-gc')
  const gc = vm.runInNewContext('gc')
  const settled = async () => {
    for (let i = 0; i < 4; i++) {
      gc()
      await sleep(80)
    }
    return process.memoryUsage().rss
  }
  const post = "require('node:worker_threads').parentPort.postMessage(0)"
  const compile = `const bytes = require('node:fs').readFileSync(${JSON.stringify(file('web/dist/itera-simd128.wasm'))})
    WebAssembly.compile(bytes).then(module => {
      const imports = {}
      for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0
      return WebAssembly.instantiate(module, imports)
    }).then(() => ${post})`
  const name = `Node ${process.versions.node}`
  await measure(`${name}, control: an empty worker`, times(() => bareWorker(post)), settled)
  await measure(`${name}, load, generate, dispose`, times(loadGenerateDispose), settled)
  await measure(`${name}, control: a worker that compiles the engine itself`, times(() => bareWorker(compile)), settled)
}

// ---- Chromium

/** Runs in the page. @param {{ script: string, count: number }} of */
async function bareWorkers({ script, count }) {
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
  for (let i = 0; i < count; i++) {
    const worker = new Worker(url, { type: 'module' })
    await new Promise(resolve => { worker.onmessage = resolve })
    worker.terminate()
  }
}

async function inChromium() {
  const { launchChromium, serve } = await import('../browser/harness.mjs')
  const server = await serve()
  /** @type {Record<string, [body: (argument: any) => Promise<void>, argument: any]>} */
  const programs = {
    'control: an empty worker': [bareWorkers, { script: 'postMessage(0)' }],
    // Chromium's network process keeps a little of every file that was asked for.
    'control: an empty worker of as many files': [bareWorkers, {
      script: `await import('${server.url}/web/src/worker.js'); postMessage(0)`,
    }],
    'load, generate, dispose': [async ({ count, options }) => {
      const { Itera } = await import(`${location.origin}/web/src/index.js`)
      const bytes = await (await fetch('/models/story-boot-q8_0.gguf')).blob()
      for (let i = 0; i < count; i++) {
        const model = await Itera.load(bytes)
        for await (const piece of model.generate('Once', options)) void piece
        model.dispose()
      }
    }, { options }],
  }
  for (const [name, [body, argument]] of Object.entries(programs)) {
    const page = await launchChromium()
    await page.goto(`${server.url}/pages/blank.html`)
    const browser = await page.raw.context().browser().newBrowserCDPSession()
    const tab = await page.raw.context().newCDPSession(page.raw)
    const settled = async () => {
      for (let i = 0; i < 3; i++) {
        await tab.send('HeapProfiler.collectGarbage')
        await sleep(500)
      }
      const { processInfo } = await browser.send('SystemInfo.getProcessInfo')
      return processInfo.reduce((/** @type {number} */ sum, /** @type {any} */ { id }) => {
        const [, kilobytes] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8')) ?? []
        return sum + Number(kilobytes) * 1024
      }, 0)
    }
    const run = (/** @type {number} */ count) => page.evaluate(body, { ...argument, count })
    await measure(`Chromium, ${name}`, run, settled)
    await page.close()
  }
  await server.close()
}

if (!wanted.length || wanted.includes('node')) await inNode()
if (!wanted.length || wanted.includes('chromium')) await inChromium()
