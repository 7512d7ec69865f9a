/* 128-bit vectors, private to src/kernels: WebAssembly's own intrinsics, or natively SIMDe's portable ones,
 * so that sanitizers and native tests run the very source that becomes wasm.
 *
 *   ITERA_HAVE_SIMD128   1 where vectors exist
 *   ITERA_HAVE_RELAXED   1 where the relaxed instructions exist (natively: stand-ins below) */
#ifndef ITERA_KERNELS_SIMD_H
#define ITERA_KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__wasm__)
#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#define ITERA_HAVE_SIMD128 1
#endif
#if defined(__wasm_relaxed_simd__)
#define ITERA_HAVE_RELAXED 1
#endif
#elif defined(__has_include)
#if __has_include(<simde/wasm/simd128.h>)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>
#define ITERA_HAVE_SIMD128 1
#define ITERA_HAVE_RELAXED 1
#endif
#endif

#ifndef ITERA_HAVE_SIMD128
#define ITERA_HAVE_SIMD128 0
#endif
#ifndef ITERA_HAVE_RELAXED
#define ITERA_HAVE_RELAXED 0
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define ITERA_INLINE static inline __attribute__((always_inline, unused))

/* Unrolls the loop that follows; what it walks over stays in registers then. TWICE: two turns at a time, where all
 * would be too many. KEEP_LOOP: what the compiler would unroll to no one's gain. Natively there is no hurry. */
#if defined(__wasm__)
#define ITERA_UNROLL _Pragma("clang loop unroll(full)")
#define ITERA_UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#define ITERA_KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define ITERA_UNROLL
#define ITERA_UNROLL_TWICE
#define ITERA_KEEP_LOOP
#endif

/* Engines take vector instructions in the order in which they stand, and LLVM, left alone, finishes one
 * accumulator before it begins the next: a chain of dependent instructions with every operand waiting in a
 * register that does not exist. ITERA_PIN(v) makes v happen here, which keeps interleaved chains as they are
 * written and doubles the speed of a tile. (wasm-opt -O3 undoes it: link with -O2.) */
#if defined(__wasm__)
#define ITERA_PIN(v) __asm__ volatile("" : "+r"(v))
#else
#define ITERA_PIN(v) (void)(v)
#endif

#if ITERA_HAVE_SIMD128

/* Four times the same 32 bits, out of memory: a v128.const is 18 bytes of wasm, and V8 makes it anew by three
 * instructions wherever it is used, be it in a variable or not. LLVM would make it one if it knew what is there. */
#if defined(__wasm__)
ITERA_INLINE v128_t itera_load_constant(const void *constant)
{
    __asm__("" : "+r"(constant));
    return wasm_v128_load32_splat(constant);
}
#define ITERA_CONSTANT_OF(type, value) \
    (__extension__({ static const type itera_constant = (value); itera_load_constant(&itera_constant); }))
#define ITERA_CONSTANT(value) ITERA_CONSTANT_OF(float, value)
#define ITERA_CONSTANT_BITS(value) ITERA_CONSTANT_OF(uint32_t, value)
#else
#define ITERA_CONSTANT(value) wasm_f32x4_splat(value)
#define ITERA_CONSTANT_BITS(value) wasm_i32x4_splat((int32_t)(value))
#endif

/* The first n (1..4) floats at p, zeros in the other lanes; and the inverse. */
ITERA_INLINE v128_t itera_load_part(const float *p, size_t n)
{
    if (n >= 4) {
        return wasm_v128_load(p);
    }
    float lanes[4] = {0};
    for (size_t i = 0; i < n; i++) {
        lanes[i] = p[i];
    }
    return wasm_v128_load(lanes);
}

ITERA_INLINE void itera_store_part(float *p, v128_t value, size_t n)
{
    if (n >= 4) {
        wasm_v128_store(p, value);
        return;
    }
    float lanes[4];
    wasm_v128_store(lanes, value);
    for (size_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}

/* Lanes 0 1 2 3 as (0+1)+(2+3). */
ITERA_INLINE float itera_sum_lanes(v128_t v)
{
    return (wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1)) +
           (wasm_f32x4_extract_lane(v, 2) + wasm_f32x4_extract_lane(v, 3));
}

#endif /* ITERA_HAVE_SIMD128 */

#if ITERA_HAVE_RELAXED

#if defined(__wasm__)

ITERA_INLINE v128_t itera_relaxed_madd(v128_t a, v128_t b, v128_t c)
{
    return wasm_f32x4_relaxed_madd(a, b, c);
}

/* acc + the four products of each 32-bit lane: a signed, b in 0..127 for the same result everywhere. */
ITERA_INLINE v128_t itera_relaxed_dot(v128_t a, v128_t b, v128_t acc)
{
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, acc);
}

#else

/* Fused, as engines on machines with that instruction do it, so that tests see the difference. */
ITERA_INLINE v128_t itera_relaxed_madd(v128_t a, v128_t b, v128_t c)
{
    float x[4], y[4], sum[4];
    wasm_v128_store(x, a);
    wasm_v128_store(y, b);
    wasm_v128_store(sum, c);
    for (int lane = 0; lane < 4; lane++) {
        sum[lane] = __builtin_fmaf(x[lane], y[lane], sum[lane]);
    }
    return wasm_v128_load(sum);
}

/* What the stand-in does with a second operand above 127. Engines differ; tests try all three. */
enum { ITERA_DOT_UNSIGNED, ITERA_DOT_SIGNED, ITERA_DOT_SATURATING };
extern int itera_native_dot;

ITERA_INLINE v128_t itera_relaxed_dot(v128_t a, v128_t b, v128_t acc)
{
    int8_t x[16], w[16];
    int32_t sum[4];
    wasm_v128_store(x, a);
    wasm_v128_store(w, b);
    wasm_v128_store(sum, acc);
    for (int lane = 0; lane < 4; lane++) {
        for (int pair = 4 * lane; pair < 4 * lane + 4; pair += 2) {
            int32_t first = itera_native_dot == ITERA_DOT_SIGNED ? w[pair] : (uint8_t)w[pair];
            int32_t second = itera_native_dot == ITERA_DOT_SIGNED ? w[pair + 1] : (uint8_t)w[pair + 1];
            int32_t two = first * x[pair] + second * x[pair + 1];
            if (itera_native_dot == ITERA_DOT_SATURATING) {
                two = two > INT16_MAX ? INT16_MAX : two < INT16_MIN ? INT16_MIN : two;
            }
            sum[lane] += two;
        }
    }
    return wasm_v128_load(sum);
}

#endif
#endif /* ITERA_HAVE_RELAXED */

#endif
