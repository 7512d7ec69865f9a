// In place of src/web-worker.js: the worker's code is part of this file.
import code from 'worker-code'

let url

export function createWebWorker() {
  url ??= URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
  return new Worker(url, { type: 'module' })
}
