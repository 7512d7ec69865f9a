/* Transcendental functions in one rounding order, scalar form. kernels/math_simd.h repeats every line on
 * vectors: the two must change together (tests/c/test_kernels.c compares them bit for bit).
 *
 * The polynomials are minimax fits made for this file. Errors were measured over the whole range against
 * double precision; tests/c/test_kernels.c holds them. */
#ifndef ITERA_KERNELS_MATH_SCALAR_H
#define ITERA_KERNELS_MATH_SCALAR_H

#include "quant/half.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* a fused multiply-add would break the equality of variants */
#endif

#define ITERA_EXP_LOW (-87.3f) /* e^x is still a normal number here; 0 below */
#define ITERA_EXP_HIGH 88.37f  /* the last x whose power of two is an f32 exponent; saturates above */
#define ITERA_LOG2_E 1.44269504f
#define ITERA_LN2_HIGH 0.693359375f /* 9 bits: n * LN2_HIGH is exact */
#define ITERA_LN2_LOW (-2.12194440e-4f)
#define ITERA_ROUND_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer in the low bits */

/* (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2 */
#define ITERA_EXP_C0 0.4999999345f
#define ITERA_EXP_C1 0.1666652063f
#define ITERA_EXP_C2 0.04166838778f
#define ITERA_EXP_C3 0.008368716671f
#define ITERA_EXP_C4 0.001381461204f

/* (2^r - 1) / r on |r| <= 1/2 */
#define ITERA_EXP2_C0 0.6931470037f
#define ITERA_EXP2_C1 0.2402224243f
#define ITERA_EXP2_C2 0.05550733581f
#define ITERA_EXP2_C3 0.009671512991f
#define ITERA_EXP2_C4 0.001326472731f
#define ITERA_DECAY_LOW (-100.0f) /* exponents below count as this: a state times 2^-100 is no subnormal yet */

/* (2 atanh(s) / s - 2) / s^2 as a polynomial in s^2 on s^2 <= 1/9 */
#define ITERA_LOG1P_C0 0.6666641313f
#define ITERA_LOG1P_C1 0.4002169906f
#define ITERA_LOG1P_C2 0.2799914099f
#define ITERA_LOG1P_C3 0.2802445925f

/* e^(a^2) erfc(a) as a polynomial in u = a / (2.5 + a), a in 0..9.4 */
#define ITERA_ERFC_HALF_WAY 2.5f
#define ITERA_ERFC_C0 1.0f
#define ITERA_ERFC_C1 (-2.820947509f)
#define ITERA_ERFC_C2 3.429049478f
#define ITERA_ERFC_C3 (-2.07503815f)
#define ITERA_ERFC_C4 0.2008738921f
#define ITERA_ERFC_C5 0.3791384f
#define ITERA_ERFC_C6 0.02483732379f
#define ITERA_ERFC_C7 (-0.2188766407f)
#define ITERA_ERFC_C8 0.08108469939f
#define ITERA_SQRT_HALF 0.707106781f

/* e^x = 2^n e^r with n = round(x / ln 2). Relative error below 1e-7, one unit in the last place. NaN stays
 * NaN. */
static inline float itera_exp1(float x)
{
    float high = ITERA_EXP_HIGH < x ? ITERA_EXP_HIGH : x;
    float shifted = high * ITERA_LOG2_E + ITERA_ROUND_MAGIC;
    float n = shifted - ITERA_ROUND_MAGIC;
    float r = (high - n * ITERA_LN2_HIGH) - n * ITERA_LN2_LOW;
    float p = ITERA_EXP_C4;
    p = p * r + ITERA_EXP_C3;
    p = p * r + ITERA_EXP_C2;
    p = p * r + ITERA_EXP_C1;
    p = p * r + ITERA_EXP_C0;
    p = p * (r * r) + r;
    p = p + 1.0f;
    float power = itera_bits_to_f32((itera_f32_to_bits(shifted) << 23) + 0x3f800000u);
    return x < ITERA_EXP_LOW ? 0.0f : p * power;
}

/* 2^z for a decay, z from -100 (which stands for all below, and NaN) to 0. Relative error below 1.7e-7. */
static inline float itera_decay1(float z)
{
    float bounded = ITERA_DECAY_LOW < z ? z : ITERA_DECAY_LOW;
    float shifted = bounded + ITERA_ROUND_MAGIC;
    float r = bounded - (shifted - ITERA_ROUND_MAGIC);
    float p = ITERA_EXP2_C4;
    p = p * r + ITERA_EXP2_C3;
    p = p * r + ITERA_EXP2_C2;
    p = p * r + ITERA_EXP2_C1;
    p = p * r + ITERA_EXP2_C0;
    p = p * r + 1.0f;
    return itera_bits_to_f32(itera_f32_to_bits(p) + (itera_f32_to_bits(shifted) << 23));
}

static inline float itera_silu1(float x) { return x / (1.0f + itera_exp1(-x)); }

/* ln(1 + e^x) = max(x, 0) + ln(1 + t) with t = e^-|x|, ln(1 + t) = 2 atanh(t / (2 + t)).
 * Relative error below 2.5e-7; above 20 the second term is below half a unit of the first. */
static inline float itera_softplus1(float x)
{
    float t = itera_exp1(-itera_bits_to_f32(itera_f32_to_bits(x) & 0x7fffffffu));
    float s = t / (2.0f + t);
    float z = s * s;
    float p = ITERA_LOG1P_C3;
    p = p * z + ITERA_LOG1P_C2;
    p = p * z + ITERA_LOG1P_C1;
    p = p * z + ITERA_LOG1P_C0;
    p = (p * z) * s + (s + s);
    return (x < 0.0f ? 0.0f : x) + p;
}

/* x/2 (1 + erf(x / sqrt 2)) by erfc(a) = e^(-a^2) P(a / (2.5 + a)), a = |x| / sqrt 2: no cancellation on the
 * negative side. Absolute error of 1 + erf below 3e-7. */
static inline float itera_gelu1(float x)
{
    float a = itera_bits_to_f32(itera_f32_to_bits(x) & 0x7fffffffu) * ITERA_SQRT_HALF;
    float u = a / (ITERA_ERFC_HALF_WAY + a);
    float p = ITERA_ERFC_C8;
    p = p * u + ITERA_ERFC_C7;
    p = p * u + ITERA_ERFC_C6;
    p = p * u + ITERA_ERFC_C5;
    p = p * u + ITERA_ERFC_C4;
    p = p * u + ITERA_ERFC_C3;
    p = p * u + ITERA_ERFC_C2;
    p = p * u + ITERA_ERFC_C1;
    p = p * u + ITERA_ERFC_C0;
    float erfc = itera_exp1(-(a * a)) * p;
    return (x * 0.5f) * (x < 0.0f ? erfc : 2.0f - erfc);
}

/* Partial sums in the order that kernels.h states. */
typedef struct itera_sum16 {
    float part[16];
} itera_sum16;

static inline float itera_sum16_total(const itera_sum16 *sum)
{
    float lane[4];
    for (int l = 0; l < 4; l++) {
        lane[l] = (sum->part[l] + sum->part[l + 4]) + (sum->part[l + 8] + sum->part[l + 12]);
    }
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

#endif
