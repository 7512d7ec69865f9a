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

describe('logits against the oracle', { skip: absent }, () => {
  for (const simd of variants) {
    for (const [folder, quant] of models) {
      it(`${folder} ${quant}, ${simd}`, async (t) => {
        const file = (name) => new URL(`${folder}/${name}.npy`, ORACLE);
        const model = await openModel(new URL(`${folder}/model-${quant}.gguf`, ORACLE), simd);
        for (const length of LENGTHS) {
          const reference = (kind) => file(`${kind}_logits_batch_${length}`);
          const exactFile = quant === 'F32' ? reference('f32') : reference(`${quant}_deqf32`);
          if (!existsSync(exactFile)) continue;
          const tokens = readNpy(file(`tokens_${length}`));
          const exact = readNpy(exactFile);
          const logits = model.logits(tokens);
          const scale = deviation(exact);
          if (quant === 'F32' || quant === 'F16' || quant === 'BF16') {
            const limit = quant === 'F32' ? 2e-3 : 1e-2;
            const error = largest(logits, exact) / scale;
            t.diagnostic(`${length} tokens: largest error ${error.toExponential(2)} of the deviation`);
            assert.ok(error <= limit, `${error} > ${limit}`);
            if (quant === 'F32' && existsSync(file(`f32_logits_step_${length}`))) {
              const stepped = largest(model.steps(tokens), readNpy(file(`f32_logits_step_${length}`))) / scale;
              assert.ok(stepped <= limit, `step: ${stepped} > ${limit}`);
            }
            continue;
          }
          const native = readNpy(reference(`${quant}_native`));
          const ours = rms(logits, exact);
          const theirs = rms(native, exact);
          const top = agreement(logits, exact, model.V);
          const theirTop = agreement(native, exact, model.V);
          t.diagnostic(`${length} tokens: error ${ours.toFixed(4)}, llama.cpp's own ${theirs.toFixed(4)} ` +
            `(${(ours / theirs).toFixed(3)}); top-1 ${(100 * top).toFixed(1)}%, llama.cpp's ${(100 * theirTop).toFixed(1)}%`);
          assert.ok(ours <= 1.1 * theirs, `error ${ours} > 1.1 x ${theirs}`);
          assert.ok(top >= theirTop - 0.01, `top-1 ${top} < ${theirTop} - 0.01`);
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
