/** Itera-Lite: state-space language models in the browser and in Node. */
import type { OpenAIFacade } from './src/openai/types.js'

/** Requests and answers of model.openai, under the names that the `openai` package uses. */
export type * from './src/openai/types.js'

declare global {
  /** Known to TypeScript only where `lib` has esnext.disposable; `using` needs that. */
  interface SymbolConstructor { readonly dispose: unique symbol }
}

/** A build of the engine: plain WebAssembly, 128-bit SIMD, or relaxed SIMD. */
export type SimdVariant = 'scalar' | 'simd128' | 'relaxed'

/**
 * A URL, a File or Blob, the bytes themselves, or (in Node) a path. `hf:owner/repo/file.gguf`, with `@revision` behind the
 * repo where it matters, is a file on Hugging Face. Of a split model, the first file: `...-00001-of-00003.gguf`.
 */
export type ModelSource = string | URL | Blob | ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/**
 * What went wrong, for programs. `message` tells people.
 *
 * - argument: a call that makes no sense
 * - network: the server cannot be reached, or answered with an error status
 * - not-found: nothing is at that path or URL
 * - unreadable: a local file that exists but cannot be read
 * - unwritable: a file cannot be written (command line only)
 * - not-gguf, corrupt, unsupported, incomplete: the file is not GGUF, contradicts itself, needs something that is
 *   not supported, or ends too early
 * - memory: there is not enough of it
 * - changed: the file on the server changed again and again while it was read
 * - quota: there is no room to keep a download
 * - storage: there is nowhere to keep a download, or what there is fails
 * - no-grammar: grammars need a package that is not installed
 * - grammar: a grammar, regular expression or JSON schema that is wrong
 * - no-tokenizer: a text call on a model without a (supported) tokenizer; token ids still work
 * - template: the file's chat template failed
 * - token: an id outside the vocabulary
 * - context-full: the prompt is longer than the model or the session allows
 * - busy: the conversation is still answering; or the cached file is in use
 * - snapshot: a saved state that does not fit
 * - aborted: stopped by an AbortSignal
 * - disposed: the model was disposed, or the conversation
 * - crashed: the worker ended; load the model again
 * - internal: a bug in this package
 */
export type ErrorCode =
  | 'argument' | 'network' | 'not-found' | 'unreadable' | 'unwritable' | 'not-gguf' | 'corrupt' | 'unsupported' | 'incomplete'
  | 'changed' | 'quota' | 'storage' | 'memory' | 'no-tokenizer' | 'no-grammar' | 'grammar' | 'template' | 'token' | 'context-full' | 'busy' | 'snapshot' | 'aborted' | 'disposed'
  | 'crashed' | 'internal'

export class IteraError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions)
  readonly code: ErrorCode
}

export interface Progress {
  /** Bytes so far. */
  loaded: number
  /** Bytes in all; undefined until it is known. */
  total: number | undefined
  /** How many of `loaded` came from the cache. This and what follows: of URLs only. */
  cached?: number
  /** How often a connection was taken up again. */
  resumed?: number
  /** retrying: the connection is lost; waiting: another tab downloads the same file. */
  status?: 'downloading' | 'retrying' | 'waiting'
  /** Why the file is loaded without being kept, when that is so. */
  cacheError?: 'quota' | 'storage'
}

/** Which cache. */
export interface CacheOptions {
  /** In the browser true by default; false: nothing is kept; a name: a cache of its own. */
  cache?: boolean | string
  /** In Node: the folder to keep downloads in. Without it nothing is kept there. */
  cacheDir?: string
}

export interface DownloadOptions extends CacheOptions {
  onProgress?: (progress: Progress) => void
  /** Aborting rejects with code 'aborted'. What has arrived stays in the cache, and the next call goes on from there. */
  signal?: AbortSignal
  /** Sent with each request when the source is a URL. */
  headers?: Record<string, string>
  /** Asks the server whether a cached file is still the same (default false: it is used without a word, offline too). */
  revalidate?: boolean
  /** Attempts in a row without a new byte before giving up (default 6; 2 where there never was an answer). */
  retries?: number
  /** The first wait before another attempt, in ms; it doubles from there (default 500). */
  retryDelay?: number
  /** How long to wait for a byte, in ms, before a connection is given up and taken up again (default 30000). */
  stallTimeout?: number
  /** What is kept and checked as one, in bytes (default 1 MiB). An entry keeps the size it began with. */
  chunkBytes?: number
  /** The most to ask for at once when the file is kept: a tab that is killed loses no more than this and a chunk. By
   * default one chunk, and more where round trips are long beside it (up to 64 MiB). */
  requestBytes?: number
}

