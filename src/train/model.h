/* A model in training: parameters, a list of residual blocks, and the memory of one batch.
 *
 *   x = Emb[token] (+ Pos[t]);   x = x + block(norm(x)) for every block;   loss = CE(Emb norm(x), next token)
 *
 * Three architectures are lists of blocks:
 *   itera2       Itera-Lite 2, in the file granitehybrid: RMSNorm, Mamba-2, experts with SwiGLU in every
 * layer itera-lite   the seed model of DESIGN section 5: LayerNorm, its own scan, experts on odd layers,
 * positions transformer  the baseline: LayerNorm, attention, dense gelu, positions; in the file itera-lite as
 * well */
#ifndef ITERA_TRAIN_MODEL_H
#define ITERA_TRAIN_MODEL_H

#include "train/block.h"
#include "train/head.h"
#include "train/norm.h"

typedef enum itera_train_arch {
    ITERA_TRAIN_ITERA2,
    ITERA_TRAIN_ITERA_LITE,
    ITERA_TRAIN_TRANSFORMER
} itera_train_arch;

typedef struct itera_train_config {
    itera_train_arch arch;
    uint32_t V, D, L;       /* vocabulary, width, layers */
    uint32_t E, N, taps;    /* inner width, state, convolution taps: both scans */
    uint32_t heads, groups; /* Mamba-2: of E, and groups of B and C; attention: of D */
    uint32_t chunk;         /* steps that the Mamba-2 scan takes at once */
    uint32_t experts, used; /* experts, and how many a token visits; 0 experts: dense everywhere */
    uint32_t F, shared_F;   /* width of an expert or a dense layer; of the shared expert, 0 for none */
    uint32_t P;             /* learned positions, the longest sequence; 0: none */
    float eps;
    float dropout;       /* in training */
    float router_weight; /* of the routers' losses */
} itera_train_config;

/* The sizes of itera-story's kind for itera2, the tiny presets for the other two. */
itera_train_config itera_train_config_default(itera_train_arch arch);

typedef struct itera_train_residual {
    itera_train_norm norm;
    itera_train_block *block;
    real *x;       /* saved [R, D] */
    void *operand; /* saved [R, D] norm(x) */
} itera_train_residual;

#define ITERA_MAX_TEACHERS 8

typedef struct itera_train_model {
    itera_train_config config;
    itera_params params;
    itera_train_residual *residuals;
    size_t n;
    itera_train_norm out_norm;
    itera_train_head head;
    struct itera_train_model *teachers[ITERA_MAX_TEACHERS]; /* whose predictions are learnt as well */
    int n_teachers;
    float teacher_share;
    /* of the batch reserved for */
    int B, T;
    void *memory;
    uint64_t memory_bytes;
    real *x;         /* [R, D] after all blocks */
    void *x_operand; /* [R, D] its norm */
    real *u, *out;   /* [R, D] */
    real *dx, *du;   /* [R, D] */
    real *nll;       /* [R] of the last batch */
} itera_train_model;

/* ITERA_ERR_ARGUMENT names a size that does not work. Parameters are allocated, not filled: see
 * itera_params_init. */
itera_status itera_train_model_create(itera_train_model **out, const itera_train_config *config,
                                      itera_error *error);
void itera_train_model_free(itera_train_model *model); /* NULL is allowed */
/* Memory for batches of B sequences of T tokens; what was reserved before is given back. */
itera_status itera_train_model_reserve(itera_train_model *model, int B, int T, itera_error *error);

/* Learns the teachers' mean distributions as well, as `share` of the loss (head.h). Teachers stay the caller's, must
 * outlive training, have the same vocabulary, and be reserved for the same batches. n = 0 ends it. */
itera_status itera_train_model_teach(itera_train_model *model, itera_train_model *const *teachers, int n,
                                     float share, itera_error *error);

typedef struct itera_train_result {
    double nll;         /* sum over targets, nats */
    size_t targets;     /* that count */
    double router_loss; /* sum over layers, unweighted */
} itera_train_result;

/* tokens, targets [B, T]; a negative target does not count. Evaluation, without dropout. */
itera_train_result itera_train_evaluate(itera_train_model *model, const int32_t *tokens,
                                        const int32_t *targets);

/* Adds `weight` times the gradient of (sum of nll / targets + router_weight * routers' losses) to the
 * gradients. `dropout_key` names the step: the same key drops the same values. */
itera_train_result itera_train_gradient(itera_train_model *model, const int32_t *tokens,
                                        const int32_t *targets, double weight, uint64_t dropout_key);

/* [B T, V] logits of the last batch, for tests. */
void itera_train_model_logits(itera_train_model *model, real *logits);

#endif
