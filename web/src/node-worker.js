import { Worker } from 'node:worker_threads'

/**
 * The workers of Node. A module of its own, so that bundlers for the web see nothing of it.
 *
 * @returns {Worker}
 */
export function createNodeWorker() {
  return new Worker(new URL('./worker.js', import.meta.url))
}

/** @returns {Worker} one of the engine's further threads */
export function createNodeHelper() {
  return new Worker(new URL('./helper.js', import.meta.url))
}
