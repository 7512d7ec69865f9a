import { IteraError } from './errors.js'

/** @param {unknown} signal */
export function checkSignal(signal) {
  if (signal === undefined || signal === null) return
  const { aborted, addEventListener } = /** @type {Partial<AbortSignal>} */ (signal)
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return
  throw new IteraError('argument', 'signal must be an AbortSignal')
}

/**
 * A controller of one piece of work that also obeys the caller's signal, once checked, until released.
 * (AbortSignal.any() is not everywhere yet.)
 *
 * @param {AbortSignal | null} [signal]
 */
export function controllerFor(signal) {
  checkSignal(signal)
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return { controller, release: () => signal?.removeEventListener('abort', abort) }
}
