// The packed package in fresh projects of every kind, none of them configured, shown by real browsers.
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'

import { browsers } from '../browser/harness.mjs'
import { addModel, app, expectedReply, expectedText, host, html, output, tool, workshop } from './support.mjs'

/** What the README states: nothing from elsewhere, no eval, no inline script, only WebAssembly. */
const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
  "style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Violations are noted before anything else runs. */
const watchCsp = `window.violations = []
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
  violations.push([violatedDirective, blockedURI, sample].join(' ')))
`

/** @type {Awaited<ReturnType<typeof workshop>>} */
let shop
/** @type {string} */
let expected
/** @type {string} */
let reply

/**
 * Every kind of project: what builds it, and the folder that is then put on a static host.
 *
 * @type {Record<string, () => Promise<string>>}
 */
const kinds = {
  async vite() {
    const folder = shop.project('vite', { 'index.html': html('<script type="module" src="/main.js"></script>'), 'main.js': app() })
    const text = await output(tool('vite'), ['build'], { cwd: folder })
    assert.doesNotMatch(text, /warn/i)
    return path.join(folder, 'dist')
  },

  async webpack() {
    const folder = shop.project('webpack', { 'src/index.js': app(), 'dist/index.html': html('<script defer src="main.js"></script>') })
    // What `webpack --mode production` does; its command line is a package of its own.
    const script = `import webpack from 'webpack'
      webpack({ mode: 'production' }, (error, stats) => console.log(JSON.stringify(error ?? stats.toJson({ all: false, errors: true, warnings: true }))))`
    const text = await output(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
    const { errors, warnings } = JSON.parse(text)
    assert.deepEqual({ errors, warnings }, { errors: [], warnings: [] })
    return path.join(folder, 'dist')
  },

  async esbuild() {
    const folder = shop.project('esbuild', {
      'main.js': app('itera-lite/inline'),
      'www/index.html': html('<script type="module" src="main.js"></script>'),
    })
    const text = await output(tool('esbuild'), ['main.js', '--bundle', '--outdir=www'], { cwd: folder })
    assert.doesNotMatch(text, /warning/i)
    return path.join(folder, 'www')
  },

  async 'plain modules'() {
    const folder = shop.project('plain', {
      'index.html': html('<script type="module" src="main.js"></script>'),
      'main.js': app('./itera-lite/src/index.js'),
    })
    cpSync(path.join(folder, 'node_modules/itera-lite'), path.join(folder, 'itera-lite'), { recursive: true })
    return folder
  },
}

before(async () => {
  shop = await workshop('pages')
  expected = await expectedText()
  reply = await expectedReply()
})

/**
 * @param {import('../browser/harness.mjs').Page} page
 * @param {string} url
 */
async function streams(page, url) {
  await page.goto(url)
  await page.waitFor(() => window.result, undefined, 30_000)
  const result = await page.evaluate(() => window.result)
  assert.equal(result.error, undefined)
  assert.equal(result.text, expected)
  // What the package loads only when it is needed: the template engine, the OpenAI interface.
  assert.equal(result.reply, reply)
  assert.equal(result.completion, expected)
  assert.ok(result.pieces > 10, `${result.pieces} pieces`)
  assert.equal(await page.evaluate(() => document.querySelector('main')?.textContent), expected)
}

describe('the packed package', { timeout: 240_000 }, () => {
  /** @type {Record<string, { missing: string[], url: string, close: () => Promise<unknown> }>} */
  const hosts = {}
  after(() => Promise.all(Object.values(hosts).map(each => each.close())))

  it('is under a megabyte', t => {
    t.diagnostic(`${shop.packedBytes} bytes`)
    assert.ok(shop.packedBytes < 1_000_000, `${shop.packedBytes} bytes`)
  })

  for (const [kind, build] of Object.entries(kinds)) {
    it(`is built by an unconfigured project: ${kind}`, async () => { hosts[kind] = await host(await build()) })
  }

  it('is shown under a strict Content-Security-Policy', async () => {
    const folder = shop.project('csp', {
      'index.html': html('<script src="watch.js"></script><script type="module" src="main.js"></script>'),
      'watch.js': watchCsp,
      'main.js': app('./itera-lite/src/index.js'),
    })
    cpSync(path.join(folder, 'node_modules/itera-lite'), path.join(folder, 'itera-lite'), { recursive: true })
    hosts.csp = await host(folder, { 'Content-Security-Policy': CSP })
  })

  it('is served by the development server of Vite', async t => {
    const { createServer } = await import('vite')
    const folder = shop.project('vite-dev', { 'index.html': html('<script type="module" src="/main.js"></script>'), 'main.js': app() })
    addModel(path.join(folder, 'public'))
    const server = await createServer({ root: folder, logLevel: 'error', server: { host: '127.0.0.1', port: 0 } })
    await server.listen()
    hosts['vite dev'] = { url: server.resolvedUrls?.local[0] ?? '', missing: [], close: () => server.close() }
    t.diagnostic(hosts['vite dev'].url)
  })

  for (const browser of browsers) {
    describe(browser.name, { skip: browser.missing }, () => {
      /** @type {import('../browser/harness.mjs').Page} */
      let page
      before(async () => { page = await browser.launch() })
      after(() => page?.close())

      for (const kind of [...Object.keys(kinds), 'vite dev']) {
        it(`streams text: ${kind}`, async () => {
          await streams(page, hosts[kind].url)
          assert.deepEqual(hosts[kind].missing, [])
        })
      }

      it('streams text under a strict Content-Security-Policy, without a violation', async () => {
        await streams(page, hosts.csp.url)
        assert.deepEqual(await page.evaluate(() => window.violations), [])
        // The policy is really in force: what it forbids is refused, and noted.
        await page.evaluate(() => {
          try { (0, eval)('1') } catch { /* as it should be */ }
          const script = document.createElement('style')
          script.textContent = 'p {}'
          document.body.append(script)
        })
        await page.waitFor(() => window.violations.length > 0)
      })

      it('has nothing to complain about', () => {
        assert.deepEqual(page.errors.filter(text => !/Content.Security.Policy/i.test(text)), [])
      })
    })
  }
})
