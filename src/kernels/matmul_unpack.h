/* From packed blocks to ready operands. Adding a type to the vector products means adding its functions here
 * and its descriptor at the end.
 *
 *   quants_<type>(q, block, sub)      8 vectors of unsigned quants in chunk order (quant/packed.h)
 *   scale_<type>(block, sub, half)    f32 scale of each of the 4 rows
 *   min_<type>(block, sub)            f32 additive minimum of each row, where the type has one */
#ifndef ITERA_KERNELS_MATMUL_UNPACK_H
#define ITERA_KERNELS_MATMUL_UNPACK_H

#include "kernels/simd.h"
#include "quant/packed.h"

/* 4 halves already moved to the upper 16 bits of their lanes. An arithmetic shift by 3 brings exponent and
 * mantissa to their f32 places with copies of the sign between; see itera_finite_half_to_f32. */
ITERA_INLINE v128_t upper_halves_to_f32(v128_t upper)
{
    v128_t bits = wasm_v128_and(wasm_i32x4_shr(upper, 3), wasm_i32x4_splat((int32_t)0x8fffe000u));
    return wasm_f32x4_mul(bits, wasm_f32x4_splat(0x1p112f));
}

ITERA_INLINE v128_t load_halves(const uint16_t halves[4])
{
    v128_t zero = wasm_i32x4_splat(0);
    return upper_halves_to_f32(
        wasm_i16x8_shuffle(zero, wasm_v128_load64_zero(halves), 0, 8, 1, 9, 2, 10, 3, 11));
}

ITERA_INLINE void load_nibbles(v128_t q[8], const uint8_t packed[4][16])
{
    const v128_t mask = wasm_i8x16_splat(15);
    for (int v = 0; v < 4; v++) {
        v128_t both = wasm_v128_load(packed[v]);
        q[v] = wasm_v128_and(both, mask);
        q[v + 4] = wasm_v128_and(wasm_u16x8_shr(both, 4), mask);
    }
}

/* Adds bit j of each byte of `high` to chunk j as its 5th bit. Shifts of 16-bit lanes carry bits across
 * bytes; the mask drops them. */
ITERA_INLINE void add_fifth_bits(v128_t q[8], const uint8_t high[16])
{
    const v128_t mask = wasm_i8x16_splat(16);
    v128_t bits = wasm_v128_load(high);
    q[0] = wasm_v128_or(q[0], wasm_v128_and(wasm_i16x8_shl(bits, 4), mask));
    q[1] = wasm_v128_or(q[1], wasm_v128_and(wasm_i16x8_shl(bits, 3), mask));
    q[2] = wasm_v128_or(q[2], wasm_v128_and(wasm_i16x8_shl(bits, 2), mask));
    q[3] = wasm_v128_or(q[3], wasm_v128_and(wasm_i16x8_shl(bits, 1), mask));
    q[4] = wasm_v128_or(q[4], wasm_v128_and(bits, mask));
    q[5] = wasm_v128_or(q[5], wasm_v128_and(wasm_u16x8_shr(bits, 1), mask));
    q[6] = wasm_v128_or(q[6], wasm_v128_and(wasm_u16x8_shr(bits, 2), mask));
    q[7] = wasm_v128_or(q[7], wasm_v128_and(wasm_u16x8_shr(bits, 3), mask));
}

/* The same for two bits of 4 chunks: bits 2i and 2i+1 belong to chunk i. */
ITERA_INLINE void add_sixth_bits(v128_t q[4], const uint8_t high[16])
{
    const v128_t mask = wasm_i8x16_splat(48);
    v128_t bits = wasm_v128_load(high);
    q[0] = wasm_v128_or(q[0], wasm_v128_and(wasm_i16x8_shl(bits, 4), mask));
    q[1] = wasm_v128_or(q[1], wasm_v128_and(wasm_i16x8_shl(bits, 2), mask));
    q[2] = wasm_v128_or(q[2], wasm_v128_and(bits, mask));
    q[3] = wasm_v128_or(q[3], wasm_v128_and(wasm_u16x8_shr(bits, 2), mask));
}

