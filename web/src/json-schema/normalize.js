/**
 * JSON schemas as the grammar library understands them. It passes over much of what a schema can say, and an answer
 * would not fit: here that is said in other words, or refused by its name.
 *
 * @typedef {Record<string, any>} Schema
 */
import { IteraError } from '../errors.js'
import { mergeSchemas } from './merge.js'
import { integerRange, numberRange } from './number-range.js'
import { jsonPattern } from './pattern.js'

/** Keywords that hold for values of one type. @type {Record<string, string[]>} */
const keywordsOf = {
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  object: ['properties', 'required', 'additionalProperties', 'unevaluatedProperties', 'minProperties', 'maxProperties'],
  null: [], boolean: [],
}
keywordsOf.integer = keywordsOf.number

const enforced = new Set([...Object.values(keywordsOf).flat(), '$ref', 'allOf', 'anyOf', 'oneOf', 'type', 'const', 'enum'])

/** What no answer is held to, with the values that ask for nothing. @type {Record<string, unknown[]>} */
const refused = {
  multipleOf: [], uniqueItems: [false], contains: [], minContains: [], maxContains: [], additionalItems: [true, false],
  unevaluatedItems: [true], not: [], if: [], dependentRequired: [], dependentSchemas: [], dependencies: [],
  propertyNames: [true, '{"type":"string"}'], patternProperties: [], $dynamicRef: [], $recursiveRef: [],
}

/** Formats whose grammar in the library lets a bare quote into the string. They only annotate, as all formats may. */
const brokenFormats = ['json-pointer', 'relative-json-pointer']

/** Schemas that one may come to when its parts are put together. */
const MOST_SCHEMAS = 20_000

/**
 * @param {string} source
 * @returns {{ source: string, rules: Map<string, string> }} the schema, and by strings that stand in it as constants,
 *   rules of grammar that are meant there
 */
export function normalizeSchema(source) {
  try {
    const work = new Normalizer(JSON.parse(source), source)
    const schema = work.schema(work.root)
    return { source: JSON.stringify({ ...schema === true ? {} : schema, $defs: work.definitions }), rules: work.rules }
  } catch (cause) {
    if (cause instanceof IteraError) throw cause
    const what = cause instanceof RangeError ? 'too deep' : `wrong: ${/** @type {Error} */ (cause).message}`
    throw new IteraError('grammar', `the JSON schema is ${what}`, { cause })
  }
}

/** @param {string} what @returns {never} */
function refuse(what) {
  throw new IteraError('grammar', `the JSON schema cannot be enforced: ${what}`)
}

class Normalizer {
  /** @type {Record<string, any>} */
  definitions = {}
  /** @type {Map<string, string>} */
  rules = new Map()
  /** Names of definitions by the schema that they are made of. @type {Map<string, string>} */
  #names = new Map()
  #count = 0
  #mark = '@number'

