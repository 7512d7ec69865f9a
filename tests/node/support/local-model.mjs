// Conversations without a worker: the package's Chat on one side, its Engine on the other, and a look at the state.
import './engine.mjs'
import { Chat } from '../../../web/src/chat.js'
import { Engine } from '../../../web/src/engine.js'
import { Request } from '../../../web/src/protocol.js'
import { Session } from '../../../web/src/session.js'
import { describeSource } from '../../../web/src/source.js'

/**
 * @param {any} source
 * @param {string} [simd]
 */
export async function openLocal(source, simd) {
  const never = new AbortController().signal
  const { engine } = await Engine.load({ source: describeSource(source), simd }, { signal: never, emit() {} })
  const handlers = {
    [Request.rewindChat]: args => engine.rewindChat(args),
    [Request.forkChat]: args => engine.forkChat(args),
    [Request.saveChat]: args => engine.saveChat(args),
    [Request.openChat]: (args, context) => engine.openChat(args, context),
    [Request.chatInfo]: args => engine.chatInfo(args),
    [Request.closeChat]: ({ chat }) => engine.closeChat(chat),
  }
  let chats = 0
  const model = {
    engine,
    nextChat: () => chats++,
    /** The number of the conversation made last. */
    get lastChat() { return chats - 1 },
    /** What a checkpoint takes. */
    get markBytes() { return model.state(-1).session.markBytes },
    async call(type, args) { return handlers[type](args, { signal: never, emit() {} }) },
    async file(type, args) { return new Blob([await model.call(type, args)]) },
    async * stream(_, args, signal = never) {
      const pieces = []
      const stats = await engine.chat(args, { signal, emit: (_, piece) => pieces.push(piece) })
      yield * pieces
      return stats
    },
    /** @param {any} [options] */
    chat: options => new Chat(model, model.nextChat(), options),
    /** The state of the conversation that was made as number `id`. */
    state: id => engine.chatSession(id, { contextTokens: 0, checkpointBytes: 0 }),
    /** Logits of a state, copied. */
    logits(session) {
      const out = new Float32Array(engine.vocabulary)
      session.logits(out)
      return out
    },
    /** Logits after the same tokens in a session of their own. */
    fresh(tokens) {
      const session = new Session(engine.wasm, engine.model, tokens.length)
      session.feed(tokens)
      const out = model.logits(session)
      session.free()
      return out
    },
  }
  return model
}

/** The status of a call that found no memory. */
export const NO_MEMORY = -2

/**
 * Does `work` while the engine's function `name` is another, which is given the real one first.
 *
 * @param {any} wasm
 * @param {string} name
 * @param {(real: any, ...args: any[]) => any} other
 * @param {() => any} work
 */
export async function withExport(wasm, name, other, work) {
  const { exports } = wasm
  wasm.exports = { ...exports, [name]: (...args) => other(exports[name], ...args) }
  try {
    return await work()
  } finally {
    wasm.exports = exports
  }
}

/** @param {AsyncGenerator<any, any, void>} pieces */
export async function collect(pieces) {
  let text = ''
  const tokens = []
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return { text, tokens, stats: value }
    text += value.text
    if (value.token !== undefined) tokens.push(value.token)
  }
}