ITERA_INLINE v128_t scale_of_bytes(v128_t d, v128_t widened)
{
    return wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(widened));
}

/* ---- Q8_0 ---- */

ITERA_INLINE void quants_q8_0(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q8_0 *block = packed;
    (void)sub;
    for (int v = 0; v < 8; v++) {
        q[v] = wasm_v128_load(block->q[v]);
    }
}

ITERA_INLINE v128_t scale_q8_0(const void *packed, int sub, int half)
{
    const itera_packed_q8_0 *block = packed;
    (void)sub, (void)half;
    return load_halves(block->d);
}

/* ---- Q4_0, Q4_1 ---- */

ITERA_INLINE void quants_q4_0(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q4_0 *block = packed;
    (void)sub;
    load_nibbles(q, block->q);
}

ITERA_INLINE v128_t scale_q4_0(const void *packed, int sub, int half)
{
    const itera_packed_q4_0 *block = packed;
    (void)sub, (void)half;
    return load_halves(block->d);
}

ITERA_INLINE void quants_q4_1(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q4_1 *block = packed;
    (void)sub;
    load_nibbles(q, block->q);
}

ITERA_INLINE v128_t scale_q4_1(const void *packed, int sub, int half)
{
    const itera_packed_q4_1 *block = packed;
    (void)sub, (void)half;
    return load_halves(block->d);
}

ITERA_INLINE v128_t min_q4_1(const void *packed, int sub)
{
    const itera_packed_q4_1 *block = packed;
    (void)sub;
    return load_halves(block->m);
}

/* ---- Q5_0, Q5_1 ---- */

ITERA_INLINE void quants_q5_0(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q5_0 *block = packed;
    (void)sub;
    load_nibbles(q, block->q);
    add_fifth_bits(q, block->high);
}

ITERA_INLINE v128_t scale_q5_0(const void *packed, int sub, int half)
{
    const itera_packed_q5_0 *block = packed;
    (void)sub, (void)half;
    return load_halves(block->d);
}

ITERA_INLINE void quants_q5_1(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q5_1 *block = packed;
    (void)sub;
    load_nibbles(q, block->q);
    add_fifth_bits(q, block->high);
}

ITERA_INLINE v128_t scale_q5_1(const void *packed, int sub, int half)
{
    const itera_packed_q5_1 *block = packed;
    (void)sub, (void)half;
    return load_halves(block->d);
}

ITERA_INLINE v128_t min_q5_1(const void *packed, int sub)
{
    const itera_packed_q5_1 *block = packed;
    (void)sub;
    return load_halves(block->m);
}

/* ---- Q4_K, Q5_K: 4 scales and 4 minima are 8 neighbouring bytes ---- */

ITERA_INLINE v128_t scale_k(const uint16_t d[4], const uint8_t scales[8])
{
    v128_t bytes = wasm_u16x8_extend_low_u8x16(wasm_v128_load64_zero(scales));
    return scale_of_bytes(load_halves(d), wasm_u32x4_extend_low_u16x8(bytes));
}

ITERA_INLINE v128_t min_k(const uint16_t dmin[4], const uint8_t scales[8])
{
    v128_t bytes = wasm_u16x8_extend_low_u8x16(wasm_v128_load64_zero(scales));
    return scale_of_bytes(wasm_f32x4_neg(load_halves(dmin)), wasm_u32x4_extend_high_u16x8(bytes));
}

ITERA_INLINE void quants_q4_k(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q4_k *block = packed;
    load_nibbles(q, block->q[sub]);
}

ITERA_INLINE v128_t scale_q4_k(const void *packed, int sub, int half)
{
    const itera_packed_q4_k *block = packed;
    (void)half;
    return scale_k(block->d, block->scales[sub]);
}

ITERA_INLINE v128_t min_q4_k(const void *packed, int sub)
{
    const itera_packed_q4_k *block = packed;
    return min_k(block->dmin, block->scales[sub]);
}

