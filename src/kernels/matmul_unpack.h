/* From packed blocks to ready operands. Adding a type to the vector products means adding its functions here
 * and its descriptor at the end.
 *
 *   head_<type>(head, block, k)       what a packed block holds once: f32 scales of the 4 rows, then minima
 *   pair_<type>(q, block, sub, v, k)  unsigned quants in chunk order (quant/packed.h): chunks v and v + 4
 *   scale_..(head, block, sub)        f32 scale of each of the 4 rows
 *   min_..(head, block, sub)          f32 additive minimum of each row, where the type has one
 *   halves_<type>(out, block, sub)    integers beside the scale in head, for each half of each row
 *   nibbles_<type>(block, sub)        where 4 vectors of nibbles are, of types that have nothing else
 *
 * k: the constants of all of them. */
#ifndef ITERA_KERNELS_MATMUL_UNPACK_H
#define ITERA_KERNELS_MATMUL_UNPACK_H

#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "quant/packed.h"

/* Vectors that unpacking needs again and again, out of memory, so that they stay in registers. */
typedef struct unpack_constants {
    v128_t nibble;    /* 15 in each byte */
    v128_t nibbles[3]; /* the lowest, second and third of each 16-bit lane; simd128 only */
    v128_t six;       /* 63 in each byte */
    v128_t fifth;     /* 16 in each byte */
    v128_t even;      /* 255 in each 16-bit lane */
    v128_t half_bits; /* sign, exponent and mantissa of upper_halves_to_f32 */
    v128_t half_unit; /* its 2^112 */
    v128_t half_exponent, half_mantissa, half_bias, one; /* 31, 1023, 103 and 1 in each 16-bit lane */
} unpack_constants;

ITERA_INLINE unpack_constants make_constants(void)
{
    return (unpack_constants){
        .nibble = ITERA_CONSTANT_BITS(0x0f0f0f0f),
#if ITERA_WIDEN
        .nibbles = {ITERA_CONSTANT_BITS(0x000f000f), ITERA_CONSTANT_BITS(0x00f000f0),
                    ITERA_CONSTANT_BITS(0x0f000f00)},
#endif
        .six = ITERA_CONSTANT_BITS(0x3f3f3f3f),
        .fifth = ITERA_CONSTANT_BITS(0x10101010),
        .even = ITERA_CONSTANT_BITS(0x00ff00ff),
        .half_bits = ITERA_CONSTANT_BITS(0x8fffe000),
        .half_unit = ITERA_CONSTANT(0x1p112f),
        .half_exponent = ITERA_CONSTANT_BITS(0x001f001f),
        .half_mantissa = ITERA_CONSTANT_BITS(0x03ff03ff),
        .half_bias = ITERA_CONSTANT_BITS(0x00670067),
        .one = ITERA_CONSTANT_BITS(0x00010001),
    };
}

/* 4 halves already moved to the upper 16 bits of their lanes. An arithmetic shift by 3 brings exponent and
 * mantissa to their f32 places with copies of the sign between; see itera_finite_half_to_f32. */
ITERA_INLINE v128_t upper_halves_to_f32(v128_t upper, const unpack_constants *k)
{
    return wasm_f32x4_mul(wasm_v128_and(wasm_i32x4_shr(upper, 3), k->half_bits), k->half_unit);
}

ITERA_INLINE v128_t load_halves(const uint16_t halves[4], const unpack_constants *k)
{
    v128_t zero = wasm_i32x4_splat(0);
    return upper_halves_to_f32(
        wasm_i16x8_shuffle(zero, wasm_v128_load64_zero(halves), 0, 8, 1, 9, 2, 10, 3, 11), k);
}

/* 8 halves to f32 without a subnormal f32 on the way, which would cost some processors a hundred cycles: the scales
 * of K types, themselves divided by 63 or 128, are often subnormal halves. An integer of 11 bits, signed, times a
 * power of two; a subnormal half has the exponent 1 as well, but no leading bit. */
