/**
 * Parameters of the OpenAI interface: checked, and turned into what the worker takes. What this runtime cannot do is
 * refused rather than left out in silence; what only concerns a service far away (user, store, metadata, ...) is ignored.
 *
 * @typedef {import('../options.js').GenerationOptions} GenerationOptions
 * @typedef {import('../grammar.js').GrammarSpec} GrammarSpec
 * @typedef {import('../../types.d.ts').ChatMessage} ChatMessage
 */
import { IteraError } from '../errors.js'
import { completeOptions } from '../options.js'

/** As many answers to one prompt as OpenAI gives. */
const MOST_CHOICES = 128

/** Levels of a parameter: more than anybody means, and few enough for all that calls itself once a level. */
const MOST_LEVELS = 1000

/** @typedef {Record<string, any>} Body  from a stranger, not checked yet */

/**
 * An error that names the parameter.
 *
 * @param {string} param
 * @param {string} message
 */
export function bad(param, message) {
  return Object.assign(new IteraError('argument', message), { param })
}

/** @param {unknown} body @returns {asserts body is Body} */
export function checkBody(body) {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new IteraError('argument', 'the parameters must be an object')
  }
  for (const [name, value] of Object.entries(body)) checkDepth(name, value)
}

/**
 * A value that is nested too deep would end in an overflow of the stack, somewhere on its way to the worker.
 *
 * @param {string} param
 * @param {unknown} value
 * @param {number} [level]
 */
function checkDepth(param, value, level = 0) {
  if (typeof value !== 'object' || value === null) return
  if (level === MOST_LEVELS) throw bad(param, `${param} is nested too deep, more than ${MOST_LEVELS} levels`)
  for (const part of Object.values(value)) checkDepth(param, part, level + 1)
}

/**
 * Refuses what would change the answer and is not supported.
 *
 * @param {Body} body
 * @param {Record<string, any[]>} allowed  values that ask for nothing
 */
function refuse(body, allowed) {
  for (const [name, values] of Object.entries(allowed)) {
    if (!values.includes(body[name] ?? null)) throw bad(name, `${name} is not supported`)
  }
}

/**
 * @param {Body} body
 * @param {string} name
 * @param {[low: number, high: number]} range
 * @param {boolean} [whole]
 * @returns {number | undefined}
 */
