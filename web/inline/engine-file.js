// In place of src/engine-file.js on the main thread: the modules are part of this file, gzipped, in base64.
import relaxed from '../dist/itera-relaxed.wasm'
import scalar from '../dist/itera-scalar.wasm'
import simd128 from '../dist/itera-simd128.wasm'

const engines = { scalar, simd128, relaxed }

export async function readEngine(variant) {
  const zipped = Uint8Array.from(atob(engines[variant]), character => character.charCodeAt(0))
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(stream).arrayBuffer()
}
