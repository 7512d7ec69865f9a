// Writes the page into a folder, ready for any static host: the page, the package and the models, modules bundled into
// few files, and the list of what a service worker keeps.
//
//   node demo/export.mjs FOLDER

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transform } from 'esbuild'
import { precacheScript, root, siteFiles } from './site.mjs'

/**
 * What a module and those it imports become: entries under the names they had, beside them what several of them share
 * and what is imported later. A page of a hundred modules would be fetched in a dozen rounds, one for each depth.
 */
const BUNDLES = [
  { outdir: 'src', entries: ['demo/src/main.js', 'demo/src/first-paint.js'] },
  { outdir: 'web/src', entries: ['web/src/index.js', 'web/src/worker.js', 'web/src/helper.js'] },
]
const bundled = (/** @type {string} */ name) => BUNDLES.some(({ outdir }) => name.startsWith(`${outdir}/`))

/**
 * In an exported page everything lies below it. Comments and indents are for those who read the source. The package is
 * fetched along with the page's own code.
 *
 * @param {string} html
 * @param {string[]} modules  of the package
 */
const exported = (html, modules) => html.replace('"../web/src/index.js"', '"./web/src/index.js"')
  .replace('</head>', modules.map(name => `<link rel="modulepreload" href="${name}">`).join('\n') + '\n</head>')
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
  const { code, first } = await bundle()
  for (const [name, file] of Object.entries(await siteFiles())) {
    if (bundled(name)) continue
    const bytes = await readFile(file)
    const loader = /** @type {Record<string, 'js' | 'css'>} */ ({ '.js': 'js', '.css': 'css' })[path.extname(name)]
    if (loader) {
      const { code } = await transform(bytes.toString(), { loader, minify: true, target: 'es2022', legalComments: 'none' })
      contents[name] = code
    } else if (name === 'index.html') contents[name] = exported(bytes.toString(), first)
    else if (name === 'models.json') contents[name] = await models(bytes.toString(), folder)
    else contents[name] = bytes
  }
  Object.assign(contents, code)
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

/**
 * @returns {Promise<{ code: Record<string, string>, first: string[] }>} files by address below the page, and those that
 *   the package begins with
 */
async function bundle() {
  /** @type {Record<string, string>} */
  const code = {}
  /** @type {string[]} */
  let first = []
  for (const { outdir, entries } of BUNDLES) {
    const { outputFiles, metafile } = await build({
      absWorkingDir: root, entryPoints: entries, outdir, entryNames: '[name]', chunkNames: '[name]-[hash]', write: false,
      metafile: true, bundle: true, splitting: true, format: 'esm', minify: true, target: 'es2022', charset: 'utf8',
      legalComments: 'none', external: ['itera-lite', '../vendor/*', 'node:*'],
    })
    for (const { path: file, text } of outputFiles) code[path.relative(root, file)] = text
    const index = metafile.outputs[`${outdir}/index.js`]
    const shared = index?.imports.filter(({ kind }) => kind === 'import-statement').map(({ path: file }) => file)
    if (shared) first = [`${outdir}/index.js`, ...shared]
  }
  return { code, first }
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
