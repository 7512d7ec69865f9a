import process from 'node:process'
import { createInterface } from 'node:readline'
import { loadModel, printJson, statsLine } from '../io.js'
import { modelOptions, noMore, readSampling, samplingOptions, samplingUsage, threadsUsage } from '../options.js'
import { UsageError } from '../usage.js'
import { statsFields } from './generate.js'

export const usage = `
usage: itera chat -m MODEL [--system TEXT] [options]

One line is one message. Ctrl-C stops an answer, and ends the program when there is none under way.
/reset begins anew, /stats shows figures of the last answer, /exit ends.

  -m, --model MODEL         GGUF file or URL
  --system TEXT             the first message, which sets the tone
  --pack FILE               begin with what this prompt pack or saved conversation has read (itera pack)
  ${samplingUsage.replace('(128;', '(512;')}
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --json                    read all lines, then print { messages, turns }: messages since the last /reset`

export const options = { ...modelOptions, ...samplingOptions, system: { type: 'string' }, pack: { type: 'string' } }

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  if (values.pack !== undefined && values.system !== undefined) throw new UsageError('a pack brings its own --system')
  const sampling = readSampling({ 'max-tokens': '512', ...values })
  const model = await loadModel(values)
  try {
    const chat = model.chat({ ...sampling, system: values.system, pack: values.pack })
    await chat.ready
    return await (values.json ? batch : converse)(model, chat)
  } finally {
    model.dispose()
  }
}

/**
 * @param {import('../../src/model.js').Model} model
 * @param {import('../../src/chat.js').Chat} chat
 */
async function batch(model, chat) {
  const turns = []
  const lines = createInterface({ input: process.stdin })
  for await (const line of lines) {
    const text = line.trim()
    if (text === '/exit') break
    if (text === '/reset') chat.reset()
    else if (text && text !== '/stats') {
      for await (const _ of chat.send(text));
      if (model.lastStats) turns.push(statsFields(model.lastStats))
    }
  }
  lines.close()
  printJson({ messages: chat.messages, turns, simd: model.info.simd, threads: model.info.threads })
}

/**
 * @param {import('../../src/model.js').Model} model
 * @param {import('../../src/chat.js').Chat} chat
 * @returns {Promise<number>} 1 where a message that nobody stands by was not answered
 */
async function converse(model, chat) {
  let failed = false
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' })
  /** @type {AbortController | null} */
  let answering = null
  lines.on('SIGINT', () => {
    if (answering) answering.abort()
    else lines.close()
  })
  if (!model.info.hasChatTemplate) {
    process.stderr.write('This model has no chat template: it continues what you write.\n')
  }
  lines.prompt()
  for await (const line of lines) {
    const text = line.trim()
    if (text === '/exit') break
    if (text === '/reset') chat.reset()
    else if (text === '/stats') process.stderr.write(model.lastStats ? `${statsLine(model.lastStats, model.info)}\n` : '')
    else if (text) {
      answering = new AbortController()
      try {
        for await (const piece of chat.send(text, { signal: answering.signal })) process.stdout.write(piece.text)
        process.stdout.write('\n')
      } catch (error) {
        failed = true
        const { message, code } = /** @type {import('../../types.d.ts').IteraError} */ (error)
        process.stderr.write(`\nitera: ${message} (${code})\n`)
        if (model.error) throw error
      } finally {
        answering = null
      }
    }
    lines.prompt()
  }
  lines.close()
  return failed && !process.stdin.isTTY ? 1 : 0
}
