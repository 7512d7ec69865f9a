/**
 * Two JSON schemas that both hold as one.
 *
 * @typedef {import('./normalize.js').Schema} Schema
 */

/** @type {Record<string, (a: any, b: any) => any>} */
const both = {
  properties: (a, b) => Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map(name => {
    if (!Object.hasOwn(a, name) || !Object.hasOwn(b, name)) return [name, Object.hasOwn(a, name) ? a[name] : b[name]]
    return [name, a[name] === false || b[name] === false ? false : { allOf: [a[name], b[name]] }]
  })),
  required: (a, b) => [...new Set([...a, ...b])],
  type: (a, b) => {
    const [some, others] = [[a].flat(), [b].flat()]
    const types = some.flatMap(type => others.includes(type) ? [type]
      : ['integer', 'number'].includes(type) && others.some(other => ['integer', 'number'].includes(other)) ? ['integer'] : [])
    return [...new Set(types)]
  },
  enum: (a, b) => a.filter((/** @type {unknown} */ value) => b.some((/** @type {unknown} */ other) => JSON.stringify(value) === JSON.stringify(other))),
  items: (a, b) => a === false || b === false ? false : { allOf: [a, b] },
}
for (const name of ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties']) both[name] = Math.max
for (const name of ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties']) both[name] = Math.min

/**
 * @param {Schema} a
 * @param {Schema} b
 * @param {(what: string) => never} refuse
 * @returns {Schema}
 */
export function mergeSchemas(a, b, refuse) {
  for (const [one, other] of [[a, b], [b, a]]) {
    // What is closed to others, or says what others are like, means those that it does not name itself.
    const closed = ['additionalProperties', 'unevaluatedProperties'].some(name => ![undefined, true].includes(one[name]))
    const unknown = Object.keys(other.properties ?? {}).some(name => !Object.hasOwn(one.properties ?? {}, name))
    if (closed && unknown) refuse('additionalProperties in one of several schemas, properties in another')
    const places = one.prefixItems ?? (Array.isArray(one.items) ? one.items : undefined)
    if (places && other.items !== undefined) refuse('prefixItems in one of several schemas, items in another')
  }
  const merged = { ...a }
  for (const [name, value] of Object.entries(b)) {
    const same = !(name in a) || JSON.stringify(a[name]) === JSON.stringify(value)
    merged[name] = same ? value : both[name]?.(a[name], value) ?? refuse(`${name} twice, in schemas that must both hold`)
  }
  if (Array.isArray(merged.type) && !merged.type.length) refuse('no type fits all of several schemas')
  return merged
}
