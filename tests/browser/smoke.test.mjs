// The browsers themselves: what they validate, and that every module we ship instantiates in them.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { browsers, serve } from './harness.mjs'

const VARIANTS = ['scalar', 'simd128', 'relaxed']

// (module (func (result v128) (i32x4.relaxed_dot_i8x16_i7x16_add_s zeros zeros zeros)))
const ZEROS = [0xfd, 0x0c, ...new Array(16).fill(0)] // v128.const
const BODY = [0, ...ZEROS, ...ZEROS, ...ZEROS, 0xfd, 0x93, 0x02, 0x0b]
const RELAXED_PROBE = [
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
  1, 5, 1, 0x60, 0, 1, 0x7b, // types: () -> v128
  3, 2, 1, 0, // functions: one of that type
  10, BODY.length + 2, 1, BODY.length, ...BODY, // code
]

/** @type {Awaited<ReturnType<typeof serve>>} */
let server
before(async () => { server = await serve() })
after(() => server?.close())

for (const browser of browsers) {
  describe(browser.name, { skip: browser.missing, timeout: 120_000 }, () => {
    /** @type {import('./harness.mjs').Page} */
    let page
    before(async () => {
      page = await browser.launch()
      await page.goto(`${server.url}/pages/blank.html`)
    })
    after(() => page?.close())

    it('loads a served page, isolated so that memory may be shared', async () => {
      assert.equal(await page.evaluate(() => document.title), 'blank')
      assert.equal(await page.evaluate(() => crossOriginIsolated), true)
    })

    it('validates relaxed SIMD', async () => {
      const valid = await page.evaluate(bytes => WebAssembly.validate(new Uint8Array(bytes)), RELAXED_PROBE)
      assert.equal(valid, true)
    })

    for (const [index, variant] of VARIANTS.entries()) {
      it(`instantiates the ${variant} module, which says it is ${variant}`, async () => {
        const answer = await page.evaluate(async url => {
          const module = await WebAssembly.compileStreaming(fetch(url))
          const imports = {}
          for (const { module: from, name } of WebAssembly.Module.imports(module)) {
            imports[from] ??= {}
            imports[from][name] = () => 0
          }
          const { exports } = await WebAssembly.instantiate(module, imports)
          exports._initialize?.()
          const place = exports.itera_alloc(1000)
          exports.itera_free(place)
          return { variant: exports.itera_variant(), place }
        }, `${server.url}/web/dist/itera-${variant}.wasm`)
        assert.equal(answer.variant, index)
        assert.ok(answer.place > 0)
      })
    }

    it('has nothing to complain about', () => assert.deepEqual(page.errors, []))
  })
}
