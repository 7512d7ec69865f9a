/**
 * Tools: how models write calls of functions into their text, and how the calls come out of it again.
 *
 * @typedef {import('../../types.d.ts').ModelInfo['toolCalls']} ToolForm
 * @typedef {import('./types.d.ts').ChatCompletionFunctionTool} Tool
 * @typedef {import('./types.d.ts').ChatCompletionMessageFunctionToolCall} ToolCall
 * @typedef {import('../grammar.js').GrammarSpec} GrammarSpec
 */
import { StopStrings } from '../stop-strings.js'

/** A call is a JSON object with name and arguments between these (Hermes, Qwen, Granite 4). */
const BEGIN = '<tool_call>'
const END = '</tool_call>'

/**
 * What a chat template says about tools.
 *
 * @param {string | undefined} template
 * @returns {ToolForm}
 */
export function toolForm(template) {
  if (!template || !/\btools\b/.test(template)) return null
  return template.includes(BEGIN) && template.includes(END) ? 'hermes' : 'text'
}

/**
 * The grammar of an answer that calls one of some tools.
 *
 * @param {Tool[]} tools
 * @param {boolean} many  several calls are welcome
 * @returns {GrammarSpec}
 */
export function toolGrammar(tools, many) {
  /** @type {Record<string, any>} */
  const $defs = {}
  const anyOf = tools.map(({ function: { name, parameters } }, i) => {
    const place = `tool_${i}`
    $defs[place] = moveReferences(parameters ?? { type: 'object', properties: {} }, `#/$defs/${place}`)
    return {
      type: 'object',
      properties: { name: { const: name }, arguments: { $ref: `#/$defs/${place}` } },
      required: ['name', 'arguments'],
      additionalProperties: false,
    }
  })
  return {
    kind: 'tool-calls',
    source: JSON.stringify({ anyOf, $defs }),
    calls: { begin: `${BEGIN}\n`, end: `\n${END}`, separator: '\n', many },
  }
}

/**
 * A schema whose references still hold when it stands elsewhere in a larger one.
 *
 * @param {any} schema
 * @param {string} place
 * @returns {any}
 */
function moveReferences(schema, place) {
  if (Array.isArray(schema)) return schema.map(item => moveReferences(item, place))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(Object.entries(schema).map(([key, value]) =>
    [key, key === '$ref' && typeof value === 'string' ? value.replace(/^#/, place) : moveReferences(value, place)]))
}

/** Takes calls out of text that comes in pieces. */
export class ToolCallParser {
  #begin = new StopStrings([BEGIN])
  /** The text of a call under way. @type {string | null} */
  #call = null
  /** White space behind a call: content only if more comes after it. */
  #space = ''
  /** Calls so far. */
  count = 0

  /**
   * @param {string} text
   * @returns {{ text: string, calls: ToolCall[] }} what is no part of a call, and calls that are now complete
   */
  push(text) {
    let shown = ''
    /** @type {ToolCall[]} */
    const calls = []
    for (let rest = text; ;) {
      if (this.#call === null) {
        const begin = findAndKeepRest(this.#begin, rest, BEGIN)
        shown += begin.text
        if (begin.rest === null) break
        this.#call = ''
        rest = begin.rest
      }
      this.#call += rest
      const end = this.#call.indexOf(END)
      if (end < 0) break
      rest = this.#call.slice(end + END.length)
      shown += this.#take(this.#call.slice(0, end), END, calls)
    }
    return { text: this.#between(shown), calls }
  }

  /** The end of the text: what was held back, or a call whose end mark is missing. */
  flush() {
    /** @type {ToolCall[]} */
    const calls = []
    const text = this.#call === null ? this.#begin.flush() : this.#take(this.#call, '', calls)
    return { text: this.#between(text), calls }
  }

  /**
   * @param {string} json
   * @param {string} end
   * @param {ToolCall[]} calls
   * @returns {string} the text again where it is no call
   */
  #take(json, end, calls) {
    this.#call = null
    const call = readCall(json)
    if (!call) return BEGIN + json + end
    this.count++
    calls.push(call)
    return ''
  }

  /** @param {string} text  outside calls */
  #between(text) {
    const all = this.#space + text
    this.#space = this.count && !all.trim() ? all : ''
    return this.#space ? '' : all
  }
}

/**
 * @param {StopStrings} finder
 * @param {string} text
 * @param {string} mark
 * @returns {{ text: string, rest: string | null }} what comes before the mark, and what comes after it
 */
function findAndKeepRest(finder, text, mark) {
  const held = finder.flush()
  const { text: before, stopped } = finder.push(held + text)
  return { text: before, rest: stopped ? (held + text).slice(before.length + mark.length) : null }
}

/** @param {string} json @returns {ToolCall | null} */
function readCall(json) {
  try {
    const { name, arguments: given, parameters } = JSON.parse(json)
    if (typeof name !== 'string') return null
    const values = given ?? parameters ?? {}
    return {
      id: `call_${randomId()}`,
      type: 'function',
      function: { name, arguments: typeof values === 'string' ? values : JSON.stringify(values) },
    }
  } catch {
    return null
  }
}

/** Twenty-four letters and digits. */
export function randomId() {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from(globalThis.crypto.getRandomValues(new Uint8Array(24)), byte => letters[byte % letters.length]).join('')
}
