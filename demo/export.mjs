// Writes the page into a folder, ready for any static host: the page, the package and the models, modules stripped of
// comments and white space, and the list of what a service worker keeps.
//
//   node demo/export.mjs FOLDER

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { precacheScript, root, siteFiles } from './site.mjs'

/** In an exported page everything lies below it. Comments and indents are for those who read the source. @param {string} html */
const exported = html => html.replace('"../web/src/index.js"', '"./web/src/index.js"')
  .replace(/<!--[^]*?-->/g, '').replace(/\n\s+/g, '\n')

/** Licences of what is not ours, in a file of their own. */
const LICENCES = {
  '@huggingface/jinja': 'node_modules/@huggingface/jinja/LICENSE',
  marked: 'node_modules/marked/LICENSE',
  dompurify: 'node_modules/dompurify/LICENSE',
}

/**
 * @param {string} folder emptied first
 * @returns {Promise<Record<string, number>>} bytes of each file, models left out
 */
export async function exportSite(folder) {
  await rm(folder, { recursive: true, force: true })
  /** @type {Record<string, Buffer | string>} */
  const contents = {}
  for (const [name, file] of Object.entries(await siteFiles())) {
    const bytes = await readFile(file)
    const loader = /** @type {Record<string, 'js' | 'css'>} */ ({ '.js': 'js', '.css': 'css' })[path.extname(name)]
    if (loader) {
      const { code } = await transform(bytes.toString(), { loader, minify: true, target: 'es2022', legalComments: 'none' })
      contents[name] = code
    } else if (name === 'index.html') contents[name] = exported(bytes.toString())
    else if (name === 'models.json') contents[name] = await models(bytes.toString(), folder)
    else contents[name] = bytes
  }
  contents['precache.js'] = precacheScript(contents)
  contents['licences.txt'] = (await Promise.all(Object.entries(LICENCES).map(async ([name, file]) =>
    `${name}\n\n${await readFile(path.join(root, file), 'utf8')}`))).join(`\n${'-'.repeat(80)}\n\n`)
  for (const [name, bytes] of Object.entries(contents)) {
    const file = path.join(folder, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, bytes)
  }
  return Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [name, Buffer.byteLength(bytes)]))
}

/** Copies the shipped models and says where they are now. @param {string} text @param {string} folder */
async function models(text, folder) {
  const { models } = JSON.parse(text)
  for (const model of models) {
    const name = path.basename(model.file)
    await mkdir(path.join(folder, 'models'), { recursive: true })
    await cp(path.join(root, 'demo', model.file), path.join(folder, 'models', name))
    model.file = `models/${name}`
  }
  return JSON.stringify({ models })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]
  if (!folder) {
    console.error('usage: node demo/export.mjs FOLDER')
    process.exit(1)
  }
  const sizes = await exportSite(folder)
  console.log(`${folder}: ${Object.keys(sizes).length} files besides models`)
}
