/* Matrix products of a batch of activations, quantizing the input at most once for all that read it. */
#ifndef ITERA_BLOCKS_LINEAR_H
#define ITERA_BLOCKS_LINEAR_H

#include "blocks/block.h"

/* Rows of activations as the products want them. */
typedef struct itera_input {
    const float *x;           /* [T, K], contiguous */
    itera_act_block *blocks;  /* [T, K / 32] */
    int T, K;
    bool quantized;           /* blocks are filled */
} itera_input;

/* Takes the room for quantized blocks from `scratch`, which may only be measuring. */
static inline itera_act_block *itera_input_take(itera_arena *scratch, uint64_t T, uint64_t K)
{
    return itera_arena_take(scratch, T * ((K + ITERA_ACT_BLOCK - 1) / ITERA_ACT_BLOCK), sizeof(itera_act_block));
}

static inline itera_input itera_input_of(const float *x, itera_act_block *blocks, int T, int K)
{
    return (itera_input){.x = x, .blocks = blocks, .T = T, .K = K, .quantized = false};
}

static inline bool itera_is_float(itera_type type)
{
    return type == ITERA_TYPE_F32 || type == ITERA_TYPE_F16 || type == ITERA_TYPE_BF16;
}

/* y[t * y_stride + r] = (W x_t)[r] for all rows. */
void itera_linear(const itera_run *run, float *y, size_t y_stride, const itera_matrix *w, itera_input *input);

#endif
