/* Causal depthwise convolution followed by silu, per sequence of T rows.
 *
 *   y_t = silu(sum_j w_j x_{t - taps + 1 + j} + b)       zero before the sequence
 *
 * x: [B T] rows of C, x_stride apart; w: [C, taps] as in the file; b: [C]; y: [B T, C] packed. */
#ifndef ITERA_TRAIN_CONV_H
#define ITERA_TRAIN_CONV_H

#include "train/block.h"

typedef struct itera_conv_shape {
    int B, T;
    uint32_t C, taps;
    size_t x_stride;
} itera_conv_shape;

void itera_conv_silu_forward(real *y, const real *x, const real *w, const real *b,
                             const itera_conv_shape *shape);

/* d [B T, C]: dy on entry, overwritten. dx goes to operand rows dx_stride apart. dw, db are added to;
 * partial: scratch [B, (taps + 1) C]. */
void itera_conv_silu_backward(real *d, void *dx, size_t dx_stride, real *dw, real *db, real *partial,
                              const real *x, const real *w, const real *b, const itera_conv_shape *shape);

#endif
