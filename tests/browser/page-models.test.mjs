// The model manager: sizes before anything is fetched, what is on this device, other files, and what goes wrong.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage, shipped } from './support/page.mjs'

/** A host elsewhere that lets pages read its files, and can be told to be slow. */
async function host() {
  const bytes = await readFile(shipped)
  const state = { slow: false, sent: 0 }
  const server = createServer(async (request, response) => {
    const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*', 'Access-Control-Allow-Headers': '*' }
    if (request.method === 'OPTIONS') return response.writeHead(204, cors).end()
    if (!request.url.endsWith('.gguf')) return response.writeHead(404, cors).end()
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
    response.writeHead(from === undefined ? 200 : 206, {
      ...cors, 'Content-Length': end - start, 'Accept-Ranges': 'bytes', ETag: '"one"',
      ...from !== undefined && { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` },
    })
    if (request.method === 'HEAD') return response.end()
    response.on('error', () => {})
    for (let at = start; at < end && !response.destroyed; at += 65536) {
      response.write(bytes.subarray(at, Math.min(at + 65536, end)))
      state.sent += Math.min(65536, end - at)
      while (state.slow && at > 2.5e6 && !response.destroyed) await new Promise(done => setTimeout(done, 30))
    }
    response.end()
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { state, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close() } }
}

for (const browser of browsers) {
  describe(`models in ${browser.name}`, { skip: browser.missing }, () => {
    let t, other
    before(async () => {
      other = await host()
      t = await openPage(browser)
    })
    after(async () => {
      await t?.close()
      other?.close()
    })

    const rows = () => t.textsOf('[data-testid="model-row"]')
    const lookUp = async address => {
      await t.fill('url', address)
      await t.click('url-go')
    }

    it('shows what comes with the page, with sizes and what is on this device', async () => {
      await t.click('open-picker')
      await t.page.waitFor(() => /of models.* are kept/.test(document.getElementById('storage').textContent))
      const [first] = await rows()
      assert.match(first, /Story Boot.*Story.*tiny storyteller.*4\.2 MB · Q8_0 · In use/)
      assert.match(await t.textOf('storage'), /^4\.2 MB of models/)
    })

    it('says so when there is nothing at an address, or no address', async () => {
      await lookUp(`${t.server.url}/models/none.gguf`)
      await t.page.waitFor(() => /no file at that address/.test(document.getElementById('url-note').textContent))
      await lookUp('http://127.0.0.1:9/none.gguf')
      await t.page.waitFor(() => /No answer/.test(document.getElementById('url-note').textContent))
    })

    it('shows the size of a file elsewhere before it is fetched', async () => {
      await lookUp(`${other.url}/far-away.gguf`)
      await t.page.waitFor(() => /far-away\.gguf is 4\.2 MB/.test(document.getElementById('url-note').textContent))
      assert.equal(await t.textOf('url-go'), 'Download 4.2 MB')
      assert.equal(other.state.sent, 0)
    })

    it('shows progress, is called off, and leaves the model in use alone', async () => {
      other.state.slow = true
      await t.click('url-go')
      await t.page.waitFor(() => document.documentElement.dataset.state === 'loading' && !document.getElementById('loading').hidden)
      assert.match(await t.textOf('loading'), /far-away/)
      await t.page.waitFor(() => document.getElementById('loading-bar').value > 0.4)
      await t.click('cancel')
      await t.settled()
      assert.equal(await t.textOf('model-name'), 'Story Boot')
      other.state.slow = false
    })

    it('shows what is there of it, and fetches only the rest', async () => {
      await t.click('open-picker')
      await t.page.waitFor(() => /\d+% on this device/.test(document.querySelectorAll('[data-testid="model-row"]')[1]?.textContent))
      const resume = await t.page.evaluate(() => document.querySelectorAll('[data-testid="load-shipped"]')[1].textContent)
      assert.equal(resume, 'Resume')
      await t.press('load-shipped', 1)
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'far-away')
      await t.settled()
      assert.ok(other.state.sent < 1.5 * 4156928, `${other.state.sent} bytes were sent`)
      await t.click('open-picker')
      await t.page.waitFor(() => document.querySelectorAll('[data-testid="model-delete"]').length === 2)
      await t.press('model-delete', 1)
      await t.page.waitFor(() => document.querySelectorAll('[data-testid="model-row"]').length === 1)
      await t.click('close-picker')
    })

    it('downloads it, keeps it, and uses it from there', async () => {
      await t.click('open-picker')
      await lookUp(`${other.url}/far-away.gguf`)
      await t.page.waitFor(() => /^Download/.test(document.getElementById('url-go').textContent))
      await t.click('url-go')
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'far-away')
      await t.settled()
      const { sent } = other.state
      await t.click('open-picker')
      await t.page.waitFor(() => document.querySelectorAll('[data-testid="model-row"]').length === 2)
      assert.match((await rows())[1], /far-away.*127\.0\.0\.1.*In use/)
      await t.press('load-shipped', 0)
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'Story Boot')
      await t.settled()
      await t.click('open-picker')
      await t.page.waitFor(() => /far-away.*On this device/.test(document.querySelectorAll('[data-testid="model-row"]')[1]?.textContent))
      await t.press('load-shipped', 1)
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'far-away')
      await t.settled()
      assert.equal(other.state.sent, sent, 'nothing was fetched again')
    })

    it('deletes it from this device', async () => {
      await t.click('open-picker')
      await t.page.waitFor(() => document.querySelectorAll('[data-testid="model-delete"]').length === 2)
      await t.press('model-delete', 1)
      await t.page.waitFor(() => document.querySelectorAll('[data-testid="model-row"]').length === 1)
      // A list that was asked for meanwhile may be shorter before the deletion is reported.
      await t.page.waitFor(() => /no longer on this device/.test(document.getElementById('url-note').textContent))
      await t.click('close-picker')
    })

    it('lets an answer that began meanwhile come to its end', async () => {
      const name = await t.textOf('model-name')
      await t.press('kind-chat')
      await t.slide('maxTokens', 20)
      await t.say('Once upon a time')
      other.state.slow = true
      await t.click('open-picker')
      await lookUp(`${other.url}/further-away.gguf`)
      await t.page.waitFor(() => /^Download/.test(document.getElementById('url-go').textContent))
      await t.click('url-go')
      await t.page.waitFor(() => document.documentElement.dataset.state === 'loading')
      // An answer ends once all of it was shown, for which it needs frames.
      await t.page.evaluate(() => {
        const { requestAnimationFrame } = window, held = []
        window.requestAnimationFrame = step => held.push(step)
        window.release = () => {
          window.requestAnimationFrame = requestAnimationFrame
          held.forEach(step => requestAnimationFrame(step))
        }
      })
      await t.press('turn-again')
      await t.page.waitFor(() => document.documentElement.dataset.state === 'writing')
      other.state.slow = false
      await t.page.waitFor(() => document.getElementById('loading').hidden)
      assert.equal(await t.textOf('model-name'), name)
      assert.equal((await t.state()).state, 'writing')
      await t.page.evaluate(() => window.release())
      await t.page.waitFor(() => document.getElementById('model-name').textContent === 'further-away')
      await t.settled()
      const [, answer] = await t.turns()
      assert.equal(answer.branch, '2/2')
      assert.ok(answer.text.length > 0)
      assert.equal((await t.state()).ending, 'length')
      await t.run(() => t.press('turn-again'))
      assert.equal((await t.turns())[1].branch, '3/3')
    })

    it('writes the beginning that was chosen while the model was on its way', async () => {
      await t.click('new')
      await t.press('kind-story')
      other.state.slow = true
      await t.click('open-picker')
      await lookUp(`${other.url}/on-its-way.gguf`)
      await t.page.waitFor(() => /^Download/.test(document.getElementById('url-go').textContent))
      await t.click('url-go')
      await t.page.waitFor(() => document.documentElement.dataset.state === 'loading')
      await t.slide('maxTokens', 20)
      await t.run(async () => {
        await t.press('starter', 1)
        assert.equal((await t.state()).state, 'loading')
        other.state.slow = false
      })
      assert.equal(await t.textOf('model-name'), 'on-its-way')
      assert.match(await t.textOf('story'), /^The letter came on a Tuesday.{5}/s)
    })

    it('had no error of its own', () => t.noErrors(/404|none\.gguf|ERR_|Failed to load|NetworkError|Cross-Origin/))
  })
}
