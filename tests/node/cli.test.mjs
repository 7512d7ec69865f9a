// The command line: what it prints, its JSON, its errors and exit codes.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Itera } from '../../web/src/index.js'
import { heapFault, itera, iteraJson, program } from './support/cli.mjs'
import { addToMetadata } from './support/rewrite-gguf.mjs'

const model = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'itera-cli-'))
const file = (/** @type {string} */ name) => join(folder, name)
after(() => rmSync(folder, { recursive: true }))

const story = ', there was a little girl named Lily.'

describe('itera generate', () => {
  it('writes prompt and continuation on stdout, figures on stderr', async () => {
    const { code, stdout, stderr } = await itera(['generate', '-m', model, '-p', 'Once upon a time', '-n', '12', '--temperature', '0'])
    assert.equal(code, 0)
    assert.equal(stdout, `Once upon a time${story} She loved to\n`)
    assert.match(stderr, /5 prompt tokens, .*12 tokens at [\d.]+\/s/)
  })

  it('gives the same tokens under scalar and SIMD128', async () => {
    const [scalar, simd128] = await Promise.all(['scalar', 'simd128'].map(simd =>
      iteraJson(['generate', '-m', model, '-p', 'Once upon a time', '-n', '60', '--temperature', '0', '--simd', simd])))
    assert.equal(scalar.simd, 'scalar')
    assert.equal(simd128.simd, 'simd128')
    assert.deepEqual(scalar.tokens, simd128.tokens)
    assert.ok(scalar.text.startsWith(story))
  })

  it('takes the fastest build that there is, also on Node 20', async () => {
    const { simd } = await iteraJson(['generate', '-m', model, '-p', 'a', '-n', '1'])
    assert.equal(simd, 'relaxed')
  })

  it('reads the prompt from a file or standard input, and one that begins with a dash', async () => {
    writeFileSync(file('prompt'), 'Once upon a time')
    const options = ['generate', '-m', model, '-n', '9', '--temperature', '0']
    assert.equal((await iteraJson([...options, '-f', file('prompt')])).text, story)
    assert.equal((await iteraJson([...options, '-f', '-'], { input: 'Once upon a time' })).text, story)
    assert.equal((await iteraJson([...options, '-p', '- Tom'])).prompt, '- Tom')
  })

  it('repeats itself with a seed', async () => {
    const options = ['generate', '-m', model, '-p', 'The fox', '-n', '20', '--seed', '7', '--top-k', '50', '--top-p', '0.9', '--min-p', '0.01']
    const [first, again] = await Promise.all([iteraJson(options), iteraJson(options)])
    assert.equal(first.seed, 7)
    assert.deepEqual(first.tokens, again.tokens)
  })

  it('stops at Ctrl-C with what it has', async () => {
    const args = ['generate', '-m', model, '-p', 'Once', '-n', '-1', '--temperature', '3', '--top-k', '0', '--top-p', '1', '--min-p', '0']
    let sent = false
    const { code, stdout } = await itera(args, {
      onStdout: (_, child) => {
        if (!sent) child.kill('SIGINT')
        sent = true
      },
    })
    // At this temperature it ends by itself only once in thousands of tokens.
    assert.equal(code, 130)
    assert.match(stdout, /^Once/)
  })
})

