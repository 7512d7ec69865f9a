// What this engine on this machine can do at most: relaxed dot products on registers, and reading memory, by as many
// threads at once as an engine uses. Two processors of a virtual machine may be one core's two halves.

/** @type {Worker[]} */
const workers = []

/** One reply of each of the first `threads` workers, all asked at once. @returns {Promise<number[]>} */
function ask(/** @type {number} */ threads, /** @type {string} */ what) {
  return Promise.all(workers.slice(0, threads).map(worker => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = event => reject(new Error(event.message))
    worker.postMessage(what)
  })))
}

/** @param {{ threads: number }} job @returns {Promise<{ dotGmacs: number, readGbs: number }>} of all threads together */
export async function ceilings({ threads }) {
  while (workers.length < threads) workers.push(new Worker('/bench/ceilings-worker.js', { type: 'module' }))
  await ask(threads, 'prepare')
  const sum = (/** @type {number[]} */ rates) => rates.reduce((a, b) => a + b) / 1e9
  return { dotGmacs: sum(await ask(threads, 'dot')), readGbs: sum(await ask(threads, 'read')) }
}
