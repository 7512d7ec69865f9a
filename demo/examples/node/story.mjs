// Writes a story to standard output; Ctrl-C ends it between two tokens. Runs in Node, Deno and Bun.
//
//   node story.mjs MODEL.gguf ["Once upon a time"]
import process from 'node:process'
import { Itera } from 'itera-lite'

const [file, prompt = 'Once upon a time'] = process.argv.slice(2)
const stopping = new AbortController()
process.once('SIGINT', () => stopping.abort())

try {
  const model = await Itera.load(file)
  process.stdout.write(prompt)
  for await (const { text } of model.generate(prompt, { maxTokens: 200, signal: stopping.signal })) process.stdout.write(text)
  const { generatedTokens, decodeTps } = model.lastStats
  console.error(`\n${generatedTokens} tokens, ${Math.round(decodeTps)} a second`)
  model.dispose()
} catch (error) {
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
