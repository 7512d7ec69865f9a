// What the page is made of when it is served or exported: addresses, and the files behind them. The development
// server answers by this list, the exporter copies it, and the service worker keeps what it says.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const demo = path.join(root, 'demo')

/** Libraries the page uses, taken from node_modules as they are. */
export const VENDOR = {
  'vendor/marked.js': path.join(root, 'node_modules/marked/lib/marked.esm.js'),
  'vendor/purify.js': path.join(root, 'node_modules/dompurify/dist/purify.es.mjs'),
}

/** Files of a folder and those below, by path inside it. */
async function walk(folder, inside = '') {
  const entries = await readdir(path.join(folder, inside), { withFileTypes: true })
  const found = await Promise.all(entries.map(entry => entry.isDirectory()
    ? walk(folder, path.join(inside, entry.name)) : [path.join(inside, entry.name)]))
  return found.flat().sort()
}

/**
 * All files of the page but models: address below the page, and the file.
 * @returns {Promise<Record<string, string>>}
 */
export async function siteFiles() {
  /** @type {Record<string, string>} */
  const files = {}
  for (const name of ['index.html', 'style.css', 'icon.svg', 'manifest.webmanifest', 'models.json', 'sw.js']) files[name] = path.join(demo, name)
  for (const name of await walk(path.join(demo, 'src'))) files[`src/${name}`] = path.join(demo, 'src', name)
  for (const [name, file] of Object.entries(VENDOR)) if (existsSync(file)) files[name] = file
  for (const name of await walk(path.join(root, 'web/src'))) {
    if (name.endsWith('.js')) files[`web/src/${name}`] = path.join(root, 'web/src', name)
  }
  for (const name of await walk(path.join(root, 'web/dist'))) {
    // The package in one file is for bundlers; a page takes the modules.
    if (/\.(js|wasm)$/.test(name) && name !== 'inline.js') files[`web/dist/${name}`] = path.join(root, 'web/dist', name)
  }
  return files
}

/**
 * The list that sw.js imports. Builds of the engine are kept as they are used, for a browser needs one of them.
 * @param {Record<string, Buffer | string>} contents by address
 */
export function precacheScript(contents) {
  const hash = createHash('sha256')
  const names = Object.keys(contents).filter(name => name !== 'sw.js').sort()
  for (const name of names) hash.update(`${name}\0`).update(contents[name])
  const files = names.filter(name => !name.endsWith('.wasm'))
  return `self.PRECACHE = ${JSON.stringify({ version: hash.digest('hex').slice(0, 16), files }, null, 1)}\n`
}

/** The same of the files as they are on disk now. */
export async function precacheOfDisk() {
  const files = await siteFiles()
  return precacheScript(Object.fromEntries(await Promise.all(
    Object.entries(files).map(async ([name, file]) => [name, await readFile(file)]))))
}
