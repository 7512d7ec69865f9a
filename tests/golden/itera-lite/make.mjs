// An independent implementation of the seed model and its Transformer baseline, and the golden files made by it:
//
//     node tests/golden/itera-lite/make.mjs
//
// Plain loops in double precision over the model equations; it shares no code with the engine. Weights are random
// with sizes chosen to be awkward (no multiples of four), written as the checkpoints that `itera convert` reads.
import { mkdirSync, writeFileSync } from 'node:fs';

const HERE = new URL('.', import.meta.url);

// ---- Random weights -------------------------------------------------------------------------------

let state = 20240229;
/** Uniform in (-1, 1), by a 32-bit linear congruential generator (Numerical Recipes). */
const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31) - 1;

/** A tensor of `shape` (PyTorch order), values rounded to f32. */
const tensor = (shape, scale, offset = 0) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => offset + scale * random()),
});

// ---- The mathematics ------------------------------------------------------------------------------

const silu = (x) => x / (1 + Math.exp(-x));
const softplus = (x) => (x > 30 ? x : Math.log1p(Math.exp(x)));

/** erf by its Taylor series near zero and the continued fraction of erfc elsewhere: about 1e-15. */
function erf(x) {
  if (Math.abs(x) < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 100; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  const z = Math.abs(x);
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction)));
}

const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** W x for W [rows, cols]. */
function apply({ shape: [rows, cols], data }, x) {
  const y = new Array(rows).fill(0);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) y[r] += data[r * cols + c] * x[c];
  return y;
}

function layerNorm(x, weight, bias) {
  const mean = x.reduce((a, b) => a + b) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  return x.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * weight.data[i] + bias.data[i]);
}

function softmax(x) {
  const most = Math.max(...x);
  const e = x.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
}

const add = (x, y) => x.map((v, i) => v + y[i]);

// ---- Mixers: one function a sequence, u[t] in, output[t] out -----------------------------------------

function ssm(u, w, prefix, { E, N, K }) {
  const get = (name) => w[`${prefix}.${name}`];
  const conv = get('conv1d.weight').data;
  const A = Array.from(get('ssm.A_log').data, (a) => -Math.exp(a));
  const inputs = [];
  let h = new Array(N).fill(0);
  return u.map((x, t) => {
    const projected = apply(get('in_proj.weight'), x);
    inputs.push(projected.slice(0, E));
    const gate = projected.slice(E);
    const a = gate.map((_, e) => {
      let sum = get('conv1d.bias').data[e];
      for (let j = 0; j < K; j++) if (t - (K - 1) + j >= 0) sum += conv[e * K + j] * inputs[t - (K - 1) + j][e];
      return silu(sum);
    });
    const steps = add(apply(get('ssm.delta_proj.weight'), a), get('ssm.delta_proj.bias').data).map(softplus);
    const dt = steps.reduce((p, q) => p + q) / E;
    const Ba = apply(get('ssm.B'), a);
    h = h.map((v, n) => Math.exp(dt * A[n]) * v + dt * Ba[n]);
    const y = apply(get('ssm.C'), h).map((v, e) => (v + get('ssm.D').data[e] * a[e]) * silu(gate[e]));
    return apply(get('out_proj.weight'), y);
  });
}

function attention(u, w, prefix, { D, heads }) {
  const P = D / heads;
  const qkv = u.map((x) => apply(w[`${prefix}.qkv.weight`], x));
  return qkv.map((row, t) => {
    const out = [];
    for (let h = 0; h < heads; h++) {
      const slice = (s, part) => qkv[s].slice(part * D + h * P, part * D + (h + 1) * P);
      const q = row.slice(h * P, (h + 1) * P);
      const scores = [];
      for (let s = 0; s <= t; s++) scores.push(slice(s, 1).reduce((sum, k, i) => sum + k * q[i], 0) / Math.sqrt(P));
      const p = softmax(scores);
      for (let i = 0; i < P; i++) out.push(p.reduce((sum, weight, s) => sum + weight * slice(s, 2)[i], 0));
    }
    return apply(w[`${prefix}.out_proj.weight`], out);
  });
}

