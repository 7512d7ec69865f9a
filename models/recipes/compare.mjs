// The comparison that the original project claimed: its seed model, its Transformer and an Itera-Lite 2 of the same
// size, on the same real text with the same tokenizer, batches and optimizer. Trains what is not there yet, measures,
// and writes the table of models/README.md and models/comparison.{csv,svg}.
//
//     make build && node models/recipes/compare.mjs [--steps 600] [--fresh]
//
// Nothing else should run: training and inference are timed. Everything but the results lies in build/train/compare/.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseRun, writeChart } from './chart.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = path.join(root, 'build/train/compare')
const data = path.join(root, '../shared/data/tinystories')
const SEQUENCE = 128                                     // what the seed's learned positions allow
const BATCH = 64
const CONTEXTS = [128, 4096, 65536]

const { values } = parseArgs({ options: { steps: { type: 'string', default: '600' }, fresh: { type: 'boolean' } } })
const steps = Number(values.steps)

const models = [
  { id: 'seed-tiny', name: 'seed `tiny`', settings: ['--arch', 'itera-lite', '--positions', SEQUENCE, '--width', 128, '--layers', 4,
    '--inner', 256, '--state', 8, '--experts', 4, '--used', 2, '--expert-width', 64] },
  { id: 'transformer-tiny', name: 'seed `transformer-tiny`', settings: ['--arch', 'transformer', '--positions', SEQUENCE, '--width', 128,
    '--layers', 4, '--heads', 4, '--expert-width', 512] },
  { id: 'itera-lite-2', name: 'Itera-Lite 2', settings: ['--arch', 'itera2', '--width', 128, '--layers', 4, '--inner', 256, '--heads', 4,
    '--state', 32, '--experts', 4, '--used', 2, '--expert-width', 68] },
]

/** @param {string} program @param {...(string | number)} rest @returns {string} standard output */
const run = (program, ...rest) => execFileSync(program, rest.map(String), { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 1 << 28, env: { ...process.env, OMP_WAIT_POLICY: 'passive' } })
const itera = (...rest) => run('node', 'web/bin/itera.mjs', ...rest)
const json = (...rest) => JSON.parse(itera(...rest, '--json'))
const file = name => path.join(out, name)

function prepare() {
  if (values.fresh) rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  if (existsSync(file('train.bin'))) return
  itera('tokenizer', 'train', '--vocab', 8000, '-f', path.join(data, 'tinystories_train.txt'), '--special', '<|endoftext|>',
    '-o', file('tokenizer.gguf'))
  writeFileSync(file('train.json'), JSON.stringify({ seed: 1, sources: [{ path: path.join(data, 'tinystories_train.txt'), repeat: 1 }] }))
  for (const part of ['train', 'heldout']) {
    const from = part === 'train' ? ['--manifest', file('train.json')] : ['-f', path.join(data, 'tinystories_heldout.txt')]
    itera('tokenize', '-m', file('tokenizer.gguf'), ...from, '--out', file(`${part}.bin`))
  }
}

function train({ id, settings }) {
  if (existsSync(file(`${id}.gguf.csv`)) && parseRun(readFileSync(file(`${id}.gguf.csv`), 'utf8')).at(-1)?.step === steps) return
  rmSync(file(`${id}.gguf.csv`), { force: true })
  run('build/native/itera-train', ...settings, '--name', id, '--data', file('train.bin'), '--heldout', file('heldout.bin'),
    '--vocab-from', file('tokenizer.gguf'), '--out', file(`${id}.gguf`), '--type', 'f32', '--seq', SEQUENCE, '--batch', BATCH,
    '--steps', steps, '--warmup', 60, '--lr', 0.003, '--lr-end', 0.02, '--dropout', 0.05, '--seed', 1, '--eval-every', 100)
}

