// Rows of figures, one CSV file a machine in results/.

import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const columns = /** @type {const} */ ([
  'commit', 'date', 'machine', 'browser', 'file', 'engine', 'simd', 'threads', 'prompt', 'gen', 'repeat',
  'prefill_tps', 'decode_tps', 'load_ms',
  'prefill_ratio', 'decode_ratio',      // to wllama of as many threads, in the same run
  'dot_share', 'read_share',            // of the dot products and of the memory bandwidth of as many threads, in the same run
  'load_average',                       // of the machine as the file's turn began: 1 or a little more when nothing else runs
])

/** @typedef {Partial<Record<typeof columns[number], string | number>>} Row */

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'results')

/** Model names of virtual machines say little; family and model number tell the generation. */
export function machine() {
  const { model } = os.cpus()[0]
  let detail = ''
  try {
    const text = readFileSync('/proc/cpuinfo', 'utf8')
    const field = name => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1]
    if (field('cpu family')) detail = ` (family ${field('cpu family')} model ${field('model')})`
  } catch {
    // not Linux: the name has to do
  }
  return `${model.trim()}${detail}, ${os.cpus().length} cores`
}

/**
 * The commit that a package was built from, with a + where sources differ from it; empty where that is not known.
 *
 * @param {string} [packageFolder]
 */
export function commit(packageFolder = path.join(folder, '../../../web')) {
  const git = (...args) => execFileSync('git', args, { cwd: packageFolder, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const changed = git('status', '--porcelain', '--', '../src', '../wasm', '.')
    return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '')
  } catch {
    return ''
  }
}

export const resultFile = (name = machine()) =>
  path.join(folder, `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}.csv`)

/** @param {Row[]} rows @param {string} [file] */
export function appendRows(rows, file = resultFile()) {
  mkdirSync(path.dirname(file), { recursive: true })
  if (!existsSync(file)) appendFileSync(file, `${columns.join()}\n`)
  const cell = value => /[",\n]/.test(String(value ?? '')) ? `"${String(value).replaceAll('"', '""')}"` : value ?? ''
  appendFileSync(file, rows.map(row => `${columns.map(column => cell(row[column])).join()}\n`).join(''))
  return file
}

/** @param {string} file @returns {Record<string, string>[]} */
export function readRows(file) {
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split('\n').map(splitLine)
  return lines.map(cells => Object.fromEntries(head.map((name, i) => [name, cells[i] ?? ''])))
}

/** @param {string} line */
const splitLine = line => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)]
  .map(([, quoted, plain]) => quoted === undefined ? plain : quoted.replaceAll('""', '"'))

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
