/* kernels/math_scalar.h on vectors, line for line. The includer defines ITERA_MADD(a, b, c) = a b + c, fused
 * or not; unfused, every lane has the bits of the scalar form. */
#ifndef ITERA_KERNELS_MATH_SIMD_H
#define ITERA_KERNELS_MATH_SIMD_H

#include "kernels/math_scalar.h"
#include "kernels/simd.h"

ITERA_INLINE v128_t itera_exp4(v128_t x)
{
    v128_t high = wasm_f32x4_pmin(x, ITERA_CONSTANT(ITERA_EXP_HIGH));
    v128_t shifted = ITERA_MADD(high, ITERA_CONSTANT(ITERA_LOG2_E), ITERA_CONSTANT(ITERA_ROUND_MAGIC));
    v128_t n = wasm_f32x4_sub(shifted, ITERA_CONSTANT(ITERA_ROUND_MAGIC));
    v128_t r = ITERA_MADD(n, ITERA_CONSTANT(-ITERA_LN2_HIGH), high);
    r = ITERA_MADD(n, ITERA_CONSTANT(-ITERA_LN2_LOW), r);
    v128_t p = ITERA_CONSTANT(ITERA_EXP_C4);
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP_C3));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP_C2));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP_C1));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP_C0));
    p = ITERA_MADD(p, wasm_f32x4_mul(r, r), r);
    p = wasm_f32x4_add(p, ITERA_CONSTANT(1.0f));
    v128_t power = wasm_i32x4_add(wasm_i32x4_shl(shifted, 23), wasm_i32x4_splat(0x3f800000));
    return wasm_v128_andnot(wasm_f32x4_mul(p, power), wasm_f32x4_lt(x, ITERA_CONSTANT(ITERA_EXP_LOW)));
}

ITERA_INLINE v128_t itera_decay4(v128_t z)
{
    v128_t bounded = wasm_f32x4_pmax(ITERA_CONSTANT(ITERA_DECAY_LOW), z);
    v128_t shifted = wasm_f32x4_add(bounded, ITERA_CONSTANT(ITERA_ROUND_MAGIC));
    v128_t r = wasm_f32x4_sub(bounded, wasm_f32x4_sub(shifted, ITERA_CONSTANT(ITERA_ROUND_MAGIC)));
    v128_t p = ITERA_CONSTANT(ITERA_EXP2_C4);
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP2_C3));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP2_C2));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP2_C1));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(ITERA_EXP2_C0));
    p = ITERA_MADD(p, r, ITERA_CONSTANT(1.0f));
    return wasm_i32x4_add(p, wasm_i32x4_shl(shifted, 23));
}

ITERA_INLINE v128_t itera_silu4(v128_t x)
{
    return wasm_f32x4_div(x, wasm_f32x4_add(ITERA_CONSTANT(1.0f), itera_exp4(wasm_f32x4_neg(x))));
}

ITERA_INLINE v128_t itera_softplus4(v128_t x)
{
    v128_t t = itera_exp4(wasm_v128_or(x, wasm_i32x4_splat(INT32_MIN))); /* -|x| */
    v128_t s = wasm_f32x4_div(t, wasm_f32x4_add(ITERA_CONSTANT(2.0f), t));
    v128_t z = wasm_f32x4_mul(s, s);
    v128_t p = ITERA_CONSTANT(ITERA_LOG1P_C3);
    p = ITERA_MADD(p, z, ITERA_CONSTANT(ITERA_LOG1P_C2));
    p = ITERA_MADD(p, z, ITERA_CONSTANT(ITERA_LOG1P_C1));
    p = ITERA_MADD(p, z, ITERA_CONSTANT(ITERA_LOG1P_C0));
    p = ITERA_MADD(wasm_f32x4_mul(p, z), s, wasm_f32x4_add(s, s));
    return wasm_f32x4_add(wasm_v128_andnot(x, wasm_f32x4_lt(x, ITERA_CONSTANT(0.0f))), p);
}

ITERA_INLINE v128_t itera_gelu4(v128_t x)
{
    v128_t a = wasm_f32x4_mul(wasm_f32x4_abs(x), ITERA_CONSTANT(ITERA_SQRT_HALF));
    v128_t u = wasm_f32x4_div(a, wasm_f32x4_add(ITERA_CONSTANT(ITERA_ERFC_HALF_WAY), a));
    v128_t p = ITERA_CONSTANT(ITERA_ERFC_C8);
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C7));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C6));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C5));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C4));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C3));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C2));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C1));
    p = ITERA_MADD(p, u, ITERA_CONSTANT(ITERA_ERFC_C0));
    v128_t erfc = wasm_f32x4_mul(itera_exp4(wasm_f32x4_neg(wasm_f32x4_mul(a, a))), p);
    v128_t other = wasm_f32x4_sub(ITERA_CONSTANT(2.0f), erfc);
    v128_t negative = wasm_f32x4_lt(x, ITERA_CONSTANT(0.0f));
    return wasm_f32x4_mul(wasm_f32x4_mul(x, ITERA_CONSTANT(0.5f)), wasm_v128_bitselect(erfc, other, negative));
}

#endif
