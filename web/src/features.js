import { IteraError } from './errors.js'

/**
 * Which of the three builds this engine can run. A wasm module is validated as a whole, so one instruction
 * it does not know makes the engine refuse the file; a module of a single function tells beforehand.
 *
 * @typedef {import('../types.d.ts').SimdVariant} SimdVariant
 */

/** From the slowest to the fastest. */
export const variants = /** @type {const} */ (['scalar', 'simd128', 'relaxed'])

/**
 * The smallest module with one function () -> () of the given body.
 *
 * @param {number[]} body  instructions without the final `end`
 * @returns {Uint8Array<ArrayBuffer>}
 */
function moduleOf(body) {
  const code = [0, ...body, 0x0b]                       // no locals, the body, end
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,                    // "\0asm", version 1
    1, 4, 1, 0x60, 0, 0,                                // type section: () -> ()
    3, 2, 1, 0,                                         // function section: one function of type 0
    10, code.length + 2, 1, code.length, ...code,       // code section
  ])
}

const splat = [0x41, 0, 0xfd, 0x0f]                     // i32.const 0, i8x16.splat
const drop = 0x1a

/** @type {Record<SimdVariant, Uint8Array<ArrayBuffer>>} */
const probes = {
  scalar: moduleOf([]),
  simd128: moduleOf([...splat, drop]),
  // i32x4.relaxed_dot_i8x16_i7x16_add_s, the instruction that the relaxed build is made for
  relaxed: moduleOf([...splat, ...splat, ...splat, 0xfd, 0x93, 0x02, drop]),
}

/**
 * Sixteen products 2 x 3 added to four ones by relaxed SIMD's dot product: (module (func (export "f") (result i32)
 * lane 0 of i32x4.relaxed_dot_i8x16_i7x16_add_s). The answer is 25.
 */
const relaxedAnswer = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,                      // "\0asm", version 1
  1, 5, 1, 0x60, 0, 1, 0x7f,                            // type section: () -> i32
  3, 2, 1, 0,                                           // function section: one function of type 0
  7, 5, 1, 1, 0x66, 0, 0,                               // export section: function 0 as "f"
  10, 22, 1, 20, 0,                                     // code section: one body, no locals
  0x41, 2, 0xfd, 0x0f, 0x41, 3, 0xfd, 0x0f,             // i8x16.splat of 2, of 3
  0x41, 1, 0xfd, 0x11, 0xfd, 0x93, 0x02,                // i32x4.splat of 1, the dot product
  0xfd, 0x1b, 0, 0x0b,                                  // i32x4.extract_lane 0, end
])

/**
 * Does the engine also get it right? The first compiler of V8 11 (Node 20, behind its flag) accepts relaxed SIMD
 * and computes nonsense.
 *
 * @returns {boolean}
 */
function computesRelaxed() {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(relaxedAnswer))
    return /** @type {() => number} */ (exports.f)() === 25
  } catch {
    return false
  }
}

/**
 * Can this engine run the build of that variant, and rightly?
 *
 * @param {SimdVariant} variant
 * @returns {boolean}
 */
export function validates(variant) {
  return typeof WebAssembly === 'object' && WebAssembly.validate(probes[variant]) &&
    (variant !== 'relaxed' || computesRelaxed())
}

/**
 * The build to load.
 *
 * @param {SimdVariant | 'auto'} [wanted]
 * @returns {SimdVariant}
 */
export function chooseVariant(wanted = 'auto') {
  if (typeof WebAssembly !== 'object') throw new IteraError('unsupported', 'this engine has no WebAssembly')
  if (wanted === 'auto') return [...variants].reverse().find(validates) ?? 'scalar'
  if (!variants.includes(wanted)) {
    throw new IteraError('argument', `simd must be auto, ${variants.join(', ')}; got '${wanted}'`)
  }
  if (!validates(wanted)) {
    throw new IteraError('unsupported', `this engine does not validate the ${wanted} build of WebAssembly`)
  }
  return wanted
}
