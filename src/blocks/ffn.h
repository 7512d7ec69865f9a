/* Feed-forward blocks: dense, and a sparse mixture of experts with an optional shared expert. */
#ifndef ITERA_BLOCKS_FFN_H
#define ITERA_BLOCKS_FFN_H

#include "blocks/linear.h"

typedef enum itera_activation {
    ITERA_GELU,   /* down(gelu(up x)), erf form */
    ITERA_SWIGLU, /* down(silu(gate x) * up x) */
} itera_activation;

/* The matrices of one feed-forward network: dense, shared or one expert. */
typedef struct itera_ffn {
    itera_matrix gate; /* [F, D], SwiGLU only */
    itera_matrix up;   /* [F, D] */
    itera_matrix down; /* [D, F] */
    itera_activation activation;
} itera_ffn;

/* This part's columns of the hidden layer, hidden [T, F] = act(input); `gate` [T, F] is scratch of which it writes
 * the same columns. The input is prepared for both matrices. */
void itera_ffn_hidden_share(const itera_run *run, itera_team team, const itera_ffn *ffn, float *hidden, float *gate,
                            const itera_input *input);
/* Prepares an input for the matrices that read it. */
void itera_ffn_prepare(const itera_run *run, const itera_ffn *ffn, itera_input *input);
/* Asks for blk.<layer>.ffn_{gate,up,down}<suffix>.weight, F rows read off the file. `ffn` must not move. */
itera_status itera_ffn_build(const itera_builder *builder, itera_ffn *ffn, uint32_t layer, const char *suffix,
                             uint32_t D, itera_activation activation);

/* A dense feed-forward block; *out lives as long as the model. */
itera_status itera_dense_build(const itera_builder *builder, itera_block **out, uint32_t layer, uint32_t D,
                               itera_activation activation);

typedef struct itera_moe_params {
    uint32_t D;       /* model width */
    uint32_t experts; /* X */
    uint32_t used;    /* k: experts a token visits, weighted by a softmax over their router logits */
    itera_activation activation;
} itera_moe_params;

/* A mixture-of-experts block, with a shared expert where the file has one; *out lives as long as the model. */
itera_status itera_moe_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                             const itera_moe_params *params);

#endif
