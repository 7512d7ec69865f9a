// The engine without its worker: one wasm instance, one model, and logits as arrays. For tests that compare numbers.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';

import { validates } from '../../../web/src/features.js';
import { loadModel } from '../../../web/src/loader.js';
import { Session } from '../../../web/src/session.js';
import { loadWasm } from '../../../web/src/wasm.js';
import { modelNumbers } from '../../../web/src/engine.js';

// Node 20 knows relaxed SIMD behind a flag, and gets it right only in its optimizing compiler; newer ones have it
// on and know no flag.
if (!validates('relaxed')) {
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  v8.setFlagsFromString('--no-liftoff');
}

/** The variants that this engine can run. */
export const variants = ['scalar', 'simd128', 'relaxed'].filter(validates);

/** Opens a GGUF file (path or URL) under one variant. */
export async function openModel(file, simd) {
  const bytes = readFileSync(file);
  const wasm = await loadWasm({ simd });
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += 1 << 20) yield bytes.subarray(start, start + (1 << 20));
  }
  const { model } = await loadModel(wasm, { name: String(file), total: bytes.length, pieces: pieces() }, {});
  const V = modelNumbers(wasm, model).vocabulary;
  return {
    wasm,
    model,
    V,
    /** Logits [T, V] of `tokens` in an empty session, fed in pieces. */
    logits(tokens, piece = tokens.length) {
      const session = new Session(wasm, model, tokens.length);
      const all = new Float32Array(tokens.length * V);
      for (let start = 0; start < tokens.length; start += piece) {
        const part = tokens.subarray(start, start + piece);
        session.feedAll(part, all.subarray(start * V, (start + part.length) * V));
      }
      session.free();
      return all;
    },
    /** The same, one token a call and the logits read from the session, as generation does it. */
    steps(tokens) {
      const session = new Session(wasm, model, tokens.length);
      const all = new Float32Array(tokens.length * V);
      tokens.forEach((token, t) => {
        session.feed([token]);
        session.logits(all.subarray(t * V, (t + 1) * V));
      });
      session.free();
      return all;
    },
    /** The best token after `tokens`, `count` times over. */
    greedy(tokens, count) {
      const session = new Session(wasm, model, tokens.length + count);
      const row = new Float32Array(V);
      const out = [];
      session.feed(tokens);
      for (let i = 0; i < count; i++) {
        session.logits(row);
        out.push(argmax(row));
        session.feed([out[i]]);
      }
      session.free();
      return out;
    },
  };
}

export const argmax = (row) => row.reduce((best, value, i) => (value > row[best] ? i : best), 0);

/** Root of the mean squared difference. */
export function rms(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

/** The largest difference; NaN when there is one. */
export function largest(a, b) {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

export function deviation(a) {
  const mean = a.reduce((sum, v) => sum + v, 0) / a.length;
  return Math.sqrt(a.reduce((sum, v) => sum + (v - mean) ** 2, 0) / a.length);
}

/** Share of positions at which both have the same best token. */
export function agreement(a, b, V) {
  let same = 0;
  for (let t = 0; t < a.length / V; t++) {
    same += argmax(a.subarray(t * V, (t + 1) * V)) === argmax(b.subarray(t * V, (t + 1) * V));
  }
  return same / (a.length / V);
}
