import { IteraError } from './errors.js'

/**
 * The engine of chat templates, fetched by the worker when a conversation first needs it: it is about as large as all of
 * the worker's own code. By its address, not by import('...'): Vite up to 7 cannot split the code of a worker. A module
 * of its own, so that the build in one file can have another.
 *
 * @typedef {typeof import('../dist/jinja.js')} TemplateEngine
 */

/** @returns {Promise<TemplateEngine>} */
export async function loadTemplateEngine() {
  // A literal, so that bundlers find, copy and rename the file.
  const url = new URL('../dist/jinja.js', import.meta.url)
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ url.href)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new IteraError('network', `the template engine ${url.href} cannot be read: ${reason}`, { cause })
  }
}
