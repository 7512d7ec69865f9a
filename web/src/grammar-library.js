/**
 * Where the grammar library is and how it is loaded. It is an optional peer dependency, never imported by name: bundlers
 * would then demand it of everybody. The main thread finds its one file, for a worker does not see a page's import map,
 * and the worker loads it when a grammar is first asked for.
 */
import { IteraError } from './errors.js'

/** @typedef {typeof import('@mlc-ai/web-xgrammar')} GrammarLibrary */

const NAME = '@mlc-ai/web-xgrammar'

/**
 * @param {string | URL} [given]  where the app says it is
 * @returns {string} a URL
 */
export function findGrammarLibrary(given) {
  if (given !== undefined) return new URL(given, globalThis.location?.href ?? import.meta.url).href
  try {
    return import.meta.resolve(NAME)
  } catch (cause) {
    throw missing('is not installed', cause)
  }
}

/**
 * Makes an instance of its own each time it is called.
 *
 * @param {string} url
 * @param {(line: string) => void} print  told what the library says, as the reason why a grammar is bad
 * @returns {Promise<GrammarLibrary>}
 */
export async function loadGrammarLibrary(url, print) {
  const scope = /** @type {any} */ (globalThis)
  const { error, log, warn } = console
  // Another query is another instance. The fragment would not be.
  const instance = new URL(url)
  instance.searchParams.set('instance', String(instances++))
  // The file is an old-fashioned script that calls itself a module: it leaves its exports in a global, asks `location`
  // where it came from, which Node lacks, and keeps the console's functions of the moment it starts.
  const lendsLocation = scope.location === undefined
  if (lendsLocation) scope.location = { href: url }
  console.error = console.log = console.warn = (/** @type {unknown[]} */ ...words) => print(words.join(' '))
  try {
    const namespace = await import(/* webpackIgnore: true */ /* @vite-ignore */ instance.href)
    const library = [namespace, namespace.default, scope.xgrammar].find(found => found?.GrammarCompiler)
    if (!library) throw new Error('it is something else')
    const probe = await library.TokenizerInfo.createTokenizerInfo([])  // its wasm starts with the first call
    probe.dispose()
    return library
  } catch (cause) {
    throw missing(`cannot be loaded from ${url}`, cause)
  } finally {
    Object.assign(console, { error, log, warn })
    if (lendsLocation) delete scope.location
    delete scope.xgrammar
  }
}

let instances = 0

/** @param {string} what @param {unknown} cause */
function missing(what, cause) {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new IteraError('no-grammar', `grammars, JSON schemas among them, need the package ${NAME}, which ${what}` +
    `${reason}; npm install ${NAME}, or say where it is with Itera.load(source, { grammarLibrary })`, { cause })
}