describe('itera chat', () => {
  it('answers line by line and reads nothing twice', async () => {
    const { messages, turns } = await iteraJson(['chat', '-m', model, '-n', '10', '--temperature', '0', '--system', 'A story.'],
      { input: 'There was a fox.\n\nAnd then?\n' })
    assert.deepEqual(messages.map((/** @type {any} */ { role }) => role), ['system', 'user', 'assistant', 'user', 'assistant'])
    assert.equal(turns[0].cached_tokens, 0)
    assert.equal(turns[1].cached_tokens, turns[0].prompt_tokens + turns[0].generated_tokens - 1)
  })

  it('is a conversation on a terminal too', async () => {
    const { code, stdout } = await itera(['chat', '-m', model, '-n', '5'], { input: 'Hello\n/stats\n/reset\n/exit\nnever read\n' })
    assert.equal(code, 0)
    assert.match(stdout, /^> .+/)
  })

  it('has its commands in JSON too', async () => {
    const { messages, turns } = await iteraJson(['chat', '-m', model, '-n', '5', '--system', 'A story.'],
      { input: 'Hello\n/stats\n/reset\n And then? \n/exit\nnever read\n' })
    assert.deepEqual(messages.map((/** @type {any} */ { role }) => role), ['system', 'user', 'assistant'])
    assert.equal(messages[1].content, 'And then?')
    assert.equal(turns.length, 2)
  })

  it('says by its status that a message from a pipe was not answered', async () => {
    const refusing = { 'tokenizer.chat_template': "{{ raise_exception('no') }}" }
    writeFileSync(file('refuses.gguf'), await addToMetadata(readFileSync(model), refusing))
    const { code, stderr } = await itera(['chat', '-m', file('refuses.gguf'), '-n', '5'], { input: 'Hello\n' })
    assert.match(stderr, /\(template\)/)
    assert.equal(code, 1)
  })

  it('ends when its worker had no memory left', async () => {
    const { code, stderr } = await itera(['chat', '-m', model], { input: 'Hello\nMore\nAnd more\n', env: heapFault })
    assert.equal(code, 1)
    assert.equal(stderr.match(/^itera: .*memory/gm)?.length, 2, `told where the answer would be, and at the end: ${stderr}`)
  })
})

describe('itera tokenize', () => {
  it('prints ids that the model reads back', async () => {
    const text = 'Hello wörld, 你好 😀'
    const { ids } = await iteraJson(['tokenize', '-m', model, text])
    writeFileSync(file('text'), text)
    assert.deepEqual((await iteraJson(['tokenize', '-m', model, '-f', file('text')])).ids, ids)
    assert.equal((await itera(['tokenize', '-m', model, text])).stdout, `${ids.join(' ')}\n`)
    const loaded = await Itera.load(model)
    assert.equal(await loaded.detokenize(ids), text)
    loaded.dispose()
  })

  it('adds BOS and reads special tokens only when asked', async () => {
    assert.deepEqual((await iteraJson(['tokenize', '-m', model, '--bos', '--special', '<|endoftext|>'])).ids, [2043, 2043])
    assert.ok((await iteraJson(['tokenize', '-m', model, '<|endoftext|>'])).ids.length > 1)
  })
})

describe('itera logits', () => {
  it('writes the same numbers for the whole, for pieces and for steps', async () => {
    writeFileSync(file('tokens.json'), '[2043, 374, 300, 12, 900]')
    const list = ['--tokens', '2043,374,300,12,900']
    const runs = [list, ['--tokens', file('tokens.json')], [...list, '--step'], [...list, '--piece', '2']]
    const outputs = await Promise.all(runs.map(async (options, i) => {
      const result = await iteraJson(['logits', '-m', model, ...options, '-o', file(`${i}.f32`)])
      assert.equal(result.tokens, 5)
      assert.equal(result.vocabulary, 2048)
      return readFileSync(file(`${i}.f32`))
    }))
    assert.equal(outputs[0].length, 5 * 2048 * 4)
    for (const output of outputs) assert.ok(output.equals(outputs[0]))
  })

  it('leaves what was there when the disk is full', { skip: process.platform === 'win32' ? 'there is no ulimit' : false }, async () => {
    writeFileSync(file('kept.f32'), 'old')
    const limited = ['-c', 'ulimit -f 8; exec "$@"', 'sh', process.execPath, program]
    const args = ['logits', '-m', model, '--tokens', '2043,374,300', '-o', file('kept.f32')]
    await assert.rejects(promisify(execFile)('sh', [...limited, ...args]), { code: 1, stderr: /kept\.f32 cannot be written.* \(unwritable\)$/m })
    assert.equal(readFileSync(file('kept.f32'), 'utf8'), 'old')
    assert.deepEqual(readdirSync(folder).filter(name => name.includes('.part')), [])
  })
})