export interface LoadOptions extends DownloadOptions {
  /** Forces one build of the engine; the default is the fastest that can run here. */
  simd?: SimdVariant | 'auto'
  /** Threads, the engine's worker included, at most 16. The default, 'auto', takes what the processor has (at most 8), and
   * one for small models. Pages must be isolated (served with COOP and COEP headers) to have more than one; where
   * they are not, one does the same work. `info.threads` says how many there are. */
  threads?: number | 'auto'
  /** The URL of @mlc-ai/web-xgrammar's one file, for pages that neither resolve its name by an import map nor run in Node. */
  grammarLibrary?: string | URL
}

/** A download in the cache, whole or not. */
export interface CachedModel {
  /** Its address, to load it with. */
  url: string
  /** The last part of the address. */
  name: string
  /** What is kept of it. */
  bytes: number
  total: number | undefined
  complete: boolean
  /** How many files it has: 1, or the parts of a split model. */
  files: number
  /** When something of it last arrived, in ms since 1970. */
  updated: number
}

export interface CacheEstimate {
  /** What downloads take. */
  bytes: number
  /** What the whole site takes and may take; undefined where that is not known. */
  usage: number | undefined
  quota: number | undefined
  /** Will the browser keep it when space runs short? */
  persisted: boolean
}

export interface Cache {
  /** What is there, latest first. */
  list(options?: CacheOptions): Promise<CachedModel[]>
  /** Forgets a download, all parts of it; false when there was none. Code 'busy' while it is read or written. */
  delete(source: string | URL, options?: CacheOptions): Promise<boolean>
  /** Forgets everything that is not in use. */
  clear(options?: CacheOptions): Promise<void>
  /** Asks the browser to keep it when space runs short; true when it will. Some ask the user: call it on a click. */
  persist(): Promise<boolean>
  persisted(): Promise<boolean>
  estimate(options?: CacheOptions): Promise<CacheEstimate>
}

export interface GenerateOptions {
  /** Above 0: how freely to choose (default 0.8). 0: always the most probable token. */
  temperature?: number
  /** Choose among this many of the most probable tokens (default 40; 0: all). */
  topK?: number
  /** Choose among the most probable tokens that together have this probability (default 0.95; 1: all). */
  topP?: number
  /** Leave out tokens less probable than this part of the best one's probability (default 0.05; 0: none). */
  minP?: number
  /** Divides the logits of tokens used lately (default 1: off). */
  repetitionPenalty?: number
  /** Taken off the logit of every token used lately (default 0). */
  presencePenalty?: number
  /** Taken off for each time a token was used lately (default 0). */
  frequencyPenalty?: number
  /** How many of the last tokens count as lately, prompt included (default 64). */
  penaltyWindow?: number
  /** Added to the logit of a token, by its id. -Infinity forbids it. */
  logitBias?: Record<string | number, number>
  /** The same seed gives the same text; chosen at random otherwise and told in the stats. */
  seed?: number
  /** The most tokens to generate (default 512). */
  maxTokens?: number
  /** Text at which to stop; it is not part of what is given out. */
  stop?: string | string[]
  /** true: the log probability of each token; a number: also those of that many alternatives (at most 20). */
  logprobs?: boolean | number
  /** Special tokens written in the prompt, such as <|endoftext|>, become those tokens (default false). */
  parseSpecial?: boolean
  /** Goes on past the token that ends a text (default false). */
  ignoreEndOfText?: boolean
  /** Each piece tells what happened inside the model (default false). */
  trace?: boolean
  /** The most tokens, prompt included, on models with attention layers; 0 or absent: as many as the model was made for.
   * Memory for them is taken as they come. A conversation keeps the number it began with. */
  contextTokens?: number
  /** Aborting ends the generation between two tokens; finishReason is then 'aborted'. */
  signal?: AbortSignal
}

export interface Piece {
  /** What this token adds to the text: often empty, for a token that is a part of a character. */
  text: string
  /** Absent on a last piece that only brings text held back before. */
  token?: number
  /** ln of its probability, before temperature and filters; with `logprobs`. */
  logprob?: number
  /** The most probable tokens in its place; with `logprobs` above 0. */
  top?: { token: number, logprob: number, text: string }[]
  /** What the layers did to arrive at it; with `trace`. Absent where the pass lies before this call, as after chat.regenerate(). */
  trace?: Trace
}

