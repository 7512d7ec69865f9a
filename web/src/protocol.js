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

/** Request types. */
export const Request = Object.freeze({
  /** args { source, simd?, tokenizer? }, events `progress`; result: ModelInfo. Once per worker. */
  load: 'load',
  /** args { prompt: string | number[], options }, events `piece`; result: Stats. */
  generate: 'generate',
  /** args { chat, messages, options }, events `piece`; result: Stats. The session named `chat` is made when first used. */
  chat: 'chat',
  /** args { chat }; forgets that session. */
  closeChat: 'close-chat',
  /** args { text, addSpecial, parseSpecial }; result: number[]. */
  tokenize: 'tokenize',
  /** args { tokens, special }; result: string. */
  detokenize: 'detokenize',
  /** args { tokens, piece, step }; result: Float32Array of [tokens, vocabulary]. */
  logits: 'logits',
  /** args { tokens, context? }; result: Float32Array of tokens - 1 values -ln p(next). */
  score: 'score',
  /** args {}; result: { memoryBytes, sessions }. */
  memory: 'memory',
  /** args { target }: ends the request with that id early. Its own reply may come before or after the target's. */
  abort: 'abort',
})

/** Events. */
export const Event = Object.freeze({
  /** { loaded, total }: bytes; total is undefined until it is known. */
  progress: 'progress',
  /** { text, token?, logprob?, top? }: one generated token. */
  piece: 'piece',
})

/**
 * @typedef {{ id: number, type: string, args: any, aborted?: boolean }} RequestMessage
 * @typedef {{ id: number, result?: any, error?: { code: import('./errors.js').ErrorCode, message: string } }} ReplyMessage
 * @typedef {{ id: number, event: string, data: any }} EventMessage
 */
