// The development server: what it shows, what it refuses, and the ranges that resumed downloads ask for.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseRange, resolvePath, serve } from '../../demo/serve.mjs'

const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index)
let folder
let server
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'itera-serve-'))
  writeFileSync(path.join(folder, 'model.gguf'), bytes)
  writeFileSync(path.join(folder, 'a b.wasm'), '')
  writeFileSync(path.join(folder, '.secret'), 'no')
  server = await serve({ port: 0, mounts: { files: folder } })
})
after(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Sends the path as it is; fetch would tidy '..' away. */
function rawStatus(requestPath, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: server.port, host: '127.0.0.1', path: requestPath, method }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.end()
  })
}

describe('development server', () => {
  it('shows the demo page at / and at /demo/, isolated', async () => {
    const page = await fetch(`${server.url}/`)
    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-type'), /^text\/html/)
    assert.equal(page.headers.get('cross-origin-opener-policy'), 'same-origin')
    assert.equal(page.headers.get('cross-origin-embedder-policy'), 'require-corp')
    assert.equal(await (await fetch(`${server.url}/demo/`)).text(), await page.text())
  })

  it('sends a folder without its slash to the one with it', async () => {
    const answer = await fetch(`${server.url}/demo?x=1`, { redirect: 'manual' })
    assert.equal(answer.status, 301)
    assert.equal(answer.headers.get('location'), '/demo/?x=1')
  })

  it('names types so that modules and streamed wasm are accepted', async () => {
    const script = await fetch(`${server.url}/web/src/index.js`)
    assert.match(script.headers.get('content-type'), /^text\/javascript/)
    const wasm = await fetch(`${server.url}/files/a%20b.wasm`)
    assert.equal(wasm.headers.get('content-type'), 'application/wasm')
    assert.equal((await wasm.arrayBuffer()).byteLength, 0)
  })

  it('answers ranges', async () => {
    const ask = range => fetch(`${server.url}/files/model.gguf`, { headers: { range } })
    const middle = await ask('bytes=100-199')
    assert.equal(middle.status, 206)
    assert.equal(middle.headers.get('content-range'), 'bytes 100-199/1000')
    assert.deepEqual(new Uint8Array(await middle.arrayBuffer()), bytes.slice(100, 200))
    const rest = await ask('bytes=990-')
    assert.deepEqual(new Uint8Array(await rest.arrayBuffer()), bytes.slice(990))
    const beyond = await ask('bytes=1000-')
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers.get('content-range'), 'bytes */1000')
  })

  it('starts over when the file is not the one the range was meant for', async () => {
    const ask = tag => fetch(`${server.url}/files/model.gguf`, { headers: { range: 'bytes=5-', 'if-range': tag } })
    const first = await fetch(`${server.url}/files/model.gguf`)
    await first.arrayBuffer()
    assert.equal((await ask(first.headers.get('etag'))).status, 206)
    assert.equal((await ask('"another"')).status, 200)
  })

  it('reads ranges as HTTP says', () => {
    assert.deepEqual(parseRange('bytes=-10', 100), { start: 90, end: 99 })
    assert.deepEqual(parseRange('bytes=-1000', 100), { start: 0, end: 99 })
    assert.deepEqual(parseRange('bytes=5-4000', 100), { start: 5, end: 99 })
    assert.equal(parseRange('bytes=-0', 100), null)
    for (const whole of [undefined, 'bytes=', 'bytes=-', 'bytes=9-3', 'lines=1-2', 'bytes=0-1,5-6']) {
      assert.equal(parseRange(whole, 100), undefined)
    }
  })

  it('refuses paths that climb out, hidden files and other methods', async () => {
    for (const climbing of [
      '/../package.json', '/web/../package.json', '/%2e%2e/package.json', '/web/..%2fpackage.json',
      '/files/%2e%2e%2f%2e%2e%2fetc/passwd', '/files/..\\..\\x', '/files/a%00', '/%', '/files/.secret',
      '/../../../../etc/passwd', '//etc/passwd', '/toString', '/__proto__/x',
    ]) {
      assert.equal(await rawStatus(climbing), 404, climbing)
    }
    assert.equal(resolvePath('/web/%2e%2e/x'), undefined)
    assert.equal(await rawStatus('/', 'POST'), 405)
    assert.equal(await rawStatus('/files/model.gguf', 'HEAD'), 200)
  })

  it('takes the next port when the wished one is taken', async () => {
    const second = await serve({ port: server.port })
    assert.ok(second.port > server.port)
    await second.close()
  })
})
