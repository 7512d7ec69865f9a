// Quantized files, measures, pictures and model cards in models/, from what the trainer left in build/train/.
//
//     node models/recipes/cards.mjs [story|chat|micro]...
//
// Everything in a card that is a number or an output of a model is made here; what people say about it is below.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { answer, check } from './chat/check.mjs'
import { Itera } from '../../web/src/index.js'
import { parseRun, writeLossChart } from './chart.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = path.join(root, 'build/train')
const models = path.join(root, 'models')
const data = path.join(root, '../shared/data')
const heldout = path.join(data, 'tinystories/tinystories_heldout.txt')
const TYPES = ['q8_0', 'q4_k_m', 'mixed', 'q4_0']
const SEEDS = [1, 2, 3]

const storyData = `TinyStories excerpts (CDLA-Sharing-1.0); picture-book texts of Pratham Books' StoryWeaver and of African Storybook (CC BY 4.0,
each story by its own author); fairy tales of FairytaleQA (Apache-2.0)`
const bookData = `children's books of Project Gutenberg and Standard Ebooks (public domain, CC0)`
const talkData = `the Self-dialogue Corpus (BSD-3-Clause), Synthetic-Persona-Chat and Taskmaster 4 (CC BY 4.0), Topical-Chat (CDLA-Sharing-1.0)`

const cards = {
  story: {
    title: 'itera-story', ship: 'mixed', stages: ['base', 'teacher-c', 'story'], teachers: ['teacher-a', 'teacher-b'],
    make: 'data base teachers imagine story cards',
    summary: 'A storyteller for small children: give it a beginning, and it goes on.',
    data: `First stage: ${storyData}; ${bookData}; ${talkData}. Second stage: the stories alone. Last stage:
stories that two other models of the same data, shape and size made up, and the real ones, as three teachers together predict them
(distillation; \`recipes/imagine.mjs\`, \`recipes/story.conf\`).`,
    limits: `It knows short stories in simple English and nothing else. Names and things may change halfway, what happens need not follow
from what happened, and nothing it says is true. It has no chat template. It was not taught to refuse anything; its texts were written for
children, but what it makes of a beginning is not checked by anybody.`,
  },
  chat: {
    title: 'itera-chat', ship: 'mixed', stages: ['base', 'teacher-c', 'story', 'chat'],
    make: 'data base teachers imagine story chat cards',
    summary: 'A small talker and storyteller: it chats in simple words, tells a story about what you ask for, and says so when it does not know.',
    data: `What itera-story learnt from (its card says what that is), then: lessons of our own (\`recipes/chat/lessons.mjs\`); stories of the
same sources as answers to requests, some with another animal or name in the place of theirs (\`recipes/chat/story-requests.mjs\`); Microsoft's chit-chat questions (MIT), ChatterBot's corpus
(BSD-3-Clause), short answers of databricks-dolly-15k (CC BY-SA 3.0) and of OpenTriviaQA (CC BY-SA 4.0).`,
    limits: `Thirteen million parameters know next to nothing: facts outside of the commonest are wrong or made up, sums go wrong beyond ten
plus ten, a story may turn to something else than what was asked for, and a long conversation loses its thread. It may contradict itself about what it is. It was not taught to refuse anything beyond
what it does not know. Do not rely on anything it says.`,
    checked: true,
  },
  micro: {
    title: 'itera-micro', ship: 'q4_0', stages: ['micro'], make: 'data base teachers imagine story micro cards',
    summary: 'The smallest that still tells a story: less than a megabyte.',
    data: `${storyData[0].toUpperCase()}${storyData.slice(1)}; and stories that
itera-story and two of its teachers made up.`,
    limits: 'As itera-story, only more so: it loses the thread after a few sentences.',
  },
}

const itera = (...rest) => execFileSync('node', ['web/bin/itera.mjs', ...rest.map(String)],
  { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 })
const json = (...rest) => JSON.parse(itera(...rest, '--json'))
const thousands = n => Math.round(n).toLocaleString('en-US')
const setting = (conf, name) => new RegExp(`^${name} = (.*)$`, 'm').exec(conf)?.[1]

/** Quantizes and measures each type. @param {string} id */
function quantize(id) {
  const whole = path.join(out, `${id}.gguf`)
  const exact = json('eval', '-m', whole, '-f', heldout)
  const rows = TYPES.map(type => {
    const file = path.join(out, `itera-${id}-${type}.gguf`)
    itera('quantize', whole, file, '--type', type)
    return { type, file, bytes: statSync(file).size, bits: json('eval', '-m', file, '-f', heldout).bits_per_byte }
  })
  return { exact, rows }
}

function quantizationTable({ exact, rows }, whole, ship) {
  const line = (type, bytes, bits) => `| ${type} | ${thousands(bytes)} | ${bits.toFixed(5)} | ${(100 * (bits / exact.bits_per_byte - 1)).toFixed(2)}% |`
  return ['| type | bytes | bits per byte | loss |', '| --- | --- | --- | --- |', line('as trained', statSync(whole).size, exact.bits_per_byte),
    ...rows.map(({ type, bytes, bits }) => line(type === ship ? `**${type}** (this file)` : type, bytes, bits))].join('\n')
}

/** @param {Awaited<ReturnType<typeof check>>} counts */
function counted({ stories, onSubject, sums, right, temperature }) {
  return `Counted by \`node models/recipes/chat/check.mjs\`, temperature ${temperature}: of ${stories} stories about one of forty subjects ${onSubject}
have it twice or more beyond the line that introduces them; of the ${sums} sums up to ten plus ten ${right} are right.`
}

