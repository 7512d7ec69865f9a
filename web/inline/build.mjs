// Writes the package in one file: the worker as text and the wasm modules in base64 inside, so that nothing else has
// to be found. For bundlers that leave `new URL(file, import.meta.url)` alone.
//
//   node web/inline/build.mjs OUT.js
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { build } from 'esbuild'

const file = name => fileURLToPath(new URL(name, import.meta.url))

const common = {
  bundle: true, format: 'esm', target: 'es2022', minify: true, write: false, charset: 'utf8',
  // Written by the user's own package, where it is wanted.
  external: ['@mlc-ai/*'],
}

/** @param {Record<string, string>} others  module by module, what stands in for it */
const replace = others => ({
  name: 'replace',
  setup(build) {
    for (const [name, other] of Object.entries(others)) {
      build.onResolve({ filter: new RegExp(`/${name}$`) }, () => ({ path: file(other) }))
    }
  },
})

const worker = await build({
  ...common,
  entryPoints: [file('../src/worker.js')],
  plugins: [replace({ 'engine-file.js': 'no-engine-file.js', 'template-engine.js': 'template-engine.js' })],
})

await build({
  ...common,
  write: true,
  outfile: process.argv[2],
  entryPoints: [file('../src/index.js')],
  plugins: [
    replace({ 'engine-file.js': 'engine-file.js', 'web-worker.js': 'web-worker.js' }),
    {
      name: 'contents',
      setup(build) {
        build.onResolve({ filter: /^worker-code$/ }, () => ({ path: 'worker', namespace: 'code' }))
        build.onLoad({ filter: /./, namespace: 'code' }, () => ({ contents: worker.outputFiles[0].text, loader: 'text' }))
        build.onLoad({ filter: /\.wasm$/ }, async ({ path }) => ({
          contents: gzipSync(await readFile(path), { level: 9 }).toString('base64'), loader: 'text',
        }))
      },
    },
  ],
})
