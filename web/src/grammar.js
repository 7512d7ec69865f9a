/**
 * Grammars: what a text must be like, turned into the tokens that may come next. Runs in the worker, beside the sampler.
 *
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./grammar-library.js').GrammarLibrary} GrammarLibrary
 *
 * @typedef {object} GrammarSpec
 * @property {'json-schema' | 'json-object' | 'ebnf' | 'regex' | 'tool-calls'} kind
 * @property {string} source  the schema as JSON, the grammar, the expression; of tool calls the schema of one
 * @property {{ begin: string, end: string, separator: string, many: boolean }} [calls]
 */
import { IteraError } from './errors.js'
import { loadGrammarLibrary } from './grammar-library.js'
import { normalizeSchema } from './json-schema/normalize.js'
import { byteToCharacter } from './tokenizer/bytes.js'

/** Compiled grammars kept. */
const KEPT = 32

/** What a grammar may be long; compiling takes time and memory that nobody can take back. */
const MAX_LENGTH = 1 << 17

/**
 * A grammar that is wrong ends the library in the middle of its work, which leaves a little of its stack in use each
 * time: after so many a fresh instance takes over. It would break at about eighty. Nothing ever frees the old one, so
 * what is refused here, before the library sees it, must not count.
 */
const FAILURES_OF_INSTANCE = 16

export class Grammars {
  #engine
  /** @type {Promise<Compiler> | null} */
  #compiler = null
  /** By their description, last used last; one known to be wrong is rejected. @type {Map<string, Promise<Compiled>>} */
  #compiled = new Map()
  #failures = 0

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine
  }

  /**
   * Something to follow one text with.
   *
   * @param {GrammarSpec} spec
   * @param {string} library  its URL
   * @returns {Promise<Matcher>}
   */
  async matcher(spec, library) {
    const compiled = await this.#compile(spec, library)
    const { compiler, grammar } = compiled
    compiled.users++
    try {
      return await compiler.guard(async () => {
        const ends = this.#engine.endOfGeneration.size > 0
        const matcher = await compiler.library.GrammarMatcher.createGrammarMatcher(grammar, undefined, !ends)
        const json = spec.kind.startsWith('json') || spec.kind === 'tool-calls'
        return new Matcher(compiler.vocabulary, compiled, matcher, json)
      })
    } catch (error) {
      compiled.release()
      throw error
    }
  }

  /**
   * @param {GrammarSpec} spec
   * @param {string} library
   * @returns {Promise<Compiled>}
   */
  #compile(spec, library) {
    const key = JSON.stringify(spec)
    const known = this.#compiled.get(key)
    const compiling = known ?? this.#compileNew(spec, library)
    this.#compiled.delete(key)
    this.#compiled.set(key, compiling)
    for (const [oldest, dropped] of this.#compiled) {
      if (this.#compiled.size <= KEPT) break
      this.#compiled.delete(oldest)
      dropped.then(compiled => compiled.release(), () => {})
    }
    compiling.catch(error => {
      if (error?.code !== 'grammar') this.#compiled.delete(key)
    })
    return compiling
  }

  /** @param {GrammarSpec} spec @param {string} library */
  async #compileNew(spec, library) {
    check(spec)
    if (this.#failures >= FAILURES_OF_INSTANCE) {
      this.#failures = 0
      this.#compiler = null
    }
    this.#compiler ??= Compiler.load(this.#engine, library, () => { this.#failures++ })
    this.#compiler.catch(() => { this.#compiler = null })
    const compiler = await this.#compiler
    return new Compiled(compiler, await compiler.compile(spec))
  }
}

/** What can be told without the library. @param {GrammarSpec} spec */
function check({ kind, source }) {
  if (source.length > MAX_LENGTH) {
    throw new IteraError('grammar', `the grammar has ${source.length} characters, more than ${MAX_LENGTH}`)
  }
  try {
    if (kind === 'regex') new RegExp(source, 'u')
  } catch (cause) {
    throw new IteraError('grammar', /** @type {Error} */ (cause).message, { cause })
  }
}

/** A grammar that lives until it is no longer kept and nobody follows it any more. */
class Compiled {
  users = 1

