// One thread of ceilings.js: replies with a rate a second.

async function load() {
  const module = await WebAssembly.compileStreaming(fetch('/bench-build/ceilings.wasm'))
  const imports = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0
  const { exports } = await WebAssembly.instantiate(module, imports)
  exports._initialize?.()
  return exports
}

/** Over a second. @param {() => number} run what it did */
function rate(run) {
  const begin = performance.now()
  let done = 0
  while (performance.now() - begin < 1000) done += run()
  return done / (performance.now() - begin) * 1000
}

const dot = wasm => (wasm.dot(1e6), 1e6 * wasm.dot_products_each())
const read = wasm => (wasm.read(1), wasm.bytes_prepare(0))

const tasks = {
  prepare(wasm) { // memory, and the best code that the engine makes of both loops
    wasm.bytes_prepare(512)
    for (let i = 0; i < 3; i++) dot(wasm), read(wasm)
    return 0
  },
  dot: wasm => rate(() => dot(wasm)),
  read: wasm => rate(() => read(wasm)),
}

const loading = load()
onmessage = async ({ data }) => postMessage(tasks[data](await loading))
