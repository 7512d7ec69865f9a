// Runs the command line the way a user does.
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const program = fileURLToPath(new URL('../../../web/bin/itera.mjs', import.meta.url))

/** With these variables the first worker of a program runs out of memory when it generates. */
export const heapFault = {
  ITERA_FAULT: 'heap', NODE_OPTIONS: `--max-old-space-size=48 --import ${new URL('fault.mjs', import.meta.url)}`,
}

/**
 * @param {string[]} args
 * @param {{ input?: string, cwd?: string, env?: Record<string, string>, stdout?: number, onStdout?: (text: string, child: import('node:child_process').ChildProcess) => void }} [options]  stdout: an open file instead of what is given back
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
export function itera(args, { input = '', cwd, env, stdout: target, onStdout } = {}) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, ...env }, stdio: ['pipe', target ?? 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', text => {
      stdout += text
      onStdout?.(stdout, child)
    })
    child.stderr.setEncoding('utf8').on('data', text => { stderr += text })
    child.stdin.on('error', () => {})                   // a program that has ended does not read
    child.stdin.end(input)
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}

/** The one object that --json prints. @param {string[]} args @param {{ input?: string }} [options] */
export async function iteraJson(args, options) {
  const { code, stdout, stderr } = await itera([...args, '--json'], options)
  if (code !== 0) throw new Error(`itera ${args.join(' ')}: status ${code}, ${stderr}`)
  if (stdout.trim().split('\n').length !== 1) throw new Error(`more than one line on stdout: ${stdout}`)
  return JSON.parse(stdout)
}
