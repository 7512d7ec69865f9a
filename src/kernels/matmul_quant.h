/* Quantized products, a template. The variant defines ITERA_STEPS, ITERA_WIDEN, ITERA_DOT, ITERA_MADD, ITERA_NAME,
 * step_of() and put_operands(), and includes matmul_unpack.h. Each part below uses those above it. */

#include <string.h>

#include "kernels/matmul_words.h"

#include "kernels/matmul_one.h"

#include "kernels/matmul_tiles.h"

#include "kernels/matmul_low.h"

#include "kernels/matmul_panels.h"

/* function: matmul_<type>; kind: the tiles that fit the descriptor's kind. */
#define ITERA_DEFINE_QUANT_MATMUL(function, type, kind)                                                      \
    static void fill_##function(panel_block *panel, const uint8_t *group, size_t begin, int blocks)          \
    {                                                                                                        \
        fill(panel, group, begin, blocks, &type);                                                            \
    }                                                                                                        \
    void ITERA_NAME(function)(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,        \
                              int row_begin, int row_end)                                                    \
    {                                                                                                        \
        if (T == 1) {                                                                                        \
            matmul_one(y, w, x, row_begin, row_end, &type, ITERA_WIDEN && (type).nibbles != NULL);           \
        } else {                                                                                             \
            matmul_panels(y, y_stride, w, x, T, row_begin, row_end, fill_##function, tiles_##kind, &type);   \
        }                                                                                                    \
    }

ITERA_DEFINE_QUANT_MATMUL(matmul_q4_0, vector_q4_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q4_1, vector_q4_1, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_0, vector_q5_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_1, vector_q5_1, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_k, vector_q5_k, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q6_k, vector_q6_k, halves)
