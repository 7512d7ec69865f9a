// How well a chat model does what it is asked, counted: whether a story is about what was asked for, and sums.
//
//     node models/recipes/chat/check.mjs MODEL.gguf [--temperature 0.5]
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Itera } from '../../../web/src/index.js'

// What is asked for, and the word that must be in the story where that is not the last of it.
const SUBJECTS = `a fox;a dog;a cat;a dragon;the sea;a bear;a rabbit;a princess;a boat;a tree;a bird;a frog;a king;a train;a lion;a mouse;a robot;
the moon;a boy named Max;a girl who lost her doll;a horse;a monkey;an elephant;a fish;a duck;a flower;a ball;a kite;a farmer;a snowman;
a spider;a bee;a butterfly;a turtle;a wizard;a magic hat;rain;a cake;a pirate;an owl`.split(/;\s*/)
const REQUESTS = ['Tell me a story about {}.', 'Can you tell me a story about {}?', 'Write a short story about {}.', 'I want a bedtime story about {}, please.']
const SUMS = [(a, b) => `What is ${a} plus ${b}?`, (a, b) => `What is ${WORDS[a]} plus ${WORDS[b]}?`, (a, b) => `${a} + ${b} = ?`]
const WORDS = `zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty`.split(/\s+/)
const SEEDS = [1, 2, 3]

/**
 * What the model answers at the beginning of a conversation.
 * @param {import('../../../web/types.d.ts').Model} model
 * @param {string} text
 * @param {import('../../../web/types.d.ts').GenerateOptions} [options] over temperature 0.5, top-p 0.9, seed 1, at most 220 tokens
 */
export async function answer(model, text, options) {
  const chat = model.chat({ temperature: 0.5, topP: 0.9, seed: 1, maxTokens: 220 })
  let said = ''
  for await (const piece of chat.send(text, options)) said += piece.text
  chat.dispose()
  return said
}

/**
 * Stories that have their subject twice beyond the line that introduces them, and sums up to ten plus ten that are right.
 * @param {string} file
 * @param {number} temperature
 */
export async function check(file, temperature = 0.5) {
  const model = await Itera.load(file)
  let onSubject = 0, right = 0
  for (const [i, subject] of SUBJECTS.entries()) {
    for (const seed of SEEDS) {
      const said = await answer(model, REQUESTS[(i + seed) % REQUESTS.length].replace('{}', subject), { temperature, seed })
      const story = said.toLowerCase().replace(/^[^\n]*\b(story|stories) (about|of)\b[^\n]*\n/, '')
      const word = subject.toLowerCase().split(' ').at(-1).slice(0, 6)
      if (story.split(word).length > 2) onSubject++
    }
  }
  for (let a = 0; a <= 10; a++) {
    for (let b = 0; b <= 10; b++) {
      const said = await answer(model, SUMS[(a * 11 + b) % SUMS.length](a, b), { temperature, maxTokens: 30 })
      const last = said.toLowerCase().match(/\d+|[a-z]+/g)?.findLast(each => /\d/.test(each) || WORDS.includes(each))
      if (last === String(a + b) || last === WORDS[a + b]) right++
    }
  }
  model.dispose()
  return { stories: SUBJECTS.length * SEEDS.length, onSubject, sums: 121, right, temperature }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { temperature: { type: 'string', default: '0.5' } } })
  console.log(JSON.stringify(await check(positionals[0], Number(values.temperature))))
}