/** What the trainer was told and how long it took. @param {string[]} stages */
function training(stages) {
  const runs = stages.map(stage => {
    const conf = readFileSync(path.join(models, 'recipes', `${stage}.conf`), 'utf8')
    const rows = parseRun(readFileSync(path.join(out, `${stage}.gguf.csv`), 'utf8'))
    const perStep = Number(setting(conf, 'seq')) * Number(setting(conf, 'batch'))
    const steps = rows.at(-1).step
    const trained = rows.filter(({ kind }) => kind === 'train')
    const seconds = trained.reduce((sum, { step, tps }, i) => sum + (step - (trained[i - 1]?.step ?? 0)) * perStep / tps, 0)
    return { name: stage, rows, tokensPerStep: perStep, steps, seconds, seed: setting(conf, 'seed') }
  })
  let begin = 0
  for (const run of runs) {
    run.begin = begin
    begin += run.steps * run.tokensPerStep
  }
  return runs
}

function quote(text) {
  return text.trim().split('\n').map(line => `> ${line}`.trimEnd()).join('\n')
}

async function outputs(id, model) {
  if (id !== 'chat') {
    const parts = []
    for (const seed of SEEDS) {
      let text = ''
      for await (const piece of model.generate('Once upon a time', { temperature: 0.7, topP: 0.95, seed, maxTokens: 220 })) text += piece.text
      parts.push(`Seed ${seed}:\n\n${quote(`Once upon a time${text}`)}`)
    }
    return `## Samples\n\n"Once upon a time", temperature 0.7, top-p 0.95, at most 220 tokens, the first ${SEEDS.length} seeds:\n\n${parts.join('\n\n')}`
  }
  const parts = []
  for (const prompt of readFileSync(path.join(data, 'chat_prompts.txt'), 'utf8').trim().split('\n')) {
    parts.push(`**${prompt}**\n\n${quote(await answer(model, prompt))}`)
  }
  return `## Forty prompts\n\nEach alone in a new conversation without a system message, temperature 0.5, top-p 0.9, seed 1, at most 220 tokens. The prompts were
fixed before the training; the lessons were written by somebody who had seen them. 22 of the 40 occur in the lessons word for word, such as
"Hello!", "Tell me a joke." and "What is two plus two?"; the other 18 do not, though some have neighbours there. So this shows what it
was taught, more than what it makes of the unknown.\n\n${parts.join('\n\n')}`
}

async function write(id) {
  const card = cards[id]
  const whole = path.join(out, `${id}.gguf`)
  const measured = quantize(id)
  const shipped = path.join(models, `${card.title}-${card.ship}.gguf`)
  copyFileSync(path.join(out, `itera-${id}-${card.ship}.gguf`), shipped)
  const file = path.basename(shipped)
  const shape = json('inspect', shipped)
  const runs = training(card.stages)
  await writeLossChart(path.join(models, `${card.title}-loss.svg`), `${card.title}: loss`, runs)
  const model = await Itera.load(shipped)
  const text = await outputs(id, model)
  model.dispose()
  const limits = card.checked ? `${card.limits}\n\n${counted(await check(shipped))}` : card.limits
  const compute = [...training(card.teachers ?? []), ...runs].map(({ name, steps, tokensPerStep, seconds, seed }) =>
    `\`recipes/${name}.conf\`: ${thousands(steps)} steps, ${(steps * tokensPerStep / 1e6).toFixed(1)} M tokens, ${Math.round(seconds / 60)} minutes, seed ${seed}`).join('; ')
  const bits = measured.rows.find(({ type }) => type === card.ship).bits
  writeFileSync(path.join(models, `${card.title}.md`), `# ${card.title}

${card.summary}

| | |
| --- | --- |
| file | \`${file}\`, ${thousands(statSync(shipped).size)} bytes, sha256 \`${createHash('sha256').update(readFileSync(shipped)).digest('hex')}\` |
| architecture | Itera-Lite 2, written as \`granitehybrid\`: ${shape.layers} layers of width ${shape.width}, each a Mamba-2 mixer and ${shape.parameters.active < shape.parameters.total ? 'a mixture of SwiGLU experts' : 'a SwiGLU feed-forward'}, no attention |
| parameters | ${thousands(shape.parameters.total)}, of which ${thousands(shape.parameters.active)} work on a token |
| memory of a conversation | ${thousands(shape.state_bytes)} bytes, whatever its length |
| tokenizer | byte-level BPE, ${thousands(shape.vocabulary)} tokens, trained on the stories |
| quality | ${bits.toFixed(5)} bits per byte on 1,000 held-out stories of TinyStories, by \`itera eval\` |
| licence | MIT, like the rest; what it learnt from is listed below |

## Training

\`sh models/recipes/make.sh ${card.make}\` makes it again. Trained in C on two processor cores: ${compute}. Matrix products by
oneDNN in bfloat16 with sums in float32; matrices moved by Muon, the rest by AdamW.

${card.data}

![Loss curves](${card.title}-loss.svg)

Bits per byte by type, made by \`itera quantize\`:

${quantizationTable(measured, whole, card.ship)}

## Limits

${limits}

${text}
`)
  return { id, file, bytes: statSync(shipped).size, bits }
}

for (const id of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(cards)) {
  const { file, bytes, bits } = await write(id)
  process.stdout.write(`${file}: ${thousands(bytes)} bytes, ${bits.toFixed(5)} bits per byte\n`)
}
