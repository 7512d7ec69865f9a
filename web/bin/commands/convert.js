import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileError } from '../../src/source.js'
import { loadWasm } from '../../src/wasm.js'
import { readConfig } from '../convert/config.js'
import { GgufWriter } from '../convert/gguf-writer.js'
import { planCheckpoint, writeGguf, writeMetadata } from '../convert/itera-lite.js'
import { SafetensorsFile } from '../convert/safetensors.js'
import { writeTokenizer } from '../convert/tokenizer-json.js'
import { printJson, megabytes, StatusLine } from '../io.js'
import { required } from '../options.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera convert CHECKPOINT -o OUT.gguf [--tokenizer FILE]

Makes a GGUF file from Itera-Lite safetensors. CHECKPOINT is the file, with config.json beside it, or the folder
of both.

  -o, --output FILE
  --tokenizer FILE          tokenizer.json (byte-level BPE); without it the model works on token ids only
  --json                    { output, bytes, parameters, tensors }`

export const options = { output: { type: 'string', short: 'o' }, tokenizer: { type: 'string' } }

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  if (positionals.length !== 1) throw new UsageError('give one CHECKPOINT')
  const output = required(values, 'output', '-o OUT.gguf')
  const path = await findCheckpoint(positionals[0])
  const checkpoint = await SafetensorsFile.open(path)
  const line = new StatusLine()
  try {
    const config = await readConfig(join(dirname(path), 'config.json'), checkpoint.tensors)
    const plan = await planCheckpoint(checkpoint, config)
    const writer = new GgufWriter(await loadWasm())
    writeMetadata(writer, config)
    if (values.tokenizer) await writeTokenizer(writer, values.tokenizer, config.vocabulary)
    const bytes = await writeGguf(output, writer, checkpoint, plan,
      (done, total) => line.show(`writing tensor ${done} of ${total}`))
    writer.free()
    line.clear()
    const parameters = plan.reduce((sum, { dims }) => sum + dims.reduce((product, n) => product * n, 1), 0)
    if (values.json) printJson({ output, bytes, parameters, tensors: plan.length })
    else process.stdout.write(`${output}: ${plan.length} tensors, ${parameters} parameters, ${megabytes(bytes)}\n`)
  } finally {
    line.clear()
    await checkpoint.close()
  }
}

/** @param {string} path @returns {Promise<string>} */
async function findCheckpoint(path) {
  const kind = await stat(path).catch(error => { throw fileError(error, path) })
  if (!kind.isDirectory()) return path
  for (const name of ['weights.safetensors', 'model.safetensors']) {
    const file = join(path, name)
    if (await stat(file).catch(() => null)) return file
  }
  throw fileError({ code: 'ENOENT' }, join(path, 'model.safetensors'))
}
