// A reporter for node:test that writes one JSON line a test, for tests/run.mjs to total:
// {"kind": "pass" | "fail" | "skip", "name": "file: suite > test", "reason"?: string}

import path from 'node:path'

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* record(events) {
  /** Names of the tests around the current one, by nesting. @type {Map<string, string[]>} */
  const around = new Map()
  for await (const { type, data } of events) {
    if (!data?.file && type !== 'test:fail') continue
    const file = path.basename(data.file ?? '')
    if (type === 'test:start') {
      const names = around.get(data.file) ?? []
      names.length = data.nesting
      names[data.nesting] = data.name
      around.set(data.file, names)
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue

    // Node reports a file that breaks outside its tests as a test of the file's own name.
    const own = path.isAbsolute(data.name) ? 'the file itself' : data.name
    const names = [...(around.get(data.file) ?? []).slice(0, data.nesting), own]
    const name = `${file}: ${names.join(' > ')}`
    const skipped = data.skip ?? data.todo
    if (skipped !== undefined && skipped !== false) {
      yield line('skip', name, skipped === true ? '' : skipped)
    } else if (type === 'test:fail') {
      // A suite that fails because a test inside does is not counted again.
      const inner = data.details?.error?.failureType === 'subtestsFailed'
      if (!inner) yield line('fail', name)
    } else if (data.details?.type !== 'suite') {
      yield line('pass', name)
    }
  }
}

function line(kind, name, reason) {
  return `${JSON.stringify({ kind, name, reason })}\n`
}
