// Runs everything there is and ends with one line that totals it: "N passed, N failed, N skipped".
//
//   node tests/run.mjs [--only-c] C_TEST_PROGRAM...
//
// Five runners in turn: the C test programs given (built with sanitizers), the type check of the package,
// Node's tests in tests/node, those of the packed package in tests/adoption, and those in tests/browser.
// Skipped tests are listed with their reason.
// The closing lines are also left in build/test-summary.txt. Exits 1 when something failed.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)

const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []
const skips = []

const pass = () => { total.passed += 1 }
const fail = name => { total.failed += 1; failures.push(name) }
const skip = (name, reason) => { total.skipped += 1; skips.push(`${name}: ${reason || 'no reason given'}`) }

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, seconds: number, show?: boolean }} options show: pass output on at once
 * @returns {Promise<{ code: number | null, signal: string | null, output: string }>}
 */
function run(command, args, { env = {}, seconds, show = false }) {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', text => {
        output += text
        if (show) process.stdout.write(text)
      })
    }
    child.on('error', error => resolve({ code: null, signal: null, output: `${output}${error.message}\n` }))
    child.on('close', (code, signal) => resolve({ code, signal, output }))
  })
}

const heading = text => console.log(`\n== ${text}`)

// ---- C -------------------------------------------------------------------------------------------------
/**
 * A program prints "ok NAME" or "not ok NAME" a test, "ok NAME # SKIP reason" for a skipped one; one that
 * prints no such line counts as a single test, by its exit status. A fuzzer runs its corpus, and a few
 * thousand mutations of it that are the same each time.
 */
async function runC(program) {
  const name = path.basename(program)
  const corpus = path.join('tests/fuzz/corpus', name.replace(/^fuzz_/, ''))
  const args = name.startsWith('fuzz_')
    ? ['20000', ...readdirSync(corpus).sort().map(file => path.join(corpus, file))]
    : []
  const { code, signal, output } = await run(program, args, {
    seconds: 600,
    env: { UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1' },
  })
  const before = { ...total }
  for (const [, not, rest] of output.matchAll(/^(not )?ok\b\s*(.*)$/gm)) {
    const [, test, , reason] = /** @type {RegExpExecArray} */ (/^(.*?)\s*(#\s*skip\b\s*(.*))?$/i.exec(rest))
    if (not) fail(`${name}: ${test}`)
    else if (/#\s*skip\b/i.test(rest)) skip(`${name}: ${test}`, reason)
    else pass()
  }
  const counted = total.passed + total.failed + total.skipped
    > before.passed + before.failed + before.skipped
  const bad = code !== 0
  if (bad && total.failed === before.failed) fail(`${name}: ${signal ?? `exit status ${code}`}`)
  if (!bad && !counted) pass()
  console.log(`${bad ? 'FAIL' : 'pass'} ${name}: ${total.passed - before.passed} passed`)
  if (bad) console.log(output.trimEnd().replace(/^/gm, '    '))
}

// ---- Node and browsers ---------------------------------------------------------------------------------
async function runNode(folder, { seconds, jobs }) {
  const files = existsSync(folder)
    ? readdirSync(folder).filter(file => file.endsWith('.test.mjs')).sort().map(file => path.join(folder, file))
    : []
  if (files.length === 0) {
    console.log('no tests')
    return
  }
  const record = path.join('build', `${folder.replaceAll('/', '-')}.jsonl`)
  writeFileSync(record, '')
  const { code, signal } = await run(process.execPath, [
    '--test',
    `--test-concurrency=${jobs}`,
    '--test-reporter=spec', '--test-reporter-destination=stdout',
    '--test-reporter=./tests/run-record.mjs', `--test-reporter-destination=${record}`,
    ...files,
  ], { seconds, show: true })
  const failedBefore = total.failed
  for (const line of readFileSync(record, 'utf8').split('\n').filter(Boolean)) {
    const { kind, name, reason } = JSON.parse(line)
    if (kind === 'pass') pass()
    else if (kind === 'skip') skip(name, reason)
    else fail(name)
  }
  if (code !== 0 && total.failed === failedBefore) fail(`${folder}: ${signal ?? `exit status ${code}`}`)
}

// ---- all of it -----------------------------------------------------------------------------------------
const programs = process.argv.slice(2).filter(argument => !argument.startsWith('--'))
const onlyC = process.argv.includes('--only-c')
const jobs = Math.max(1, Math.min(4, availableParallelism()))
mkdirSync('build', { recursive: true })

heading('C, under AddressSanitizer and UndefinedBehaviorSanitizer')
const queue = [...programs]
await Promise.all(Array.from({ length: jobs }, async () => {
  for (let program = queue.shift(); program; program = queue.shift()) await runC(program)
}))

if (!onlyC) {
  heading('types of the package')
  const { code, output } = await run('node_modules/.bin/tsc', ['-p', 'web/tsconfig.json'], { seconds: 300 })
  if (code === 0) pass()
  else fail('tsc -p web/tsconfig.json')
  console.log(code === 0 ? 'pass' : output.trimEnd())

  heading('Node')
  await runNode('tests/node', { seconds: 1200, jobs })
  heading('the packed package')
  await runNode('tests/adoption', { seconds: 900, jobs: Math.min(2, jobs) })
  heading('browsers')
  await runNode('tests/browser', { seconds: 1200, jobs: 1 }) // one browser at a time: they time things
}

const closing = [
  ...skips.map(line => `skipped  ${line}`),
  ...failures.map(line => `FAILED   ${line}`),
  `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`,
].join('\n')
console.log(`\n${closing}`)
writeFileSync('build/test-summary.txt', `${closing}\n`)
process.exitCode = total.failed > 0 ? 1 : 0
