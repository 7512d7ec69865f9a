import { IteraError } from './errors.js'

/**
 * The core needs nothing from outside but, for threads, the memory that they share. What libc still imports is
 * answered with "not supported", and an attempt to end the program becomes a trap.
 *
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} [memory]  for modules that import theirs
 * @returns {WebAssembly.Imports}
 */
export function imports(module, memory) {
  const notSupported = 52                               // wasi errno ENOSYS
  /** @type {Record<string, Record<string, any>>} */
  const all = {}
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    all[space] ??= {}
    if (kind === 'memory' && memory) {
      all[space][name] = memory
      continue
    }
    if (kind !== 'function') throw new IteraError('internal', `unexpected import ${space}.${name}`)
    all[space][name] = /^(_*abort|proc_exit|exit)/.test(name)
      ? () => { throw new WebAssembly.RuntimeError(`the engine called ${name}`) }
      : () => space.startsWith('wasi') ? notSupported : 0
  }
  return all
}
