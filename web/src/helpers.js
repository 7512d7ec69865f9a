import { IteraError } from './errors.js'
import { startHelper } from './workers.js'

/** How long a helper may take to start. */
const START_SECONDS = 20

/**
 * The helpers of one engine, on the side that starts them. That is the main thread, not the engine's worker: workers
 * started by workers hang in Firefox now and then (seen in 153), and the main thread, which never blocks,
 * learns at once when a helper has died.
 */
export class Helpers {
  /** @type {Set<import('./workers.js').WorkerHandle>} */
  #workers = new Set()
  #ended = false

  /** @param {(reason: string) => void} onCrash  of a helper that had been ready */
  constructor(onCrash) { this.onCrash = onCrash }

  /**
   * @param {import('./helper.js').HelperStart} start
   * @returns {Promise<void>} rejected when it does not start
   */
  async start(start) {
    /** @type {(error?: string) => void} */
    let settle = () => {}
    let ready = false
    /** @type {import('./workers.js').WorkerHandle | undefined} */
    let worker
    const answer = new Promise((/** @type {(error?: string) => void} */ resolve) => { settle = resolve })
    const fail = (/** @type {string} */ reason) => {
      if (ready && worker && this.#workers.has(worker)) this.onCrash(reason)
      settle(reason)
    }
    worker = await startHelper({ onMessage: ({ error }) => error ? fail(error.message) : settle(), onCrash: fail })
    if (this.#ended) return worker.terminate()
    this.#workers.add(worker)
    worker.post(start)
    const timer = setTimeout(fail, START_SECONDS * 1000, 'it does not answer')
    const error = await answer
    clearTimeout(timer)
    ready = true
    worker.hold(false)
    if (error === undefined) return
    worker.terminate()
    this.#workers.delete(worker)
    throw new IteraError('crashed', `a thread cannot be started: ${error}`)
  }

  end() {
    this.#ended = true
    for (const worker of this.#workers) worker.terminate()
    this.#workers.clear()
  }
}
