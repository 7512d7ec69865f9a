// Workers in real browsers: they are lost and replaced, several work at once, and none is left behind.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { browsers } from '../browser/harness.mjs'
import { host, html, workshop } from './support.mjs'

/** Runs in the worker before the package does; the fault shows itself when generation feeds the state. */
const fault = `
const name = '{NAME}'
const trap = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b])
const faults = {
  trap: () => new WebAssembly.Instance(new WebAssembly.Module(trap)).exports.f(),
  throw: () => { setTimeout(() => { throw new Error('a bug') }) },
  memory: () => { throw new RangeError('Array buffer allocation failed') },
}
const instantiate = WebAssembly.instantiate
WebAssembly.instantiate = async (...args) => {
  const { exports } = await instantiate(...args)
  const itera_session_feed = (...rest) => {
    faults[name]()
    return exports.itera_session_feed(...rest)
  }
  return { exports: { ...exports, itera_session_feed } }
}
`

/** Workers are counted, and the next one can be given a fault. */
const watch = `const Real = Worker
window.alive = 0
window.nextFault = ''
window.Worker = class extends Real {
  constructor(url, options) {
    const fault = window.nextFault
    window.nextFault = ''
    super(fault ? URL.createObjectURL(new Blob(
      ["import '" + new URL('fault-' + fault + '.js', location.href) + "'\\nimport '" + url + "'"], { type: 'text/javascript' })) : url, options)
    window.alive++
  }
  terminate() {
    window.alive--
    super.terminate()
  }
}
`

const program = `import { Itera } from './node_modules/itera-lite/src/index.js'
const options = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }
const load = more => Itera.load('/story.gguf', more)
const write = async (model, more) => {
  let tokens = 0
  for await (const { token } of model.generate('Once', { ...options, ...more })) tokens += token === undefined ? 0 : 1
  return tokens
}
const codeOf = promise => promise.then(() => 'none', error => error.code ?? String(error))
window.tests = {
  async fault(name) {
    const other = await load()
    window.nextFault = name
    const model = await load()
    const first = await codeOf(write(model))
    const lost = await Promise.race([model.lost, new Promise(resolve => setTimeout(resolve, 300, {}))])
    const result = { first, lost: lost.code ?? null, error: model.error?.code ?? null, other: await write(other) }
    const again = await load()
    result.again = await write(again)
    for (const each of [model, other, again]) each.dispose()
    return { ...result, alive: window.alive }
  },
  async together() {
    const models = await Promise.all([load(), load(), load({ simd: 'scalar' })])
    const counts = await Promise.all(models.flatMap(model => [write(model), write(model)]))
    for (const model of models) model.dispose()
    return { counts, alive: window.alive }
  },
  async aborts() {
    const early = await codeOf(load({ signal: AbortSignal.abort() }))
    const stopping = new AbortController()
    const loading = codeOf(load({ signal: stopping.signal }).then(model => model.dispose()))
    stopping.abort()
    const during = await loading
    const model = await load()
    await write(model, { maxTokens: 1e6, signal: AbortSignal.timeout(50) })
    const decode = model.lastStats.finishReason
    for await (const piece of model.generate('word '.repeat(20000), { ...options, signal: AbortSignal.timeout(20) })) void piece
    const prefill = model.lastStats.finishReason
    const after = await write(model)
    model.dispose()
    return { early, during, decode, prefill, after, alive: window.alive }
  },
  async cycles(count) {
    for (let i = 0; i < count; i++) {
      const model = await load()
      await write(model)
      model.dispose()
    }
    return window.alive
  },
}
`

/** @type {Awaited<ReturnType<typeof host>>} */
let site
before(async () => {
  const shop = await workshop('lifecycle')
  const folder = shop.project('lifecycle', {
    'index.html': html('<script src="watch.js"></script><script type="module" src="main.js"></script>'),
    'watch.js': watch,
    'main.js': program,
    ...Object.fromEntries(['trap', 'throw', 'memory'].map(name => [`fault-${name}.js`, fault.replace('{NAME}', name)])),
  })
  site = await host(folder)
})
after(() => site?.close())

describe('lifecycle', { timeout: 240_000 }, () => {
  for (const browser of browsers) {
    describe(browser.name, { skip: browser.missing }, () => {
      /** @type {import('../browser/harness.mjs').Page} */
      let page
      const call = (/** @type {string} */ name, /** @type {any} */ argument) =>
        page.evaluate(([name, argument]) => window.tests[name](argument), [name, argument])
      before(async () => {
        page = await browser.launch()
        await page.goto(site.url)
        await page.waitFor(() => window.tests)
      })
      after(() => page?.close())

      for (const name of ['trap', 'throw']) {
        it(`a worker that is lost is reported and replaced: ${name}`, async () => {
          assert.deepEqual(await call('fault', name),
            { first: 'crashed', lost: 'crashed', error: 'crashed', other: 6, again: 6, alive: 0 })
        })
      }

      it('memory that runs out is reported, and the model stays', async () => {
        assert.deepEqual(await call('fault', 'memory'), { first: 'memory', lost: null, error: null, other: 6, again: 6, alive: 0 })
      })

      it('several models work at once', async () => {
        assert.deepEqual(await call('together'), { counts: [6, 6, 6, 6, 6, 6], alive: 0 })
      })

      it('an abort ends a load, a prompt and an answer', async () => {
        assert.deepEqual(await call('aborts'),
          { early: 'aborted', during: 'aborted', decode: 'aborted', prefill: 'aborted', after: 6, alive: 0 })
      })

      it('no worker is left of ten models', async () => { assert.equal(await call('cycles', 10), 0) })

      it('memory stays flat', { skip: browser.name === 'chromium' ? false : 'only Chromium tells its memory' }, async t => {
        const session = await page.raw.context().newCDPSession(page.raw)
        const heap = async () => {
          for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage')
          const { usedSize } = await session.send('Runtime.getHeapUsage')
          return usedSize
        }
        const early = await heap()
        await call('cycles', 15)
        const late = await heap()
        t.diagnostic(`the page's heap: ${early} bytes, ${late} after 15 more cycles`)
        // A message listener or a promise left of each would be some kB a cycle, a model 5 MB.
        assert.ok(late - early < 15 * 3000, `${early} bytes became ${late}`)
      })
    })
  }
})
