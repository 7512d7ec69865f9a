// The types of model.openai beside those of the official client.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

it('answers of model.openai have the types of the openai package', () => {
  const path = relative => fileURLToPath(new URL(relative, import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, [path('../../node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck',
    '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2023,dom,dom.iterable,dom.asynciterable', path('support/openai-types.ts')], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})
