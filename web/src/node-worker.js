import { Worker } from 'node:worker_threads'

/**
 * The worker of Node. A module of its own, so that bundlers for the web see nothing of it.
 *
 * @returns {Worker}
 */
export function createNodeWorker() {
  return new Worker(new URL('./worker.js', import.meta.url))
}
