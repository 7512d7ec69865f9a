/* The Mamba-2 scan over whole sequences, by chunks (Dao and Gu 2024, the state-space-dual form).
 *
 *   h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t^T;   y_t = C_t^T h_t + skip x_t        per head, h [N, P], zero
 * at first
 *
 * With s_t the sum of dt A from the chunk's first step to t, a chunk of q steps is
 *   y_t = sum_{j <= t} (C_t . B_j) exp(s_t - s_j) dt_j x_j  +  exp(s_t) C_t^T h_before  +  skip x_t
 *   h_after = exp(s_q) h_before + sum_j exp(s_q - s_j) dt_j B_j x_j^T
 * which is matrix products: within a chunk for all pairs of steps, and through the state between chunks.
 *
 * xbc: [B T, E + 2 G N] rows of x | B | C; dt: [B T, H], positive; A, skip: [H]; y: [B T, E]. E = H P. */
#ifndef ITERA_TRAIN_SCAN_H
#define ITERA_TRAIN_SCAN_H

#include "train/block.h"

typedef struct itera_scan_shape {
    int B, T, chunk;
    uint32_t H, P, N, G;
} itera_scan_shape;

/* Scratch elements that the two passes need, of one thread. */
size_t itera_scan_scratch(const itera_scan_shape *shape);

void itera_scan_forward(real *y, const real *xbc, const real *dt, const real *A, const real *skip,
                        real *scratch, const itera_scan_shape *shape);

/* From dy: dxbc and ddt, overwritten, and per sequence dA and dskip [B, H]. The states of the chunks are
 * computed again, which is cheaper than to write them to memory and read them back. */
void itera_scan_backward(real *dxbc, real *ddt, real *dA, real *dskip, const real *dy, const real *xbc,
                         const real *dt, const real *A, const real *skip, real *scratch,
                         const itera_scan_shape *shape);

#endif
