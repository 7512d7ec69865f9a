// In place of src/web-worker.js: the worker's code is part of this file.
import code from 'worker-code'

let url

export function createWebWorker() {
  url ??= URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
  return new Worker(url, { type: 'module' })
}

// This build has one thread: the engine's files for several are not in it.
export function createWebHelper() {
  throw new Error('this build has one thread')
}