// ---- Feed-forward --------------------------------------------------------------------------------

const ffn = (x, w, prefix) => apply(w[`${prefix}.w2.weight`], apply(w[`${prefix}.w1.weight`], x).map(gelu));

function moe(x, w, prefix, k) {
  const logits = apply(w[`${prefix}.router.gate.weight`], x);
  const chosen = logits.map((v, i) => [v, i]).sort((a, b) => b[0] - a[0]).slice(0, k);
  const gates = softmax(chosen.map(([v]) => v));
  return chosen
    .map(([, expert], i) => ffn(x, w, `${prefix}.experts.${expert}`).map((v) => v * gates[i]))
    .reduce(add);
}

// ---- The two models ------------------------------------------------------------------------------

const SEED = { V: 61, D: 22, L: 3, E: 44, N: 5, K: 4, X: 3, F: 19, k: 2, P: 24, moe: [1] };
const BASELINE = { V: 61, D: 24, L: 2, heads: 3, F: 37, P: 24 };

function seedWeights({ V, D, L, E, N, K, X, F, P, moe: moeLayers }) {
  const w = {
    'embedding.weight': tensor([V, D], 0.6),
    'position_embedding.weight': tensor([P, D], 0.3),
    'norm.weight': tensor([D], 0.3, 1),
    'norm.bias': tensor([D], 0.2),
  };
  for (let l = 0; l < L; l++) {
    const mixer = `layers.${l}.ssm`;
    const isMoe = moeLayers.includes(l);
    const block = isMoe ? `layers.${l}.moe.layer` : `layers.${l}.moe`;
    Object.assign(w, {
      [`${mixer}.norm.weight`]: tensor([D], 0.3, 1),
      [`${mixer}.norm.bias`]: tensor([D], 0.2),
      [`${mixer}.in_proj.weight`]: tensor([2 * E, D], 0.4),
      [`${mixer}.conv1d.weight`]: tensor([E, 1, K], 0.6),
      [`${mixer}.conv1d.bias`]: tensor([E], 0.2),
      [`${mixer}.ssm.A_log`]: tensor([N], 0.8, 0.3),
      [`${mixer}.ssm.B`]: tensor([N, E], 0.5),
      [`${mixer}.ssm.C`]: tensor([E, N], 0.8),
      [`${mixer}.ssm.D`]: tensor([E], 0.5, 0.5),
      [`${mixer}.ssm.delta_proj.weight`]: tensor([E, E], 0.3),
      [`${mixer}.ssm.delta_proj.bias`]: tensor([E], 0.5, -0.5),
      [`${mixer}.out_proj.weight`]: tensor([D, E], 0.4),
      [`${block}.norm.weight`]: tensor([D], 0.3, 1),
      [`${block}.norm.bias`]: tensor([D], 0.2),
    });
    if (isMoe) w[`${block}.router.gate.weight`] = tensor([X, D], 0.7);
    for (const network of isMoe ? Array.from({ length: X }, (_, x) => `experts.${x}`) : ['ffn']) {
      w[`${block}.${network}.w1.weight`] = tensor([F, D], 0.5);
      w[`${block}.${network}.w2.weight`] = tensor([D, F], 0.5);
    }
  }
  w['lm_head.weight'] = w['embedding.weight'];
  return w;
}

function baselineWeights({ V, D, L, F, P }) {
  const w = {
    'embedding.weight': tensor([V, D], 0.6),
    'position_embedding.weight': tensor([P, D], 0.3),
    'norm.weight': tensor([D], 0.3, 1),
    'norm.bias': tensor([D], 0.2),
  };
  for (let l = 0; l < L; l++) {
    for (const norm of ['ln1', 'ln2']) {
      w[`blocks.${l}.${norm}.weight`] = tensor([D], 0.3, 1);
      w[`blocks.${l}.${norm}.bias`] = tensor([D], 0.2);
    }
    w[`blocks.${l}.attention.qkv.weight`] = tensor([3 * D, D], 0.4);
    w[`blocks.${l}.attention.out_proj.weight`] = tensor([D, D], 0.4);
    w[`blocks.${l}.ffn.w1.weight`] = tensor([F, D], 0.5);
    w[`blocks.${l}.ffn.w2.weight`] = tensor([D, F], 0.5);
  }
  w['lm_head.weight'] = w['embedding.weight'];
  return w;
}