ITERA_INLINE void small_halves_to_f32(v128_t out[2], v128_t halves, const unpack_constants *k)
{
    v128_t exponent = wasm_v128_and(wasm_u16x8_shr(halves, 10), k->half_exponent);
    v128_t is_normal = wasm_u16x8_min(exponent, k->one);
    v128_t magnitude = wasm_v128_or(wasm_v128_and(halves, k->half_mantissa), wasm_i16x8_shl(is_normal, 10));
    v128_t sign = wasm_i16x8_shr(halves, 15);
    v128_t integer = wasm_i16x8_sub(wasm_v128_xor(magnitude, sign), sign);
    v128_t power = wasm_i16x8_add(wasm_i16x8_sub(exponent, is_normal), k->half_bias);
    out[0] = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(integer)),
                            wasm_i32x4_shl(wasm_u32x4_extend_low_u16x8(power), 23));
    out[1] = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(integer)),
                            wasm_i32x4_shl(wasm_u32x4_extend_high_u16x8(power), 23));
}

ITERA_INLINE void load_nibbles(v128_t q[2], const uint8_t packed[16], const unpack_constants *k)
{
    v128_t both = wasm_v128_load(packed);
    q[0] = wasm_v128_and(both, k->nibble);
    q[1] = wasm_v128_and(wasm_u16x8_shr(both, 4), k->nibble);
}

/* Bit v of each byte of `high` becomes the 5th bit of chunk v. Shifts of 16-bit lanes carry bits across bytes;
 * the mask drops them. */
ITERA_INLINE void add_fifth_bits(v128_t q[2], const uint8_t high[16], int v, const unpack_constants *k)
{
    v128_t bits = wasm_v128_load(high);
    v128_t first = v == 4 ? bits : wasm_i16x8_shl(bits, (uint32_t)(4 - v));
    v128_t second = v == 0 ? bits : wasm_u16x8_shr(bits, (uint32_t)v);
    q[0] = wasm_v128_or(q[0], wasm_v128_and(first, k->fifth));
    q[1] = wasm_v128_or(q[1], wasm_v128_and(second, k->fifth));
}

/* The chunk that lies on top of three others, 2 bits of each byte in each. */
ITERA_INLINE v128_t load_upper_bits(const uint8_t packed[3][16], const unpack_constants *k)
{
    v128_t bits = wasm_u16x8_shr(wasm_v128_andnot(wasm_v128_load(packed[0]), k->six), 2);
    bits = wasm_u16x8_shr(wasm_v128_or(bits, wasm_v128_andnot(wasm_v128_load(packed[1]), k->six)), 2);
    return wasm_u16x8_shr(wasm_v128_or(bits, wasm_v128_andnot(wasm_v128_load(packed[2]), k->six)), 2);
}

ITERA_INLINE v128_t scale_whole(const v128_t head[2], const void *packed, int sub)
{
    (void)packed, (void)sub;
    return head[0];
}

ITERA_INLINE v128_t min_whole(const v128_t head[2], const void *packed, int sub)
{
    (void)packed, (void)sub;
    return head[1];
}

/* ---- Q8_0 ---- */

ITERA_INLINE void head_q8_0(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q8_0 *block = packed;
    head[0] = load_halves(block->d, k);
}

ITERA_INLINE void pair_q8_0(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    const itera_packed_q8_0 *block = packed;
    (void)sub, (void)k;
    q[0] = wasm_v128_load(block->q[v]);
    q[1] = wasm_v128_load(block->q[v + 4]);
}

/* ---- Q4_0, Q4_1 ---- */

ITERA_INLINE void head_q4_0(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q4_0 *block = packed;
    head[0] = load_halves(block->d, k);
}

ITERA_INLINE const uint8_t *nibbles_q4_0(const void *packed, int sub)
{
    const itera_packed_q4_0 *block = packed;
    (void)sub;
    return block->q[0];
}

ITERA_INLINE void pair_q4_0(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    load_nibbles(q, nibbles_q4_0(packed, sub) + 16 * v, k);
}

ITERA_INLINE void head_q4_1(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q4_1 *block = packed;
    head[0] = load_halves(block->d, k);
    head[1] = load_halves(block->m, k);
}

ITERA_INLINE const uint8_t *nibbles_q4_1(const void *packed, int sub)
{
    const itera_packed_q4_1 *block = packed;
    (void)sub;
    return block->q[0];
}