/** A look inside the pass through the layers that a token came from. */
export interface Trace {
  /** For each layer with experts: how many there are, which were chosen (ascending) and their weights, which sum to 1. */
  experts: { layer: number, of: number, chosen: number[], gates: number[] }[]
  /** For each layer that remembers: the length (L2 norm) of its state. */
  states: { layer: number, norm: number }[]
}

export interface Stats {
  /** Tokens of the whole prompt, of which `cachedTokens` had been read before. */
  promptTokens: number
  cachedTokens: number
  generatedTokens: number
  /** Milliseconds from the request to the first token. */
  ttftMs: number
  /** Prompt tokens read a second. */
  prefillTps: number
  /** Tokens generated a second, after the first; 0 where there was no second. */
  decodeTps: number
  /** stop: the model or a stop string ended it; length: maxTokens or a full context did. */
  finishReason: 'stop' | 'length' | 'aborted'
  /** Where the random sequence began. In a conversation all turns draw from one, until a seed is given. */
  seed: number
  /** Size of the engine's memory at the end. */
  memoryBytes: number
  /** In a conversation: what its checkpoints take of it. */
  checkpointBytes?: number
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | (string & {})
  content: string
}

/** How the numbers of a state are saved: f32 exactly; f16 in half the space, each off by at most a 2048th of itself. */
export type SnapshotForm = 'f32' | 'f16'

export interface ChatOptions extends Omit<GenerateOptions, 'signal'> {
  /** The first message, which sets the tone. */
  system?: string
  /** Messages of an earlier conversation to go on from. They are read again; `restore` goes on without. */
  messages?: ChatMessage[]
  /** What chat.save() gave: messages, options and state are those saved; options given here come first. */
  restore?: ModelSource
  /** A prompt pack, instead of `system`: its messages count as read. */
  pack?: ModelSource
  /** The most memory that copies of the state may take, with which undo, edit and regenerate need not read again
   * (default 64 MiB; 0: none). When it is full, what is missed least is dropped. */
  checkpointBytes?: number
}

export type RestoreOptions = Omit<ChatOptions, 'restore' | 'pack' | 'system' | 'messages'>

export interface PackOptions {
  /** What every conversation is to begin with, */
  system?: string
  /** and messages after it, such as examples. */
  messages?: ChatMessage[]
  form?: SnapshotForm
  /** As in GenerateOptions; only while the pack is made. */
  contextTokens?: number
  signal?: AbortSignal
}

export interface ChatInfo {
  /** Tokens that the state has read. */
  tokens: number
  stateBytes: number
  /** Copies of the state kept to go back to, what they take, and what they may take at most. */
  checkpoints: number
  checkpointBytes: number
  checkpointLimit: number
}

export interface ModelInfo {
  architecture: string
  name: string
  /** Weights in all, those one token uses, and those in the embedding tables. */
  parameters: { total: number, active: number, embedding: number }
  vocabulary: number
  layers: number
  width: number
  /** Tokens the model was made for; 0: no limit. */
  contextLength: number
  fileBytes: number
  weightBytes: number
  /** The engine's whole memory; grows with sessions. */
  memoryBytes: number
  /** The memory of one conversation, however long. */
  stateBytes: number
  /** What each token of a conversation adds on models with attention layers; 0 on pure state-space models. */
  kvBytesPerToken: number
  scratchBytes: number
  flopsPerToken: number
  simd: SimdVariant
  /** That work, not that were asked for. */
  threads: number
  wasmBytes: number
  hasChatTemplate: boolean
  /** How the chat template writes calls of tools: hermes is a form that is read back; null where it knows none. */
  toolCalls: 'hermes' | 'text' | null
  /** Name of the pre-tokenizer; null where text calls are not possible. */
  tokenizer: string | null
  /** The tokens that begin and end a text, where there are such. */
  bosToken: number | null
  eosToken: number | null
}

