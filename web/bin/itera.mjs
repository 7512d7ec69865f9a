#!/usr/bin/env node
/**
 * The command line of Itera-Lite: finds the command, runs it, and turns whatever goes wrong into one line.
 *
 * Results go to stdout, everything else to stderr. Exit status: 0 done, 1 it failed, 2 the command line makes
 * no sense, 130 interrupted.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import v8 from 'node:v8'
import { errorCode } from '../src/errors.js'
import { UsageError } from './usage.js'

/** Each is a file in commands/ and is read only when it is used. */
const commands = {
  generate: 'continue a text',
  chat: 'talk to a model',
  serve: 'answer HTTP requests in the form of OpenAI',
  bench: 'measure speed, here or in a browser',
  eval: 'measure how well a model predicts a text',
  logits: 'write the logits of given tokens',
  tokenize: 'turn text into token ids',
  inspect: 'show what is in a model file',
  convert: 'make a GGUF file from Itera-Lite safetensors',
  quantize: 'make a model file smaller',
  pack: 'read a system message once, for an app to ship',
  tokenizer: 'train a tokenizer',
}

/** @typedef {keyof typeof commands} CommandName */

// Node 20 has the relaxed SIMD instructions behind a flag, and right only in its optimizing compiler. Both flags
// must be set before anything is compiled.
if (process.versions.node.startsWith('20.')) {
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd')
  v8.setFlagsFromString('--no-liftoff')
}

// A reader that has seen enough, such as `head`, is no reason to complain.
process.stdout.on('error', error => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(0)
  process.stderr.write(`itera: stdout cannot be written: ${error.message} (unwritable)\n`)
  process.exit(1)
})

const [name = '', ...args] = process.argv.slice(2)
try {
  process.exitCode = await main(name, args)
} catch (error) {
  const usage = error instanceof UsageError || /** @type {any} */ (error)?.code?.startsWith?.('ERR_PARSE_ARGS')
  const message = (error instanceof Error ? error.message : String(error)).split('\n')[0]
  process.stderr.write(`itera: ${message} (${usage ? 'usage' : errorCode(error)})\n`)
  if (process.env.ITERA_DEBUG) console.error(error)
  process.exitCode = usage ? 2 : 1
}

/**
 * @param {string} name
 * @param {string[]} args
 * @returns {Promise<number>}
 */
async function main(name, args) {
  if (['', 'help', '--help', '-h'].includes(name) || !Object.hasOwn(commands, name)) return help(name)
  if (name === '--version') return help(name)
  const command = await import(`./commands/${name}.js`)
  /** @type {Record<string, any>} */
  const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, ...command.options }
  const { values, positionals } = parseArgs({ args: joinValues(args, options), options, allowPositionals: true, strict: true })
  if (values.help) {
    process.stdout.write(`${command.usage.trim()}\n`)
    return 0
  }
  return (await command.run(values, positionals)) ?? 0
}

/**
 * Ties each value to its option, `--name=value`, as parseArgs would refuse one that begins with a dash:
 * a negative number, or a prompt that is a list.
 *
 * @param {string[]} args
 * @param {Record<string, { type: string, short?: string }>} options
 * @returns {string[]}
 */
function joinValues(args, options) {
  const flags = Object.entries(options)
    .filter(([, { type }]) => type === 'string')
    .flatMap(([name, { short }]) => [[`--${name}`, name], ...short ? [[`-${short}`, name]] : []])
  const names = new Map(/** @type {[string, string][]} */ (flags))
  const joined = []
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--') return [...joined, ...args.slice(i)]
    const name = names.get(args[i])
    joined.push(name !== undefined && i + 1 < args.length ? `--${name}=${args[++i]}` : args[i])
  }
  return joined
}

/** @param {string} name @returns {Promise<number>} */
async function help(name) {
  if (name === '--version') {
    const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
    process.stdout.write(`${manifest.version}\n`)
    return 0
  }
  if (!['', 'help', '--help', '-h'].includes(name)) throw new UsageError(`unknown command '${name}'; try 'itera help'`)
  const list = Object.entries(commands).map(([command, what]) => `  ${command.padEnd(10)}${what}`).join('\n')
  const text = `usage: itera COMMAND [options]\n\n${list}\n\n` +
    '--json prints one JSON object on stdout and nothing else. itera COMMAND --help shows the options.\n'
  process[name === '' ? 'stderr' : 'stdout'].write(text)
  return name === '' ? 2 : 0
}