ITERA_INLINE void pair_q4_1(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    load_nibbles(q, nibbles_q4_1(packed, sub) + 16 * v, k);
}

/* ---- Q5_0, Q5_1 ---- */

ITERA_INLINE void head_q5_0(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q5_0 *block = packed;
    head[0] = load_halves(block->d, k);
}

ITERA_INLINE void pair_q5_0(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    const itera_packed_q5_0 *block = packed;
    (void)sub;
    load_nibbles(q, block->q[v], k);
    add_fifth_bits(q, block->high, v, k);
}

ITERA_INLINE void head_q5_1(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q5_1 *block = packed;
    head[0] = load_halves(block->d, k);
    head[1] = load_halves(block->m, k);
}

ITERA_INLINE void pair_q5_1(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    const itera_packed_q5_1 *block = packed;
    (void)sub;
    load_nibbles(q, block->q[v], k);
    add_fifth_bits(q, block->high, v, k);
}

/* ---- Q4_K, Q5_K: 4 scales and 4 minima are 8 neighbouring bytes ---- */

ITERA_INLINE v128_t scale_of_bytes(v128_t d, const uint8_t scales[8])
{
    v128_t lanes = wasm_u32x4_extend_low_u16x8(wasm_u16x8_load8x8(scales));
    return wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(lanes));
}

ITERA_INLINE v128_t min_of_bytes(v128_t dmin, const uint8_t scales[8])
{
    v128_t lanes = wasm_u32x4_extend_high_u16x8(wasm_u16x8_load8x8(scales));
    return wasm_f32x4_mul(dmin, wasm_f32x4_convert_i32x4(lanes));
}

ITERA_INLINE void head_q4_k(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q4_k *block = packed;
    small_halves_to_f32(head, wasm_v128_load(block->d), k); /* dmin stands behind d */
    head[1] = wasm_f32x4_neg(head[1]);
}

ITERA_INLINE const uint8_t *nibbles_q4_k(const void *packed, int sub)
{
    const itera_packed_q4_k *block = packed;
    return block->q[sub][0];
}

ITERA_INLINE void pair_q4_k(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    load_nibbles(q, nibbles_q4_k(packed, sub) + 16 * v, k);
}

ITERA_INLINE v128_t scale_q4_k(const v128_t head[2], const void *packed, int sub)
{
    const itera_packed_q4_k *block = packed;
    return scale_of_bytes(head[0], block->scales[sub]);
}

ITERA_INLINE v128_t min_q4_k(const v128_t head[2], const void *packed, int sub)
{
    const itera_packed_q4_k *block = packed;
    return min_of_bytes(head[1], block->scales[sub]);
}

ITERA_INLINE void head_q5_k(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q5_k *block = packed;
    small_halves_to_f32(head, wasm_v128_load(block->d), k);
    head[1] = wasm_f32x4_neg(head[1]);
}

ITERA_INLINE void pair_q5_k(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    const itera_packed_q5_k *block = packed;
    load_nibbles(q, block->sub[sub].q[v], k);
    add_fifth_bits(q, block->sub[sub].high, v, k);
}

ITERA_INLINE v128_t scale_q5_k(const v128_t head[2], const void *packed, int sub)
{
    const itera_packed_q5_k *block = packed;
    return scale_of_bytes(head[0], block->scales[sub]);
}

ITERA_INLINE v128_t min_q5_k(const v128_t head[2], const void *packed, int sub)
{
    const itera_packed_q5_k *block = packed;
    return min_of_bytes(head[1], block->scales[sub]);
}

/* ---- Q6_K ---- */

ITERA_INLINE void head_q6_k(v128_t head[2], const void *packed, const unpack_constants *k)
{
    const itera_packed_q6_k *block = packed;
    small_halves_to_f32(head, wasm_v128_load64_zero(block->d), k);
}

ITERA_INLINE void pair_q6_k(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    const itera_packed_q6_k *block = packed;
    if (v == 3) {
        q[0] = load_upper_bits(block->q[sub][0], k);
        q[1] = load_upper_bits(block->q[sub][1], k);
    } else {
        q[0] = wasm_v128_and(wasm_v128_load(block->q[sub][0][v]), k->six);
        q[1] = wasm_v128_and(wasm_v128_load(block->q[sub][1][v]), k->six);
    }
}

