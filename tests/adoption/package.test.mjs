// The packed package as other tools see it: its manifest, its types, and an import where there is no window.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'

import { output, root, tool, workshop } from './support.mjs'

/** @type {Awaited<ReturnType<typeof workshop>>} */
let shop
before(async () => { shop = await workshop('package') })

/** A program that uses what the types promise, and what they must refuse. */
const program = `import { benchmark, Itera, IteraError, Chat, type ErrorCode, Model, type Piece, type Stats } from 'itera-lite'
import { Itera as Inline } from 'itera-lite/inline'

export async function story(source: string | File): Promise<Stats> {
  const model: Model = await Itera.load(source, { onProgress: ({ loaded, total }) => console.log(loaded / (total ?? loaded)) })
  const pieces = model.generate('Once', { temperature: 0.5, signal: AbortSignal.timeout(1000) })
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return value
    const piece: Piece = value
    console.log(piece.text.length)
  }
}

export async function talk(model: Model): Promise<Blob> {
  const chat: Chat = model.chat({ system: 'Be kind.' })
  for await (const { text, logprob } of chat.send('Hello', { logprobs: true })) console.log(text, logprob?.toFixed(2))
  const code: ErrorCode | undefined = model.error?.code
  if (code) throw new IteraError(code, 'gone')
  void model.lost.then(reason => console.log(reason.code))
  return (await chat.fork()).save({ form: 'f16' })
}

export const loaders: (typeof Itera)[] = [Itera, Inline]
export const speed: Promise<number> = benchmark('story.gguf').then(({ decode_tps }) => decode_tps)

// @ts-expect-error a misspelt option
void Itera.load('story.gguf', { onprogress: () => {} })
// @ts-expect-error a code that does not exist
new IteraError('oops', 'x')
// @ts-expect-error a model comes from load(), and is no value here
export const model = Model
// @ts-expect-error nor is a conversation
export const chat = Chat
`

/** For projects that have `using`; the others must do without the types of it. */
const using = `import { Itera } from 'itera-lite'

export async function story(): Promise<void> {
  using model = await Itera.load('story.gguf')
  using chat = model.chat()
  await chat.info()
}
`

/** @param {string} module @param {string} moduleResolution @param {string[]} [lib] more of the language */
const tsconfig = (module, moduleResolution, lib = []) => JSON.stringify({
  compilerOptions: {
    strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable', ...lib], types: [], module, moduleResolution,
  },
  include: ['main.ts'],
})

describe('the packed package', { timeout: 120_000 }, () => {
  it('has a manifest that publint finds nothing wrong with', async () => {
    const { publint } = await import('publint')
    const { messages } = await publint({ pkgDir: path.join(shop.folder, 'installed/node_modules/itera-lite'), strict: true, pack: false })
    assert.deepEqual(messages, [])
  })

  it('has types that are found however it is imported', async () => {
    const { checkPackage, createPackageFromTarballData } = await import('@arethetypeswrong/core')
    const result = await checkPackage(createPackageFromTarballData(readFileSync(shop.tarball)))
    assert.ok(result.types)
    // It is made of ES modules alone: only Node's newest require() can take it, and that is said so.
    const problems = result.problems.filter(({ kind, resolutionKind }) =>
      kind !== 'CJSResolvesToESM' && !(kind === 'NoResolution' && resolutionKind === 'node10'))
    assert.deepEqual(problems, [])
  })

  it('installs nothing else', () => {
    const lock = JSON.parse(readFileSync(path.join(shop.folder, 'installed/package-lock.json'), 'utf8'))
    assert.deepEqual(Object.keys(lock.packages).filter(Boolean), ['node_modules/itera-lite'])
  })

  for (const [module, resolution] of [['esnext', 'bundler'], ['node16', 'node16'], ['nodenext', 'nodenext']]) {
    it(`type checks in a strict project with moduleResolution ${resolution}`, async () => {
      const folder = shop.project(`types-${resolution}`, { 'main.ts': program, 'tsconfig.json': tsconfig(module, resolution) })
      assert.equal(await output(tool('tsc'), ['-p', folder]), '')
    })
  }

  it('has models and conversations that `using` disposes of', async () => {
    const folder = shop.project('types-using', {
      'main.ts': using,
      'tsconfig.json': tsconfig('esnext', 'bundler', ['esnext.disposable']),
    })
    assert.equal(await output(tool('tsc'), ['-p', folder]), '')
  })

  it('has types in which a mistake is an error', async () => {
    const folder = shop.project('types-wrong', {
      'main.ts': `import { Itera } from 'itera-lite'\nexport const model: string = await Itera.load('x')\n`,
      'tsconfig.json': tsconfig('esnext', 'bundler'),
    })
    await assert.rejects(output(tool('tsc'), ['-p', folder]), /TS2322/)
  })

  it('is imported on a server without touching anything', async () => {
    // Every global that the import itself would read is an error.
    const script = `
      const untouchable = ['window', 'document', 'navigator', 'location', 'self', 'Worker', 'WebAssembly', 'fetch', 'caches', 'indexedDB', 'localStorage']
      const touched = []
      for (const name of untouchable) Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name) } })
      const before = Object.keys(globalThis).join()
      for (const name of ['itera-lite', 'itera-lite/inline']) await import(name)
      if (process._getActiveHandles().filter(handle => ![process.stdout, process.stderr, process.stdin].includes(handle)).length) touched.push('handles')
      process.stdout.write(touched.concat(before === Object.keys(globalThis).join() ? [] : 'globals').join(' ') || 'clean')
    `
    const folder = shop.project('ssr', { 'main.mjs': script })
    assert.equal(await output(process.execPath, ['main.mjs'], { cwd: folder }), 'clean')
  })

  it('is rendered on a server by React, also when Vite bundles it in', async () => {
    const folder = shop.project('ssr-react', {
      'main.jsx': `import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { Itera } from 'itera-lite'
const Story = () => createElement('p', null, typeof Itera.load)
console.log(renderToString(createElement(Story)))
`,
      'bundled.mjs': `import { build } from 'vite'
await build({ logLevel: 'error', build: { ssr: 'main.jsx' }, ssr: { noExternal: ['itera-lite'] } })
`,
    })
    await output(tool('vite'), ['build', '--ssr', 'main.jsx', '--outDir', 'outside'], { cwd: folder })
    await output(process.execPath, ['bundled.mjs'], { cwd: folder })
    assert.match(readFileSync(path.join(folder, 'outside/main.js'), 'utf8'), /from ["']itera-lite["']/)
    assert.doesNotMatch(readFileSync(path.join(folder, 'dist/main.js'), 'utf8'), /from ["']itera-lite["']/)
    for (const file of ['outside/main.js', 'dist/main.js']) {
      assert.equal(await output(process.execPath, [file], { cwd: folder }), '<p>function</p>\n')
    }
  })

  it('runs its command when installed', async () => {
    const folder = shop.project('command', {})
    mkdirSync(path.join(folder, 'models'))
    symlinkSync(path.join(root, 'models/story-boot-q8_0.gguf'), path.join(folder, 'models/story.gguf'))
    const text = await output(path.join(folder, 'node_modules/.bin/itera'),
      ['generate', '-m', 'models/story.gguf', '-p', 'Once', '-n', '4', '--temperature', '0', '--json'], { cwd: folder })
    assert.match(JSON.parse(text).text, /upon a time/)
  })
})
