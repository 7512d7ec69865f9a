/* Norms, forward and backward. All are x^ = (x - mean) / sqrt(var + eps) with or without the mean, times w,
 * plus b. */
#ifndef ITERA_TRAIN_NORM_H
#define ITERA_TRAIN_NORM_H

#include "train/block.h"

typedef struct itera_train_norm {
    size_t weight, bias; /* offsets; bias only of a layer norm */
    uint32_t D;
    real eps;
    bool layer_norm;
    real *stats;   /* saved: [R, 2] mean and 1 / deviation */
    real *partial; /* scratch: [ITERA_PARTS, 2 D] sums of the weights' gradients */
} itera_train_norm;

void itera_train_norm_make(itera_train_norm *norm, itera_params *params, int layer, const char *name,
                           uint32_t D, real eps, bool layer_norm);
void itera_train_norm_layout(itera_train_norm *norm, itera_arena *saved, itera_arena *scratch, size_t R);
/* u and operand [R, D] = norm(x); u may be NULL. */
void itera_train_norm_forward(itera_train_norm *norm, const itera_params *params, real *u, void *operand,
                              const real *x, size_t R);
/* dx [R, D] += d norm(x) / dx^T du. */
void itera_train_norm_backward(itera_train_norm *norm, const itera_params *params, real *dx, const real *du,
                               const real *x, size_t R);

/* Mamba-2's output norm: out = rms(y silu(z)) w over each of G groups of E / G channels.
 * y [R, E], z [R] rows of E, z_stride apart, w [E]; out an operand [R, E]. */
void itera_gated_norm_forward(void *out, const real *y, const real *z, size_t z_stride, const real *w,
                              size_t R, uint32_t E, uint32_t G, real eps);
/* d [R, E]: d out on entry, dy on return; dz goes to operand rows dz_stride apart. partial [ITERA_PARTS, E]
 * scratch; dw [E] is added to. */
void itera_gated_norm_backward(real *d, void *dz, size_t dz_stride, real *dw, real *partial, const real *y,
                               const real *z, size_t z_stride, const real *w, size_t R, uint32_t E,
                               uint32_t G, real eps);

/* to [n] += the ITERA_PARTS rows of partial, in order. */
void itera_sum_parts(real *to, const real *partial, size_t n, size_t stride);

/* Rows longer than this do not fit the stack buffers of fused loops. */
#define ITERA_MAX_ROW 8192

#endif
