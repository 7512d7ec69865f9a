/**
 * Chat templates: the file's own Jinja text turns a list of messages into the prompt the model was trained on.
 *
 * A template is a program from a stranger's file. It sees the messages and nothing else, and it runs on a budget of
 * evaluation steps, so that one that never ends, or that grows without end, becomes an error instead of a stuck worker.
 */

import { IteraError } from './errors.js'
import { strftime } from './strftime.js'
import { loadTemplateEngine } from './template-engine.js'

/** @typedef {import('./template-engine.js').TemplateEngine} TemplateEngine */

/**
 * @typedef {object} Message
 * @property {string} role  "system", "user", "assistant", "tool", or what else the template knows
 * @property {any} [content]
 */

/**
 * @typedef {object} RenderOptions
 * @property {boolean} [addGenerationPrompt]  end with the opening of an answer (default true)
 * @property {any[]} [tools]                  descriptions of functions the model may call
 * @property {Record<string, any>} [variables]  further names the template may look at
 */

/**
 * @typedef {object} ChatTemplate
 * @property {string} source
 * @property {string} toolSource
 * @property {() => Promise<void>} prepare  must have been done once before the first render
 * @property {(messages: Message[], options?: RenderOptions) => string} render
 */

/** The longest templates in use are near 20 kB. */
const maxTemplateLength = 1 << 18

/** A thousand messages under an elaborate template take about a hundred thousand; this many take about a second. */
const maxSteps = 3_000_000

/** What one round of a loop costs besides its body: the interpreter makes a scope for each. */
const stepsOfRound = 8

/** No template needs a longer list made from nothing. */
const maxRange = 10_000

/**
 * Does this file have a template? A model without one only completes text.
 *
 * @param {{ get(key: string): any }} metadata
 */
export const hasChatTemplate = metadata => ![undefined, null, ''].includes(metadata.get('tokenizer.chat_template'))

/**
 * @param {{ get(key: string): any }} metadata  of a file that has a template
 * @param {import('./tokenizer.js').Tokenizer | null} tokenizer  for the texts of BOS, EOS and their like
 * @param {TemplateEngine} [engine]  where it has been loaded already
 * @returns {ChatTemplate}
 */
export function createChatTemplate(metadata, tokenizer, engine) {
  const source = metadata.get('tokenizer.chat_template')
  // Some files carry a second template for conversations with tools.
  const toolSource = metadata.get('tokenizer.chat_template.tool_use') || source
  const loaded = () => {
    if (engine) return engine
    throw new IteraError('internal', 'the template engine was not prepared')
  }
  const Interpreter = once(() => boundedInterpreter(loaded()))
  // Read at first use: a model with a broken template still loads, and completes text.
  const program = once(() => parseTemplate(loaded(), source))
  const toolProgram = once(() => parseTemplate(loaded(), toolSource))

  return {
    source,
    toolSource,
    async prepare() { engine ??= await loadTemplateEngine() },
    render(messages, { addGenerationPrompt = true, tools, variables } = {}) {
      checkMessages(messages)
      const interpreter = new (Interpreter())(new (loaded().Environment)())
      return run(interpreter, tools ? toolProgram() : program(), {
        bos_token: tokenizer?.roleText('bos') ?? '',
        eos_token: tokenizer?.roleText('eos') ?? '',
        unk_token: tokenizer?.roleText('unknown') ?? '',
        pad_token: tokenizer?.roleText('padding') ?? '',
        ...variables,
        messages,
        tools: tools ?? null,
        documents: null,
        add_generation_prompt: addGenerationPrompt,
      })
    },
  }
}

/**
 * @template T
 * @param {() => T} make
 * @returns {() => T}
 */
function once(make) {
  /** @type {{ value: T } | undefined} */
  let made
  return () => (made ??= { value: make() }).value
}

/** @param {TemplateEngine} engine @param {unknown} source */
function parseTemplate({ parse, tokenize }, source) {
  if (typeof source !== 'string') throw new IteraError('template', 'tokenizer.chat_template is not a text')
  if (source.length > maxTemplateLength) {
    throw new IteraError('template',
      `the chat template has ${source.length} characters, more than ${maxTemplateLength}`)
  }
  try {
    // The same white space rules as transformers: a line that holds only a block leaves nothing behind.
    return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
  } catch (cause) {
    throw templateError('the chat template of this file cannot be read', cause)
  }
}

/** @param {unknown} messages */
function checkMessages(messages) {
  if (!Array.isArray(messages)) throw new IteraError('argument', 'messages must be an array')
  messages.forEach((message, i) => {
    if (typeof message?.role !== 'string') throw new IteraError('argument', `message ${i} has no role`)
  })
}

/**
 * @param {InstanceType<TemplateEngine['Interpreter']>} interpreter
 * @param {any} program
 * @param {Record<string, any>} variables
 * @returns {string}
 */
function run(interpreter, program, variables) {
  try {
    for (const [name, value] of Object.entries({ ...builtins(), ...variables })) interpreter.global.set(name, value)
    return String(interpreter.run(program).value)
  } catch (cause) {
    throw templateError('the chat template failed', cause)
  }
}

const builtins = () => ({
  true: true, True: true, false: false, False: false, none: null, None: null,
  range: boundedRange,
  strftime_now: (/** @type {string} */ format) => strftime(new Date(), format),
  raise_exception: (/** @type {unknown} */ message) => { throw new Error(String(message)) },
})

/** Python's range. @param {number} start @param {number} [stop] @param {number} [step] */
function boundedRange(start, stop, step = 1) {
  // The interpreter hands named arguments over as a last object, of which range has none.
  if (typeof stop !== 'number') [start, stop] = [0, start]
  if (typeof step !== 'number') step = 1
  if (step === 0) throw new Error('range() step must not be zero')
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (!(length <= maxRange)) throw new Error(`range() of ${length} numbers, more than ${maxRange}`)
  return Array.from({ length }, (_, i) => start + i * step)
}

/** An interpreter that counts what a template does and stops it at the limit. @param {TemplateEngine} engine */
function boundedInterpreter({ Interpreter }) {
  return class extends Interpreter {
    #steps = 0
    /** Expressions that a loop walks over. @type {WeakSet<object>} */
    #walked = new WeakSet()

    /**
     * @param {any} node
     * @param {any} environment
     * @returns {any}
     */
    evaluate(node, environment) {
      if (node?.type === 'For') {
        const { iterable } = node
        this.#walked.add(iterable.type === 'SelectExpression' ? iterable.lhs : iterable)
      }
      this.#count(1)
      const result = super.evaluate(node, environment)
      // What was made counts by its size, a name that merely refers to it does not; walking over it counts in any case.
      if (node && this.#walked.has(node)) this.#count(stepsOfRound * sizeOf(result?.value))
      else if (node?.type !== 'Identifier') this.#count(sizeOf(result?.value))
      return result
    }

    /** @param {number} steps */
    #count(steps) {
      this.#steps += steps
      if (this.#steps > maxSteps) throw new Error(`it does not end within ${maxSteps} steps`)
    }
  }
}

/** In steps: an element of a list is one, and so are 64 characters. @param {any} value @returns {number} */
function sizeOf(value) {
  if (typeof value === 'string') return value.length >> 6
  if (Array.isArray(value)) return value.length
  return value instanceof Map ? value.size : 0
}

/** @param {string} what @param {unknown} cause */
function templateError(what, cause) {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new IteraError('template', `${what}: ${detail}`, { cause })
}
