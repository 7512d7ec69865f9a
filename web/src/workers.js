import { hasNodeModules, nodeModule } from './platform.js'
import { createWebHelper, createWebWorker } from './web-worker.js'

/**
 * Starting workers, of whichever kind the platform has. For the main thread only: a worker that imported this would import
 * itself, and bundlers do not like that.
 */

/**
 * A worker, whichever kind the platform has.
 *
 * @typedef {object} WorkerHandle
 * @property {(message: unknown, transfer?: any[]) => void} post
 * @property {() => void} terminate
 * @property {(busy: boolean) => void} hold  keeps the process alive while true (Node); does nothing elsewhere
 */

/**
 * @typedef {object} WorkerListeners
 * @property {(message: any) => void} onMessage
 * @property {(reason: string, code?: 'memory') => void} onCrash
 */

/**
 * Starts the engine's worker.
 *
 * @param {WorkerListeners} listeners
 * @returns {Promise<WorkerHandle>}
 */
export async function startWorker(listeners) {
  return typeof globalThis.Worker === 'function'
    ? webWorker(createWebWorker(), listeners)
    : nodeWorker(node => node.createNodeWorker(), listeners)
}

/**
 * Starts one of the engine's further threads.
 *
 * @param {WorkerListeners} listeners
 * @returns {Promise<WorkerHandle>}
 */
export async function startHelper(listeners) {
  return typeof globalThis.Worker === 'function'
    ? webWorker(createWebHelper(), listeners)
    : nodeWorker(node => node.createNodeHelper(), listeners)
}

/**
 * @param {Worker} worker
 * @param {WorkerListeners} listeners
 * @returns {WorkerHandle}
 */
function webWorker(worker, { onMessage, onCrash }) {
  worker.addEventListener('message', event => onMessage(event.data))
  worker.addEventListener('messageerror', () => onCrash('a message from the worker could not be read'))
  worker.addEventListener('error', event => {
    event.preventDefault?.()
    onCrash(event.message || 'the worker script could not be loaded')
  })
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    terminate: () => worker.terminate(),
    hold: () => {},
  }
}

/**
 * @typedef {typeof import('./node-worker.js')} NodeWorkers
 *
 * @param {(node: NodeWorkers) => import('node:worker_threads').Worker} create
 * @param {WorkerListeners} listeners
 * @returns {Promise<WorkerHandle>}
 */
async function nodeWorker(create, { onMessage, onCrash }) {
  if (!hasNodeModules) throw new Error('this engine has no workers')
  const worker = create(/** @type {NodeWorkers} */ (await nodeModule('./node-worker.js')))
  worker.on('message', onMessage)
  worker.on('messageerror', error => onCrash(error.message))
  worker.on('error', (/** @type {any} */ error) =>
    onCrash(error?.message ?? String(error), error?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : undefined))
  worker.on('exit', code => onCrash(`the worker ended with code ${code}`))
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
    hold: busy => busy ? worker.ref() : worker.unref(),
  }
}
