/**
 * The OpenAI interface, under the names that the `openai` package gives its types. What is here is what this runtime takes
 * and gives: answers fit where that package's types are asked for; of requests, what is not supported is left out.
 */

// ---- Asking for a chat completion

export interface ChatCompletionContentPartText {
  type: 'text'
  text: string
}

export interface ChatCompletionSystemMessageParam {
  role: 'system' | 'developer'
  content: string | ChatCompletionContentPartText[]
  name?: string
}

export interface ChatCompletionUserMessageParam {
  role: 'user'
  content: string | ChatCompletionContentPartText[]
  name?: string
}

export interface ChatCompletionAssistantMessageParam {
  role: 'assistant'
  content?: string | ChatCompletionContentPartText[] | null
  name?: string
  refusal?: string | null
  tool_calls?: ChatCompletionMessageFunctionToolCall[]
}

export interface ChatCompletionToolMessageParam {
  role: 'tool'
  content: string | ChatCompletionContentPartText[]
  tool_call_id: string
}

export type ChatCompletionMessageParam =
  | ChatCompletionSystemMessageParam | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam | ChatCompletionToolMessageParam

export interface FunctionDefinition {
  name: string
  description?: string
  /** A JSON schema. */
  parameters?: Record<string, unknown>
  strict?: boolean | null
}

export interface ChatCompletionFunctionTool {
  type: 'function'
  function: FunctionDefinition
}

export interface ChatCompletionNamedToolChoice {
  type: 'function'
  function: { name: string }
}

/** required, or a function's name: the answer is held to the form of a call by a grammar. */
export type ChatCompletionToolChoiceOption = 'none' | 'auto' | 'required' | ChatCompletionNamedToolChoice

export interface ResponseFormatText { type: 'text' }
/** Any JSON object. */
export interface ResponseFormatJSONObject { type: 'json_object' }
/** JSON that fits a schema. */
export interface ResponseFormatJSONSchema {
  type: 'json_schema'
  json_schema: { name: string, description?: string, schema?: Record<string, unknown>, strict?: boolean | null }
}
/** A text that a grammar in EBNF, with a rule `root`, can write. Not in OpenAI's interface. */
export interface ResponseFormatGrammar { type: 'grammar', grammar: string }
/** A text that a regular expression matches from end to end. Not in OpenAI's interface. */
export interface ResponseFormatRegex { type: 'regex', regex: string }

export type ResponseFormat =
  | ResponseFormatText | ResponseFormatJSONObject | ResponseFormatJSONSchema | ResponseFormatGrammar | ResponseFormatRegex

export interface ChatCompletionStreamOptions {
  /** A last chunk with the usage of the whole request. */
  include_usage?: boolean
}

interface CommonParams {
  /** Taken for compatibility: there is one model. */
  model?: string & {}
  /** Of a completion, 0 only reads the prompt, for later ones that begin with it. */
  max_tokens?: number | null
  /** 0 always takes the most probable token (default 0.8, as everywhere in this package). */
  temperature?: number | null
  top_p?: number | null
  n?: number | null
  stop?: string | string[] | null
  /** Both penalties look at the last 64 tokens, prompt included. */
  presence_penalty?: number | null
  frequency_penalty?: number | null
  logit_bias?: Record<string, number> | null
  /** The same seed gives the same text, on the same `system_fingerprint`. */
  seed?: number | null
  user?: string
  stream_options?: ChatCompletionStreamOptions | null
  /** Not in OpenAI's interface: as in model.generate. */
  top_k?: number | null
  min_p?: number | null
  repetition_penalty?: number | null
  /** Short for response_format of type grammar or regex. */
  grammar?: string | null
  regex?: string | null
}

interface ChatCompletionCreateParamsBase extends CommonParams {
  messages: ChatCompletionMessageParam[]
  /** Most tokens of an answer (default 512). */
  max_completion_tokens?: number | null
  logprobs?: boolean | null
  top_logprobs?: number | null
  response_format?: ResponseFormat
  /** For models whose chat template knows tools: see ModelInfo.toolCalls. */
  tools?: ChatCompletionFunctionTool[]
  tool_choice?: ChatCompletionToolChoiceOption
  parallel_tool_calls?: boolean
}

export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase { stream?: false | null }
export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase { stream: true }
export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming

// ---- Chat completions

export interface ChatCompletionTopLogprob {
  token: string
  logprob: number
  bytes: number[] | null
}

export interface ChatCompletionTokenLogprob extends ChatCompletionTopLogprob {
  top_logprobs: ChatCompletionTopLogprob[]
}

export interface ChoiceLogprobs {
  content: ChatCompletionTokenLogprob[] | null
  refusal: ChatCompletionTokenLogprob[] | null
}

export interface ChatCompletionMessageFunctionToolCall {
  id: string
  type: 'function'
  function: {
    name: string
    /** JSON, as the model wrote it. */
    arguments: string
  }
}

export interface ChatCompletionMessage {
  role: 'assistant'
  content: string | null
  refusal: string | null
  tool_calls?: ChatCompletionMessageFunctionToolCall[]
}

export interface CompletionUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  /** Tokens of the prompt that had been read before. */
  prompt_tokens_details: { cached_tokens: number }
}

export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  /** Names the build of the engine. */
  system_fingerprint: string
  choices: {
    index: number
    message: ChatCompletionMessage
    logprobs: ChoiceLogprobs | null
    finish_reason: 'stop' | 'length' | 'tool_calls'
  }[]
  usage: CompletionUsage
}

export interface ChatCompletionChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  system_fingerprint: string
  choices: {
    index: number
    delta: {
      role?: 'assistant'
      content?: string | null
      tool_calls?: { index: number, id?: string, type?: 'function', function?: { name?: string, arguments?: string } }[]
    }
    logprobs: ChoiceLogprobs | null
    finish_reason: 'stop' | 'length' | 'tool_calls' | null
  }[]
  usage?: CompletionUsage | null
}

// ---- Completions of a text

interface CompletionCreateParamsBase extends CommonParams {
  /** Text or token ids, or several of these. Special tokens written in a text become tokens. */
  prompt: string | string[] | number[] | number[][]
  /** Alternatives to list for each token; at most 20. */
  logprobs?: number | null
  best_of?: number | null
  response_format?: ResponseFormat
}

export interface CompletionCreateParamsNonStreaming extends CompletionCreateParamsBase { stream?: false | null }
export interface CompletionCreateParamsStreaming extends CompletionCreateParamsBase { stream: true }
export type CompletionCreateParams = CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming

export interface CompletionLogprobs {
  tokens: string[]
  token_logprobs: number[]
  top_logprobs: Record<string, number>[]
  text_offset: number[]
}

export interface CompletionChoice {
  index: number
  text: string
  logprobs: CompletionLogprobs | null
  finish_reason: 'stop' | 'length'
}

/** Chunks of a stream have the same form; their finish_reason is null until the last. */
export interface Completion {
  id: string
  object: 'text_completion'
  created: number
  model: string
  system_fingerprint: string
  choices: CompletionChoice[]
  usage?: CompletionUsage
}

export interface WholeCompletion extends Completion { usage: CompletionUsage }

// ---- The calls

/** Chunks as they are written. Leaving the loop, or aborting the controller, ends the work. */
export interface CompletionStream<Chunk> extends AsyncIterable<Chunk> {
  readonly controller: AbortController
  /** The chunks as lines of JSON. */
  toReadableStream(): ReadableStream<Uint8Array>
}

export type ChatCompletionStream = CompletionStream<ChatCompletionChunk>

export interface RequestOptions {
  /** Aborting rejects with code 'aborted'; a stream just ends. */
  signal?: AbortSignal | null
}

export interface OpenAIFacade {
  chat: {
    completions: {
      create(body: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>
      create(body: ChatCompletionCreateParamsStreaming, options?: RequestOptions): Promise<ChatCompletionStream>
      create(body: ChatCompletionCreateParams, options?: RequestOptions): Promise<ChatCompletion | ChatCompletionStream>
    }
  }
  completions: {
    create(body: CompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<WholeCompletion>
    create(body: CompletionCreateParamsStreaming, options?: RequestOptions): Promise<CompletionStream<Completion>>
    create(body: CompletionCreateParams, options?: RequestOptions): Promise<Completion | CompletionStream<Completion>>
  }
  /** What states of earlier prompts may take, with which later ones need not be read from their beginning
   * (default 128 MiB; 0: none). */
  cacheBytes: number
}