function measure({ id, name }) {
  const gguf = file(`${id}.gguf`)
  const shape = json('inspect', gguf)
  const bench = json('bench', '-m', gguf, '--prompt', 96, '--gen', 32, '--repeat', 9)
  const text = path.join(data, 'tinystories_heldout.txt')
  const speeds = parseRun(readFileSync(`${gguf}.csv`, 'utf8')).filter(({ kind }) => kind === 'train').map(({ tps }) => tps).sort((a, b) => a - b)
  return {
    id, name, parameters: shape.parameters.total, active: shape.parameters.active, flops: shape.flops_per_token,
    bits: json('eval', '-m', gguf, '-f', text, '--context', SEQUENCE).bits_per_byte,
    whole: shape.context_length ? NaN : json('eval', '-m', gguf, '-f', text).bits_per_byte,
    training: speeds[speeds.length >> 1], prefill: bench.prefill_tps, decode: bench.decode_tps,
    memory: CONTEXTS.map(n => shape.context_length && n > shape.context_length ? NaN : shape.state_bytes + n * shape.kv_bytes_per_token),
    // What it would be had the model positions for so long a context.
    growth: CONTEXTS.map(n => shape.state_bytes + n * shape.kv_bytes_per_token),
  }
}

const thousands = n => Math.round(n).toLocaleString('en-US')
const kilobytes = n => `${thousands(n / 1000)} kB`

function table(results) {
  const rows = [
    ['parameters (active)', r => `${thousands(r.parameters)} (${thousands(r.active)})`],
    ['MFLOP a token', r => (r.flops / 1e6).toFixed(2)],
    [`bits per byte, at most ${SEQUENCE} tokens in a row`, r => r.bits.toFixed(4)],
    ['bits per byte, whole stories', r => Number.isNaN(r.whole) ? 'no positions' : r.whole.toFixed(4)],
    ['training, tokens/s', r => thousands(r.training)],
    ['reading, tokens/s in Node, one thread', r => thousands(r.prefill)],
    ['writing, tokens/s in Node, one thread', r => thousands(r.decode)],
    ...CONTEXTS.map((n, i) => [`memory of ${thousands(n)} tokens`, r => Number.isNaN(r.memory[i]) ? `${kilobytes(r.growth[i])}, had it positions` : kilobytes(r.memory[i])]),
  ]
  return [`| | ${results.map(({ name }) => name).join(' | ')} |`, `| --- |${' --- |'.repeat(results.length)}`,
    ...rows.map(([title, cell]) => `| ${title} | ${results.map(cell).join(' | ')} |`)].join('\n')
}

async function picture(results) {
  const curves = results.flatMap(({ id, name }) => parseRun(readFileSync(file(`${id}.gguf.csv`), 'utf8')).filter(({ kind }) => kind === 'eval')
    .map(({ step, loss }) => ({ name: name.replaceAll('`', ''), tokens: step * SEQUENCE * BATCH / 1e6, loss })))
  const memory = results.flatMap(({ name, growth }) => CONTEXTS.map((n, i) => ({ name: name.replaceAll('`', ''), tokens: n, bytes: growth[i] / 1000 })))
  const color = { field: 'name', type: 'nominal', title: null }
  await writeChart(path.join(root, 'models/comparison.svg'), {
    hconcat: [
      { title: 'Held-out stories', width: 300, height: 200, data: { values: curves }, mark: { type: 'line', point: true }, encoding: { color,
        x: { field: 'tokens', type: 'quantitative', title: 'tokens, millions' },
        y: { field: 'loss', type: 'quantitative', title: 'nats a token', scale: { zero: false } } } },
      { title: 'Memory of a conversation', width: 300, height: 200, data: { values: memory }, mark: { type: 'line', point: true }, encoding: { color,
        x: { field: 'tokens', type: 'quantitative', title: 'tokens', scale: { type: 'log' } },
        y: { field: 'bytes', type: 'quantitative', title: 'kB', scale: { type: 'log' } } } },
    ],
  })
}

prepare()
for (const model of models) train(model)
const results = models.map(measure)
await picture(results)
const columns = Object.keys(results[0]).filter(key => !['name', 'memory', 'growth'].includes(key))
writeFileSync(path.join(root, 'models/comparison.csv'), `${[[...columns, ...CONTEXTS.map(n => `memory_${n}`)],
  ...results.map(r => [...columns.map(key => r[key]), ...r.growth])].map(row => row.join(',')).join('\n')}\n`)
const readme = path.join(root, 'models/README.md')
const [begin, end] = ['<!-- comparison -->', '<!-- end of comparison -->']
const page = readFileSync(readme, 'utf8')
writeFileSync(readme, `${page.slice(0, page.indexOf(begin) + begin.length)}\n${table(results)}\n${page.slice(page.indexOf(end))}`)
process.stdout.write(`${table(results)}\n`)