function number(body, name, [low, high], whole = false) {
  const value = body[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= low && value <= high && (!whole || Number.isInteger(value))) return value
  const bounds = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`
  throw bad(name, `${name} must be a ${whole ? 'whole ' : ''}number ${bounds}; got ${JSON.stringify(value)}`)
}

/** @param {Body} body @param {string} name */
function boolean(body, name) {
  const value = body[name] ?? false
  if (typeof value === 'boolean') return value
  throw bad(name, `${name} must be true or false; got ${JSON.stringify(value)}`)
}

/**
 * What both kinds of completion take.
 *
 * @param {Body} body
 * @param {number} maxTokens  where the body does not say
 * @param {number} logprobs  as in GenerationOptions
 * @param {number} [least]  tokens that may be asked for
 */
export function commonParams(body, maxTokens, logprobs, least = 1) {
  const whole = Number.MAX_SAFE_INTEGER
  const most = number(body, 'max_completion_tokens', [least, whole], true)
    ?? number(body, 'max_tokens', [least, whole], true) ?? maxTokens
  const seed = number(body, 'seed', [Number.MIN_SAFE_INTEGER, whole], true)
  const given = {
    temperature: number(body, 'temperature', [0, 2]),
    topP: number(body, 'top_p', [0, 1]),
    presencePenalty: number(body, 'presence_penalty', [-2, 2]),
    frequencyPenalty: number(body, 'frequency_penalty', [-2, 2]),
    // Not OpenAI's, but what other servers of local models call them.
    topK: number(body, 'top_k', [0, 2 ** 31 - 1], true),
    minP: number(body, 'min_p', [0, 1]),
    repetitionPenalty: number(body, 'repetition_penalty', [0.01, 100]) ?? number(body, 'repeat_penalty', [0.01, 100]),
    seed: seed === undefined || seed >= 0 ? seed : seed + whole + 1,
    stop: stops(body),
    logitBias: logitBias(body),
  }
  return {
    stream: boolean(body, 'stream'),
    includeUsage: includeUsage(body),
    count: number(body, 'n', [1, MOST_CHOICES], true) ?? 1,
    options: { ...completeOptions(given), maxTokens: most, logprobs },
    grammar: responseFormat(body),
  }
}

/** @param {Body} body */
function stops({ stop }) {
  if (stop === undefined || stop === null) return undefined
  const list = Array.isArray(stop) ? stop : [stop]
  if (list.every(text => typeof text === 'string' && text)) return list
  throw bad('stop', 'stop must be a string or a list of strings, none of them empty')
}

/** @param {Body} body */
function logitBias({ logit_bias: bias }) {
  if (bias === undefined || bias === null) return undefined
  if (typeof bias !== 'object' || Array.isArray(bias)) throw bad('logit_bias', 'logit_bias must be an object')
  for (const [token, value] of Object.entries(bias)) {
    if (!/^\d{1,9}$/.test(token)) throw bad('logit_bias', `logit_bias has '${token}', which is no token id`)
    if (!(typeof value === 'number' && Math.abs(value) <= 100)) {
      throw bad('logit_bias', `logit_bias of token ${token} must be a number from -100 to 100`)
    }
  }
  return bias
}

/** @param {Body} body */
function includeUsage({ stream, stream_options: options }) {
  if (options === undefined || options === null) return false
  if (!stream) throw bad('stream_options', 'stream_options needs stream')
  if (typeof options !== 'object') throw bad('stream_options', 'stream_options must be an object')
  return boolean(options, 'include_usage')
}

// ---- What the text must be like

/**
 * @param {Body} body
 * @returns {GrammarSpec | undefined}
 */
function responseFormat({ response_format: format, grammar, regex }) {
  const specs = [formatSpec(format), textSpec('ebnf', 'grammar', grammar), textSpec('regex', 'regex', regex)].filter(Boolean)
  if (specs.length > 1) throw bad('response_format', 'response_format, grammar and regex exclude one another')
  return specs[0]
}

/** @param {any} format @returns {GrammarSpec | undefined} */
function formatSpec(format) {
  if (format === undefined || format === null) return undefined
  switch (format.type) {
    case 'text': return undefined
    case 'json_object': return { kind: 'json-object', source: '' }
    case 'json_schema': {
      const schema = format.json_schema?.schema
      if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
        throw bad('response_format', 'response_format.json_schema.schema must be an object')
      }
      return { kind: 'json-schema', source: JSON.stringify(schema) }
    }
    case 'grammar': return textSpec('ebnf', 'response_format.grammar', format.grammar ?? '')
    case 'regex': return textSpec('regex', 'response_format.regex', format.regex ?? '')
    default: throw bad('response_format', 'response_format.type must be text, json_object, json_schema, grammar or regex')
  }
}

/** @param {'ebnf' | 'regex'} kind @param {string} name @param {unknown} source @returns {GrammarSpec | undefined} */
function textSpec(kind, name, source) {
  if (source === undefined || source === null) return undefined
  if (typeof source === 'string' && source) return { kind, source }
  throw bad(name.split('.')[0], `${name} must be a string, and not empty`)
}

// ---- Chat

/** @param {Body} body */
export function chatParams(body) {
  refuse(body, {
    audio: [null], functions: [null], function_call: [null, 'none'], prediction: [null], web_search_options: [null],
  })
  if (body.modalities && String(body.modalities) !== 'text') throw bad('modalities', 'only text is supported')
  const alternatives = number(body, 'top_logprobs', [0, 20], true)
  const logprobs = boolean(body, 'logprobs')
  if (alternatives !== undefined && !logprobs) throw bad('top_logprobs', 'top_logprobs needs logprobs')
  const { tools, choice } = toolParams(body)
  return {
    ...commonParams(body, 512, logprobs ? alternatives ?? 0 : -1),
    messages: messageList(body.messages),
    tools,
    toolChoice: choice,
    parallel: body.parallel_tool_calls !== false,
  }
}

/**
 * As templates know them: content is a string, and arguments of calls are values.
 *
 * @param {unknown} messages
 * @returns {ChatMessage[]}
 */
function messageList(messages) {
  if (!Array.isArray(messages) || !messages.length) throw bad('messages', 'messages must be a list, and not empty')
  return messages.map((message, i) => {
    const place = `messages[${i}]`
    const roles = ['developer', 'system', 'user', 'assistant', 'tool']
    if (!roles.includes(message?.role)) throw bad('messages', `${place}.role must be one of ${roles.join(', ')}`)
    const { role, content, tool_calls: calls, ...others } = message
    const isCall = (/** @type {any} */ call) => typeof call?.function?.name === 'string'
    if (calls !== undefined && calls !== null && !(Array.isArray(calls) && calls.every(isCall))) {
      throw bad('messages', `${place}.tool_calls must be a list of calls of functions`)
    }
    if ((content === undefined || content === null) && !calls && role !== 'assistant') {
      throw bad('messages', `${place}.content is missing`)
    }
    return {
      ...others,
      role: role === 'developer' ? 'system' : role,
      content: text(content ?? '', `${place}.content`),
      ...calls && { tool_calls: calls.map(withValues) },
    }
  })
}

/** @param {unknown} content @param {string} place @returns {string} */
function text(content, place) {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw bad('messages', `${place} must be a string or a list of parts`)
  return content.map((part, i) => {
    const words = part?.type === 'text' ? part.text : part?.type === 'refusal' ? part.refusal : undefined
    if (typeof words === 'string') return words
    throw bad('messages', `${place}[${i}] is ${JSON.stringify(part?.type ?? part)}; only text is supported`)
  }).join('')
}

/** @param {any} call */
function withValues(call) {
  const { arguments: given } = call.function
  let values
  try {
    values = JSON.parse(given)
  } catch {
    return call
  }
  checkDepth('messages', values)
  return { ...call, function: { ...call.function, arguments: values } }
}

/** @param {Body} body */
function toolParams({ tools, tool_choice: choice }) {
  const any = Array.isArray(tools) && tools.length > 0
  if (tools !== undefined && tools !== null && !Array.isArray(tools)) throw bad('tools', 'tools must be a list')
  for (const [i, tool] of (any ? tools : []).entries()) {
    const { name, parameters } = tool?.function ?? {}
    if (tool?.type !== 'function') throw bad('tools', `tools[${i}].type must be function`)
    if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
      throw bad('tools', `tools[${i}].function.name must be 1 to 64 letters, digits, dashes and underscores`)
    }
    if (parameters !== undefined && (typeof parameters !== 'object' || parameters === null)) {
      throw bad('tools', `tools[${i}].function.parameters must be a JSON schema`)
    }
  }
  if (choice === undefined || choice === null || choice === 'auto' || choice === 'none') {
    return { tools: any && choice !== 'none' ? tools : undefined, choice: null }
  }
  const name = choice?.type === 'function' ? choice.function?.name : undefined
  const isWanted = (/** @type {any} */ tool) => choice === 'required' || tool.function.name === name
  const wanted = (tools ?? []).filter(isWanted)
  if (choice !== 'required' && typeof name !== 'string') {
    throw bad('tool_choice', 'tool_choice must be none, auto, required, or name a function')
  }
  if (!wanted.length) throw bad('tool_choice', `tool_choice asks for ${name ?? 'a function'}, which is not among the tools`)
  return { tools, choice: { tools: wanted, named: name !== undefined } }
}

// ---- Completions

/** @param {Body} body */
export function completionParams(body) {
  refuse(body, { suffix: [null, ''], echo: [null, false] })
  // No token at all: the prompt is only read, and kept for those that follow.
  const common = commonParams(body, 16, number(body, 'logprobs', [0, 20], true) ?? -1, 0)
  if ((number(body, 'best_of', [1, 128], true) ?? common.count) !== common.count) {
    throw bad('best_of', 'best_of is not supported, unless it is n')
  }
  return { ...common, prompts: promptList(body.prompt) }
}

/** @param {any} prompt @returns {({ text: string } | { tokens: number[] })[]} */
function promptList(prompt) {
  const isTokens = (/** @type {unknown} */ value) =>
    Array.isArray(value) && value.length > 0 && value.every(Number.isInteger)
  const list = typeof prompt === 'string' || isTokens(prompt) ? [prompt] : prompt
  if (!Array.isArray(list) || !list.length || !list.every(item => typeof item === 'string' || isTokens(item))) {
    throw bad('prompt', 'prompt must be a string, a list of tokens, or a list of these')
  }
  return list.map(item => typeof item === 'string' ? { text: item } : { tokens: item })
}
