/**
 * The differences between browsers and Node, all in one place.
 *
 * Nothing here imports a `node:` module statically, and the dynamic import takes its name from a variable,
 * so bundlers for the web neither follow nor complain about it. Other modules only for Node come the same way.
 */

/** Does this engine have Node's built-in modules (Node itself, Deno, Bun)? */
export const hasNodeModules = typeof globalThis.process?.versions?.node === 'string' &&
  /** @type {any} */ (globalThis.process).type !== 'renderer'

/**
 * @template {string} Name
 * @param {Name} name
 * @returns {Promise<any>} the module, named as seen from here; callers cast it
 */
export function nodeModule(name) {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ name)
}

/**
 * The worker's side: receives messages and returns the function that posts to the main thread.
 * In a Web Worker the listener is attached before this function returns, so no message is missed.
 *
 * @param {(message: any) => void} onMessage
 * @returns {(message: unknown, transfer?: any[]) => void}
 */
export function openPort(onMessage) {
  const scope = /** @type {any} */ (globalThis)
  if (typeof scope.postMessage === 'function' && typeof scope.addEventListener === 'function' && !scope.document) {
    scope.addEventListener('message', (/** @type {MessageEvent} */ event) => onMessage(event.data))
    return (message, transfer = []) => scope.postMessage(message, transfer)
  }
  /** @type {Promise<import('node:worker_threads').MessagePort>} */
  const opening = nodeModule('node:worker_threads').then(({ parentPort }) => {
    if (!parentPort) throw new Error('worker.js runs inside a worker only')
    parentPort.on('message', onMessage)
    return (port = parentPort)
  })
  /** @type {import('node:worker_threads').MessagePort | undefined} */
  let port
  // A request can only have arrived through the port, so by the time anything is posted it is open.
  return (message, transfer = []) => {
    if (port) port.postMessage(message, transfer)
    else void opening.then(opened => opened.postMessage(message, transfer))
  }
}

/**
 * Lets the event loop run once, as cheaply as the platform allows (microseconds; setTimeout would take 4 ms).
 *
 * @type {() => Promise<void>}
 */
export const breathe = typeof setImmediate === 'function'
  ? () => new Promise(resolve => void setImmediate(resolve))
  : messageChannelTurn()

/** @returns {() => Promise<void>} */
function messageChannelTurn() {
  /** @type {(() => void)[]} */
  const waiting = []
  /** @type {MessageChannel | undefined} */
  let channel
  return () => new Promise(resolve => {
    if (!channel) {
      channel = new MessageChannel()
      channel.port1.onmessage = () => waiting.shift()?.()
    }
    waiting.push(resolve)
    channel.port2.postMessage(0)
  })
}
