// Runs in the page: two conversations of one model, one near its beginning and one far on, write in turns.

/** @param {{ url: string, near: number, far: number, steps: number, turns: number }} options */
export async function positions({ url, near, far, steps, turns }) {
  const [{ loadWasm }, { openSource }, { loadModel }, { Session }] = await Promise.all(
    ['wasm', 'source', 'loader', 'session'].map(name => import(`/package/src/${name}.js`)))
  const wasm = await loadWasm()
  const source = await openSource({ kind: 'url', url }, new AbortController().signal)
  const { model } = await loadModel(wasm, source, {})
  const vocabulary = wasm.exports.itera_model_info(model, 0)
  const tokens = Int32Array.from({ length: far }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0) % vocabulary)

  const early = new Session(wasm, model)
  const late = new Session(wasm, model)
  await early.prefill(tokens.subarray(0, near))
  await late.prefill(tokens.subarray(0, near))
  const memoryNear = wasm.memoryBytes
  await late.prefill(tokens.subarray(near))
  const memoryFar = wasm.memoryBytes

  const time = session => {
    const begin = performance.now()
    for (let i = 0; i < steps; i++) session.feed([tokens[i]])
    return steps / (performance.now() - begin) * 1000
  }
  time(early)                                           // compilers in tiers
  const earlyTps = []
  const lateTps = []
  for (let turn = 0; turn < turns; turn++) {
    // Who goes first changes, so that neither always has the warmer caches.
    for (const [session, list] of turn % 2 ? [[late, lateTps], [early, earlyTps]] : [[early, earlyTps], [late, lateTps]]) {
      list.push(time(session))
    }
  }
  return {
    simd: wasm.variant, earlyTps, lateTps, earlyAt: early.position, lateAt: late.position,
    memoryNear, memoryFar, sessionBytes: late.bytes,
  }
}
