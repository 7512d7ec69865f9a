// The cache of downloads in a folder, against a server that does everything wrong, one thing at a time.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

import { openUrl } from '../../web/src/download/url.js'
import { Entry } from '../../web/src/cache/entry.js'
import { openFolderStore } from '../../web/src/cache/folder.js'
import { KeptFile } from '../../web/src/download/kept.js'
import { RemoteFile } from '../../web/src/download/remote.js'
import { completeTransfer } from '../../web/src/download/transfer.js'
import { withSource } from '../../web/src/source.js'
import { Itera, IteraError } from '../../web/src/index.js'
import { hostileServer, noise, sentAgain } from './support/hostile-server.mjs'

const CHUNK = 64 << 10
const bytes = noise(10 * CHUNK + 1234, 7)
const changed = noise(10 * CHUNK + 1234, 8)
const model = readFileSync(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const ETAG = '"one"'

describe('the cache of downloads', () => {
  /** @type {Awaited<ReturnType<typeof hostileServer>>} */
  let server
  let cacheDir = ''
  before(async () => { server = await hostileServer() })
  after(() => server.close())
  beforeEach(() => { cacheDir = mkdtempSync(path.join(tmpdir(), 'itera-cache-')) })
  afterEach(() => {
    rmSync(cacheDir, { recursive: true })
    server.files.clear()
    server.log.length = 0
  })

  /** @param {Partial<import('./support/hostile-server.mjs').ServedFile>} [file] */
  function offer(file) {
    const served = { bytes, etag: ETAG, ...file }
    server.files.set('/file', served)
    return served
  }

  /** As the worker does it: all bytes, and the last state. @param {any} [options] @param {AbortSignal} [signal] */
  async function fetchAll(options = {}, signal = new AbortController().signal) {
    const transfer = completeTransfer({ cacheDir, chunkBytes: CHUNK, requestBytes: CHUNK, retryDelay: 1, ...options })
    const { url = `${server.url}/file`, onState } = options
    /** @type {any[]} */
    const states = []
    const source = { kind: /** @type {const} */ ('url'), url, transfer }
    const whole = await withSource(source, { signal, onState: state => { states.push({ ...state }); onState?.(state) } }, async opened => {
      const parts = []
      for await (const piece of opened.pieces) parts.push(piece.slice())
      return Buffer.concat(parts)
    })
    return { whole, states, state: states.at(-1) }
  }

  /** @param {any} [options] @param {Uint8Array} [expected] */
  async function arrives(options, expected = bytes) {
    const result = await fetchAll(options)
    assert.ok(result.whole.equals(expected), 'the bytes are those of the file')
    assert.equal(result.state.loaded, expected.length)
    assert.equal(result.state.total, expected.length)
    return result
  }

  /** @param {Promise<unknown>} work @param {string} code @param {RegExp} message */
  const fails = (work, code, message) => assert.rejects(work, error => {
    assert.ok(error instanceof IteraError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })

  const sum = (/** @type {number[]} */ list) => list.reduce((a, b) => a + b, 0)
  const sent = () => sum(server.log.map(entry => entry.sent))

  it('fetches each byte once, then none', async () => {
    offer()
    const { state } = await arrives()
    assert.deepEqual([state.cached, state.resumed], [0, 0])
    assert.equal(sent(), bytes.length)
    assert.equal(sum(sentAgain(server.log)), 0)
    const requests = server.log.length
    assert.equal((await arrives()).state.cached, bytes.length)
    assert.equal(server.log.length, requests, 'the server is not even asked')
  })

  it('goes on after cuts, silence, 5xx and early ends', async () => {
    offer({ script: [
      { cutAfter: 1000 }, { status: 503, headers: { 'Retry-After': '0' } }, { stallAfter: 70 }, { status: 500 }, { endAfter: 5000 },
      { cutAfter: 0 }, {}, { status: 429 }, { cutAfter: CHUNK - 1 }, { status: 502 }, { status: 504 },
    ] })
    const { state, states } = await arrives({ stallTimeout: 1000 })
    assert.equal(state.resumed, 10)
    assert.ok(states.some(({ status }) => status === 'retrying'))
    assert.equal(state.status, 'downloading')
    assert.equal(sum(sentAgain(server.log)), 0, 'what arrived in this session is not asked for again')
  })

  it('asks for more at once where round trips are long', async () => {
    offer({ always: { delay: 150 } })
    await arrives({ requestBytes: undefined })
    assert.ok(server.log.length <= 5, `${server.log.length} requests`)
    assert.equal(sent(), bytes.length)
  })

  it('waits as long as the server asks', async () => {
    offer({ script: [{ status: 503, headers: { 'Retry-After': '1' } }] })
    const began = performance.now()
    await arrives()
    assert.ok(performance.now() - began >= 990)
  })

  it('gives up in the end, with what it has', async () => {
    offer({ script: [{}, {}], always: { status: 500 } })
    await fails(fetchAll({ retries: 2 }), 'network', /HTTP status 500/)
    assert.equal(server.log.length, 5)
    offer()
    assert.equal((await arrives()).state.cached, 2 * CHUNK)
    offer({ always: { stallAfter: 10 } })
    await fails(fetchAll({ retries: 0, stallTimeout: 150, cache: 'other' }), 'network', /no byte came in 0\.15 s/)
  })

  it('does not ask again where that is of no use', async () => {
    for (const [status, code] of /** @type {const} */ ([[403, 'network'], [404, 'not-found'], [410, 'not-found']])) {
      server.log.length = 0
      offer({ always: { status } })
      await fails(fetchAll(), code, new RegExp(`HTTP status ${status}`))
      assert.equal(server.log.length, 1)
    }
  })

  it('resumes what was aborted, at any moment, without a chunk too many', async () => {
    offer()
    for (let part = 0; part < 12; part++) {
      const abort = new AbortController()
      server.after(Math.round((part + 0.5) * CHUNK / 2), () => abort.abort())
      const result = await fetchAll({}, abort.signal).catch(error => error)
      server.disarm()
      if (!(result instanceof Error)) break
      assert.equal(result.code, 'aborted')
    }
    await arrives()
    assert.ok(sentAgain(server.log).every(again => again <= CHUNK), String(sentAgain(server.log)))
  })

  it('starts over when the file changed between two sessions or in the middle of one', async () => {
    const middle = async (/** @type {any} */ file) => {
      offer({ ...file, always: {} })
      const abort = new AbortController()
      server.after(3.5 * CHUNK, () => abort.abort())
      await fails(fetchAll({}, abort.signal), 'aborted', /./)
    }
    for (const [one, two] of [[{ etag: '"a"' }, { etag: '"b"' }], [{ etag: undefined, modified: 'Mon, 01 Jan 2024 00:00:00 GMT' },
      { etag: undefined, modified: 'Tue, 02 Jan 2024 00:00:00 GMT' }], [{ etag: 'W/"a"' }, { etag: 'W/"b"' }],
    // Nothing tells them apart but the bytes.
    [{ etag: undefined }, { etag: undefined }]]) {
      rmSync(path.join(cacheDir, 'models'), { recursive: true, force: true })
      await middle(one)
      offer({ ...two, bytes: changed })
      await arrives({}, changed)
    }
    rmSync(path.join(cacheDir, 'models'), { recursive: true })
    offer({ etag: '"a"' })
    server.after(4.5 * CHUNK, cut => {
      offer({ etag: '"b"', bytes: changed })
      cut()
    })
    await arrives({}, changed)
  })

  it('gives up on a file that never stays the same', async () => {
    const served = offer()
    let version = 0
    const changing = setInterval(() => { served.etag = `"${version++}"` }, 1)
    served.always = { cutAfter: 100 }
    try {
      await fails(fetchAll({ retryDelay: 20 }), 'changed', /changed on the server/)
    } finally {
      clearInterval(changing)
    }
  })

  it('notices a new file of a whole entry only when told to look', async () => {
    offer()
    await arrives()
    offer({ bytes: changed, etag: '"two"' })
    await arrives()
    await arrives({ revalidate: true }, changed)
    const before = sent()
    await arrives({ revalidate: true }, changed)
    assert.ok(sent() - before <= 1)
    offer({ always: { status: 500 } })
    await arrives({ revalidate: true, retries: 0 }, changed)
  })

  it('does without ranges, lengths and versions', async () => {
    for (const file of [{ ranges: false }, { lengthless: true, ranges: false }, { lengthless: true }, { etag: undefined, ranges: false },
      { etag: undefined }]) {
      rmSync(path.join(cacheDir, 'models'), { recursive: true, force: true })
      offer({ ...file, script: [{ cutAfter: 3.5 * CHUNK }] })
      await arrives()
      assert.equal((await arrives()).state.cached, bytes.length)
    }
  })

  it('is not taken in by lies about length and range', async () => {
    for (const step of [
      { headers: { 'Content-Length': String(bytes.length + 5000) }, whole: true, cutAfter: bytes.length },
      { headers: { 'Content-Range': `bytes 77-${CHUNK + 76}/${bytes.length}` } },
      { headers: { 'Content-Range': `bytes 0-${CHUNK - 1}/*` } },
      { headers: { 'Content-Range': '' } },
      { headers: { 'Content-Range': 'bytes five-six/seven' } },
    ]) {
      rmSync(path.join(cacheDir, 'models'), { recursive: true, force: true })
      offer({ script: [step] })
      await arrives()
    }
    rmSync(path.join(cacheDir, 'models'), { recursive: true, force: true })
    offer({ always: { whole: true, headers: { 'Content-Length': String(bytes.length + 5000) }, cutAfter: bytes.length } })
    await fails(fetchAll({ retries: 2 }), 'network', /cannot be read/)
  })

  it('does not take for the file what does not say that it is', async () => {
    const url = `${server.url}/file`
    const page = new TextEncoder().encode('<!doctype html><p>Log in first.')
    const other = model.map(byte => byte ^ 1)
    const transfer = { cacheDir, chunkBytes: CHUNK, requestBytes: CHUNK, retries: 1, retryDelay: 1 }
    const listed = async () => (await Itera.cache.list({ cacheDir })).map(({ bytes, total, complete }) => [bytes, total, complete])
    for (const answer of [
      { bytes: page, lengthless: true }, { bytes: page }, { bytes: other }, { bytes: other, lengthless: true },
      { bytes: page, modified: 'Mon, 01 Jan 2024 00:00:00 GMT' },
    ]) {
      rmSync(path.join(cacheDir, 'models'), { recursive: true, force: true })
      offer({ bytes: model, script: [{}, {}, {}], always: { cutAfter: 0 } })
      await fails(Itera.download(url, transfer), 'network', /./)
      const partial = [[3 * CHUNK, model.length, false]]
      assert.deepEqual(await listed(), partial)
      offer({ etag: undefined, ranges: false, ...answer })
      await fails(Itera.download(url, transfer), 'network', /does not say which file/)
      await fails(Itera.load(url, transfer), 'network', /does not say which file/)
      assert.deepEqual(await listed(), partial)
      offer({ bytes: model })
      await arrives({}, model)
      assert.equal((await arrives({ revalidate: true, ...transfer }, model)).state.cached, model.length)
      offer({ etag: undefined, ranges: false, ...answer })
      assert.equal((await arrives({ revalidate: true, ...transfer }, model)).state.cached, model.length)
    }
  })

  it('goes on where a whole file without a length ends before its known end', async () => {
    offer({ script: [{}, { whole: true, headers: { 'Content-Length': '' }, endAfter: 2.5 * CHUNK }] })
    const { state } = await arrives()
    assert.equal(state.resumed, 1)
    assert.equal((await arrives()).state.cached, bytes.length)
    rmSync(path.join(cacheDir, 'models'), { recursive: true })
    offer({ script: [{}], always: { whole: true, headers: { 'Content-Length': '' }, endAfter: 2.5 * CHUNK } })
    await fails(Itera.download(`${server.url}/file`, { cacheDir, chunkBytes: CHUNK, requestBytes: CHUNK, retries: 1, retryDelay: 1 }),
      'network', /ended early/)
  })

  it('knows where a file of whole chunks ends', async () => {
    const even = bytes.subarray(0, 3 * CHUNK)
    offer({ bytes: even, lengthless: true, ranges: false })
    const info = await Itera.download(`${server.url}/file`, { cacheDir, chunkBytes: CHUNK })
    assert.deepEqual([info.bytes, info.total, info.complete], [even.length, even.length, true])
    const [row] = await Itera.cache.list({ cacheDir })
    assert.deepEqual([row.bytes, row.total, row.complete], [even.length, even.length, true])
    const requests = server.log.length
    await arrives({}, even)
    assert.equal(server.log.length, requests)
  })

  it('heals damage with the chunks it hit', async () => {
    offer()
    await arrives()
    const folder = path.join(cacheDir, 'models')
    const data = path.join(folder, /** @type {string} */ (readdirSync(folder).find(name => name.endsWith('.data'))))
    const damaged = readFileSync(data)
    damaged[2 * CHUNK + 5] ^= 1
    damaged[7 * CHUNK] ^= 128
    writeFileSync(data, damaged)
    let before = sent()
    await arrives()
    assert.equal(sent() - before, 2 * CHUNK)
    writeFileSync(data, damaged.subarray(0, 9 * CHUNK + 10))     // ends early as well
    before = sent()
    await arrives()
    assert.equal(sent() - before, 2 * CHUNK + bytes.length - 9 * CHUNK)

    const log = data.replace(/data$/, 'log')
    const text = readFileSync(log, 'utf8')
    for (const [broken, most] of /** @type {[string, number][]} */ ([
      [text.slice(0, -30), CHUNK], [text.replace(/^3 .{5}/m, '3 00000'), CHUNK], [text.replace(/\n4 /g, '\n3 '), 2 * CHUNK],
      [text.replace('"total":', '"total":1'), bytes.length], ['', bytes.length], ['\u0000\u0000garbage\n', bytes.length],
    ])) {
      writeFileSync(log, broken)
      before = sent()
      await arrives()
      assert.ok(sent() - before <= most, `${sent() - before} of ${most}`)
    }
    assert.equal((await arrives()).state.cached, bytes.length)
  })

  it('is written by one at a time', async () => {
    offer()
    const both = await Promise.all(Array.from({ length: 4 }, () => arrives()))
    assert.equal(sent(), bytes.length)
    assert.equal(both.filter(({ states }) => states.some(({ status }) => status === 'waiting')).length, 3)
    assert.ok(readdirSync(path.join(cacheDir, 'models')).every(name => !name.includes('.lock')))
  })

  it('takes the lock of the dead, and not that of the living', async () => {
    offer()
    await arrives()
    const folder = path.join(cacheDir, 'models')
    const lock = path.join(folder, /** @type {string} */ (readdirSync(folder)[0]).replace(/\.\w+$/, '.lock'))
    const { hostname } = await import('node:os')
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }))
    await arrives()
    writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname() }))
    await fails(fetchAll({}, AbortSignal.timeout(300)), 'aborted', /./)
    await fails(Itera.cache.delete(`${server.url}/file`, { cacheDir }), 'busy', /in use/)
  })

  it('goes on without a cache that cannot be written', async () => {
    offer()
    writeFileSync(path.join(cacheDir, 'not-a-folder'), '')
    const { state } = await arrives({ cacheDir: path.join(cacheDir, 'not-a-folder') })
    assert.equal(state.cacheError, 'storage')
    await fails(Itera.download(`${server.url}/file`, { cacheDir: path.join(cacheDir, 'not-a-folder') }), 'storage', /./)
  })

  it('goes on when the disk is full half way, and keeps what it has', async () => {
    offer()
    const full = async (/** @type {boolean} */ isFull) => {
      const store = await openFolderStore(cacheDir, 'models')
      const files = await store.open('entry')
      const url = `${server.url}/file`
      const entry = await Entry.read({ ...files, async write(offset, chunk) {
        if (isFull && offset >= 4 * CHUNK) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        await files.write(offset, chunk)
      } }, url)
      const { patience } = completeTransfer({})
      const facts = entry.facts
      const remote = new RemoteFile(url, { signal: new AbortController().signal, patience, span: { least: CHUNK, most: CHUNK }, kept: true,
        known: facts ? { version: facts, total: facts.total } : undefined })
      /** @type {any} */
      const state = { loaded: 0, cached: 0 }
      const file = new KeptFile(remote, entry, state, changes => Object.assign(state, changes))
      await file.begin({ url, revalidate: false, chunkBytes: CHUNK })
      const parts = []
      for await (const piece of file.pieces()) parts.push(piece.slice())
      await entry.close()
      assert.ok(Buffer.concat(parts).equals(bytes))
      return state
    }
    const first = await full(true)
    assert.deepEqual([first.cacheError, first.loaded], ['quota', bytes.length])
    const second = await full(false)
    assert.deepEqual([second.cacheError, second.cached], [undefined, 4 * CHUNK])
    assert.equal((await full(false)).cached, bytes.length)
  })

  it('keeps no file that is no model', async () => {
    offer({ bytes: new TextEncoder().encode('<!doctype html><p>Log in first.') })
    await fails(Itera.load(`${server.url}/file`, { cacheDir }), 'not-gguf', /GGUF/)
    assert.deepEqual(await Itera.cache.list({ cacheDir }), [])
    offer({ bytes: model.subarray(0, 2_000_000) })
    await fails(Itera.load(`${server.url}/file`, { cacheDir }), 'incomplete', /./)
    assert.deepEqual(await Itera.cache.list({ cacheDir }), [])
  })

  it('downloads, lists, loads without a network, deletes', async () => {
    const url = `${server.url}/file`
    offer({ bytes: model })
    const info = await Itera.download(url, { cacheDir })
    assert.deepEqual([info.url, info.name, info.bytes, info.total, info.complete], [url, 'file', model.length, model.length, true])
    offer({ always: { status: 500 } })
    /** @type {any} */
    let last
    const loaded = await Itera.load(url, { cacheDir, onProgress: progress => { last = progress } })
    loaded.dispose()
    assert.deepEqual([last.loaded, last.total, last.cached], [model.length, model.length, model.length])
    const [row, ...others] = await Itera.cache.list({ cacheDir })
    assert.deepEqual(others, [])
    assert.deepEqual({ ...row, updated: 0 }, { ...info, updated: 0 })
    assert.equal((await Itera.cache.estimate({ cacheDir })).bytes, model.length)
    assert.equal(await Itera.cache.delete(url, { cacheDir }), true)
    assert.equal(await Itera.cache.delete(url, { cacheDir }), false)
    assert.deepEqual(await Itera.cache.list({ cacheDir }), [])
    assert.deepEqual(readdirSync(path.join(cacheDir, 'models')), [])
    await fails(Itera.cache.list(), 'storage', /cacheDir/)
  })

  it('keeps nothing in Node unless told where', async () => {
    offer({ bytes: model, script: [{ cutAfter: 1_000_000 }, { stallAfter: 1_500_000 }] })
    /** @type {any} */
    let last
    const loaded = await Itera.load(`${server.url}/file`, { retryDelay: 1, stallTimeout: 1000, onProgress: progress => { last = progress } })
    loaded.dispose()
    assert.deepEqual([last.loaded, last.cached, last.resumed], [model.length, 0, 2])
    assert.equal(sent(), model.length)
  })
})
