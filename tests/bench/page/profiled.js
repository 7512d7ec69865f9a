// Runs in the page: the engine on the page's own thread, where the profiler looks, out of a module with function names.

let session, tokens

/** @param {{ url: string, wasmUrl: string, simd: string, prompt: number, gen: number }} options */
export async function profiledOpen({ url, wasmUrl, simd, prompt, gen }) {
  const [{ Wasm }, { openSource }, { loadModel }, { Session }] = await Promise.all(
    ['wasm', 'source', 'loader', 'session'].map(name => import(`/package/src/${name}.js`)))
  const module = await WebAssembly.compileStreaming(fetch(wasmUrl))
  const imports = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0
  const wasm = new Wasm(await WebAssembly.instantiate(module, imports), simd, 0)
  const { model } = await loadModel(wasm, await openSource({ kind: 'url', url }, new AbortController().signal), {})
  const vocabulary = wasm.exports.itera_model_info(model, 0)
  tokens = Int32Array.from({ length: prompt }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0) % vocabulary)
  session = new Session(wasm, model, prompt + gen)
  for (const begin = performance.now(); performance.now() - begin < 4000;) {      // compilers in tiers
    await profiledRead({ count: 64 })
    profiledWrite({ count: 16 })
  }
}

/** From an empty conversation. @param {{ count: number }} options */
export async function profiledRead({ count }) {
  session.reset()
  const begin = performance.now()
  await session.prefill(tokens.subarray(0, count))
  return performance.now() - begin
}

/** @param {{ count: number }} options */
export function profiledWrite({ count }) {
  const begin = performance.now()
  for (let i = 0; i < count; i++) session.feed([tokens[i % tokens.length]])
  return performance.now() - begin
}
