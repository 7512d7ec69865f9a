// A page with a form, progress, a stop button, and words for what can go wrong.
import { Itera } from 'itera-lite'

const MODEL = new URL('../../../models/story-boot-q8_0.gguf', import.meta.url)

const form = document.querySelector('form')
const { write, stop, prompt } = form.elements
const progress = document.querySelector('progress')
const story = document.querySelector('article')
const status = document.querySelector('[role=status]')

let model = null
let stopping = new AbortController()

async function load() {
  try {
    model = await Itera.load(MODEL, { onProgress: ({ loaded, total }) => { progress.value = loaded / (total ?? Infinity) } })
    write.disabled = false
    status.textContent = `${model.info.name || 'The model'} is ready: ${model.info.simd}, ${(model.info.memoryBytes / 1e6).toFixed(1)} MB.`
    // The worker can be lost while nothing is asked of it: a phone takes memory back. Another load is all it needs.
    model.lost.then(({ message }) => {
      write.disabled = true
      status.textContent = `${message} Loading again.`
      load()
    })
  } catch (error) {
    status.textContent = `The model cannot be loaded (${error.code}): ${error.message}`
  }
}

form.addEventListener('submit', async event => {
  event.preventDefault()
  stopping = new AbortController()
  write.disabled = true
  stop.disabled = false
  story.textContent = prompt.value
  try {
    for await (const { text } of model.generate(prompt.value, { maxTokens: 300, signal: stopping.signal })) story.append(text)
    const { generatedTokens, decodeTps, finishReason } = model.lastStats
    status.textContent = `${generatedTokens} tokens, ${Math.round(decodeTps)} a second; ended by ${finishReason}.`
  } catch (error) {
    status.textContent = `${error.code}: ${error.message}`
  }
  stop.disabled = true
  write.disabled = Boolean(model.error)
})

stop.addEventListener('click', () => stopping.abort())

load()
