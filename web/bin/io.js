import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { Itera } from '../src/index.js'
import { fileError } from '../src/source.js'
import { required, simd, threads } from './options.js'

/**
 * What commands read and print.
 *
 * @typedef {import('./options.js').Values} Values
 */

/** @param {unknown} value  printed as one line of JSON */
export function printJson(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** A line on stderr that replaces itself; nothing where stderr is not a terminal. */
export class StatusLine {
  #shown = false
  #last = 0

  /** @param {string} text */
  show(text) {
    const now = Date.now()
    if (!process.stderr.isTTY || now - this.#last < 50) return
    this.#last = now
    this.#shown = true
    process.stderr.write(`\r\x1b[K${text}`)
  }

  clear() {
    if (this.#shown) process.stderr.write('\r\x1b[K')
    this.#shown = false
  }
}

/**
 * Loads the model that -m names.
 *
 * @param {Values} values
 * @returns {Promise<import('../src/model.js').Model>}
 */
export async function loadModel(values) {
  const line = new StatusLine()
  try {
    return await Itera.load(required(values, 'model', '-m MODEL'), {
      simd: simd(values),
      threads: threads(values),
      onProgress: ({ loaded, total }) => line.show(`loading ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''}`),
    })
  } finally {
    line.clear()
  }
}

/** @param {string} path  '-' is standard input @returns {Promise<string>} */
export async function readText(path) {
  return (await readBytes(path)).toString('utf8')
}

/** @param {string} path @returns {Promise<Buffer>} */
export async function readBytes(path) {
  try {
    if (path !== '-') return await readFile(path)
    const chunks = []
    for await (const chunk of process.stdin) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch (error) {
    throw fileError(error, path)
  }
}

/**
 * A signal that Ctrl-C aborts. A second Ctrl-C ends the program as usual.
 *
 * @returns {{ signal: AbortSignal, release: () => void }}
 */
export function interruptSignal() {
  const controller = new AbortController()
  const abort = () => controller.abort()
  process.once('SIGINT', abort)
  return { signal: controller.signal, release: () => process.off('SIGINT', abort) }
}

/** @param {number} bytes */
export const megabytes = bytes => `${(bytes / 1e6).toFixed(1)} MB`

/**
 * One line of figures after a generation.
 *
 * @param {import('../types.d.ts').Stats} stats
 * @param {import('../types.d.ts').ModelInfo} info
 */
export function statsLine(stats, info) {
  const cached = stats.cachedTokens ? ` (${stats.cachedTokens} cached)` : ''
  return `${stats.promptTokens} prompt tokens${cached}, first token after ${stats.ttftMs.toFixed(0)} ms, ` +
    `${stats.generatedTokens} tokens at ${stats.decodeTps.toFixed(1)}/s, ${megabytes(stats.memoryBytes)}, ` +
    `${info.simd}, ${info.threads} thread${info.threads > 1 ? 's' : ''}`
}
