// Bars from a CSV file of results, one SVG for reading and one for writing: node tests/bench/plot.mjs results/x.csv
//
// Of each file and engine the newest row of one thread is drawn.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readRows } from './results.mjs'

const kinds = [
  { column: 'prefill_tps', title: 'Reading a prompt, tokens per second' },
  { column: 'decode_tps', title: 'Writing, tokens per second' },
]

/** In drawing order. Colours that stay apart for colour-blind eyes and on light and dark pages. */
const series = [
  { label: 'Itera-Lite, Chromium', color: '#0072b2', is: row => isOurs(row) && row.browser === 'chromium' && row.simd === 'relaxed' },
  { label: 'Itera-Lite, Chromium without relaxed SIMD', color: '#56b4e9', is: row => isOurs(row) && row.browser === 'chromium' && row.simd === 'simd128' },
  { label: 'Itera-Lite, Firefox', color: '#009e73', is: row => isOurs(row) && row.browser === 'firefox' },
  { label: 'llama.cpp, native', color: '#999999', is: row => row.engine.startsWith('llama.cpp') },
  { label: 'wllama, Chromium', color: '#d55e00', is: row => row.engine.startsWith('wllama') },
]
const isOurs = row => row.engine === 'itera-lite'

const WIDTH = 760
const LEFT = 210
const BAR = 11
const GAP = 10
const HEAD = 62

/** @param {string} file of rows @returns {string[]} the files written */
export function drawPlots(file) {
  const rows = readRows(file).filter(row => row.threads === '1')
  return kinds.map(({ column, title }) => {
    const out = file.replace(/\.csv$/, `-${column.replace('_tps', '')}.svg`)
    writeFileSync(out, draw(rows, column, title))
    return out
  })
}

/** @param {Record<string, string>[]} rows @param {string} column @param {string} title */
function draw(rows, column, title) {
  const groups = [...new Set(rows.map(row => row.file))].map(name => ({
    name,
    bars: series.flatMap(({ color, is }) => {
      const newest = rows.findLast(row => row.file === name && is(row))
      return newest ? [{ color, value: Number(newest[column]) }] : []
    }),
  }))
  const used = series.filter(({ is }) => rows.some(is))
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ value }) => value)))
  const parts = [text(0, 16, title, 'class="title"'), ...legend(used)]
  let y = HEAD
  for (const { name, bars } of groups) {
    parts.push(text(LEFT - 10, y + bars.length * BAR / 2 + 4, name, 'text-anchor="end"'))
    for (const { color, value } of bars) {
      const length = Math.max(1, (WIDTH - LEFT - 60) * value / most)
      parts.push(`<rect x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 2}" fill="${color}"/>`,
        text(LEFT + length + 4, y + BAR - 3, value < 100 ? value.toFixed(1) : value.toFixed(0), 'class="value"'))
      y += BAR
    }
    y += GAP
  }
  parts.push(text(0, y + 12, `${rows.at(-1)?.machine ?? ''}, one thread, ${rows.at(-1)?.date ?? ''}`, 'class="value"'))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 20}" role="img" aria-label="${title}">
<style>text { font: 12px system-ui, sans-serif; fill: #444 } .title { font-weight: 600; font-size: 14px } .value { font-size: 9px }
@media (prefers-color-scheme: dark) { text { fill: #ccc } }</style>
${parts.join('\n')}
</svg>
`
}

/** Two rows of names. */
function legend(used) {
  const perRow = Math.ceil(used.length / 2)
  return used.flatMap(({ label, color }, i) => {
    const x = i % perRow * 250
    const y = 28 + Math.floor(i / perRow) * 15
    return [`<rect x="${x}" y="${y}" width="9" height="9" fill="${color}"/>`, text(x + 14, y + 8, label, 'class="value"')]
  })
}

/** @param {number} x @param {number} y @param {string} content @param {string} attributes */
function text(x, y, content, attributes) {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${safe}</text>`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of drawPlots(process.argv[2])) console.log(file)
}
