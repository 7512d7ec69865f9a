// The benchmark in real browsers.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { browserNames, findBrowser } from '../../web/bin/browser.js'
import { itera, iteraJson } from './support/cli.mjs'

const model = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const short = ['--prompt', '64', '--gen', '16', '--repeat', '1']

describe('itera bench --browser', () => {
  for (const name of browserNames) {
    const missing = findBrowser(/** @type {any} */ (name)) ? false : `no ${name} installed`
    it(`measures in ${name}`, { skip: missing }, async () => {
      const result = await iteraJson(['bench', '-m', model, ...short, '--browser', name])
      assert.match(result.engine, name === 'chromium' ? /^chrome [\d.]+$/ : /^firefox [\d.]+$/)
      assert.equal(result.generated_tokens, 16)
      for (const field of ['load_ms', 'prefill_tps', 'decode_tps', 'ttft_ms', 'memory_bytes', 'wasm_bytes']) {
        assert.ok(result[field] > 0, field)
      }
    })
  }

  it('passes errors on from the page', { skip: findBrowser('chromium') ? false : 'no chromium installed' }, async () => {
    const { code, stderr } = await itera(['bench', '-m', fileURLToPath(import.meta.url), ...short, '--browser', 'chromium'])
    assert.equal(code, 1)
    assert.match(stderr, /^itera: .*\(not-gguf\)$/m)
  })
})
