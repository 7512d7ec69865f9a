/**
 * What the main thread and the worker say to each other.
 *
 *   request  main -> worker   { id, type, args, aborted }   ids are unique per worker and never reused;
 *                                                           aborted: ended early before it began
 *   reply    worker -> main   { id, result }                exactly one of the two for every request
 *                             { id, error: { code, message } }
 *   event    worker -> main   { id, event, data }           any number, before the reply of the request `id`
 *
 * Buffers in results are transferred. Requests run concurrently: a worker gives way to its message queue
 * between tokens and between pieces of a download, so an abort is seen there.
 */

/** Larger memory is not kept as `spare`: as much as the checkpoints of a conversation may take. */
export const MOST_SPARE_BYTES = 64 << 20

/** Request types. */
export const Request = Object.freeze({
  /** args { source, simd?, compiled?, threads? }, compiled: the build as engine-module.js gives it; events `progress` and `helper`;
   * result: ModelInfo. Once per worker. */
  load: 'load',
  /** args { source }, events `progress`; result: CachedModel. Needs no model. */
  download: 'download',
  /** args { thread, error? }: that helper is ready, or will not be. */
  helperStarted: 'helper-started',
  /** args { prompt: string | number[], options }, events `piece`; result: Stats. */
  generate: 'generate',
  /** args { chat, limits, messages, options, seeded }, events `piece`; result: Stats. The session named `chat` is made
   * when first used, within `limits`. */
  chat: 'chat',
  /** args { chat, messages, opening }; its state goes back to where so many messages had been read. */
  rewindChat: 'rewind-chat',
  /** args { chat, as }; a second session `as` goes on from where `chat` is. */
  forkChat: 'fork-chat',
  /** args { chat, limits, conversation, form, spare }; result: what snapshot.js describes, as a Uint8Array. spare: an
   * ArrayBuffer, transferred, in which the result comes where there is room, or null. */
  saveChat: 'save-chat',
  /** args { chat, source, limits }; the session `chat` from a saved one; result: { messages, opening, options, limits }. */
  openChat: 'open-chat',
  /** args { chat, limits }; result: ChatInfo. */
  chatInfo: 'chat-info',
  /** args { messages, limits, form, spare }; result: the same of a session that has read these messages and nothing else. */
  pack: 'pack',
  /** args { chat }; forgets that session. */
  closeChat: 'close-chat',
  /** args as in openai/completer.js, events `piece` with the number of their choice; result: Stats. */
  complete: 'complete',
  /** args { text, addSpecial, parseSpecial }; result: number[]. */
  tokenize: 'tokenize',
  /** args { tokens, special }; result: string. */
  detokenize: 'detokenize',
  /** args { tokens, piece, step }; result: Float32Array of [tokens, vocabulary]. */
  logits: 'logits',
  /** args { tokens, context? }; result: Float32Array of tokens - 1 values -ln p(next). */
  score: 'score',
  /** args {}; result: { memoryBytes, sessions, fedTokens }. */
  memory: 'memory',
  /** args { target }: ends the request with that id early. Its own reply may come before or after the target's. */
  abort: 'abort',
})

/** Events. */
export const Event = Object.freeze({
  /** What helper.js wants to know: the main thread is to start one more thread of the engine, and to say so. */
  helper: 'helper',
  /** { loaded, total, cached?, resumed?, status?, cacheError? }: bytes and where they come from; total is undefined until it
   * is known. */
  progress: 'progress',
  /** { text, token?, logprob?, top? }: one generated token. */
  piece: 'piece',
})

/**
 * @typedef {{ id: number, type: string, args: any, aborted?: boolean }} RequestMessage
 * @typedef {{ id: number, result?: any, error?: { code: import('./errors.js').ErrorCode, message: string } }} ReplyMessage
 * @typedef {{ id: number, event: string, data: any }} EventMessage
 */
