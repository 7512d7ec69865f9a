/* AdamW with decoupled decay (Loshchilov and Hutter 2019) over the flat buffers. */
#ifndef ITERA_TRAIN_OPTIMIZER_H
#define ITERA_TRAIN_OPTIMIZER_H

#include "train/params.h"

typedef struct itera_adamw {
    real *m, *v; /* moments, as long as the parameters */
    real beta1, beta2, eps, decay;
} itera_adamw;

itera_status itera_adamw_create(itera_adamw *adamw, const itera_params *params, itera_error *error);
void itera_adamw_free(itera_adamw *adamw);

/* The Euclidean length of all gradients. */
double itera_gradient_norm(const itera_params *params);

/* One step, the `count`th from 1, with gradients scaled by `scale` first. Leaves gradients zero and operand
 * copies fresh. Only matrices decay. Parameters marked orthogonal are left alone. */
void itera_adamw_step(itera_adamw *adamw, itera_params *params, uint64_t count, double rate, double scale);

#endif
