// Loads a model whose worker has the fault of fault.mjs, uses it, and tells what became of it and of others.
import process from 'node:process'

import { Itera } from '../../../web/src/index.js'

const [file] = process.argv.slice(2)
const options = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }
const count = async (/** @type {any} */ model) => {
  let tokens = 0
  for await (const { token } of model.generate('Once', options)) tokens += token === undefined ? 0 : 1
  return tokens
}
const codeOf = (/** @type {Promise<any>} */ promise) => promise.catch(error => error.code ?? String(error))

const model = await Itera.load(file)
const other = await Itera.load(file)
const first = await codeOf(count(model))
// A fault outside of any call is told a moment later.
const lost = await Promise.race([model.lost, new Promise(resolve => setTimeout(resolve, 300, {}))])
const error = model.error?.code ?? null
const same = error ? await codeOf(count(model)) : await count(model)
const again = await Itera.load(file)
console.log(JSON.stringify({ first, error, lost: lost.code, same, other: await count(other), again: await count(again) }))
process.exit()
