// The seed model and its Transformer baseline: `itera convert`, then logits against independent implementations.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { deviation, largest, openModel, variants } from './support/engine.mjs';
import { readNpy } from './support/npy.mjs';

const CLI = fileURLToPath(new URL('../../web/bin/itera.mjs', import.meta.url));
const GOLDEN = new URL('../golden/itera-lite/', import.meta.url);
const ORACLE = new URL('../../../shared/oracle/', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'itera-convert-'));
after(() => rmSync(folder, { recursive: true }));

function convert(checkpoint, name) {
  const out = join(folder, `${name}.gguf`);
  execFileSync('node', [CLI, 'convert', fileURLToPath(checkpoint), '-o', out]);
  return out;
}

/** Logits within `tolerance` of the reference's standard deviation, in one piece, in pieces and by steps. */
async function check(t, file, cases, simd, tolerance) {
  const model = await openModel(file, simd);
  for (const { tokens, logits } of cases) {
    const whole = model.logits(tokens);
    const error = largest(whole, logits) / deviation(logits);
    t.diagnostic(`${tokens.length} tokens: largest error ${error.toExponential(2)} of the deviation`);
    assert.ok(error <= tolerance, `${error} > ${tolerance}`);
    assert.equal(largest(model.logits(tokens, 7), whole), 0, 'pieces of 7');
    assert.equal(largest(model.steps(tokens), whole), 0, 'step by step');
  }
}

describe('converted seed checkpoints', () => {
  for (const name of ['seed', 'transformer']) {
    const file = convert(new URL(`${name}/weights.safetensors`, GOLDEN), `golden-${name}`);
    const read = (array) => new Uint8Array(readFileSync(new URL(`${name}/${array}`, GOLDEN))).buffer;
    const cases = [{ tokens: new Int32Array(read('tokens.i32')), logits: new Float32Array(read('logits.f32')) }];
    for (const simd of variants) {
      it(`${name}: logits of the independent implementation, ${simd}`, (t) => check(t, file, cases, simd, 1e-4));
    }
  }
});

describe('published checkpoints', { skip: existsSync(ORACLE) ? false : '../shared/oracle is not there' }, () => {
  for (const [name, parameters] of [['itera-micro', 293_656], ['transformer-tiny', 1_829_120]]) {
    if (!existsSync(ORACLE)) continue;
    const file = convert(new URL(`${name}/weights.safetensors`, ORACLE), name);
    const at = (array) => new URL(`${name}/${array}.npy`, ORACLE);
    const cases = [0, 1, 2, 3, 4]
      .filter((i) => existsSync(at(`seq${i}_logits`)))
      .map((i) => ({ tokens: readNpy(at(`seq${i}_tokens`)), logits: readNpy(at(`seq${i}_logits`)) }));
    it(`${name} has ${parameters} parameters`, () => {
      const report = JSON.parse(execFileSync('node', [CLI, 'inspect', file, '--json']));
      assert.equal(report.parameters.total, parameters);
    });
    for (const simd of variants) {
      it(`${name}: logits of PyTorch, ${simd}`, (t) => check(t, file, cases, simd, 1e-3));
    }
  }
});
