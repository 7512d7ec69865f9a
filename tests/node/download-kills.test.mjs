// A download that is killed again and again, with its process or by its server, at any moment, ends with an intact file,
// and no byte is sent twice beyond one chunk a kill. Of ITERA_KILLS (200) these are 60%, the others are in
// tests/browser/download-kills.test.mjs; ITERA_SEED repeats a run.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { openUrl } from '../../web/src/download/url.js'
import { completeTransfer } from '../../web/src/download/transfer.js'
import { hostileServer, noise, sentAgain } from './support/hostile-server.mjs'
import { Kills } from './support/kills.mjs'
import { createRandom, seed } from './support/random.mjs'

const KILLS = Math.ceil(Number(process.env.ITERA_KILLS ?? 200) * 0.6)
const CHUNK = 256 << 10
const BYTES = 8 * 1024 * 1024 + 4321
const child = fileURLToPath(new URL('support/download-child.mjs', import.meta.url))

describe('a download under fire', () => {
  /** @type {Awaited<ReturnType<typeof hostileServer>>} */
  let server
  let cacheDir = ''
  before(async () => {
    server = await hostileServer()
    cacheDir = mkdtempSync(path.join(tmpdir(), 'itera-kills-'))
  })
  after(async () => {
    await server.close()
    rmSync(cacheDir, { recursive: true })
  })

  it(`survives ${KILLS} kills`, { timeout: 60_000 + KILLS * 1000 }, async t => {
    t.diagnostic(`ITERA_SEED=${seed}`)
    const random = createRandom(seed)
    const kills = new Kills({ server, random, chunkBytes: CHUNK, wanted: KILLS })
    let files = 0
    while (!kills.done) {
      const bytes = noise(BYTES, seed + files)
      const file = `/model-${files++}`
      server.files.set(file, { bytes, etag: `"${files}"` })
      server.log.length = 0
      const killsBefore = kills.count
      for (let code = null; code !== 0;) {
        const process_ = spawn(process.execPath, [child, server.url + file, cacheDir, String(CHUNK)], { stdio: ['ignore', 'ignore', 'pipe'] })
        let complaint = ''
        process_.stderr.on('data', text => { complaint += text })
        kills.arm(() => process_.kill('SIGKILL'))
        let signal = null
        ;[code, signal] = await new Promise(resolve => process_.on('close', (...how) => resolve(how)))
        server.disarm()
        assert.ok(code === 0 || signal === 'SIGKILL', complaint)
      }
      const again = sentAgain(server.log)
      assert.ok(again.every(count => count <= CHUNK), `${file} sent ${Math.max(...again)} bytes again at once`)
      const sum = again.reduce((a, b) => a + b, 0)
      const hits = kills.count - killsBefore
      assert.ok(sum <= hits * CHUNK, `${file} sent ${sum} bytes again after ${hits} kills`)

      const requests = server.log.length
      const opened = await openUrl(server.url + file, completeTransfer({ cacheDir }), new AbortController().signal)
      const parts = []
      for await (const piece of opened.pieces) parts.push(piece.slice())
      await opened.close?.()
      assert.ok(Buffer.concat(parts).equals(bytes), 'the bytes are those of the file')
      assert.equal(opened.state?.cached, BYTES)
      assert.equal(server.log.length, requests)
      server.files.delete(file)
    }
    t.diagnostic(`${kills.count} kills of ${files} downloads`)
  })
})
