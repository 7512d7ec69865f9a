// Pictures for model cards: lines or bars as SVG, by Vega-Lite.
import { writeFileSync } from 'node:fs'
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

/** Colours that stay apart for colour-blind eyes, on light and dark pages. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#999999']

const config = {
  background: null, font: 'system-ui, sans-serif', range: { category: COLOURS }, view: { stroke: null },
  axis: { labelColor: '#888', titleColor: '#888', gridColor: '#8884', domainColor: '#888', tickColor: '#888' },
  legend: { labelColor: '#888', titleColor: '#888' }, title: { color: '#888', anchor: 'start' },
}

/** @param {string} path @param {Record<string, any>} spec of Vega-Lite, without its data's format */
export async function writeChart(path, spec) {
  const view = new View(parse(compile({ $schema: 'https://vega.github.io/schema/vega-lite/v6.json', config, ...spec }).spec), { renderer: 'none' })
  writeFileSync(path, `${await view.toSVG()}\n`)
  view.finalize()
}

/** @param {string} text of a trainer's CSV file @returns {{ step: number, kind: string, loss: number, tokens: number, tps: number }[]} */
export function parseRun(text) {
  return text.trim().split('\n').slice(1).map(line => {
    const [step, kind, loss, , , , tokens, tps] = line.split(',')
    return { step: Number(step), kind, loss: Number(loss), tokens: Number(tokens), tps: Number(tps) }
  })
}

/**
 * Loss curves. Training losses are of one batch each and jump about: they are drawn as running means.
 *
 * @param {string} path @param {string} title
 * @param {{ name: string, rows: { step: number, kind: string, loss: number }[], tokensPerStep: number, begin?: number }[]} runs
 *   `begin`: tokens that earlier stages have read
 */
export async function writeLossChart(path, title, runs) {
  const values = runs.flatMap(({ name, rows, tokensPerStep, begin = 0 }) => {
    let mean = NaN
    return rows.map(({ step, kind, loss }) => {
      if (kind === 'train') mean = Number.isNaN(mean) ? loss : 0.8 * mean + 0.2 * loss
      return { run: `${name}, ${kind === 'train' ? 'training' : 'held-out'}`, tokens: (begin + step * tokensPerStep) / 1e6,
        loss: Number((kind === 'train' ? mean : loss).toFixed(4)) }
    })
  })
  const least = Math.min(...values.map(({ loss }) => loss))
  await writeChart(path, {
    title, width: 560, height: 240, data: { values },
    mark: { type: 'line', clip: true, point: { size: 12 }, strokeWidth: 1.5 },
    encoding: {
      x: { field: 'tokens', type: 'quantitative', title: 'tokens, millions' },
      y: { field: 'loss', type: 'quantitative', title: 'nats a token', scale: { domain: [Math.floor(least * 5) / 5, 5], zero: false } },
      color: { field: 'run', type: 'nominal', title: null },
    },
  })
}
