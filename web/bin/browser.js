import { accessSync, constants, createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { IteraError } from '../src/errors.js'
import { fileError } from '../src/source.js'

/**
 * Runs the benchmark in a real browser: a server on loopback shows the package and the model to an otherwise
 * empty page, which imports the package as any page would.
 *
 * @typedef {import('../types.d.ts').BenchOptions} BenchOptions
 * @typedef {import('../types.d.ts').BenchResult} BenchResult
 *
 * @typedef {object} BrowserPage
 * @property {(url: string) => Promise<unknown>} goto
 * @property {(body: (argument: any) => Promise<any>, argument: any) => Promise<any>} evaluate
 * @property {() => Promise<void>} close  ends the whole browser
 */

/** Names under which each is installed, a variable that overrides them, and how it is started. */
const browsers = {
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], variable: 'ITERA_CHROMIUM', launch: launchChromium },
  firefox: { programs: ['firefox-esr', 'firefox'], variable: 'ITERA_FIREFOX', launch: launchFirefox },
}

/** @typedef {keyof typeof browsers} BrowserName */

export const browserNames = Object.keys(browsers)

/**
 * @param {string} name  one of browserNames
 * @param {string} model  path or URL
 * @param {BenchOptions} options
 * @returns {Promise<BenchResult>}
 */
export async function benchmarkInBrowser(name, model, options) {
  const isUrl = /^https?:/i.test(model)
  const server = await servePackage(isUrl ? null : model)
  try {
    const page = await openBrowser(/** @type {BrowserName} */ (name))
    try {
      await page.goto(server.url)
      const outcome = await page.evaluate(runInPage, { source: isUrl ? model : '/model.gguf', options })
      if (outcome.error) throw new IteraError(outcome.error.code ?? 'internal', outcome.error.message)
      return outcome.result
    } finally {
      await page.close()
    }
  } finally {
    server.close()
  }
}

/** Runs inside the page. Errors cross as values, so that their codes survive. @param {any} argument */
async function runInPage({ source, options }) {
  try {
    const entry = '/src/index.js'
    const { benchmark } = await import(entry)
    return { result: await benchmark(source, options) }
  } catch (error) {
    const { code, message } = /** @type {any} */ (error)
    return { error: { code, message } }
  }
}

/**
 * @param {BrowserName} name
 * @returns {Promise<BrowserPage>}
 */
export async function openBrowser(name) {
  const { variable, launch } = browsers[name]
  const program = findBrowser(name)
  if (!program) {
    throw new IteraError('not-found', `no ${name} is installed; set ${variable} to the path of one`)
  }
  return launch(program)
}

/**
 * Where a browser is installed.
 *
 * @param {BrowserName} name
 * @returns {string | undefined}
 */
export function findBrowser(name) {
  const { programs: names, variable } = browsers[name]
  const wished = process.env[variable]
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = wished ? [wished] : names.flatMap(name => folders.map(folder => join(folder, name)))
  return candidates.find(file => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @param {string} name */
async function optionalModule(name) {
  try {
    return await import(name)
  } catch (error) {
    throw new IteraError('not-found', `browsers are driven by ${name}, which is not installed: npm install ${name}`,
      { cause: error })
  }
}

/** @param {string} program @returns {Promise<BrowserPage>} */
async function launchChromium(program) {
  const { chromium } = await optionalModule('playwright-core')
  const asRoot = process.getuid?.() === 0
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', ...asRoot ? ['--no-sandbox'] : []],
  })
  const page = await browser.newPage()
  return {
    goto: url => page.goto(url),
    evaluate: (body, argument) => page.evaluate(body, argument),
    close: () => browser.close(),
  }
}

/** @param {string} program @returns {Promise<BrowserPage>} */
async function launchFirefox(program) {
  const { launch } = await optionalModule('puppeteer-core')
  // The driver would give up on an answer after three minutes; a large model may take longer.
  const browser = await launch({ browser: 'firefox', executablePath: program, headless: true, protocolTimeout: 0 })
  const page = await browser.newPage()
  return {
    goto: url => page.goto(url),
    evaluate: (body, argument) => page.evaluate(body, argument),
    close: () => browser.close(),
  }
}

const packageRoot = new URL('../', import.meta.url)

/** @type {Record<string, string>} */
const contentTypes = { js: 'text/javascript', wasm: 'application/wasm', html: 'text/html', gguf: 'application/octet-stream' }

/**
 * @param {string | null} model
 * @returns {Promise<{ url: string, close(): void }>}
 */
async function servePackage(model) {
  const modelPath = model?.startsWith('file:') ? fileURLToPath(model) : model
  if (modelPath) await stat(modelPath).catch(error => { throw fileError(error, modelPath) })
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    // Isolation gives a page its finest clock.
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    if (pathname === '/') return response.setHeader('Content-Type', contentTypes.html).end('<!doctype html><title>itera bench</title>')
    const allowed = /^\/(src|dist)\/([\w-]+\/)*[\w.-]+$/.test(pathname)
    const file = pathname === '/model.gguf' ? modelPath : allowed ? fileURLToPath(new URL(`.${pathname}`, packageRoot)) : null
    const size = file && await stat(file).then(found => found.size, () => null)
    if (!file || size === null) return response.writeHead(404).end()
    response.writeHead(200, {
      'Content-Type': contentTypes[pathname.split('.').pop() ?? ''] ?? 'application/octet-stream',
      'Content-Length': size,
    })
    createReadStream(file).on('error', () => response.destroy()).pipe(response)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
