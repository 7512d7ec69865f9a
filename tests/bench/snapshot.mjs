// What saving, forking and undoing a conversation costs, on a model with 21 MB of state.
//
//     node tests/bench/snapshot.mjs [REPEATS] [node] [chromium] [firefox]        default: 25, all three
//
// Medians over all repeats, the first calls apart: they also allocate. A pause before each, as a page saves once an answer:
// one after another, Blobs of which nobody has a use any more are still there and the system has to give new memory.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openBrowser } from '../../web/bin/browser.js'
import { wideStateModel } from '../node/support/wide-state.mjs'
import { root } from './models.mjs'
import { serveBench } from './pages.mjs'
import { median } from './results.mjs'

const words = process.argv.slice(2)
const repeats = Number(words.find(word => /^\d+$/.test(word)) ?? 25)
const wanted = words.filter(word => !/^\d+$/.test(word))

/**
 * Runs where the package runs, so it sees nothing around it.
 *
 * @param {{ packageUrl: string, source: string, repeats: number }} of
 */
async function measure({ packageUrl, source, repeats }) {
  const { Itera } = await import(packageUrl)
  const model = await Itera.load(source, { cache: false })
  const options = { temperature: 0, maxTokens: 3, ignoreEndOfText: true, checkpointBytes: 200e6 }
  const chat = model.chat(options)
  for (let turn = 0; turn < 4; turn++) for await (const piece of chat.send('x')) void piece

  /** @type {Record<'save' | 'fork' | 'undo', number[]>} */
  const times = { save: [], fork: [], undo: [] }
  const time = async (/** @type {keyof typeof times} */ what, /** @type {() => Promise<any>} */ body) => {
    const start = performance.now()
    const result = await body()
    times[what].push(performance.now() - start)
    return result
  }
  for (let i = 0; i <= repeats; i++) {
    await new Promise(resolve => setTimeout(resolve, 300))
    await time('save', () => chat.save())
    const twin = await time('fork', () => chat.fork())
    await time('undo', () => twin.undo())
    twin.dispose()
  }
  const { stateBytes, simd } = model.info
  model.dispose()
  return { times, stateBytes, simd }
}

/** @param {string} where @param {Awaited<ReturnType<typeof measure>>} result */
function report(where, { times, stateBytes, simd }) {
  const figures = Object.entries(times).map(([what, [first, ...rest]]) =>
    `${what} ${median(rest).toFixed(1)} ms (first ${first.toFixed(1)})`)
  console.log(`${where}, ${(stateBytes / 1e6).toFixed(1)} MB of state, ${simd}: ${figures.join(', ')}`)
}

const folder = path.join(root, 'build/bench')
const file = path.join(folder, 'wide-state.gguf')
mkdirSync(folder, { recursive: true })
writeFileSync(file, await wideStateModel(10))

if (!wanted.length || wanted.includes('node')) {
  const packageUrl = new URL('../../web/src/index.js', import.meta.url).href
  report(`Node ${process.versions.node}`, await measure({ packageUrl, source: file, repeats }))
}
const browsers = /** @type {const} */ (['chromium', 'firefox']).filter(name => !wanted.length || wanted.includes(name))
if (browsers.length) {
  const server = await serveBench()
  for (const browser of browsers) {
    const page = await openBrowser(browser)
    await page.goto(`${server.url}/bench/index.html`)
    const of = { packageUrl: `${server.url}/package/src/index.js`, source: `${server.url}/bench-build/wide-state.gguf`, repeats }
    report(browser, await page.evaluate(measure, of))
    await page.close()
  }
  await server.close()
}
