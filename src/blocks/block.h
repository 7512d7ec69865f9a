/* A block: weights and state that turn activations [T, D] into activations [T, D].
 *
 * A model is a list of residual blocks, x = x + scale * block(norm(x)). Mixers (the Mamba scans, attention)
 * keep state between calls; feed-forward blocks do not. Every kind lives in its own file, which offers a
 * constructor that asks for its tensors, and the operations below. */
#ifndef ITERA_BLOCKS_BLOCK_H
#define ITERA_BLOCKS_BLOCK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/status.h"
#include "blocks/weights.h"
#include "kernels/kernels.h"

typedef struct itera_block itera_block;

/* What a block may use during one call. */
typedef struct itera_run {
    const itera_kernels *kernels;
    itera_pool *pool;     /* threads; NULL for one */
    itera_arena *scratch; /* measured by the block's own `layout`; reset for every block */
    int T;                /* tokens in this call, at least 1 */
    uint64_t position;    /* of the first of them in the session */
    float *state;         /* the block's recurrent state, state_floats long */
    float *cache;         /* the block's KV cache, [context, cache_floats] */
    int32_t *chosen_experts; /* NULL, or where a block leaves the experts of the last token, [experts_used] */
    float *chosen_gates;     /* and their weights */
} itera_run;

/* The least tokens of a part of a task by tokens. */
#define ITERA_LEAST_TOKENS 16

/* The least items of a part of a task by something else, of which there are `count`. Of many tokens `least`; of one
 * all, which makes one part a thread: more would not pay. */
static inline int itera_least_share(const itera_run *run, int least, int count)
{
    return run->T > 1 ? least : count;
}

/* The pool where it pays for so much work, counted in multiply-adds (an element of a softplus or a silu is about 16,
 * of a copy or a sum 2); NULL where starting the threads would take longer than they save. */
static inline itera_pool *itera_pool_for(const itera_run *run, uint64_t work)
{
    return work >= 65536 ? run->pool : NULL;
}

/* What `energy` below is of numbers that are stored as they are. */
static inline double itera_sum_squares(const float *x, uint64_t n)
{
    double sum = 0.0;
    for (uint64_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

typedef struct itera_block_ops {
    const char *name;
    /* y [T, D] = block(x [T, D]); y does not alias x. */
    void (*forward)(const itera_block *block, const itera_run *run, float *y, const float *x);
    /* Takes from most->scratch all that forward takes for as many tokens and threads; with an empty arena it only
     * measures. Reads nothing else of the run. */
    void (*measure)(const itera_block *block, const itera_run *most);
    /* The sum of squares of the state, for who looks inside; NULL where its numbers are stored as they are. */
    double (*energy)(const itera_block *block, const float *state);
} itera_block_ops;

/* First member of every block's own struct. */
struct itera_block {
    const itera_block_ops *ops;
    uint64_t state_floats; /* recurrent state of one session */
    uint64_t cache_floats; /* KV cache floats a position; 0 for all but attention */
    uint64_t state_macs;   /* multiply-adds a token in the scan, for the FLOP count */
    uint64_t macs_per_position; /* further multiply-adds a token for every cached position */
    uint32_t experts, experts_used; /* 0 for all but mixtures of experts */
};

/* What constructors need: where to ask for tensors, and memory that lives as long as the model. */
typedef struct itera_builder {
    itera_weights *weights;
    const itera_gguf *gguf;
    itera_error *error;
    void *(*alloc)(void *owner, size_t bytes); /* zeroed; freed with the model; NULL when out of memory */
    void *owner;
} itera_builder;

/* Writes "blk.<layer>.<suffix>" into `name` [64] and returns it. */
const char *itera_layer_name(char *name, uint32_t layer, const char *suffix);

/* The matrix blk.<layer>.<suffix>. */
itera_status itera_build_matrix(const itera_builder *builder, itera_matrix *out, uint32_t layer, const char *suffix,
                                uint32_t rows, uint32_t cols);
/* The vector blk.<layer>.<suffix>. */
itera_status itera_build_vector(const itera_builder *builder, const float **out, uint32_t layer, const char *suffix,
                                uint64_t n);
/* Allocates a block of `bytes`, or fails with ITERA_ERR_MEMORY. */
itera_status itera_build_alloc(const itera_builder *builder, void **out, size_t bytes);

#endif