export interface Chat {
  /** Settled once a `restore` or `pack` is there, at once without; rejected with code 'snapshot' when it does not fit. */
  readonly ready: Promise<void>
  /** The conversation so far; a copy. */
  readonly messages: ChatMessage[]
  /** Says something and streams the answer; the generator's return value is the stats. Only what is new is read. */
  send(text: string, options?: GenerateOptions): AsyncGenerator<Piece, Stats, void>
  /** Says something else in an earlier turn (0: the first, -1: the last) and streams the answer. What came after is gone. */
  edit(turn: number, text: string, options?: GenerateOptions): AsyncGenerator<Piece, Stats, void>
  /** Answers the last message anew. */
  regenerate(options?: GenerateOptions): AsyncGenerator<Piece, Stats, void>
  /** Takes back the last turn, or more; resolves to the messages taken back. */
  undo(turns?: number): Promise<ChatMessage[]>
  /** A second conversation that goes on from here, its random sequence included. */
  fork(): Promise<Chat>
  /** The conversation's whole memory, to restore with the same model anywhere. The model keeps memory of the Blob's size, where
   * that is at most 64 MiB, to make the next one faster; dispose() of the model frees it. */
  save(options?: { form?: SnapshotForm }): Promise<Blob>
  /** What the conversation takes. */
  info(): Promise<ChatInfo>
  /** Back to the beginning: only the system message stays. */
  reset(): void
  /** Frees the conversation's state. The answer under way and later calls are rejected with code 'disposed'. */
  dispose(): void
  /** The same, for `using`. */
  [Symbol.dispose](): void
}

export interface Model {
  readonly info: ModelInfo
  /** Figures of the last generation that ended. */
  readonly lastStats: Stats | null
  /** The OpenAI interface: model.openai.chat.completions.create({ messages, stream: true }). */
  readonly openai: OpenAIFacade
  /** Continues a text or a list of token ids; the generator's return value is the stats. */
  generate(prompt: string | ArrayLike<number>, options?: GenerateOptions): AsyncGenerator<Piece, Stats, void>
  /** A conversation, through the file's own chat template where it has one. */
  chat(options?: ChatOptions): Chat
  /** A conversation from what chat.save() gave, once it is there; options given here come before those saved. */
  restore(source: ModelSource, options?: RestoreOptions): Promise<Chat>
  /** Reads the opening of conversations once: a file to ship, for chat({ pack }). */
  pack(options: PackOptions): Promise<Blob>
  /** addSpecial: with BOS where the model wants it; parseSpecial: special tokens written in the text become tokens. */
  tokenize(text: string, options?: { addSpecial?: boolean, parseSpecial?: boolean }): Promise<number[]>
  /** special: show special tokens, which are left out otherwise. */
  detokenize(tokens: ArrayLike<number>, options?: { special?: boolean }): Promise<string>
  /** Logits after every token, [tokens, vocabulary]. `piece`: tokens fed at once (default all); `step`: one at a time, as in generation. */
  logits(tokens: ArrayLike<number>, options?: { piece?: number, step?: boolean, signal?: AbortSignal }): Promise<Float32Array>
  /** -ln p of every token but the first. */
  score(tokens: ArrayLike<number>): Promise<Float32Array>
  /** The size of the engine's memory now, in bytes. */
  memoryBytes(): Promise<number>
  /** Why no call is answered any more: code 'disposed', 'crashed' or 'memory'; null while the model works. */
  readonly error: IteraError | null
  /** Resolves to that error when it comes to it. Whatever the reason, another Itera.load() works. */
  readonly lost: Promise<IteraError>
  /** Ends the worker and frees everything. Pending and later calls are rejected with code 'disposed'. */
  dispose(): void
  /** The same, for `using`. */
  [Symbol.dispose](): void
}

export declare const Itera: {
  load(source: ModelSource, options?: LoadOptions): Promise<Model>
  /** Downloads into the cache without loading. Code 'quota' or 'storage' when it cannot be kept. */
  download(source: string | URL, options?: DownloadOptions): Promise<CachedModel>
  /** The downloads that are kept. */
  readonly cache: Cache
  /** The builds of the engine that can run here, from the slowest to the fastest. */
  supportedSimd(): SimdVariant[]
}

export interface BenchOptions {
  /** Tokens to read (default 512) and to generate (default 128). */
  prompt?: number
  gen?: number
  /** Runs after the warm-up, of which the medians are given (default 3). */
  repeat?: number
  simd?: SimdVariant | 'auto'
  threads?: number | 'auto'
}

export interface BenchResult {
  model: string
  arch: string
  simd: SimdVariant
  threads: number
  engine: string
  load_ms: number
  prefill_tps: number
  decode_tps: number
  ttft_ms: number
  memory_bytes: number
  wasm_bytes: number
  prompt_tokens: number
  generated_tokens: number
}

/** Measures a model on this engine. */
export function benchmark(source: ModelSource, options?: BenchOptions): Promise<BenchResult>