ITERA_INLINE void quants_q5_k(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q5_k *block = packed;
    load_nibbles(q, block->sub[sub].q);
    add_fifth_bits(q, block->sub[sub].high);
}

ITERA_INLINE v128_t scale_q5_k(const void *packed, int sub, int half)
{
    const itera_packed_q5_k *block = packed;
    (void)half;
    return scale_k(block->d, block->scales[sub]);
}

ITERA_INLINE v128_t min_q5_k(const void *packed, int sub)
{
    const itera_packed_q5_k *block = packed;
    return min_k(block->dmin, block->scales[sub]);
}

/* ---- Q6_K ---- */

ITERA_INLINE void quants_q6_k(v128_t q[8], const void *packed, int sub)
{
    const itera_packed_q6_k *block = packed;
    load_nibbles(q, block->sub[sub].q);
    add_sixth_bits(q, block->sub[sub].high[0]);
    add_sixth_bits(q + 4, block->sub[sub].high[1]);
}

ITERA_INLINE v128_t scale_q6_k(const void *packed, int sub, int half)
{
    const itera_packed_q6_k *block = packed;
    v128_t bytes = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(block->scales[sub][half]));
    return scale_of_bytes(load_halves(block->d), wasm_i32x4_extend_low_i16x8(bytes));
}

/* ---- What the product loops know of a type ----
 * The loops are inlined into each type's functions with its descriptor as a constant, so that no call and no
 * test of these fields is left. */

/* How a type departs from w = scale q. */
enum {
    kind_offset,  /* w = scale (q - offset): repaid in integers */
    kind_minimum, /* w = scale q + min */
    kind_halves   /* as kind_offset with a scale for each 16 columns */
};

typedef struct vector_type {
    int subs; /* 32-column blocks of a packed block: 1 or 8 */
    size_t block_bytes;
    int kind;
    int offset;
    int coarse; /* relaxed: the high plane of the activations is enough */
    void (*quants)(v128_t q[8], const void *packed, int sub);
    v128_t (*scale)(const void *packed, int sub, int half);
    v128_t (*min)(const void *packed, int sub); /* kind_minimum only */
} vector_type;

#define ITERA_VECTOR_TYPE static const vector_type __attribute__((unused))
ITERA_VECTOR_TYPE vector_q8_0 = {1,   sizeof(itera_packed_q8_0), kind_offset, 128, 0, quants_q8_0, scale_q8_0,
                                 NULL};
ITERA_VECTOR_TYPE vector_q4_0 = {1,   sizeof(itera_packed_q4_0), kind_offset, 8, 0, quants_q4_0, scale_q4_0,
                                 NULL};
ITERA_VECTOR_TYPE vector_q4_1 = {
    1, sizeof(itera_packed_q4_1), kind_minimum, 0, 0, quants_q4_1, scale_q4_1, min_q4_1};
ITERA_VECTOR_TYPE vector_q5_0 = {1,   sizeof(itera_packed_q5_0), kind_offset, 16, 0, quants_q5_0, scale_q5_0,
                                 NULL};
ITERA_VECTOR_TYPE vector_q5_1 = {
    1, sizeof(itera_packed_q5_1), kind_minimum, 0, 0, quants_q5_1, scale_q5_1, min_q5_1};
ITERA_VECTOR_TYPE vector_q4_k = {
    8, sizeof(itera_packed_q4_k), kind_minimum, 0, 1, quants_q4_k, scale_q4_k, min_q4_k};
ITERA_VECTOR_TYPE vector_q5_k = {
    8, sizeof(itera_packed_q5_k), kind_minimum, 0, 1, quants_q5_k, scale_q5_k, min_q5_k};
ITERA_VECTOR_TYPE vector_q6_k = {8,   sizeof(itera_packed_q6_k), kind_halves, 32, 1, quants_q6_k, scale_q6_k,
                                 NULL};

#endif