  /** @param {any} root @param {string} source */
  constructor(root, source) {
    this.root = root
    while (source.includes(this.#mark)) this.#mark += '_'
  }

  /** @param {any} schema @returns {any} */
  schema(schema) {
    if (schema === true) return true
    const own = keywords(schema)
    if (![own.$ref, own.allOf, own.anyOf, own.oneOf].some(Boolean)) return this.#convert(own)
    // By a name of its own, or a schema that contains itself would have no end.
    const key = JSON.stringify(own)
    let name = this.#names.get(key)
    if (name === undefined) {
      name = `s${this.#names.size}`
      this.#names.set(key, name)
      this.definitions[name] = this.#convert(this.#flatten(own))
    }
    return { $ref: `#/$defs/${name}` }
  }

  /** One schema without references and allOf. @param {any} schema @param {number} [depth] @returns {Schema} */
  #flatten(schema, depth = 0) {
    if (schema === true) return {}
    if (depth > 100) refuse('$ref refers to itself')
    const { $ref, allOf, unevaluatedProperties, ...own } = keywords(schema)
    const parts = [...$ref === undefined ? [] : [this.#resolve($ref)], ...list(allOf ?? [], 'allOf')]
    const flat = parts.reduce((sum, part) => mergeSchemas(sum, this.#flatten(part, depth + 1), refuse), own)
    return unevaluatedProperties === undefined ? flat : { ...flat, unevaluatedProperties }
  }

  /** @param {unknown} reference */
  #resolve(reference) {
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) refuse(`$ref '${reference}' is not in the schema itself`)
    let found = this.root
    for (const part of reference.split('/').slice(1)) {
      const name = decodeURIComponent(part).replace(/~1/g, '/').replace(/~0/g, '~')
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) refuse(`$ref '${reference}' names nothing`)
      found = found[name]
    }
    return found
  }

  /** @param {Schema} flat @returns {any} */
  #convert(flat) {
    if (++this.#count > MOST_SCHEMAS) refuse('put together it is too large')
    const { anyOf, oneOf, ...rest } = flat
    if (anyOf && oneOf) refuse('anyOf beside oneOf')
    if (anyOf ?? oneOf) return this.#choice(anyOf ?? oneOf, oneOf ? 'oneOf' : 'anyOf', rest)
    if ('enum' in flat || 'const' in flat) return this.#values(flat)
    const types = flat.type === undefined ? typesMeant(flat) : [flat.type].flat()
    if (flat.type === undefined && !types.length) return {}
    const each = types.map(type => this.#typed(type, flat))
    return each.length === 1 ? each[0] : { anyOf: list(each, 'type') }
  }

  /** @param {unknown} options @param {string} keyword @param {Schema} rest  what holds for all of them */
  #choice(options, keyword, rest) {
    const possible = list(options, keyword).filter(option => option !== false)
    if (!possible.length) refuse(`${keyword} leaves nothing`)
    if (keyword === 'oneOf') this.#checkDisjoint(possible.map(option => this.#flatten(option)))
    if (!Object.keys(rest).length) return { anyOf: possible.map(option => this.schema(option)) }
    return { anyOf: possible.map(option => this.schema(mergeSchemas(rest, this.#flatten(option), refuse))) }
  }

  /** @param {Schema[]} options */
  #checkDisjoint(options) {
    for (const [i, a] of options.entries()) {
      for (const b of options.slice(0, i)) {
        if (!this.#disjoint(a, b)) refuse('oneOf, unless a type, a constant or a required property tells its schemas apart; anyOf can')
      }
    }
  }

  /** @param {Schema} a @param {Schema} b @returns {boolean} is there surely no value that fits both? */
  #disjoint(a, b) {
    const [valuesA, valuesB] = [finite(a), finite(b)]
    if (valuesA && valuesB) return !valuesA.some(value => valuesB.some(other => same(value, other)))
    const [typesA, typesB] = [typesOf(a), typesOf(b)]
    if (typesA && typesB && !typesA.some(type => typesB.includes(type))) return true
    const objects = [a, b].every(({ type = 'object', properties }) => type === 'object' && properties)
    const both = objects ? (a.required ?? []).filter((/** @type {string} */ name) => b.required?.includes(name)) : []
    return both.some((/** @type {string} */ name) => {
      const [ofA, ofB] = [a, b].map(({ properties }) =>
        Object.hasOwn(properties, name) && properties[name] !== false ? finite(this.#flatten(properties[name])) : null)
      return ofA && ofB && !ofA.some(value => ofB.some(other => same(value, other)))
    })
  }

  /** @param {Schema} flat */
  #values(flat) {
    const types = flat.type === undefined ? null : [flat.type].flat()
    const values = /** @type {unknown[]} */ (finite(flat)).filter(value => !types || types.some(type => isOf(value, type)))
    if (!values.length) refuse('enum or const leaves no value')
    for (const value of values) {
      const beside = keywordsOf[typeOf(value)].find(keyword => flat[keyword] !== undefined)
      if (beside) refuse(`${beside} beside enum or const`)
    }
    return { enum: values }
  }

  /** @param {string} type @param {Schema} flat */
  #typed(type, flat) {
    if (!Object.hasOwn(keywordsOf, type)) refuse(`there is no type ${JSON.stringify(type)}`)
    const own = Object.fromEntries(keywordsOf[type].filter(name => flat[name] !== undefined).map(name => [name, flat[name]]))
    switch (type) {
      case 'integer': return this.#number(type, own, integerRange)
      case 'number': return this.#number(type, own, numberRange)
      case 'string': return string(own)
      case 'array': return this.#array(own)
      case 'object': return this.#object(own)
      default: return { type }
    }
  }

  /** @param {string} type @param {Schema} bounds @param {(bounds: Schema) => string | null} ruleOf */
  #number(type, bounds, ruleOf) {
    const wrong = Object.keys(bounds).find(name => typeof bounds[name] !== 'number')
    if (wrong) refuse(`${wrong} must be a number`)
    if (!Object.keys(bounds).length) return { type }
    const rule = ruleOf(bounds) ?? refuse(`no ${type} within ${JSON.stringify(bounds)} can be told`)
    const stands = `${this.#mark}${this.rules.size}`
    this.rules.set(stands, rule)
    return { const: stands }
  }

  /** @param {Schema} own */
  #array({ items, prefixItems, ...own }) {
    // An array of schemas is what prefixItems was called before.
    const first = Array.isArray(items) && prefixItems === undefined ? items : prefixItems
    return {
      type: 'array', ...own,
      ...first && { prefixItems: list(first, 'prefixItems').map(item => this.schema(item)) },
      // Without a word about others the library allows none.
      ...(items !== undefined ? items !== first : !first) && { items: items === false ? false : this.schema(items ?? true) },
    }
  }

  /** @param {Schema} own */
  #object({ properties, required = [], additionalProperties, unevaluatedProperties, ...own }) {
    const others = additionalProperties ?? unevaluatedProperties
    const known = Object.entries(properties ?? {}).filter(([name, schema]) => schema !== false || required.includes(name))
    const named = new Map(known.map(([name, schema]) => [name, schema === false ? refuse(`'${name}' is required and false`) : this.schema(schema)]))
    for (const name of list(required, 'required')) {
      if (!named.has(name)) named.set(name, others === false ? refuse(`'${name}' is required and forbidden`) : this.schema(others ?? true))
    }
    // The library would let a property come again among the others, with another value, and knows no names that are taken.
    const open = others !== undefined && others !== false
    if (named.size && open && Object.keys(others === true ? {} : keywords(others)).length) {
      refuse('additionalProperties with a schema beside properties')
    }
    if (!named.size && own.minProperties > 1) refuse('minProperties without properties')
    return {
      type: 'object', ...own,
      ...(properties || named.size) && { properties: Object.fromEntries(named), required },
      ...named.size ? { additionalProperties: false } : others !== undefined && { additionalProperties: open && this.schema(others) },
    }
  }
}

/** What a schema demands: annotations and whatever nobody knows are left out. @param {any} schema @returns {Schema} */
function keywords(schema) {
  if (schema === false) refuse('nothing fits false')
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) refuse('a schema must be an object or true')
  const found = Object.entries(schema).find(([name, value]) => Object.hasOwn(refused, name) && 
    ![value, JSON.stringify(value)].some(form => refused[name].includes(form)))
  if (found) refuse(found[0])
  return Object.fromEntries(Object.entries(schema).filter(([name]) => enforced.has(name)))
}

/** @param {unknown} value @param {string} keyword @returns {any[]} */
function list(value, keyword) {
  return Array.isArray(value) ? value : refuse(`${keyword} must be a list`)
}

/** Types that a schema is about that does not name its type. @param {Schema} flat */
function typesMeant(flat) {
  return ['number', 'string', 'array', 'object'].filter(type => keywordsOf[type].some(name => name !== 'format' && flat[name] !== undefined))
}

/** The values that a schema lists; null where it does not. @param {Schema} flat @returns {unknown[] | null} */
function finite(flat) {
  if (!('enum' in flat)) return 'const' in flat ? [flat.const] : null
  const values = list(flat.enum, 'enum')
  return 'const' in flat ? values.filter(value => same(value, flat.const)) : values
}

/** Types that a schema allows; null: any. Whole numbers are numbers. @param {Schema} flat */
function typesOf(flat) {
  const types = finite(flat)?.map(typeOf) ?? (flat.type === undefined ? null : [flat.type].flat())
  return types?.map(type => type === 'integer' ? 'number' : type) ?? null
}

/** @param {unknown} value */
function typeOf(value) {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}

/** @param {unknown} value @param {string} type */
const isOf = (value, type) => type === 'integer' ? Number.isInteger(value) : typeOf(value) === type

/** @param {unknown} a @param {unknown} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

/** @param {Schema} own */
function string({ pattern, format, ...lengths }) {
  if (pattern === undefined) {
    const apart = Object.keys(lengths).length > 0 || brokenFormats.includes(format)
    return { type: 'string', ...lengths, ...format !== undefined && !apart && { format } }
  }
  const [length] = Object.keys(lengths)
  if (length) refuse(`${length} beside pattern; say it in the pattern`)
  return { type: 'string', pattern: jsonPattern(String(pattern)) ?? refuse(`pattern ${pattern}`) }
}
