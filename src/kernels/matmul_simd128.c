/* Matrix products on simd128: the bits of the scalar reference.
 *
 * There is no 8-bit dot product here, so weights and activations are widened to 16 bits and multiplied by
 * i32x4.dot_i16x8: a step is 2 columns of 4 rows. A vector of weights in chunk order gives two steps without
 * a shuffle, its even bytes (columns 0 and 2 of each row) and its odd bytes (columns 1 and 3); activations
 * are widened into the same pairs once for all rows. */
#include "kernels/simd.h"

#if ITERA_HAVE_SIMD128

#include <string.h>

#include "kernels/variants.h"

#define ITERA_NAME(kernel) itera_##kernel##_simd128
#define ITERA_MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)

#define ITERA_STEPS 16 /* vectors of operands in a block of 32 columns */
#define ITERA_WIDEN 1  /* activations are copied, widened */
#define ITERA_DOT(x, w, acc) wasm_i32x4_add(acc, wasm_i32x4_dot_i16x8(x, w))

#include "kernels/matmul_unpack.h"

/* Even columns of 4 chunks, then their odd columns, the order of widen_block in matmul_words.h. */
ITERA_INLINE int step_of(int chunk, int i) { return 8 * (chunk / 4) + chunk % 4 + 4 * i; }

ITERA_INLINE void put_operands(v128_t w[16], int chunk, v128_t q, const unpack_constants *k)
{
    w[step_of(chunk, 0)] = wasm_v128_and(q, k->even);
    w[step_of(chunk, 1)] = wasm_u16x8_shr(q, 8);
}

#include "kernels/matmul_quant.h"
#include "kernels/matmul_float.h"

ITERA_DEFINE_QUANT_MATMUL(matmul_q8_0, vector_q8_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q4_k, vector_q4_k, minimum)

#endif
