// Makes the pictures of the page that the README shows:  node tests/browser/screenshot.mjs [folder [name...]]
// Fixed seeds keep the texts the same from one run to the next.

import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchChromium, serve, shippedModels } from './harness.mjs'
import { handsOf } from './support/page.mjs'

const folder = process.argv[2] ?? fileURLToPath(new URL('../../demo/screenshots/', import.meta.url))
const LIMIT = 250_000

/** Something in the side list, so that it is not empty. */
async function earlier(t) {
  await t.slide('maxTokens', 40)
  for (const starter of [3, 2]) {
    await t.press('new')
    await t.run(() => t.press('starter', starter))
  }
  await t.slide('maxTokens', 300)
}

async function conversation(t) {
  await t.press('new')
  await t.seed(4)
  await t.slide('temperature', 0.5)
  await t.say('Hello! What can you do?')
  await t.say('Tell me a story about a dragon who lost his hat.')
  await t.run(() => t.press('turn-again', -1))
}

/** A text of the storyteller. */
async function manuscript(t, seed, starter = 0) {
  await t.use('Itera Story')
  await t.press('new')
  await t.seed(seed)
  await t.run(() => t.press('starter', starter))
}

const shots = [
  { name: 'desktop-light', width: 1280, height: 800, colours: 'light', make: async t => { await earlier(t); await conversation(t) } },
  { name: 'desktop-dark', width: 1280, height: 800, colours: 'dark', make: async t => {
    await earlier(t)
    await t.press('live-toggle')
    await manuscript(t, 7)
  } },
  { name: 'models', width: 1280, height: 800, colours: 'light', make: async t => {
    await manuscript(t, 1)
    await t.press('open-picker')
    await t.page.waitFor(() => document.getElementById('storage').textContent)
  } },
  { name: 'phone', width: 390, height: 844, scale: 1.5, colours: 'light', make: t => manuscript(t, 2, 1) },
  { name: 'phone-dark', width: 390, height: 844, scale: 1.5, colours: 'dark', make: async t => {
    await t.press('live-toggle')
    await conversation(t)
  } },
]

await mkdir(folder, { recursive: true })
const server = await serve({ mounts: { 'models.json': shippedModels } })
const wanted = process.argv.slice(3)
for (const { name, width, height, scale = 1, colours, make } of shots) {
  if (wanted.length && !wanted.includes(name)) continue
  const page = await launchChromium()
  const t = handsOf(page)
  await page.raw.emulateMedia({ colorScheme: colours })
  await page.setViewport(width, height, scale)
  await page.goto(`${server.url}/`)
  await t.settled()
  await make(t)
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur())
  await new Promise(resolve => setTimeout(resolve, 900))        // the ink dries
  const file = path.join(folder, `${name}.png`)
  await page.screenshot(file)
  await page.close()
  const { size } = await stat(file)
  console.log(`${file}: ${Math.round(size / 1000)} kB`)
  if (size > LIMIT) process.exitCode = 1
}
await server.close()
