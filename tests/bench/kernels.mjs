// Kernel benchmark: node tests/bench/kernels.mjs [--browser chromium|firefox] [--tokens 64] [--against OTHER.wasm] [type...]
//
// Every product is checked against the scalar reference before it is timed. T=1 walks over more weights than the caches
// hold, as decoding a model does; many tokens stay on one matrix. Beside the figures stand the machine's ceilings, measured in
// the same run. --against takes the build/bench/kernels.wasm of another commit: both are timed in turns, and the figures
// after the slash are the median of the ratios of neighbouring turns, above 1 where this tree is faster.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { openBrowser } from '../../web/bin/browser.js';

// Behind a flag in Node 20, whose baseline compiler (Liftoff) gets the relaxed dot product wrong. Newer ones take no
// flags once they run, and need none: what is timed was warmed up.
if (Number(process.versions.node.split('.')[0]) < 22) {
  v8.setFlagsFromString('--no-liftoff');
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const TYPES = { F32: 0, F16: 1, BF16: 30, Q8_0: 8, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q4_K: 12, Q5_K: 13, Q6_K: 14 };

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  browser: { type: 'string' }, against: { type: 'string' }, variants: { type: 'string' }, rounds: { type: 'string' },
  rows: { type: 'string' }, cols: { type: 'string' }, tokens: { type: 'string', default: '64' },
} });

function compile() {
  const sources = ['quant', 'kernels'].flatMap((folder) =>
    readdirSync(join(root, 'src', folder)).filter((name) => name.endsWith('.c')).map((name) => `src/${folder}/${name}`));
  mkdirSync(join(root, 'build/bench'), { recursive: true });
  const emcc = join(root, 'build/toolchain/emcc');
  execFileSync(emcc, ['-O2', '-std=c11', '-Isrc', '-ffp-contract=off', '-fno-math-errno', '-msimd128', '-mrelaxed-simd',
    '-DITERA_ALL_VARIANTS', '-DNDEBUG', 'tests/bench/kernels.c', 'tests/bench/ceilings.c', ...sources, '--no-entry', '-sSTANDALONE_WASM',
    '-sALLOW_MEMORY_GROWTH', '-sSTACK_SIZE=256KB', '-Wl,--stack-first', '-sMAXIMUM_MEMORY=4GB',
    '-o', 'build/bench/kernels.wasm'], { cwd: root, stdio: 'inherit' });
  return readFileSync(join(root, 'build/bench/kernels.wasm'));
}

