/**
 * The worker's entry. It serves one model and keeps no other state than its engine and the requests under way;
 * protocol.js describes the messages.
 */
import { download } from './download/download.js'
import { Engine } from './engine.js'
import { describeError, IteraError } from './errors.js'
import { computeLogits, computeScore } from './evaluate.js'
import { openPort } from './platform.js'
import { Completer } from './openai/completer.js'
import { Request } from './protocol.js'
import { HelperRequests } from './threads.js'

/**
 * @typedef {import('./engine.js').JobContext} JobContext
 * @typedef {import('./protocol.js').RequestMessage} RequestMessage
 */

/** How long after loading a model what its conversations need is fetched, unless they begin before. */
const PREPARE_MS = 1000

/** @type {Engine | null} */
let loaded = null

/** @type {Completer | null} */
let completer = null

/** Requests under way, by id. @type {Map<number, AbortController>} */
const jobs = new Map()

const helpers = new HelperRequests()

const post = openPort(serve)

/** @returns {Engine} */
function engine() {
  if (loaded) return loaded
  throw new IteraError('argument', 'no model has been loaded')
}

/** @type {Record<string, (args: any, context: JobContext) => any>} */
const handlers = {
  async [Request.load](args, context) {
    const { engine, info } = await Engine.load({ ...args, spawn: helpers.by(context.emit) }, context)
    loaded = engine
    // Not while the page still begins; the first conversation need not wait for it either.
    if (info.hasChatTemplate) setTimeout(() => engine.prepareToRender().catch(() => { /* then it will tell */ }), PREPARE_MS)
    return info
  },
  [Request.download]: (args, context) => download(args, context),
  [Request.helperStarted]: args => helpers.answer(args),
  [Request.generate]: (args, context) => engine().generate(args, context),
  [Request.chat]: (args, context) => engine().chat(args, context),
  [Request.rewindChat]: args => engine().rewindChat(args),
  [Request.forkChat]: args => engine().forkChat(args),
  [Request.saveChat]: args => engine().saveChat(args),
  [Request.openChat]: (args, context) => engine().openChat(args, context),
  [Request.chatInfo]: args => engine().chatInfo(args),
  [Request.pack]: (args, context) => engine().pack(args, context),
  [Request.complete]: (args, context) => (completer ??= new Completer(engine())).run(args, context),
  [Request.closeChat]: ({ chat }) => engine().closeChat(chat),
  [Request.tokenize]: ({ text, addSpecial, parseSpecial }) =>
    Array.from(engine().tokenizer.encode(text, { special: parseSpecial, addBos: addSpecial ? undefined : false })),
  [Request.detokenize]: ({ tokens, special }) => engine().tokenizer.decode(tokens, { special }),
  [Request.logits]: (args, context) => computeLogits(engine(), args, context.signal),
  [Request.score]: args => computeScore(engine(), args),
  [Request.memory]: () => engine().memory,
  [Request.abort]: ({ target }) => jobs.get(target)?.abort(),
}

/** @param {RequestMessage} request */
async function serve({ id, type, args, aborted }) {
  const job = new AbortController()
  if (aborted) job.abort()
  jobs.set(id, job)
  try {
    const handler = handlers[type]
    if (!handler) throw new IteraError('argument', `unknown request '${type}'`)
    const result = await handler(args, {
      signal: job.signal,
      emit: (event, data) => post({ id, event, data }),
    })
    post({ id, result }, ArrayBuffer.isView(result) ? [result.buffer] : [])
  } catch (error) {
    post({ id, error: describeError(error) })
  } finally {
    jobs.delete(id)
  }
}