  /** @param {Compiler} compiler @param {import('@mlc-ai/web-xgrammar').CompiledGrammar} grammar */
  constructor(compiler, grammar) {
    this.compiler = compiler
    this.grammar = grammar
  }

  release() {
    if (--this.users === 0) this.grammar.dispose()
  }
}

/** One instance of the library, with the model's vocabulary. */
class Compiler {
  /** What the library said since it was last asked. @type {string[]} */
  #said
  #onFailure

  /**
   * @param {GrammarLibrary} library
   * @param {any} compiler
   * @param {Vocabulary} vocabulary
   * @param {string[]} said
   * @param {() => void} onFailure
   */
  constructor(library, compiler, vocabulary, said, onFailure) {
    this.library = library
    this.compiler = compiler
    this.vocabulary = vocabulary
    this.#said = said
    this.#onFailure = onFailure
  }

  /** @param {Engine} engine @param {string} url @param {() => void} onFailure  told when it ends in its work */
  static async load(engine, url, onFailure) {
    /** @type {string[]} */
    const said = []
    const library = await loadGrammarLibrary(url, line => said.push(line))
    const vocabulary = new Vocabulary(engine)
    const info = await library.TokenizerInfo.createTokenizerInfo(
      vocabulary.texts, 'byte_level', false, engine.vocabulary, [...engine.endOfGeneration])
    const compiler = await library.GrammarCompiler.createGrammarCompiler(info, false)
    return new Compiler(library, compiler, vocabulary, said, onFailure)
  }

  /** @param {GrammarSpec} spec @returns {Promise<any>} */
  async compile(spec) {
    const compiled = await this.#compile(spec)
    // What the library warns of is a part of the grammar that it leaves out.
    const warning = this.#said.find(line => line.includes('[WARNING]'))
    if (warning === undefined) return compiled
    compiled.dispose()
    throw new IteraError('grammar', reasonIn(warning))
  }

  /** @param {GrammarSpec} spec @returns {Promise<any>} */
  #compile({ kind, source, calls }) {
    const { compiler } = this
    return this.guard(async () => {
      switch (kind) {
        case 'json-schema': return compiler.compileGrammar(await this.#schema(source), 'root')
        case 'json-object': return compiler.compileJSONSchema('{"type":"object"}', false, -1, undefined, false)
        case 'ebnf': return compiler.compileGrammar(source)
        case 'regex':
          return compiler.compileStructuralTag({ type: 'structural_tag', format: { type: 'regex', pattern: source } })
        case 'tool-calls': {
          const rule = callsRule(/** @type {NonNullable<GrammarSpec['calls']>} */ (calls))
          return compiler.compileGrammar(`${await this.#schema(source)}\n${rule}`, 'tool_calls')
        }
      }
    })
  }

  /** A JSON schema as a grammar. @param {string} source @returns {Promise<string>} */
  async #schema(source) {
    const { source: schema, rules } = normalizeSchema(source)
    // No white space but one blank after commas and colons: a small model would go on with it for ever. -1: one line.
    const grammar = await this.library.Grammar.fromJSONSchema(schema, false, -1, undefined, true)
    const text = grammar.toString()
    grammar.dispose()
    return [...rules].reduce((all, [stands, rule]) => all.replaceAll(`"\\"${stands}\\""`, `(${rule})`), text)
  }

  /**
   * Runs something of the library. A trap in there is not one of the engine: it says that the grammar is wrong.
   *
   * @template T
   * @param {() => Promise<T>} body
   * @returns {Promise<T>}
   */
  async guard(body) {
    this.#said.length = 0
    try {
      return await body()
    } catch (cause) {
      if (cause instanceof IteraError) throw cause
      this.#onFailure()
      const last = this.#said.findLast(line => !line.startsWith('Aborted')) ?? String(cause)
      throw new IteraError('grammar', reasonIn(last), { cause })
    }
  }
}

/** What the library said, without where in its source it did. @param {string} line */
function reasonIn(line) {
  return line.replace(/^\[\w+\] \S+?:\d+: /, '').replace(/^Check failed: .* is false: /, '').trim()
}

