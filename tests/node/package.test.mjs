// The package as npm would publish it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = new URL('../../web/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
const types = readFileSync(new URL('types.d.ts', root), 'utf8')

/** Every module under a folder, from the package's root. @param {string} folder @returns {string[]} */
const modules = folder => readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
  .filter(file => /\.m?js$/.test(file)).map(file => `${folder}${file}`)

describe('the package', () => {
  it('depends on nothing', () => {
    for (const kind of ['dependencies', 'optionalDependencies']) assert.equal(manifest[kind], undefined)
    // What an app may add, and then has to name: the library of grammars.
    assert.deepEqual(Object.keys(manifest.peerDependencies), ['@mlc-ai/web-xgrammar'])
    assert.equal(manifest.peerDependenciesMeta['@mlc-ai/web-xgrammar'].optional, true)
    for (const file of modules('src/')) {
      const text = readFileSync(new URL(file, root), 'utf8')
      for (const [, name] of text.matchAll(/^(?:import|export)\b[^'"]*\bfrom '([^']+)'/gm)) {
        // One module is for Node alone.
        if (file !== 'src/node-worker.js') assert.match(name, /^\.{1,2}\//, `${file} imports ${name}`)
      }
      assert.doesNotMatch(text.replace(/\/\*[^]*?\*\//g, ''), /import\(['"](?!\.)(?!node:)/, file)
    }
  })

  it('names files that exist, types first', () => {
    assert.deepEqual(Object.keys(manifest.exports['.']), ['types', 'default'])
    for (const file of [...Object.values(manifest.exports['.']), ...Object.values(manifest.exports['./inline']), manifest.bin.itera, manifest.types]) {
      assert.ok(existsSync(new URL(file, root)), file)
    }
  })

  it('declares exactly what it exports', async () => {
    const exported = Object.keys(await import(new URL(manifest.exports['.'].default, root).href)).sort()
    const declared = [...types.matchAll(/^export (?:declare )?(?:const|class|function) (\w+)/gm)].map(match => match[1])
    assert.deepEqual(declared.sort(), exported)
  })

  it('declares every error code that is thrown', () => {
    const union = /export type ErrorCode =([^]*?)\n\n/.exec(types)?.[1] ?? ''
    for (const file of [...modules('src/'), ...modules('bin/')]) {
      const text = readFileSync(new URL(file, root), 'utf8')
      for (const [, code] of text.matchAll(/new IteraError\('([\w-]+)'/g)) {
        assert.ok(union.includes(`'${code}'`), `${file} throws '${code}', which types.d.ts does not list`)
      }
    }
  })

  it('can be imported where there are no workers and no document', () => {
    const script = 'delete globalThis.WebAssembly; await import(process.argv[1]); console.log("ok")'
    const entry = new URL(manifest.exports['.'].default, root).href
    assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script, entry], { encoding: 'utf8' }), 'ok\n')
  })

  it('packs into less than a megabyte, with all that it needs', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--offline', '--loglevel=error'],
      { cwd: fileURLToPath(root), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const [{ size, files }] = JSON.parse(output)
    const paths = files.map((/** @type {any} */ file) => file.path)
    assert.ok(size < 1_000_000, `${size} bytes`)
    for (const needed of [...modules('src/'), ...modules('bin/'), 'types.d.ts', 'README.md', 'dist/jinja.js', 'dist/inline.js',
      ...['scalar', 'simd128', 'relaxed', 'simd128-threads', 'relaxed-threads'].map(variant => `dist/itera-${variant}.wasm`)]) {
      assert.ok(paths.includes(needed), `${needed} is missing`)
    }
    assert.ok(!paths.some((/** @type {string} */ file) => /test|tsconfig|\.gguf$/.test(file)))
  })
})
