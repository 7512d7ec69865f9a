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

/* Rows of a product that a part takes at once: full tiles, and no cache line written by two threads. */
#define ITERA_ROW_GRAIN 16

/* Makes the input readable for products with weights of that type. */
void itera_input_prepare(const itera_run *run, itera_input *input, itera_type type);
/* What the products with weights of that type read; the input is prepared. */
static inline const void *itera_input_data(const itera_input *input, itera_type type)
{
    return itera_is_float(type) ? (const void *)input->x : input->blocks;
}

/* y[t * y_stride + r] = (W x_t)[r] for all rows, on all threads. */
void itera_linear(const itera_run *run, float *y, size_t y_stride, const itera_matrix *w, itera_input *input);

/* This part's rows of the same, the input prepared; returns which they are. */
itera_range itera_linear_share(const itera_run *run, itera_team team, float *y, size_t y_stride,
                               const itera_matrix *w, const itera_input *input);

/* The least rows of a part of a product. With many tokens every part reads the whole input once more; with one it
 * should read its weights in a long run. */
static inline int itera_linear_least(int T)
{
    return T > 1 ? 64 : 4096;
}

/* Multiply-adds of a product with T tokens. */
static inline uint64_t itera_linear_work(const itera_matrix *w, int T)
{
    return (uint64_t)w->rows * (uint64_t)w->cols * (uint64_t)T;
}

#endif