/** One call or more, each between its marks. @param {NonNullable<GrammarSpec['calls']>} calls */
function callsRule({ begin, end, separator, many }) {
  const call = `${JSON.stringify(begin)} root ${JSON.stringify(end)}`
  return `tool_calls ::= ${call}${many ? ` (${JSON.stringify(separator)} ${call})*` : ''}\n`
}

/** The tokens as the library wants them, and what it does not know about them. */
class Vocabulary {
  /** @param {Engine} engine */
  constructor({ tokenizer, vocabulary }) {
    const words = Math.ceil(vocabulary / 32)
    /** Tokens in the byte alphabet; '' is one that no grammar allows. @type {string[]} */
    this.texts = []
    /** Tokens that UTF-8 can have, and those that JSON can have as well. */
    this.utf8 = new Int32Array(words)
    this.json = new Int32Array(words)
    /**
     * The last byte of tokens that end within a character of which not every continuation exists.
     *
     * @type {Map<number, number>}
     */
    this.leads = new Map()
    /** Tokens that begin with such a continuation, with that byte. @type {[id: number, byte: number][]} */
    this.continuations = []
    for (let id = 0; id < vocabulary; id++) {
      const special = tokenizer.isSpecial(id)
      const bytes = special ? new Uint8Array(0) : tokenizer.tokenBytes(id)
      this.texts.push(Array.from(bytes, byte => byteToCharacter[byte]).join(''))
      const last = bytes[bytes.length - 1]
      if (secondBytes.has(last)) this.leads.set(id, last)
      if (bytes[0] >= 0x80 && bytes[0] < 0xc0) this.continuations.push([id, bytes[0]])
      const bit = 1 << (id % 32)
      if (bytes.some(byte => byte === 0xc0 || byte === 0xc1 || byte > 0xf4)) continue
      this.utf8[id >> 5] |= bit
      // The library lets raw control characters into strings, which JSON forbids.
      if (!bytes.some(byte => byte < 0x20 && byte !== 0x0a && byte !== 0x0d)) this.json[id >> 5] |= bit
    }
  }
}

/** First bytes of a character after which the next byte is within narrower bounds than 0x80 to 0xBF. */
const secondBytes = new Map([[0xe0, [0xa0, 0xbf]], [0xed, [0x80, 0x9f]], [0xf0, [0x90, 0xbf]], [0xf4, [0x80, 0x8f]]])

/** Follows one text through a grammar. */
export class Matcher {
  #vocabulary
  #compiled
  #matcher
  #within
  /** A byte after which the next one is bounded. @type {number | undefined} */
  #lead

  /**
   * @param {Vocabulary} vocabulary
   * @param {Compiled} compiled
   * @param {import('@mlc-ai/web-xgrammar').GrammarMatcher} matcher
   * @param {boolean} json
   */
  constructor(vocabulary, compiled, matcher, json) {
    this.#vocabulary = vocabulary
    this.#compiled = compiled
    this.#matcher = matcher
    this.#within = json ? vocabulary.json : vocabulary.utf8
  }

  /**
   * The tokens that may come next, a bit each.
   *
   * @returns {Promise<Int32Array>}
   */
  async mask() {
    const mask = await this.#compiled.compiler.guard(() => this.#matcher.getNextTokenBitmask())
    let any = 0
    for (let i = 0; i < mask.length; i++) any |= (mask[i] &= this.#within[i])
    const [low, high] = secondBytes.get(this.#lead ?? 0) ?? []
    for (const [id, byte] of low === undefined ? [] : this.#vocabulary.continuations) {
      if (byte < low || byte > high) mask[id >> 5] &= ~(1 << (id % 32))
    }
    if (any) return mask
    throw new IteraError('grammar', 'this model has no token with which the text could go on as the grammar asks')
  }

  /** @param {number} token  out of those */
  accept(token) {
    this.#lead = this.#vocabulary.leads.get(token)
    if (!this.#matcher.acceptToken(token)) throw new IteraError('internal', `the grammar refuses token ${token}`)
  }

  /** Is the text complete? Tells so on models that have no token to say it. */
  get ended() { return this.#matcher.isTerminated() }

  free() {
    this.#matcher.dispose()
    this.#compiled.release()
  }
}
