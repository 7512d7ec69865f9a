/**
 * The workers of browsers, Deno and Bun. A module of its own, so that the build in one file can have another.
 *
 * @returns {Worker}
 */
export function createWebWorker() {
  // Bundlers recognise exactly this expression and emit the worker as a file of its own.
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
}

/** @returns {Worker} one of the engine's further threads */
export function createWebHelper() {
  return new Worker(new URL('./helper.js', import.meta.url), { type: 'module' })
}