/** Runs here or inside a page, so it takes all it needs and returns lines of text. */
async function measure({ modules, types, variants, rounds, R, K, tokens, others }) {
  const VARIANTS = ['scalar', 'simd128', 'relaxed'];
  const lines = [];

  const wasms = [];
  for (const text of modules) {
    const module = await WebAssembly.compile(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
    const { exports } = await WebAssembly.instantiate(module, imports);
    exports._initialize?.();
    wasms.push(exports);
  }
  const wasm = wasms[0];

  /** Seconds of one call of run(wasm, times) for each module: short timings in turns, warmed up until compiled. */
  function time(run) {
    let times = 1;
    for (const begin = performance.now(); performance.now() - begin < 150;) for (const one of wasms) run(one, 1);
    for (;; times *= 2) {
      const begin = performance.now();
      run(wasm, times);
      if (performance.now() - begin > 4) break;
    }
    const seconds = wasms.map(() => []);
    for (let round = 0; round < rounds; round++) {
      wasms.forEach((one, i) => {
        const begin = performance.now();
        run(one, times);
        seconds[i].push((performance.now() - begin) / 1000 / times);
      });
    }
    const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
    return {
      best: Math.min(...seconds[0]),
      ratio: seconds[1] && median(seconds[1].map((s, i) => s / seconds[0][i])),
    };
  }
  const giga = (count, { best, ratio }) =>
    (count / best / 1e9).toFixed(1).padStart(7) + (ratio ? ` /${ratio.toFixed(2)}` : '');

  const dots = 1e5 * wasm.dot_products_each(), bytesRead = wasms.map((one) => one.bytes_prepare(256))[0];
  const dot = time((w, n) => w.dot(n * 1e5));
  const read = time((w, n) => w.read(n));
  lines.push(`ceilings: relaxed dot ${giga(dots, dot)} GMAC/s, reading 256 MB ${giga(bytesRead, read)} GB/s`);
  lines.push(`\nproducts, R=${R} K=${K}`, `type   variant   T=1 GB/s, of reading   T=${tokens} GMAC/s, of the dot`);
  for (const [name, type] of types) {
    for (const variant of variants) {
      let right = true;
      let bytes;
      const prepare = (T, copies) => {
        for (const one of wasms) bytes = one.product_prepare(type, R, K, T, copies(bytes));
      };
      const check = () => wasms.forEach((one) => { right = one.product_check(variant) && right; });
      const share = (mine, all) => ` ${(100 * mine / all).toFixed(0).padStart(4)}%`;
      prepare(1, () => 1);
      prepare(1, (size) => Math.ceil(128e6 / size));
      check();
      const one = time((w, n) => w.product_run(variant, n));
      prepare(tokens, () => 1);
      check();
      const many = time((w, n) => w.product_run(variant, n));
      lines.push(`${name.padEnd(6)} ${VARIANTS[variant].padEnd(8)} ${right ? '' : 'WRONG '}` +
        giga(bytes, one) + share(bytes / one.best, bytesRead / read.best) + '      ' +
        giga(tokens * R * K, many) + share(tokens * R * K / many.best, dots / dot.best));
    }
  }
  if (!others) return lines.join('\n');

  lines.push('\nmamba2 scan, H=24 P=64 N=128: G state elements/s');
  for (const variant of variants) {
    const row = [1, 64].map((T) => {
      for (const one of wasms) one.scan_prepare(T, 24, 64, 128);
      return `T=${T} ${giga(T * 24 * 64 * 128, time((w, n) => w.scan_run(variant, n)))}`;
    });
    lines.push(`${VARIANTS[variant].padEnd(8)} ${row.join('  ')}`);
  }
  lines.push('\nelement-wise, n=1536: G elements/s');
  for (const variant of variants) {
    const row = ['silu_mul', 'softplus', 'gelu_erf', 'exp', 'quantize_act', 'rms_norm'].map((name, which) =>
      `${name} ${giga(1536, time((w, n) => w.elementwise_run(variant, which, 1536, n))).trim()}`);
    lines.push(`${VARIANTS[variant].padEnd(8)} ${row.join('  ')}`);
  }
  return lines.join('\n');
}

async function measureInBrowser(name, job) {
  // Isolated, a page has a clock of 5 us instead of 100.
  const headers = { 'content-type': 'text/html', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  const server = createServer((_, response) => response.writeHead(200, headers).end('<!doctype html>'));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const page = await openBrowser(name);
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(measure, job);
  } finally {
    await page.close();
    server.close();
  }
}

const modules = [compile(), ...(values.against ? [readFileSync(values.against)] : [])];
const job = {
  modules: modules.map((bytes) => Buffer.from(bytes).toString('base64')),
  types: Object.entries(TYPES).filter(([name]) => positionals.length === 0 || positionals.includes(name)),
  variants: (values.variants ?? 'simd128,relaxed').split(',').map((name) => ['scalar', 'simd128', 'relaxed'].indexOf(name)),
  rounds: Number(values.rounds ?? 60),
  tokens: Number(values.tokens),
  R: Number(values.rows ?? 3072),
  K: Number(values.cols ?? 768),
  others: positionals.length === 0,
};
console.log(values.browser ? await measureInBrowser(values.browser, job) : await measure(job));
process.exit();