describe('itera eval', () => {
  it('counts every token after BOS, EOS included, document by document', async () => {
    const documents = ['Once upon a time there was a fox.', 'The end – really.']
    writeFileSync(file('two'), `\n ${documents[0]}\n<|endoftext|>\n${documents[1]}  \n<|endoftext|>\n`)
    const both = await iteraJson(['eval', '-m', model, '-f', file('two')])
    const loaded = await Itera.load(model)
    let nats = 0
    let tokens = 0
    for (const text of documents) {
      const losses = await loaded.score([2043, ...await loaded.tokenize(text), 2043])
      nats += losses.reduce((a, b) => a + b, 0)
      tokens += losses.length
    }
    loaded.dispose()
    const bytes = Buffer.byteLength(documents.join(''))
    assert.equal(both.tokens, tokens)
    assert.equal(both.bytes, bytes)
    const close = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a / b - 1) < 1e-4, `${a} ${b}`)
    close(both.nats_per_token, nats / tokens)
    close(both.perplexity, Math.exp(nats / tokens))
    close(both.bits_per_byte, nats / (bytes * Math.LN2))
  })

  it('takes a file without separator as one document, and counts every token once under --context', async () => {
    writeFileSync(file('one'), 'A separator <|endoftext|> inside a line is text.\nNot like one on its own line.')
    const whole = await iteraJson(['eval', '-m', model, '-f', file('one')])
    const short = await iteraJson(['eval', '-m', model, '-f', file('one'), '--context', '5'])
    assert.equal(whole.documents, 1)
    assert.equal(short.tokens, whole.tokens)
    assert.ok(short.nats_per_token > whole.nats_per_token)
  })
})

describe('itera inspect', () => {
  it('describes a file', async () => {
    const result = await iteraJson(['inspect', model])
    assert.equal(result.architecture, 'granitehybrid')
    assert.deepEqual(result.parameters, { total: 3797338, active: 2691418, embedding: 393216 })
    assert.equal(result.state_bytes, 272760)
    assert.ok(result.flops_per_token > 2 * 2_600_000)
    assert.ok(result.memory_bytes > result.weight_bytes)
    assert.equal(result.tensors.length, 72)
    assert.match((await itera(['inspect', model])).stdout, /parameters +3797338/)
  })

  for (const [preset, total] of Object.entries({ micro: 293656, tiny: 1886496, 'transformer-tiny': 1829120 })) {
    it(`counts the parameters of ${preset} as published`, async () => {
      const { parameters } = await iteraJson(['inspect', '--preset', preset])
      assert.equal(parameters.total, total)
    })
  }

  it('has the sizes of the presets as defaults', async () => {
    const tiny = await iteraJson(['inspect', '--preset', 'tiny', '--positions', '256'])
    assert.equal(tiny.parameters.total, 1886496 + 128 * 128)
    assert.equal(tiny.context_length, 256)
    for (const [preset, V, D, L] of [['small', 16000, 256, 6], ['medium', 32000, 512, 8], ['transformer-small', 16000, 256, 6]]) {
      const { vocabulary, width, layers } = await iteraJson(['inspect', '--preset', String(preset)])
      assert.deepEqual([vocabulary, width, layers], [V, D, L])
    }
  })
})

describe('itera bench', () => {
  it('prints the agreed fields', async () => {
    const result = await iteraJson(['bench', '-m', model, '--prompt', '64', '--gen', '16', '--repeat', '1', '--simd', 'simd128'])
    assert.equal(result.arch, 'granitehybrid')
    assert.equal(result.simd, 'simd128')
    assert.equal(result.threads, 1)
    assert.match(result.engine, /^node \d/)
    for (const field of ['load_ms', 'prefill_tps', 'decode_tps', 'ttft_ms', 'memory_bytes', 'wasm_bytes']) {
      assert.ok(result[field] > 0, field)
    }
  })
})

