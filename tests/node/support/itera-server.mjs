// `itera serve` as a program of its own, on a port of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../../web/bin/itera.mjs', import.meta.url))
export const storyModel = fileURLToPath(new URL('../../../models/story-boot-q8_0.gguf', import.meta.url))

/**
 * @param {string[]} [args]
 * @param {{ model?: string, env?: Record<string, string> }} [options]
 */
export async function startServer(args = [], { model = storyModel, env = {} } = {}) {
  const child = spawn(process.execPath, [program, 'serve', '-m', model, '--port', '0', '--json', ...args],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => { stderr += text })
  const exited = once(child, 'exit').then(([code]) => code)
  const line = await Promise.race([
    once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => text),
    exited.then(code => { throw new Error(`the server ended with status ${code}: ${stderr}`) }),
  ])
  const { url, model: id } = JSON.parse(line)
  return {
    url, id, child, exited,
    get stderr() { return stderr },
    /** Figures of /metrics, by name and labels. */
    async metrics(headers = {}) {
      const text = await (await fetch(`${url}/metrics`, { headers })).text()
      return Object.fromEntries([...text.matchAll(/^([^#\s]\S*) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]))
    },
    /** @param {string} path @param {unknown} body @param {RequestInit} [more] */
    post: (path, body, { headers, ...more } = {}) => fetch(`${url}${path}`, {
      method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers }, ...more,
    }),
    async close() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Polls until a condition holds. @param {() => Promise<boolean> | boolean} condition */
export async function until(condition, ms = 10_000) {
  for (const end = Date.now() + ms; Date.now() < end;) {
    if (await condition()) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`waited ${ms} ms in vain for ${condition}`)
}
