// Every reference file of ../shared/oracle that llama.cpp or PyTorch made, under every SIMD variant.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';

import { agreement, deviation, largest, openModel, rms, variants } from './support/engine.mjs';
import { readNpy } from './support/npy.mjs';

const ORACLE = new URL('../../../shared/oracle/', import.meta.url);
const absent = existsSync(ORACLE) ? false : '../shared/oracle is not there';
const LENGTHS = [1, 7, 64, 300];

const folders = absent ? [] : readdirSync(ORACLE).filter((name) => readdirSync(new URL(name, ORACLE)).some((f) => f.endsWith('.gguf')));

/** [folder, quant] of every model file. */
const models = folders.flatMap((folder) =>
  readdirSync(new URL(folder, ORACLE))
    .map((file) => /^model-(.+)\.gguf$/.exec(file)?.[1])
    .filter(Boolean)
    .map((quant) => [folder, quant]),
);

/** Tokens and reference logits of every length that a file has. */
function* references(folder, quant) {
  const read = (name) => readNpy(new URL(`${folder}/${name}.npy`, ORACLE));
  const has = (name) => existsSync(new URL(`${folder}/${name}.npy`, ORACLE));
  for (const length of LENGTHS) {
    const exact = quant === 'F32' ? `f32_logits_batch_${length}` : `${quant}_deqf32_logits_batch_${length}`;
    if (!has(exact)) continue;
    const optional = (name) => (has(name) ? read(name) : undefined);
    yield {
      tokens: read(`tokens_${length}`),
      exact: read(exact),
      native: optional(`${quant}_native_logits_batch_${length}`),
      step: quant === 'F32' ? optional(`f32_logits_step_${length}`) : undefined,
    };
  }
}

/** F32 and F16 files: the largest error, in units of the reference's standard deviation. */
function checkFloat(t, model, { tokens, exact, step }, limit) {
  const scale = deviation(exact);
  const error = largest(model.logits(tokens), exact) / scale;
  t.diagnostic(`${tokens.length} tokens: largest error ${error.toExponential(2)} of the deviation`);
  assert.ok(error <= limit, `${error} > ${limit}`);
  if (step) assert.ok(largest(model.steps(tokens), step) / scale <= limit, 'step by step');
}

/** Quantized files: error and best tokens over all positions of the file, beside llama.cpp's own kernels. */
function checkQuantized(t, model, all) {
  const join = (arrays) => Float32Array.from(arrays.flatMap((a) => [...a]));
  const exact = join(all.map((r) => r.exact));
  const native = join(all.map((r) => r.native));
  const logits = join(all.map((r) => model.logits(r.tokens)));
  const [ours, theirs] = [rms(logits, exact), rms(native, exact)];
  const [top, theirTop] = [agreement(logits, exact, model.V), agreement(native, exact, model.V)];
  t.diagnostic(`error ${ours.toFixed(5)}, llama.cpp's own ${theirs.toFixed(5)}; ` +
    `top-1 ${(100 * top).toFixed(1)}%, llama.cpp's ${(100 * theirTop).toFixed(1)}%`);
  assert.ok(ours <= 1.1 * theirs, `error ${ours} > 1.1 x ${theirs}`);
  assert.ok(top >= theirTop - 0.01, `top-1 ${top} < ${theirTop} - 0.01`);
}

describe('logits against the oracle', { skip: absent }, () => {
  for (const simd of variants) {
    for (const [folder, quant] of models) {
      it(`${folder} ${quant}, ${simd}`, async (t) => {
        const model = await openModel(new URL(`${folder}/model-${quant}.gguf`, ORACLE), simd);
        const all = [...references(folder, quant)];
        assert.ok(all.length > 0, 'no reference logits');
        if (/^(F32|F16|BF16)$/.test(quant)) {
          for (const reference of all) checkFloat(t, model, reference, quant === 'F32' ? 2e-3 : 1e-2);
        } else {
          checkQuantized(t, model, all);
        }
      });
    }
  }
});

describe('greedy tokens of llama.cpp', { skip: absent }, () => {
  for (const simd of variants) {
    for (const folder of folders.filter((name) => existsSync(new URL(`${name}/f32_greedy_7_48.npy`, ORACLE)))) {
      it(`${folder}, ${simd}`, async () => {
        const model = await openModel(new URL(`${folder}/model-F32.gguf`, ORACLE), simd);
        const tokens = readNpy(new URL(`${folder}/tokens_7.npy`, ORACLE));
        const expected = readNpy(new URL(`${folder}/f32_greedy_7_48.npy`, ORACLE));
        assert.deepEqual(model.greedy(tokens, expected.length), [...expected]);
      });
    }
  }
});

describe('any split of a prompt gives the same logits', { skip: absent }, () => {
  for (const simd of variants) {
    for (const [folder, quant] of models) {
      it(`${folder} ${quant}, ${simd}`, async () => {
        const model = await openModel(new URL(`${folder}/model-${quant}.gguf`, ORACLE), simd);
        const length = existsSync(new URL(`${folder}/tokens_300.npy`, ORACLE)) ? 300 : 64;
        const tokens = readNpy(new URL(`${folder}/tokens_${length}.npy`, ORACLE));
        const whole = model.logits(tokens);
        for (const piece of [1, 7, 64]) assert.equal(largest(model.logits(tokens, piece), whole), 0, `pieces of ${piece}`);
        assert.equal(largest(model.steps(tokens), whole), 0, 'step by step');
      });
    }
  }
});

describe('scalar and SIMD128 agree bit for bit', { skip: absent }, () => {
  for (const [folder, quant] of models) {
    it(`${folder} ${quant}`, async () => {
      const url = new URL(`${folder}/model-${quant}.gguf`, ORACLE);
      const tokens = readNpy(new URL(`${folder}/tokens_64.npy`, ORACLE));
      const [scalar, simd128] = await Promise.all(['scalar', 'simd128'].map((simd) => openModel(url, simd)));
      assert.equal(largest(scalar.logits(tokens), simd128.logits(tokens)), 0);
    });
  }
});