describe('a mistake', () => {
  writeFileSync(file('half.gguf'), readFileSync(model).subarray(0, 2_000_000))
  writeFileSync(file('no.gguf'), 'This is not the file you are looking for.')
  const text = ['-p', 'a']
  /** @type {[string, string[], number, RegExp][]} */
  const cases = [
    ['no command', [], 2, /usage: itera/],
    ['an unknown command', ['fly'], 2, /^itera: unknown command 'fly'/],
    ['an unknown option', ['generate', '-m', model, ...text, '--fast'], 2, /^itera: .*--fast.*\(usage\)$/m],
    ['a missing option', ['generate', ...text], 2, /^itera: -m MODEL is missing \(usage\)$/m],
    ['a number that is none', ['generate', '-m', model, ...text, '-n', 'many'], 2, /^itera: --max-tokens needs a number.*'many'/],
    ['an unknown preset', ['inspect', '--preset', 'huge'], 2, /no preset 'huge'; presets are micro/],
    ['an unknown browser', ['bench', '-m', model, '--browser', 'lynx'], 2, /chromium, firefox/],
    ['a value out of range', ['generate', '-m', model, ...text, '--top-p', '2'], 2, /^itera: --top-p .*\(usage\)$/m],
    ['a fraction of a token', ['generate', '-m', model, ...text, '-n', '1.5'], 2, /^itera: --max-tokens .*\(usage\)$/m],
    ['room for less than nothing', ['generate', '-m', model, ...text, '--context', '-1'], 2, /^itera: --context .*\(usage\)$/m],
    ['an empty stop string', ['generate', '-m', model, ...text, '--stop', ''], 2, /^itera: --stop .*\(usage\)$/m],
    ['a seed that is none, before anything is loaded', ['chat', '-m', file('none.gguf'), '--seed', '1.5'], 2, /^itera: --seed .*\(usage\)$/m],
    ['no file', ['generate', '-m', file('none.gguf'), ...text], 1, /^itera: .*none\.gguf does not exist \(not-found\)$/m],
    ['a file of another kind', ['inspect', file('no.gguf')], 1, /\(not-gguf\)$/m],
    ['a file that ends early', ['generate', '-m', file('half.gguf'), ...text], 1, /\(incomplete\)$/m],
    ['a header of another kind', ['tokenize', '-m', file('no.gguf'), 'a'], 1, /\(not-gguf\)$/m],
    ['a token beyond the vocabulary', ['logits', '-m', model, '--tokens', '1,2048', '-o', file('x')], 1, /\(token\)$/m],
    ['a place that cannot be written', ['logits', '-m', model, '--tokens', '1', '-o', file('no/such/x')], 1, /\(unwritable\)$/m],
    ['nothing to measure', ['eval', '-m', model, '-f', file('none')], 1, /\(not-found\)$/m],
  ]
  for (const [name, args, status, message] of cases) {
    it(`of this kind is one line: ${name}`, async () => {
      const { code, stdout, stderr } = await itera(args)
      assert.equal(code, status)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      if (args.length) assert.equal(stderr.trim().split('\n').length, 1, stderr)
    })
  }
})

describe('a full disk under stdout', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }, () => {
  for (const args of [['generate', '-m', model, '-p', 'a', '-n', '3'], ['inspect', model, '--json'], ['help']]) {
    it(`is one line: itera ${args[0]}`, async () => {
      const { code, stderr } = await itera(args, { stdout: openSync('/dev/full', 'w') })
      assert.equal(code, 1)
      assert.match(stderr, /^itera: .*ENOSPC.* \(unwritable\)\n$/)
    })
  }
})

describe('help', () => {
  it('is there for every command', async () => {
    const { code, stdout } = await itera(['help'])
    assert.equal(code, 0)
    const names = [...stdout.matchAll(/^ {2}(\w+)/gm)].map(match => match[1])
    assert.ok(names.length >= 8)
    for (const name of names) {
      const help = await itera([name, '--help'])
      assert.equal(help.code, 0)
      assert.match(help.stdout, new RegExp(`^usage: itera ${name}`))
    }
  })
})
