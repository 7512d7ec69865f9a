/* The graph every supported architecture is an instance of:
 *
 *   x = embedding_scale * Emb[token] + Pos[t]
 *   for each residual block:  x = x + scale * block(norm(x))
 *   logits = logit_scale * Head norm(x)
 *
 * An architecture reads hyperparameters off the file and lists blocks; it computes nothing. */
#ifndef ITERA_ARCH_GRAPH_H
#define ITERA_ARCH_GRAPH_H

#include "blocks/block.h"
#include "blocks/norm.h"

typedef struct itera_residual {
    itera_norm norm;
    itera_block *block;
    float scale;
    uint32_t layer;
} itera_residual;

typedef struct itera_graph {
    uint32_t V;                /* vocabulary */
    uint32_t D;                /* width */
    uint32_t L;                /* layers */
    uint32_t context_length;   /* positions it was trained for; 0 when it says none */
    itera_matrix embedding;    /* [V, D] */
    itera_matrix output;       /* [V, D]; rows 0 when tied */
    const itera_matrix *head;  /* &output or &embedding */
    const float *positions;    /* [max_positions, D], or NULL */
    uint32_t max_positions;    /* 0 without learned positions */
    float embedding_scale;
    float logit_scale;         /* a factor, Granite's divisor inverted */
    itera_residual *residuals; /* [residual_count] in order */
    uint32_t residual_count, residual_capacity;
    itera_norm output_norm;
} itera_graph;

/* Limits on hyperparameters. They keep every product below in 64 bits, and refuse files that no machine
 * could run before anything is allocated. */
#define ITERA_MAX_WIDTH (1u << 20)  /* widths, state sizes, heads: the largest published models have 2^14 */
#define ITERA_MAX_LAYERS (1u << 12) /* the deepest published models have some hundred */
#define ITERA_MAX_VOCAB (1u << 24)  /* the largest vocabularies have some 2^18 */
#define ITERA_MAX_TAPS 64u          /* published convolutions have 4 */
#define ITERA_MAX_EXPERTS 4096u     /* the largest published mixtures have some 500 */
#define ITERA_MAX_EXPERTS_USED 128u /* and use some 10; each more costs the router a walk over all */

/* Reads "<arch>.<suffix>" as a whole number in [low, high]; absent is an error. */
itera_status itera_hparam_u32(const itera_builder *builder, const char *suffix, uint32_t low, uint32_t high,
                              uint32_t *out);
/* The same, `fallback` when absent. For a per-layer array, element `layer`. */
itera_status itera_hparam_u32_or(const itera_builder *builder, const char *suffix, uint32_t layer, uint32_t low,
                                 uint32_t high, uint32_t fallback, uint32_t *out);
/* Reads "<arch>.<suffix>" as a finite float, `fallback` when absent. */
itera_status itera_hparam_f32_or(const itera_builder *builder, const char *suffix, float fallback, float *out);
/* Whether "<arch>.<suffix>" is there and true; what is there and no bool is an error. */
itera_status itera_hparam_flag(const itera_builder *builder, const char *suffix, bool *out);

/* Sizes, embedding, output norm and head under their usual names, and room for `per_layer` residual blocks a layer. */
itera_status itera_graph_begin(const itera_builder *builder, itera_graph *graph, uint32_t per_layer, float eps,
                               bool layer_norm);
/* Appends x = x + scale * block(norm(x)), the norm named blk.<layer>.<norm>. */
itera_status itera_graph_add(const itera_builder *builder, itera_graph *graph, uint32_t layer, const char *norm,
                             float eps, bool layer_norm, itera_block *block, float scale);

#endif
