// Browsers with the bench page open, and the server that shows it.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { serve } from '../../demo/serve.mjs'
import { openBrowser } from '../../web/bin/browser.js'
import { modelFolder, root } from './models.mjs'

const work = path.join(root, 'build/bench')
export const peersFolder = path.join(work, 'peers')

/**
 * Serves the page, the models and a copy of the package: a build that goes on meanwhile cannot change what is measured.
 *
 * @param {string} [packageFolder]
 * @param {Record<string, string>} [more]  folders to show, by first path part
 */
export async function serveBench(packageFolder = 'web', more = {}) {
  mkdirSync(work, { recursive: true })
  const copy = mkdtempSync(path.join(work, 'package-'))
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
  for (const part of ['src', 'dist']) {
    cpSync(path.resolve(root, packageFolder, part), path.join(copy, part), { recursive: true })
  }
  compileCeilings()
  return serve({ port: 0, mounts: {
    package: copy, bench: path.join(root, 'tests/bench/page'), 'bench-build': work,
    'bench-models': modelFolder, peers: path.join(peersFolder, 'node_modules'), ...more,
  } })
}

function compileCeilings() {
  execFileSync(path.join(root, 'build/toolchain/emcc'), [
    '-O3', '-std=c11', '-msimd128', '-mrelaxed-simd', path.join(root, 'tests/bench/ceilings.c'), '--no-entry',
    '-sSTANDALONE_WASM', '-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=4GB', '-Wl,--stack-first',
    '-o', path.join(work, 'ceilings.wasm'),
  ], { stdio: 'inherit' })
}

/** Pages of all browsers that are needed, opened when first asked for. */
export class Pages {
  /** @type {Map<string, import('../../web/bin/browser.js').BrowserPage>} */
  #open = new Map()

  /** @param {string} url of the server */
  constructor(url) { this.url = url }

  /** @param {string} browser */
  async #of(browser) {
    let page = this.#open.get(browser)
    if (!page) {
      page = await openBrowser(/** @type {any} */ (browser))
      this.#open.set(browser, page)
      await page.goto(`${this.url}/bench/index.html`)
      for (let i = 0; !await page.evaluate(async () => 'bench' in globalThis, null); i++) {
        if (i > 100) throw new Error(`the page does not start in ${browser}`)
        await new Promise(resolve => setTimeout(resolve, 100))
      }
    }
    return page
  }

  /**
   * Calls one of the functions that the page offers.
   *
   * @param {string} browser
   * @param {string} name
   * @param {any} [argument]
   */
  async call(browser, name, argument) {
    const page = await this.#of(browser)
    return page.evaluate(async ({ name, argument }) => globalThis.bench[name](argument), { name, argument })
  }

  /** Browsers keep freed memory for long: each file gets new ones. */
  async close() {
    for (const page of this.#open.values()) await page.close()
    this.#open.clear()
  }
}
