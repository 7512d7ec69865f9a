// Makes the pictures of the page that the README shows:  node tests/browser/screenshot.mjs [folder]
// A fixed seed keeps the stories the same from one run to the next.

import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchChromium, serve } from './harness.mjs'

const folder = process.argv[2] ?? fileURLToPath(new URL('../../demo/screenshots/', import.meta.url))
const LIMIT = 200_000

const shots = [
  { name: 'desktop-light', width: 1280, height: 800, scale: 1, colours: 'light', starter: 0, seed: '1' },
  { name: 'desktop-dark', width: 1280, height: 800, scale: 1, colours: 'dark', starter: 0, seed: '7', writing: 330 },
  { name: 'phone', width: 390, height: 844, scale: 1.5, colours: 'light', starter: 1, seed: '2' },
]

await mkdir(folder, { recursive: true })
const server = await serve()
for (const shot of shots) {
  const page = await launchChromium()
  await page.raw.emulateMedia({ colorScheme: shot.colours })
  await page.setViewport(shot.width, shot.height, shot.scale)
  await page.goto(`${server.url}/`)
  await page.waitFor(() => document.documentElement.dataset.ending)
  await page.evaluate(seed => { document.getElementById('seed').value = seed }, shot.seed)
  await page.evaluate(index => document.querySelectorAll('[data-testid="starter"]')[index].click(), shot.starter)
  if (shot.writing) {
    await page.waitFor(length => document.getElementById('manuscript').textContent.length > length, shot.writing)
  } else {
    await page.waitFor(() => document.documentElement.dataset.state === 'ready')
    await new Promise(resolve => setTimeout(resolve, 800))        // the ink dries
  }
  const file = path.join(folder, `${shot.name}.png`)
  await page.screenshot(file)
  await page.close()
  const { size } = await stat(file)
  console.log(`${file}: ${Math.round(size / 1000)} kB`)
  if (size > LIMIT) process.exitCode = 1
}
await server.close()
