import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { IteraError } from '../../src/errors.js'
import { readJson } from '../convert/config.js'
import { readBytes } from '../io.js'

/**
 * Text for training: files as lists of documents, and mixtures of several files.
 */

/** A line that is exactly this ends a document. */
const separator = '<|endoftext|>'

/**
 * @param {string} text
 * @returns {string[]} each stripped of white space at both ends; without empty ones
 */
export function splitDocuments(text) {
  /** @type {string[][]} */
  const documents = [[]]
  for (const line of text.split('\n')) {
    if (line.replace(/\r$/, '') === separator) documents.push([])
    else documents[documents.length - 1].push(line)
  }
  return documents.map(lines => lines.join('\n').trim()).filter(text => text)
}

/** @param {string} path  '-' is standard input; a name in .gz is unpacked @returns {Promise<string[]>} */
export async function readDocuments(path) {
  let bytes = await readBytes(path)
  if (path.endsWith('.gz')) {
    bytes = await promisify(gunzip)(bytes).catch(error => {
      throw new IteraError('corrupt', `${path} cannot be unpacked: ${error.message}`)
    })
  }
  return splitDocuments(bytes.toString('utf8'))
}

/**
 * A manifest says which files make a mixture, and in which parts:
 *
 *     { "seed": 1, "sources": [{ "path": "a.txt", "weight": 3 }, { "path": "b.txt", "weight": 1, "repeat": 4 }] }
 *
 * `repeat` is how often each document of a source appears (1; 0.5 takes half of them). With `weight`, which all
 * sources have or none, the sources appear in parts of the bytes that are as their weights, the mixture is as large
 * as that allows, and `repeat` is the most that a document may appear. Paths count from the manifest's folder.
 *
 * @typedef {object} Source
 * @property {string} path
 * @property {number} repeat
 * @property {number | undefined} weight
 *
 * @typedef {object} Mixture
 * @property {string[]} documents  shuffled
 * @property {number} seed
 * @property {{ path: string, documents: number, bytes: number, repeat: number }[]} sources  what was taken
 */

/** @param {string} path @returns {Promise<Mixture>} */
export async function readMixture(path) {
  const { seed, sources } = checkManifest(path, await readJson(path))
  const files = []
  for (const source of sources) {
    const documents = await readDocuments(resolve(dirname(path), source.path))
    const bytes = documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    if (!bytes) throw new IteraError('argument', `${path}: ${source.path} has no text`)
    files.push({ ...source, documents, bytes })
  }
  // The source that runs out first decides how large the whole can be.
  const unit = Math.min(...files.map(({ bytes, repeat, weight }) => bytes * repeat / (weight ?? 1)))
  const random = randomNumbers(seed)
  const taken = files.map(file => {
    const repeat = file.weight === undefined ? file.repeat : unit * file.weight / file.bytes
    const documents = repeatDocuments(file.documents, repeat, random)
    return {
      path: file.path, repeat, documents,
      bytes: documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    }
  })
  return {
    seed,
    documents: shuffle(taken.flatMap(({ documents }) => documents), random),
    sources: taken.map(({ documents, ...rest }) => ({ ...rest, documents: documents.length })),
  }
}

/**
 * @param {string} path
 * @param {Record<string, any>} json
 * @returns {{ seed: number, sources: Source[] }}
 */
function checkManifest(path, json) {
  const wrong = (/** @type {string} */ what) => new IteraError('corrupt', `${path}: ${what}`)
  const seed = json.seed ?? 0
  if (!Number.isSafeInteger(seed)) throw wrong('"seed" is no whole number')
  if (!Array.isArray(json.sources) || !json.sources.length) throw wrong('"sources" is no list of files')
  const positive = (/** @type {unknown} */ value) => typeof value === 'number' && value > 0 && value < Infinity
  for (const source of json.sources) {
    if (typeof source?.path !== 'string') throw wrong('a source has no "path"')
    for (const key of ['repeat', 'weight']) {
      if (source[key] === undefined || positive(source[key])) continue
      throw wrong(`"${key}" of ${source.path} is no positive number`)
    }
    const unknown = Object.keys(source).find(key => !['path', 'repeat', 'weight'].includes(key))
    if (unknown) throw wrong(`a source has "path", "weight" and "repeat", not "${unknown}"`)
    if ((source.weight === undefined) !== (json.sources[0].weight === undefined)) {
      throw wrong('some sources have a "weight" and some have none')
    }
  }
  return { seed, sources: json.sources.map((/** @type {any} */ { path, repeat = 1, weight }) => ({ path, repeat, weight })) }
}

/**
 * Each document as often as the whole part of `repeat` says, and as many more, chosen at random, as the bytes of
 * the rest allow.
 *
 * @param {string[]} documents
 * @param {number} repeat
 * @param {() => number} random
 * @returns {string[]}
 */
function repeatDocuments(documents, repeat, random) {
  // A share that is whole but for rounding must not lose or gain a document.
  const rounded = Math.abs(repeat - Math.round(repeat)) < 1e-9 ? Math.round(repeat) : repeat
  const whole = Math.floor(rounded)
  const list = Array.from({ length: whole }, () => documents).flat()
  if (whole === rounded) return list
  let left = (rounded - whole) * documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  for (const text of shuffle([...documents], random)) {
    left -= Buffer.byteLength(text)
    if (left < 0) break
    list.push(text)
  }
  return list
}

/** @template T @param {T[]} list  shuffled in place @param {() => number} random @returns {T[]} */
export function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    const kept = list[i]
    list[i] = list[other]
    list[other] = kept
  }
  return list
}

/**
 * The same numbers in [0, 1) for the same seed, everywhere: a counter whose bits are mixed.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function randomNumbers(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
  }
}