/* LLVM, left alone, would load the second half by itself, with a shuffle. */
ITERA_INLINE void halves_q6_k(v128_t out[2], const void *packed, int sub)
{
    const itera_packed_q6_k *block = packed;
    v128_t lanes = wasm_i16x8_load8x8(block->scales[sub]);
    ITERA_PIN(lanes);
    out[0] = wasm_i32x4_extend_low_i16x8(lanes);
    out[1] = wasm_i32x4_extend_high_i16x8(lanes);
}

/* ---- What the product loops know of a type ----
 * The loops are inlined into each type's functions with its descriptor as a constant, so that no call and no
 * test of these fields is left. */

/* How a type departs from w = scale q. */
enum {
    kind_offset,  /* w = scale (q - offset): repaid in integers */
    kind_minimum, /* w = scale q + min */
    kind_halves   /* as kind_offset, an integer beside the scale for each 16 columns: repaid for each */
};

typedef struct vector_type {
    int subs; /* 32-column blocks of a packed block: 1 or 8 */
    size_t block_bytes;
    int kind;
    int repay;  /* which of the activations' sums repays the offset */
    int coarse; /* relaxed: the high plane of the activations is enough in every block */
    void (*head)(v128_t head[2], const void *packed, const unpack_constants *k);
    void (*pair)(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k);
    v128_t (*scale)(const v128_t head[2], const void *packed, int sub); /* all but kind_halves */
    v128_t (*min)(const v128_t head[2], const void *packed, int sub);   /* kind_minimum only */
    void (*halves)(v128_t out[2], const void *packed, int sub);         /* kind_halves only */
    const uint8_t *(*nibbles)(const void *packed, int sub); /* [4][16], of types that have nothing else */
} vector_type;

#define ITERA_VECTOR_TYPE static const vector_type __attribute__((unused))
#define ITERA_VECTOR_32(name, its_kind, its_repay, its_min, its_nibbles)                                     \
    ITERA_VECTOR_TYPE vector_##name = {.subs = 1,                                                            \
                                       .block_bytes = sizeof(itera_packed_##name),                           \
                                       .kind = its_kind,                                                     \
                                       .repay = its_repay,                                                   \
                                       .head = head_##name,                                                  \
                                       .pair = pair_##name,                                                  \
                                       .scale = scale_whole,                                                 \
                                       .min = its_min,                                                       \
                                       .nibbles = its_nibbles};
#define ITERA_VECTOR_K(name, its_nibbles)                                                                    \
    ITERA_VECTOR_TYPE vector_##name = {.subs = 8,                                                            \
                                       .block_bytes = sizeof(itera_packed_##name),                           \
                                       .kind = kind_minimum,                                                 \
                                       .coarse = 1,                                                          \
                                       .head = head_##name,                                                  \
                                       .pair = pair_##name,                                                  \
                                       .scale = scale_##name,                                                \
                                       .min = min_##name,                                                    \
                                       .nibbles = its_nibbles};
ITERA_VECTOR_32(q8_0, kind_offset, ITERA_REPAY_128, NULL, NULL)
ITERA_VECTOR_32(q4_0, kind_offset, ITERA_REPAY_8, NULL, nibbles_q4_0)
ITERA_VECTOR_32(q4_1, kind_minimum, ITERA_REPAY_0, min_whole, nibbles_q4_1)
ITERA_VECTOR_32(q5_0, kind_offset, ITERA_REPAY_16, NULL, NULL)
ITERA_VECTOR_32(q5_1, kind_minimum, ITERA_REPAY_0, min_whole, NULL)
ITERA_VECTOR_K(q4_k, nibbles_q4_k)
ITERA_VECTOR_K(q5_k, NULL)
ITERA_VECTOR_TYPE vector_q6_k = {.subs = 8,
                                 .block_bytes = sizeof(itera_packed_q6_k),
                                 .kind = kind_halves,
                                 .coarse = 1,
                                 .head = head_q6_k,
                                 .pair = pair_q6_k,
                                 .halves = halves_q6_k};

#endif
