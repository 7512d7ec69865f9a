/* Causal self-attention with a KV cache: grouped queries, optional rotary positions and biases. */
#ifndef ITERA_BLOCKS_ATTENTION_H
#define ITERA_BLOCKS_ATTENTION_H

#include "blocks/block.h"

typedef struct itera_attention_params {
    uint32_t D;        /* model width */
    uint32_t heads;    /* query heads */
    uint32_t kv_heads; /* key and value heads, divides `heads` */
    uint32_t P;        /* width of a head */
    float scale;       /* of q . k */
    bool fused_qkv;    /* one attn_qkv tensor instead of attn_q, attn_k and attn_v */
    uint32_t rope;     /* rotated dimensions a head, even; 0 for no positions */
    float rope_base;   /* 10000 unless the file says otherwise */
} itera_attention_params;

/* Asks for the tensors of layer `layer`; *out lives as long as the model. */
itera_status itera_attention_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                   const itera_attention_params *params);

#endif
