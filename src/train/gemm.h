/* Matrix products: everything that costs time in training.
 *
 * An *operand* is a matrix in the form that products read fastest: bf16 where the library and the processor
 * multiply bf16 (sums stay f32), plain reals otherwise. Producers store whole rows with itera_operand_store;
 * products of operands give reals. Small products whose rounding matters (the scan, the router) take reals.
 *
 *   C [M, N] (+)= op(A) [M, K] op(B) [K, N]        row-major, lda, ldb, ldc elements between rows
 *
 * Called outside of a parallel loop the product uses all threads, inside of one only its own. */
#ifndef ITERA_TRAIN_GEMM_H
#define ITERA_TRAIN_GEMM_H

#include <stdbool.h>

#include "train/real.h"

typedef enum itera_gemm_flags {
    ITERA_A_TURNED = 1,  /* A is stored [K, M] */
    ITERA_B_TURNED = 2,  /* B is stored [N, K] */
    ITERA_ACCUMULATE = 4 /* add to C */
} itera_gemm_flags;

typedef enum itera_precision { ITERA_PRECISION_BEST, ITERA_PRECISION_F32 } itera_precision;

/* Chooses the form of operands, for the whole process; call before anything is laid out. Returns its name. */
const char *itera_gemm_setup(itera_precision precision);

size_t itera_operand_bytes(void); /* of one element */
/* Element `index` of an operand. */
void *itera_operand_at(const void *operand, size_t index);
void itera_operand_store(void *operand, size_t index, const real *from, size_t n);
/* All of rows [R, n], by all threads. */
void itera_operand_rows(void *operand, const real *from, size_t R, size_t n);
void itera_operand_load(real *to, const void *operand, size_t index, size_t n);

void itera_gemm(real *C, size_t ldc, const void *A, size_t lda, const void *B, size_t ldb, size_t M, size_t N,
                size_t K, int flags);
void itera_gemm_reals(real *C, size_t ldc, const real *A, size_t lda, const real *B, size_t ldb, size_t M,
                      size_t N, size_t K, int flags);

/* The three products of a linear layer y = x W^T, all rows packed: x [R, in], W [out, in], y [R, out]. */
static inline void itera_linear_forward(real *y, const void *x, const void *W, size_t R, size_t out,
                                        size_t in)
{
    itera_gemm(y, out, x, in, W, in, R, out, in, ITERA_B_TURNED);
}
/* dx = dy W */
static inline void itera_linear_backward(real *dx, const void *dy, const void *W, size_t R, size_t out,
                                         size_t in)
{
    itera_gemm(dx, in, dy, out, W, in, R, in, out, 0);
}
/* dW += dy^T x */
static inline void itera_linear_gradient(real *dW, const void *dy, const void *x, size_t R, size_t out,
                                         size_t in)
{
    itera_gemm(dW, in, dy, out, x, in, out, in, R, ITERA_A_TURNED | ITERA_ACCUMULATE);
}

#endif
