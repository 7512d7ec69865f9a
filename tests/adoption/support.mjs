// Fresh projects that have the package as npm would give it to them, and a static host to show them.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Itera } from '../../web/src/index.js'
import { chatModel } from '../browser/support/page.mjs'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const modelFolder = mkdtempSync(path.join(os.tmpdir(), 'itera-adoption-'))
process.once('exit', () => rmSync(modelFolder, { recursive: true, force: true }))
/** With a chat template, so that its engine, a file fetched when it is needed, has to be found everywhere. */
export const model = await chatModel(modelFolder)
const run = promisify(execFile)

/**
 * A folder for the projects of one test file, with the packed tarball installed once: below build/, so that bundlers
 * and the like are found in the repository's own node_modules, and this package is not.
 *
 * @param {string} name
 */
export async function workshop(name) {
  const folder = path.join(root, 'build/adoption', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(path.join(folder, 'installed'), { recursive: true })
  const npm = (/** @type {string[]} */ args, /** @type {string} */ cwd) =>
    run('npm', [...args, '--offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd })
  const { stdout } = await npm(['pack', '--json', '--pack-destination', folder], path.join(root, 'web'))
  const [{ filename, size }] = JSON.parse(stdout)
  writeFileSync(path.join(folder, 'installed/package.json'), '{ "private": true }')
  await npm(['install', path.join(folder, filename)], path.join(folder, 'installed'))
  return {
    folder,
    tarball: path.join(folder, filename),
    packedBytes: /** @type {number} */ (size),
    /**
     * @param {string} project
     * @param {Record<string, string>} files
     * @returns {string} its folder
     */
    project(project, files) {
      const place = path.join(folder, project)
      mkdirSync(place, { recursive: true })
      cpSync(path.join(folder, 'installed/node_modules'), path.join(place, 'node_modules'), { recursive: true })
      for (const [file, text] of Object.entries({ 'package.json': '{ "private": true, "type": "module" }', ...files })) {
        mkdirSync(path.dirname(path.join(place, file)), { recursive: true })
        writeFileSync(path.join(place, file), text)
      }
      return place
    },
  }
}

/** Puts the model where a project's static files are. @param {string} folder */
export function addModel(folder) {
  mkdirSync(folder, { recursive: true })
  symlinkSync(model, path.join(folder, 'story.gguf'))
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' }

/**
 * A host as plain as they come: no isolation headers, no ranges, only files.
 *
 * @param {string} folder
 * @param {Record<string, string>} [headers]  with every answer
 */
export async function host(folder, headers = {}) {
  /** @type {string[]} */
  const missing = []
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    // Browsers ask for it by themselves.
    if (pathname === '/favicon.ico') return response.writeHead(204).end()
    let file = pathname === '/story.gguf' ? model : path.join(folder, pathname)
    try {
      if ((await stat(file)).isDirectory()) file = path.join(file, 'index.html')
      const bytes = await readFile(file)
      const type = TYPES[/** @type {keyof TYPES} */ (path.extname(file))] ?? 'application/octet-stream'
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length, ...headers }).end(bytes)
    } catch {
      missing.push(pathname)
      response.writeHead(404).end()
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}/`,
    /** Paths that were asked for in vain. */
    missing,
    close: () => new Promise(resolve => {
      server.close(() => resolve(undefined))
      server.closeAllConnections()
    }),
  }
}

const options = { temperature: 0, maxTokens: 24 }

/** The page's program of every kind of project; what it writes is read from the page. */
export const app = (from = 'itera-lite') => `import { Itera } from '${from}'

async function main() {
  const model = await Itera.load(new URL('/story.gguf', location.href))
  const pieces = []
  for await (const piece of model.generate('Once upon a time', ${JSON.stringify(options)})) pieces.push(piece.text)
  model.dispose()
  const plain = await Itera.load('/story.gguf', { simd: 'simd128' })
  let text = ''
  for await (const piece of plain.generate('Once upon a time', ${JSON.stringify(options)})) {
    text += piece.text
    document.querySelector('main').textContent = text
  }
  let reply = ''
  for await (const piece of plain.chat().send('Once upon a time', ${JSON.stringify(options)})) reply += piece.text
  const completion = await plain.openai.completions.create({ prompt: 'Once upon a time', temperature: 0, max_tokens: ${options.maxTokens} })
  plain.dispose()
  window.result = { pieces: pieces.filter(Boolean).length, text, reply, completion: completion.choices[0].text, simd: model.info.simd }
}
main().catch(error => { window.result = { error: error.code + ': ' + error.message } })
`

export const html = (/** @type {string} */ script) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>A project</title><link rel="icon" href="data:,">
<main></main>${script}`

/** The same from the sources, here: simd128 gives the same tokens everywhere. */
export async function expectedText() {
  const here = await Itera.load(model, { simd: 'simd128' })
  let text = ''
  for await (const piece of here.generate('Once upon a time', options)) text += piece.text
  here.dispose()
  return text
}

/** Its answer to a message. */
export async function expectedReply() {
  const here = await Itera.load(model, { simd: 'simd128' })
  let reply = ''
  for await (const piece of here.chat().send('Once upon a time', options)) reply += piece.text
  here.dispose()
  return reply
}

/**
 * Runs a command and gives what it printed; a failure shows it.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').ExecFileOptions} [options]
 */
export async function output(command, args, options) {
  try {
    const { stdout, stderr } = await run(command, args, { encoding: 'utf8', ...options })
    return `${stdout}${stderr}`
  } catch (error) {
    const { message, stdout, stderr } = /** @type {any} */ (error)
    throw new Error(`${message}\n${stdout}${stderr}`)
  }
}

/** A program of the repository's development tools. @param {string} name */
export const tool = name => path.join(root, 'node_modules/.bin', name)

/** @param {string} file  of the repository */
export const source = file => readFileSync(path.join(root, file), 'utf8')
