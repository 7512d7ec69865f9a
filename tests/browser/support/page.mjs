// What the tests of the page share: a page with a model, and hands to use it with.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { addToMetadata } from '../../node/support/rewrite-gguf.mjs'
import { serve } from '../harness.mjs'

export const shipped = fileURLToPath(new URL('../../../models/story-boot-q8_0.gguf', import.meta.url))

/** Each message a line of its own: the shipped model was not taught to talk, but to go on. */
const TEMPLATE = '{% for m in messages %}{{ m.content }}\n{% endfor %}'

/** The shipped model with a chat template, in a file. @param {string} folder */
export async function chatModel(folder) {
  const file = path.join(folder, 'talker.gguf')
  await writeFile(file, await addToMetadata(await readFile(shipped), { 'tokenizer.chat_template': TEMPLATE }))
  return file
}

/**
 * A browser with the page open and a model ready.
 *
 * @param {any} browser of the harness
 * @param {{ chat?: boolean, knobs?: Record<string, number>, url?: string, args?: string[] }} [options] chat: with a model that
 *   talks; knobs: sliders, and where they are put
 */
export async function openPage(browser, { chat = false, knobs = {}, url, args } = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itera-page-'))
  const server = url ? { url, close: async () => {} } : await serve()
  const page = await browser.launch({ args })
  await page.goto(`${server.url}/`)
  const hands = handsOf(page)
  await hands.settled()
  if (chat) {
    await page.setFile('[data-testid="file"]', await chatModel(folder))
    await page.waitFor(() => document.getElementById('model-name').textContent === 'talker')
    await hands.settled()
  }
  for (const [name, value] of Object.entries(knobs)) await hands.slide(name, value)
  return {
    ...hands, server, folder,
    close: async () => {
      await page.close()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** @param {import('../harness.mjs').Page} page */
export function handsOf(page) {
  const at = id => `[data-testid="${id}"]`
  const hands = {
    at,
    page,
    state: () => page.evaluate(() => ({ ...document.documentElement.dataset })),
    textOf: id => page.evaluate(selector => document.querySelector(selector)?.textContent ?? null, at(id)),
    textsOf: selector => page.evaluate(selector => [...document.querySelectorAll(selector)].map(one => one.textContent), selector),
    hidden: id => page.evaluate(selector => {
      const element = document.querySelector(selector)
      return !element || !element.checkVisibility()
    }, at(id)),
    click: id => page.click(at(id)),
    /** A click that does not need the thing to be in sight. */
    press: (id, index = 0) => page.evaluate(([selector, index]) => {
      const found = [...document.querySelectorAll(selector)]
      const one = found.at(index)
      if (!one) throw new Error(`${found.length} of ${selector}`)
      one.click()
    }, [at(id), index]),
    /** Takes another of the models that the page offers. */
    async use(name) {
      await hands.click('open-picker')
      await page.waitFor(name => [...document.querySelectorAll('[data-testid="model-row"]')].some(row => row.dataset.name === name), name)
      await page.evaluate(name => [...document.querySelectorAll('[data-testid="model-row"]')].find(row => row.dataset.name === name)
        .querySelector('[data-testid="load-shipped"]').click(), name)
      await page.waitFor(name => document.getElementById('model-name').textContent === name, name)
      await hands.settled()
    },
    settled: () => page.waitFor(() => document.documentElement.dataset.state === 'ready', undefined, 60_000),
    /** After a press that starts a run: it has begun and ended. */
    async run(begin) {
      await page.evaluate(() => { document.documentElement.dataset.ending = 'waiting' })
      await begin()
      await page.waitFor(() => document.documentElement.dataset.state === 'ready' &&
        /^(stop|length|aborted|error)$/.test(document.documentElement.dataset.ending), undefined, 60_000)
    },
    /** Sets a slider as a reader's key presses would. */
    slide: (name, value) => page.evaluate(([name, value]) => {
      const input = /** @type {HTMLInputElement} */ (document.getElementById(`knob-${name}`))
      input.value = String(value)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, [name, value]),
    seed: seed => page.evaluate(seed => { document.getElementById('seed').value = seed }, String(seed)),
    /** Fills a field at once. */
    fill: (id, text) => page.evaluate(([selector, text]) => {
      const field = document.querySelector(selector)
      field.value = text
      field.dispatchEvent(new Event('input', { bubbles: true }))
    }, [at(id), text]),
    /** Sends a message and waits for the end of its answer. */
    async say(text) {
      await hands.fill('message', text)
      await hands.run(() => hands.press('send'))
    },
    /** Brings in a conversation from a file and waits until it is the one on the page, not only in the list. Gives its title. */
    async bringIn(file) {
      const known = await page.evaluate(() => [...document.querySelectorAll('[data-testid="entry"]')].map(entry => entry.dataset.id))
      await page.setFile(at('import-file'), file)
      await page.waitFor(known => {
        const shown = document.querySelector('[data-testid="entry"]:has([aria-current="page"])')
        return shown && !known.includes(shown.dataset.id)
      }, known)
      return page.evaluate(() => document.querySelector('[aria-current="page"]').textContent)
    },
    turns: () => page.evaluate(() => [...document.querySelectorAll('.turn')].map(turn => ({
      role: turn.classList.contains('user') ? 'user' : 'assistant',
      text: turn.querySelector('.words').textContent,
      branch: turn.querySelector('[data-testid="branch-count"] [aria-hidden]')?.textContent ?? '',
    }))),
    /** The engine's memory of what is on the page has been written to the store. */
    saved: () => page.waitFor(() => document.documentElement.dataset.saved),
    /** What the page in another tab does to the store, and says on the channel. Gives the new conversation's id. */
    keepElsewhere: messages => page.evaluate(async messages => {
      const { Store } = await import('./src/store.js')
      const { fromMessages } = await import('./src/exchange.js')
      const store = new Store()
      await store.open(() => {})
      const record = fromMessages(messages)
      await store.change(record.id, () => record)
      return record.id
    }, messages),
    /** Tokens the last run read. */
    read: async () => Number((await hands.textOf('prompt-tokens')).match(/^[\d,]+/)[0].replace(',', '')),
    /** Files the page offers from now on, as text or bytes. */
    async catchDownloads() {
      await page.evaluate(() => {
        window.caught = []
        const make = URL.createObjectURL.bind(URL)
        URL.createObjectURL = blob => { window.lastBlob = blob; return make(blob) }
        HTMLAnchorElement.prototype.click = function () { window.caught.push({ name: this.download, blob: window.lastBlob }) }
      })
    },
    async caught() {
      await page.waitFor(() => window.caught.length > 0)
      return page.evaluate(async () => {
        const { name, blob } = window.caught.shift()
        return { name, bytes: [...new Uint8Array(await blob.arrayBuffer())] }
      })
    },
    /** What the page wrote to the console as errors, failed requests that a test meant to fail left out. */
    noErrors: (meant = /$^/) => assert.deepEqual(page.errors.filter(line => !meant.test(line)), []),
  }
  return hands
}
