/* A block of the trainer: the counterpart of blocks/block.h with a backward pass.
 *
 * Rows are tokens: R = B T of them, sequence after sequence. A block asks for its parameters when it is made,
 * and for its memory in `layout`, which runs twice: once over empty arenas to measure, once to get the
 * pointers. What backward needs from forward lies in `saved`, one piece a block; `scratch` is shared by all
 * blocks and holds nothing between calls. */
#ifndef ITERA_TRAIN_BLOCK_H
#define ITERA_TRAIN_BLOCK_H

#include "base/arena.h"
#include "train/params.h"
#include "train/random.h"

typedef struct itera_train_run {
    const itera_params *params;
    int B, T;             /* sequences, tokens of each */
    real dropout;         /* probability that a value is dropped; 0 in evaluation */
    uint64_t dropout_key; /* of this step */
    real router_weight;   /* of the routers' own losses in the gradient */
    double router_loss;   /* their sum, unweighted; forward adds */
} itera_train_run;

typedef struct itera_train_block itera_train_block;

typedef struct itera_train_ops {
    const char *name;
    void (*layout)(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T);
    /* out [R, D] = block(u). `operand` holds the rows of u for products and stays until backward; `u` itself
     * is there only where wants_reals is set, and only now. */
    void (*forward)(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                    const void *operand);
    /* du [R, D] = d loss / du from dout [R, D]; adds to the parameters' gradients. */
    void (*backward)(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                     const void *operand);
} itera_train_ops;

struct itera_train_block {
    const itera_train_ops *ops;
    uint32_t D;
    bool wants_reals; /* forward reads u itself */
    uint64_t site;    /* tells this block's random numbers from others' */
    real out_dropout; /* 1 where the model drops the block's output, 0 where not */
};

static inline real *itera_take_reals(itera_arena *arena, size_t count)
{
    return itera_arena_take(arena, count, sizeof(real));
}
static inline void *itera_take_operand(itera_arena *arena, size_t count)
{
    return itera_arena_take(arena, count, itera_operand_bytes());
}

/* 0 with the run's probability, else 1 / (1 - probability): a function of place and step, so that backward
 * asks again instead of remembering. */
static inline real itera_keep(const itera_train_run *run, uint64_t site, uint64_t index)
{
    if (run->dropout == 0) {
        return 1;
    }
    uint64_t draw = itera_hash(run->dropout_key + (site << 40), index) >> 40;
    return draw < (uint64_t)(run->dropout * (real)(1 << 24)) ? 0 : 1 / (1 - run->dropout);
}

/* ---- Constructors ----------------------------------------------------------------------------- */
/* Each allocates a block (NULL when out of memory; freed with free()) and adds its parameters. */

typedef struct itera_train_mamba2_params {
    uint32_t D, E, N, heads, groups, taps, chunk;
    real eps, out_scale; /* of the output norm; deviation of W_out at the start */
} itera_train_mamba2_params;
itera_train_block *itera_train_mamba2(itera_params *params, int layer, const itera_train_mamba2_params *p);

typedef struct itera_train_seed_params {
    uint32_t D, E, N, taps;
} itera_train_seed_params;
itera_train_block *itera_train_seed(itera_params *params, int layer, const itera_train_seed_params *p);

typedef struct itera_train_attention_params {
    uint32_t D, heads;
} itera_train_attention_params;
itera_train_block *itera_train_attention(itera_params *params, int layer,
                                         const itera_train_attention_params *p);

typedef enum itera_train_activation { ITERA_TRAIN_GELU, ITERA_TRAIN_SWIGLU } itera_train_activation;

typedef struct itera_train_ffn_params {
    uint32_t D, F;
    itera_train_activation activation;
    const char *suffix;    /* "" or "_shexp", inside the tensor names */
    real scale, out_scale; /* deviations at the start */
} itera_train_ffn_params;
itera_train_block *itera_train_ffn(itera_params *params, int layer, const itera_train_ffn_params *p);

typedef enum itera_balance {
    ITERA_BALANCE_SEED,  /* squared coefficient of variation of the mean probabilities (DESIGN section 5) */
    ITERA_BALANCE_SWITCH /* X sum_i (share of choices of i) (mean probability of i) (Fedus et al. 2021) */
} itera_balance;

typedef struct itera_train_moe_params {
    uint32_t D, F, experts, used, shared_F; /* shared_F 0: no shared expert */
    itera_train_activation activation;
    itera_balance balance;
    real scale, out_scale;
} itera_train_moe_params;
itera_train_block *itera_train_moe(itera_params *params, int layer, const itera_train_moe_params *p);

void itera_train_block_free(itera_train_block *block); /* NULL is allowed */

#endif
