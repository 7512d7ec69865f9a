// Files that commands write: whole or not at all, and what is already under their names stays what it is.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'

import { writeWhole } from '../../web/bin/output.js'

const folder = mkdtempSync(join(tmpdir(), 'itera-output-'))
const file = (/** @type {string} */ name) => join(folder, name)
after(() => rmSync(folder, { recursive: true }))
const parts = () => readdirSync(folder).filter(name => name.includes('.part-'))

const unix = process.platform === 'win32' ? 'there is no such thing' : false

describe('writeWhole', () => {
  it('leaves what was there when it fails', async () => {
    writeFileSync(file('old'), 'old')
    await assert.rejects(writeWhole(file('old'), async target => {
      await target.writeFile('half')
      throw new Error('full')
    }), { code: 'unwritable', message: /full/ })
    assert.equal(readFileSync(file('old'), 'utf8'), 'old')
    assert.deepEqual(parts(), [])
  })

  it('keeps the mode of a file', { skip: unix }, async () => {
    for (const mode of [0o600, 0o666]) {
      writeFileSync(file('mode'), 'old')
      chmodSync(file('mode'), mode)
      await writeWhole(file('mode'), target => target.writeFile('new'))
      assert.equal(statSync(file('mode')).mode & 0o777, mode)
      assert.equal(readFileSync(file('mode'), 'utf8'), 'new')
    }
  })

  it('writes where a link points', { skip: unix }, async () => {
    writeFileSync(file('real'), 'old')
    symlinkSync('real', file('link'))
    await writeWhole(file('link'), target => target.writeFile('new'))
    assert.ok(lstatSync(file('link')).isSymbolicLink())
    assert.equal(readFileSync(file('real'), 'utf8'), 'new')
  })

  it('writes into what is no file', { skip: unix }, async () => {
    execFileSync('mkfifo', [file('pipe')])
    const reader = promisify(execFile)('cat', [file('pipe')])
    await writeWhole(file('pipe'), target => target.writeFile('new'))
    assert.equal((await reader).stdout, 'new')
    assert.ok(lstatSync(file('pipe')).isFIFO())
    assert.deepEqual(parts(), [])
  })

  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    it(`leaves nothing behind at ${signal}`, { skip: unix }, async () => {
      const module = new URL('../../web/bin/output.js', import.meta.url).href
      const program = `import { writeWhole } from '${module}'
        setInterval(() => {}, 1000)
        await writeWhole(process.argv[1], async () => { console.log('writing'); await new Promise(() => {}) })`
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, file('stopped')])
      child.stdout.once('data', () => {
        assert.equal(parts().length, 1)
        child.kill(signal)
      })
      const ended = await new Promise(resolve => child.once('close', (_, by) => resolve(by)))
      assert.equal(ended, signal)
      assert.deepEqual(parts(), [])
    })
  }
})
