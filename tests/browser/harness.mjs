// Starts real browsers and gives both the same small page interface, so that one test body runs in each.
//
//   for (const browser of browsers) {
//     test(`something in ${browser.name}`, { skip: browser.missing }, async () => {
//       const page = await browser.launch()
//       ...
//       await page.close()
//     })
//   }
//
// Chromium is driven by playwright-core; Firefox by puppeteer-core, which speaks WebDriver BiDi to an
// unmodified Firefox (playwright wants a patched one).

import { accessSync, constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve as serveDemo } from '../../demo/serve.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const oneModel = path.join(here, '../fixtures/models.json')
export const shippedModels = path.join(here, '../../demo/models.json')

const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox', // tests may run as root, in a container
  '--disable-gpu',
  // Nothing but the page under test should talk to anybody.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * One tab of one browser. `close` ends the whole browser.
 * @typedef {object} Page
 * @property {string} browser 'chromium' or 'firefox'
 * @property {string[]} errors uncaught errors and console.error lines so far
 * @property {(url: string) => Promise<void>} goto
 * @property {() => Promise<void>} reload
 * @property {<A, R>(body: (argument: A) => R | Promise<R>, argument?: A) => Promise<R>} evaluate
 *   runs in the page; argument and result cross as JSON
 * @property {<A>(body: (argument: A) => unknown, argument?: A, timeout?: number) => Promise<void>} waitFor
 *   until body is truthy in the page; rejects after timeout ms (default 30000)
 * @property {(selector: string) => Promise<void>} click
 * @property {(selector: string, text: string) => Promise<void>} type appends text by key presses
 * @property {(key: string) => Promise<void>} press such as 'Enter' or 'Tab'
 * @property {(selector: string, file: string) => Promise<void>} setFile fills an <input type=file>
 * @property {(width: number, height: number, scale?: number) => Promise<void>} setViewport
 *   scale: device pixels per CSS pixel, for sharp screenshots (default 1)
 * @property {(file: string) => Promise<void>} screenshot writes a PNG of the viewport
 * @property {() => Promise<void>} close
 * @property {any} raw the driver's own page, for what this interface lacks
 */

/** Where a program is, or undefined. `override` names an environment variable with its path. */
function find(names, override) {
  const wished = process.env[override]
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin']
  const candidates = wished ? [wished] : names.flatMap(name => folders.map(folder => path.join(folder, name)))
  return candidates.find(file => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const chromiumPath = find(['chromium', 'chromium-browser', 'google-chrome'], 'ITERA_CHROMIUM')
const firefoxPath = find(['firefox-esr', 'firefox'], 'ITERA_FIREFOX')

/** Polls in the page; the same for both drivers, and it survives a reload in between. */
async function waitFor(evaluate, body, argument, timeout = 30_000) {
  const deadline = Date.now() + timeout
  let last
  while (Date.now() < deadline) {
    try {
      if (await evaluate(body, argument)) return
      last = undefined
    } catch (error) {
      last = error
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`waited ${timeout} ms in vain for ${body}${last ? `: ${last.message}` : ''}`)
}

function collectErrors(page) {
  const errors = []
  page.on('pageerror', error => errors.push(String(error?.message ?? error)))
  page.on('console', message => {
    if (message.type() === 'error') errors.push(message.text())
  })
  return errors
}

/**
 * @param {{ args?: string[] }} [options] more command line switches
 * @returns {Promise<Page>}
 */
export async function launchChromium({ args = [] } = {}) {
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath: chromiumPath, args: [...CHROMIUM_FLAGS, ...args] })
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  // playwright fixes the scale of a page when it is made; the protocol below it can change it.
  const session = await context.newCDPSession(page)
  const evaluate = (body, argument) => page.evaluate(body, argument)
  return {
    browser: 'chromium',
    errors: collectErrors(page),
    goto: async url => { await page.goto(url) },
    reload: async () => { await page.reload() },
    evaluate,
    waitFor: (body, argument, timeout) => waitFor(evaluate, body, argument, timeout),
    click: selector => page.click(selector),
    type: (selector, text) => page.locator(selector).pressSequentially(text),
    press: key => page.keyboard.press(key),
    setFile: (selector, file) => page.setInputFiles(selector, file),
    setViewport: async (width, height, scale = 1) => {
      await page.setViewportSize({ width, height })
      await session.send('Emulation.setDeviceMetricsOverride',
        { width, height, deviceScaleFactor: scale, mobile: false })
    },
    screenshot: async file => {
      const { data } = await session.send('Page.captureScreenshot', { format: 'png' })
      await writeFile(file, data, 'base64')
    },
    close: () => browser.close(),
    raw: page,
  }
}

/**
 * @param {{ args?: string[] }} [options] more command line switches
 * @returns {Promise<Page>}
 */
export async function launchFirefox({ args = [] } = {}) {
  const { launch } = await import('puppeteer-core')
  const browser = await launch({
    browser: 'firefox',
    executablePath: firefoxPath,
    headless: true,
    args,
    defaultViewport: { width: 1280, height: 800 },
  })
  const page = await browser.newPage()
  const evaluate = (body, argument) => page.evaluate(body, argument)
  return {
    browser: 'firefox',
    errors: collectErrors(page),
    goto: async url => { await page.goto(url) },
    reload: async () => { await page.reload() },
    evaluate,
    waitFor: (body, argument, timeout) => waitFor(evaluate, body, argument, timeout),
    click: selector => page.click(selector),
    type: (selector, text) => page.type(selector, text),
    press: key => page.keyboard.press(key),
    setFile: async (selector, file) => {
      const input = await page.$(selector)
      if (!input) throw new Error(`no element ${selector}`)
      await input.uploadFile(file)
    },
    setViewport: (width, height, scale = 1) => page.setViewport({ width, height, deviceScaleFactor: scale }),
    screenshot: async file => { await page.screenshot({ path: file }) },
    close: () => browser.close(),
    raw: page,
  }
}

/** Both browsers; `missing` is false or the reason for node:test's `skip`. */
export const browsers = [
  { name: 'chromium', missing: chromiumPath ? false : 'no chromium installed', launch: launchChromium },
  { name: 'firefox', missing: firefoxPath ? false : 'no firefox-esr installed', launch: launchFirefox },
]

/**
 * The development server on a free port, with tests/browser/pages at /pages/ beside the page and the package. The page
 * offers one small model, whatever is shipped (page-shipped.test.mjs looks at that).
 * @param {{ mounts?: Record<string, string> }} [options] more files and folders to show, by first path part
 */
export function serve({ mounts = {} } = {}) {
  return serveDemo({ port: 0, mounts: { pages: path.join(here, 'pages'), 'models.json': oneModel, ...mounts } })
}
