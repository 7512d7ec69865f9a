/* The parameters of a model: one flat buffer of values, one of gradients, one of operand copies (gemm.h), and
 * a table that says what lies where. Names and shapes are those of the GGUF file, so exporting is copying. */
#ifndef ITERA_TRAIN_PARAMS_H
#define ITERA_TRAIN_PARAMS_H

#include <stdbool.h>

#include "base/status.h"
#include "train/gemm.h"

typedef enum itera_init {
    ITERA_INIT_CONSTANT, /* `scale` */
    ITERA_INIT_NORMAL,   /* mean 0, deviation `scale` */
    ITERA_INIT_UNIFORM,  /* in -scale .. scale */
    ITERA_INIT_DT,       /* softplus of it is log-uniform in 0.001 .. 0.1 (Mamba's time step bias) */
    ITERA_INIT_A,        /* ln of a uniform number in 1 .. 16 (Mamba-2's A_log) */
} itera_init;

typedef struct itera_param {
    char name[64];
    uint32_t n_dims, dims[3]; /* fastest first, as in GGUF */
    size_t offset, count;     /* elements */
    itera_init init;
    real scale;
    bool decays;      /* weight decay is for matrices */
    bool orthogonal;  /* moved by Muon (muon.h), not by AdamW */
    bool negated_exp; /* A_log here, -exp(A_log) in the file */
} itera_param;

typedef struct itera_params {
    itera_param *list;
    size_t n, capacity;
    size_t total; /* elements of each buffer; parameters begin at multiples of 16 */
    real *value, *grad;
    void *operand;
    bool failed; /* out of memory while adding */
} itera_params;

/* Adds a parameter and returns its offset. `layer` < 0: the name is `suffix`; else blk.<layer>.<suffix>.
 * A dimension of 0 ends the shape; one of more than one dimension decays. */
size_t itera_params_add(itera_params *params, int layer, const char *suffix, uint32_t d0, uint32_t d1,
                        uint32_t d2, itera_init init, real scale);
/* Allocates the buffers once everything is added, gradients zero. */
itera_status itera_params_allocate(itera_params *params, itera_error *error);
void itera_params_free(itera_params *params);
/* Fills the values; the same seed gives the same values on every machine. */
void itera_params_init(itera_params *params, uint64_t seed);
/* Refreshes the operand copies of all values. */
void itera_params_refresh(itera_params *params);
itera_param *itera_params_find(const itera_params *params, const char *name); /* NULL when absent */
size_t itera_params_count(const itera_params *params);                        /* without padding */

static inline const void *itera_weight(const itera_params *params, size_t offset)
{
    return itera_operand_at(params->operand, offset);
}

#endif
