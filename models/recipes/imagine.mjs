// Has a model write stories of its own: text that none of its teachers has seen, for distillation (make.sh).
//
//   node models/recipes/imagine.mjs MODEL.gguf TOKENS SEED OUT.txt [TEMPERATURE [TOP_P]]
import { appendFileSync, writeFileSync } from 'node:fs'
import { Itera } from '../../web/src/index.js'

const [path, tokens, seed, out, temperature = 1, topP = 0.98] = process.argv.slice(2)
const model = await Itera.load(path, { threads: 1 })
writeFileSync(out, '')
let written = 0
for (let story = 0; written < Number(tokens); story++) {
  let text = ''
  const generation = model.generate([model.info.bosToken], {
    maxTokens: 600, temperature: Number(temperature), topK: 0, topP: Number(topP), minP: 0, seed: Number(seed) + story,
  })
  for (;;) {
    const { done, value } = await generation.next()
    if (done) {
      written += value.generatedTokens
      // A story that found no end is no lesson.
      if (value.finishReason === 'stop') appendFileSync(out, `${text.trim()}\n<|endoftext|>\n`)
      break
    }
    text += value.text
  }
  if (story % 100 === 0) console.log(`${written} tokens, ${story} stories`)
}
model.dispose()