const embed = (tokens, w, D) =>
  tokens.map((token, t) =>
    Array.from({ length: D }, (_, d) =>
      w['embedding.weight'].data[token * D + d] + w['position_embedding.weight'].data[t * D + d]),
  );

const head = (x, w) => x.map((row) => apply(w['embedding.weight'], layerNorm(row, w['norm.weight'], w['norm.bias'])));

const norm = (x, w, prefix) => x.map((row) => layerNorm(row, w[`${prefix}.weight`], w[`${prefix}.bias`]));

function seedForward(tokens, w, c) {
  let x = embed(tokens, w, c.D);
  for (let l = 0; l < c.L; l++) {
    const mixed = ssm(norm(x, w, `layers.${l}.ssm.norm`), w, `layers.${l}.ssm`, c);
    x = x.map((row, t) => add(row, mixed[t]));
    const isMoe = c.moe.includes(l);
    const block = isMoe ? `layers.${l}.moe.layer` : `layers.${l}.moe`;
    const u = norm(x, w, `${block}.norm`);
    x = x.map((row, t) => add(row, isMoe ? moe(u[t], w, block, c.k) : ffn(u[t], w, `${block}.ffn`)));
  }
  return head(x, w);
}

function baselineForward(tokens, w, c) {
  let x = embed(tokens, w, c.D);
  for (let l = 0; l < c.L; l++) {
    const mixed = attention(norm(x, w, `blocks.${l}.ln1`), w, `blocks.${l}.attention`, c);
    x = x.map((row, t) => add(row, mixed[t]));
    const u = norm(x, w, `blocks.${l}.ln2`);
    x = x.map((row, t) => add(row, ffn(u[t], w, `blocks.${l}.ffn`)));
  }
  return head(x, w);
}

// ---- Files ---------------------------------------------------------------------------------------

function safetensors(weights) {
  const header = {};
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(weights)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += data.byteLength)] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...Object.values(weights).map(({ data }) => Buffer.from(data.buffer))]);
}

function write(name, config, weights, forward, sizes) {
  const folder = new URL(`${name}/`, HERE);
  mkdirSync(folder, { recursive: true });
  const tokens = Array.from({ length: sizes.P }, () => Math.floor(((random() + 1) / 2) * sizes.V));
  const logits = forward(tokens, weights, sizes).flat();
  writeFileSync(new URL('config.json', folder), `${JSON.stringify(config, null, 1)}\n`);
  writeFileSync(new URL('weights.safetensors', folder), safetensors(weights));
  writeFileSync(new URL('tokens.i32', folder), Buffer.from(Int32Array.from(tokens).buffer));
  writeFileSync(new URL('logits.f32', folder), Buffer.from(Float32Array.from(logits).buffer));
}

write('seed', {
  vocab_size: SEED.V, hidden_size: SEED.D, num_layers: SEED.L, ssm_state_size: SEED.N, ssm_conv_kernel: SEED.K,
  ssm_expand_factor: SEED.E / SEED.D, num_experts: SEED.X, expert_size: SEED.F, top_k_experts: SEED.k,
  moe_layers: SEED.moe, max_seq_length: SEED.P, layer_norm_eps: 1e-5, kind: 'itera', tied_lm_head: true,
}, seedWeights(SEED), seedForward, SEED);

write('transformer', {
  vocab_size: BASELINE.V, hidden_size: BASELINE.D, num_layers: BASELINE.L, num_attention_heads: BASELINE.heads,
  intermediate_size: BASELINE.F, max_seq_length: BASELINE.P, layer_norm_eps: 1e-5, kind: 'transformer',
  tied_lm_head: true,
}, baselineWeights(BASELINE), baselineForward, BASELINE);
