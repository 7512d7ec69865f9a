import { IteraError } from '../errors.js'

/** A passing trouble: asking again may help. What it says is what people read when it does not. */
export class Interruption extends IteraError {
  /** @param {string} message @param {{ wait?: number, cause?: unknown }} [options]  wait: what the server asks for, in ms */
  constructor(message, { wait, cause } = {}) {
    super('network', message, { cause })
    this.wait = wait
  }
}

/** What has been read is of no use any more: the whole must begin anew. */
export class Restart extends IteraError {}

/** Beginning anew more often than this means that it would never end. */
const RESTARTS = 3

/**
 * Does something that may have to begin anew.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withRestarts(work) {
  for (let restarts = 0; ; restarts++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Restart) || restarts >= RESTARTS) throw error
    }
  }
}

/** @param {string} url  data: and blob: URLs can be megabytes long or mean nothing */
export const shorten = url => url.length > 200 ? `${url.slice(0, 100)}...` : url

/** @param {string} name @param {unknown} error */
export function cannotBeRead(name, error) {
  const { message, cause } = /** @type {Error} */ (error)
  return `${name} cannot be read: ${cause instanceof Error && cause.message ? cause.message : message}`
}

/**
 * Waits, but not past an abort, nor past the moment when the network is back.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 */
export async function pause(ms, signal) {
  const scope = /** @type {any} */ (globalThis)
  let wake = () => {}
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  await new Promise(resolve => {
    wake = () => resolve(undefined)
    signal.addEventListener('abort', wake)
    scope.addEventListener?.('online', wake)
    timer = setTimeout(wake, ms)
  })
  clearTimeout(timer)
  signal.removeEventListener('abort', wake)
  scope.removeEventListener?.('online', wake)
  if (signal.aborted) throw new IteraError('aborted', 'loading was aborted')
}
