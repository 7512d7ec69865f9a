// Split models, from a server, the cache and a folder; and names that stand for URLs.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'

import { locate, splitNames } from '../../web/src/download/names.js'
import { Itera, IteraError } from '../../web/src/index.js'
import { buildGguf, u32 } from '../fixtures/gguf-bytes.mjs'
import { tinyMambaContent } from '../fixtures/tiny-mamba.mjs'
import { hostileServer } from './support/hostile-server.mjs'

const COUNT = 3
const content = tinyMambaContent()
const whole = buildGguf(content).bytes

/** The parts as llama.cpp splits a file, tensors in an order of their own, with an alignment of their own. */
const parts = Array.from({ length: COUNT }, (_, part) => {
  const n = Math.ceil(content.tensors.length / COUNT)
  const alignment = part === 1 ? 64 : 32
  return buildGguf({
    kvs: [...part === 0 ? content.kvs : [], ['split.no', u32(part)], ['split.count', u32(COUNT)],
      ['split.tensors.count', u32(content.tensors.length)], ...alignment === 32 ? [] : [['general.alignment', u32(alignment)]]],
    tensors: content.tensors.slice(part * n, (part + 1) * n).reverse(),
    alignment,
  }).bytes
})
const nameOf = (/** @type {number} */ part) => `tiny-0000${part + 1}-of-0000${COUNT}.gguf`
const size = parts.reduce((sum, { length }) => sum + length, 0)

/** What a model says to a prompt. @param {any} source @param {any} [options] */
async function answer(source, options) {
  /** @type {any[]} */
  const seen = []
  const model = await Itera.load(source, { ...options, onProgress: progress => seen.push(progress) })
  try {
    return { logits: await model.logits([1, 2, 3]), last: seen.at(-1), info: model.info }
  } finally {
    model.dispose()
  }
}

describe('a split model', () => {
  let cacheDir = ''
  /** @type {Awaited<ReturnType<typeof hostileServer>>} */
  let server
  /** @type {Float32Array} */
  let expected
  before(async () => {
    server = await hostileServer()
    cacheDir = mkdtempSync(path.join(tmpdir(), 'itera-split-'))
    parts.forEach((bytes, part) => server.files.set(`/${nameOf(part)}`, { bytes, etag: `"${part}"` }))
    expected = (await answer(whole)).logits
  })
  after(async () => {
    await server.close()
    rmSync(cacheDir, { recursive: true })
  })

  it('is the model that it was, from a folder and from a server', async () => {
    parts.forEach((bytes, part) => writeFileSync(path.join(cacheDir, nameOf(part)), bytes))
    assert.deepEqual((await answer(path.join(cacheDir, nameOf(0)))).logits, expected)
    const { logits, last, info } = await answer(`${server.url}/${nameOf(0)}`)
    assert.deepEqual(logits, expected)
    assert.equal(info.parameters.total, (await answer(whole)).info.parameters.total)
    assert.deepEqual([last.loaded, last.total], [size, size])
  })

  it('is kept as one, each byte fetched once, whichever part was named', async () => {
    const options = { cacheDir, chunkBytes: 4096, requestBytes: 4096 }
    server.log.length = 0
    const sent = () => server.log.reduce((sum, entry) => sum + entry.sent, 0)
    assert.deepEqual((await answer(`${server.url}/${nameOf(1)}`, options)).logits, expected)
    assert.equal(sent(), size)
    const again = await answer(`${server.url}/${nameOf(0)}`, options)
    assert.deepEqual(again.logits, expected)
    assert.deepEqual([again.last.cached, again.last.total], [size, size])
    assert.equal(sent(), size)
    const [row, ...others] = await Itera.cache.list({ cacheDir })
    assert.deepEqual(others, [])
    assert.deepEqual([row.url, row.bytes, row.total, row.complete, row.files], [`${server.url}/${nameOf(0)}`, size, size, true, COUNT])
    assert.ok(await Itera.cache.delete(`${server.url}/${nameOf(2)}`, { cacheDir }))
    assert.deepEqual(await Itera.cache.list({ cacheDir }), [])
  })

  it('is downloaded whole, with its size known from the start', async () => {
    server.log.length = 0
    /** @type {any[]} */
    const seen = []
    const info = await Itera.download(`${server.url}/${nameOf(0)}`, { cacheDir, chunkBytes: 4096, requestBytes: 4096, onProgress: progress => seen.push(progress) })
    assert.deepEqual([info.bytes, info.files, info.complete], [size, COUNT, true])
    assert.ok(seen.every(({ total }) => total === size), JSON.stringify(seen))
    assert.equal(server.log.reduce((sum, entry) => sum + entry.sent, 0), size)
    await Itera.cache.clear({ cacheDir })
  })

  it('says which part is missing or wrong', async () => {
    const fails = (/** @type {string} */ code, /** @type {RegExp} */ message) =>
      assert.rejects(answer(`${server.url}/${nameOf(0)}`), error => error instanceof IteraError && error.code === code && message.test(error.message))
    server.files.set(`/${nameOf(2)}`, { bytes: parts[1] })
    await fails('corrupt', /00003-of-00003\.gguf does not say that it is part 3 of 3/)
    server.files.set(`/${nameOf(2)}`, { bytes: parts[2].subarray(0, parts[2].length - 100) })
    await fails('incomplete', /00003-of-00003\.gguf/)
    server.files.delete(`/${nameOf(2)}`)
    await fails('not-found', /00003-of-00003\.gguf answered with HTTP status 404/)
  })
})

describe('names', () => {
  it('stand for files on Hugging Face', () => {
    const hub = 'https://huggingface.co'
    for (const [name, url] of [
      ['hf:a/b/c.gguf', `${hub}/a/b/resolve/main/c.gguf`],
      ['hf:a/b@v1.2/folder/c.gguf', `${hub}/a/b/resolve/v1.2/folder/c.gguf`],
      ['hf:a/b@refs%2Fpr%2F1/c.gguf', `${hub}/a/b/resolve/refs%252Fpr%252F1/c.gguf`],
      [`${hub}/a/b/blob/main/c.gguf`, `${hub}/a/b/resolve/main/c.gguf`],
      [`${hub}/a/b/resolve/main/c.gguf?download=true#x`, `${hub}/a/b/resolve/main/c.gguf?download=true`],
      ['https://example.com/a/blob/main/c.gguf', 'https://example.com/a/blob/main/c.gguf'],
    ]) assert.equal(locate(name), url)
    for (const name of ['hf:', 'hf:a', 'hf:a/b', 'hf:a/b/', 'hf:a/b@/c', 'hf:/a/b/c', 'not a url']) {
      assert.throws(() => locate(name), error => error instanceof IteraError && error.code === 'argument', name)
    }
  })

  it('of parts name all parts', () => {
    assert.deepEqual(splitNames('https://a.example/m-00002-of-00002.gguf?x=1'),
      ['https://a.example/m-00001-of-00002.gguf?x=1', 'https://a.example/m-00002-of-00002.gguf?x=1'])
    for (const name of ['m.gguf', 'm-00001-of-00001.gguf', 'm-00001-of-99999.gguf', 'm-1-of-2.gguf', 'm-00001-of-00002.bin']) {
      assert.equal(splitNames(name), null, name)
    }
  })
})
