// Kernel benchmark in Node: `node tests/bench/kernels.mjs [type...]`. Every product is checked against the scalar
// reference before it is timed. T=1 walks over more weights than the caches hold, as decoding a model does; T=64
// stays on one matrix. Beside the figures stand the machine's ceilings, measured in the same run.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

v8.setFlagsFromString('--no-liftoff'); // time optimized code only
if (Number(process.versions.node.split('.')[0]) < 22) {
  // Behind a flag in Node 20, whose baseline compiler (Liftoff, off above) gets the relaxed dot product wrong.
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const VARIANTS = ['scalar', 'simd128', 'relaxed'];
const TYPES = { F32: 0, F16: 1, BF16: 30, Q8_0: 8, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q4_K: 12, Q5_K: 13, Q6_K: 14 };
const R = 3072;
const K = 768;

function compile() {
  const sources = ['quant', 'kernels'].flatMap((folder) =>
    readdirSync(join(root, 'src', folder)).filter((name) => name.endsWith('.c')).map((name) => `src/${folder}/${name}`));
  mkdirSync(join(root, 'build/bench'), { recursive: true });
  const emcc = join(root, 'build/toolchain/emcc');
  execFileSync(emcc, ['-O2', '-std=c11', '-Isrc', '-ffp-contract=off', '-fno-math-errno', '-msimd128', '-mrelaxed-simd',
    '-DITERA_ALL_VARIANTS', '-DNDEBUG', 'tests/bench/kernels.c', ...sources, '--no-entry', '-sSTANDALONE_WASM',
    '-sALLOW_MEMORY_GROWTH', '-sSTACK_SIZE=256KB', '-Wl,--stack-first', '-sMAXIMUM_MEMORY=4GB',
    '-o', 'build/bench/kernels.wasm'], { cwd: root, stdio: 'inherit' });
  return readFileSync(join(root, 'build/bench/kernels.wasm'));
}

async function instantiate(bytes) {
  const module = await WebAssembly.compile(bytes);
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = () => 0;
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  exports._initialize?.();
  return exports;
}

/** Seconds of one call of run(times): the best of many short timings, so that a busy machine disturbs few. */
function time(run) {
  let times = 1;
  for (let warm = 0; warm < 3; warm++) run(1);
  for (;;) {
    const begin = performance.now();
    run(times);
    if (performance.now() - begin > 3) break;
    times *= 2;
  }
  let best = Infinity;
  for (let round = 0; round < 80; round++) {
    const begin = performance.now();
    run(times);
    best = Math.min(best, (performance.now() - begin) / 1000 / times);
  }
  return best;
}

const wasm = await instantiate(compile());
const wanted = process.argv.slice(2);
const types = Object.keys(TYPES).filter((name) => wanted.length === 0 || wanted.includes(name));
const giga = (count, seconds) => (count / seconds / 1e9).toFixed(1).padStart(7);

console.log(`ceilings: relaxed dot ${giga(12 * 16 * 1e5, time((n) => wasm.ceiling_dot(n * 1e5)))} GMAC/s, ` +
  `reading 256 MB ${giga(256 * 2 ** 20, time((n) => wasm.ceiling_read(256, n)))} GB/s`);
console.log(`\nproducts, R=${R} K=${K}`);
console.log('type   variant    T=1 GMAC/s    GB/s   T=64 GMAC/s');
for (const name of types) {
  for (let variant = 0; variant < 3; variant++) {
    if (variant === 0 && wanted.length === 0) continue; // the reference is slow and nobody tunes it
    const bytes = wasm.product_prepare(TYPES[name], R, K, 1, 1);
    wasm.product_prepare(TYPES[name], R, K, 1, Math.ceil(128e6 / bytes));
    const rightOne = wasm.product_check(variant);
    const one = time((n) => wasm.product_run(variant, n));
    wasm.product_prepare(TYPES[name], R, K, 64, 1);
    const right = rightOne && wasm.product_check(variant);
    const many = time((n) => wasm.product_run(variant, n));
    console.log(`${name.padEnd(6)} ${VARIANTS[variant].padEnd(8)} ${right ? '' : 'WRONG'} ${giga(R * K, one).padStart(10)} ` +
      `${giga(bytes, one)} ${giga(64 * R * K, many).padStart(12)}`);
  }
}

console.log('\nmamba2 scan, H=24 P=64 N=128: G state elements/s');
for (let variant = 0; variant < 3; variant++) {
  const row = [1, 64].map((T) => {
    wasm.scan_prepare(T, 24, 64, 128);
    return `T=${T} ${giga(T * 24 * 64 * 128, time((n) => wasm.scan_run(variant, n)))}`;
  });
  console.log(`${VARIANTS[variant].padEnd(8)} ${row.join('  ')}`);
}

console.log('\nelement-wise, n=1536: G elements/s');
const ELEMENTWISE = ['silu', 'softplus', 'gelu_erf', 'exp', 'quantize_act', 'rms_norm'];
for (let variant = 0; variant < 3; variant++) {
  const row = ELEMENTWISE.map((name, which) =>
    `${name} ${giga(1536, time((n) => wasm.elementwise_run(variant, which, 1536, n))).trim()}`);
  console.log(`${VARIANTS[variant].padEnd(8)} ${row.join('  ')}`);
}
