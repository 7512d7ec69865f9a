/* Normalisation in front of a block, and before the head. */
#ifndef ITERA_BLOCKS_NORM_H
#define ITERA_BLOCKS_NORM_H

#include "blocks/block.h"

typedef struct itera_norm {
    const float *weight; /* [D] */
    const float *bias;   /* [D] for LayerNorm; NULL selects RMSNorm */
    int D;
    float eps;
} itera_norm;

/* Asks for <name>.weight, and for <name>.bias when `layer_norm`. `norm` must not move. */
itera_status itera_norm_build(const itera_builder *builder, itera_norm *norm, const char *name, uint32_t D, float eps,
                              bool layer_norm);
/* y [T, D] = norm(x [T, D]). */
void itera_norm_apply(const itera_norm *norm, const itera_kernels *kernels, float *y, const float *x, int T);

#endif
