/* Matrix products on relaxed SIMD: i32x4.relaxed_dot_i8x16_i7x16_add takes 16 multiply-adds an instruction,
 * signed activations by unsigned weights.
 *
 * What an engine does with a second operand above 127 is its own choice. Only Q8_0 has such weights, and asks
 * first: engines that treat them as unsigned without saturation (x86 with VNNI) take them as they are packed,
 * engines that treat them as signed (Arm) take them with the top bit flipped, and on the rest (x86 without
 * VNNI saturates) the simd128 product, which takes the low plane everywhere, is as fast as a split would be.
 * Q4_K asks too: where such operands are unsigned, one token takes the upper nibbles without shifting them down. */
#include "kernels/simd.h"

#if ITERA_HAVE_RELAXED

#include <string.h>

#include "kernels/variants.h"

#define ITERA_NAME(kernel) itera_##kernel##_relaxed
#define ITERA_MADD(a, b, c) itera_relaxed_madd(a, b, c)

#define ITERA_STEPS 8
#define ITERA_WIDEN 0
#define ITERA_DOT(x, w, acc) itera_relaxed_dot(x, w, acc)

#include "kernels/matmul_unpack.h"

ITERA_INLINE int step_of(int chunk, int i) { return chunk + i; }

ITERA_INLINE void put_operands(v128_t w[8], int chunk, v128_t q, const unpack_constants *k)
{
    (void)k;
    w[chunk] = q;
}

#include "kernels/matmul_quant.h"
#include "kernels/matmul_float.h"

/* Q8_0 as engines that see the second operand as signed take it. */
ITERA_INLINE void pair_q8_0_signed(v128_t q[2], const void *packed, int sub, int v, const unpack_constants *k)
{
    pair_q8_0(q, packed, sub, v, k);
    q[0] = wasm_v128_xor(q[0], wasm_i8x16_splat(-128));
    q[1] = wasm_v128_xor(q[1], wasm_i8x16_splat(-128));
}
ITERA_VECTOR_TYPE vector_q8_0_signed = {.subs = 1,
                                        .block_bytes = sizeof(itera_packed_q8_0),
                                        .kind = kind_offset,
                                        .repay = ITERA_REPAY_0,
                                        .head = head_q8_0,
                                        .pair = pair_q8_0_signed,
                                        .scale = scale_whole};

ITERA_DEFINE_QUANT_MATMUL(matmul_q8_0_unsigned, vector_q8_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q8_0_signed, vector_q8_0_signed, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q4_k_shifted, vector_q4_k, minimum)

/* Sums of four products with the extreme operands. The operands are volatile so that no compiler answers in
 * the engine's place. */
static int dot_gives(int8_t x, uint8_t w, int32_t expected)
{
    volatile int8_t opaque_x = x;
    volatile uint8_t opaque_w = w;
    v128_t sum = itera_relaxed_dot(wasm_i8x16_splat(opaque_x), wasm_i8x16_splat((int8_t)opaque_w),
                                   wasm_i32x4_splat(1));
    return wasm_i32x4_extract_lane(sum, 0) == 1 + expected && wasm_i32x4_extract_lane(sum, 3) == 1 + expected;
}

static int dot_is_unsigned(void)
{
    return dot_gives(127, 255, 4 * 127 * 255) && dot_gives(-127, 255, -4 * 127 * 255) &&
           dot_gives(127, 128, 4 * 127 * 128);
}

void itera_matmul_q4_k_relaxed(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T, int row_begin,
                               int row_end)
{
    if (T == 1 && dot_is_unsigned()) {
        matmul_one(y, w, x, row_begin, row_end, &vector_q4_k, 1);
    } else {
        itera_matmul_q4_k_shifted_relaxed(y, y_stride, w, x, T, row_begin, row_end);
    }
}

void itera_matmul_q8_0_relaxed(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,
                               int row_begin, int row_end)
{
    if (dot_is_unsigned()) {
        itera_matmul_q8_0_unsigned_relaxed(y, y_stride, w, x, T, row_begin, row_end);
    } else if (dot_gives(127, 128, -4 * 127 * 128) && dot_gives(-127, 128, 4 * 127 * 128) &&
               dot_gives(127, 255, -4 * 127)) {
        itera_matmul_q8_0_signed_relaxed(y, y_stride, w, x, T, row_begin, row_end);
    } else {
        itera_matmul_q8_0_simd128(y, y_stride, w, x, T, row_begin, row_end);
    }
}

#endif
