/* oneDNN behind gemm.h; private to it. Compiled in with ITERA_USE_DNNL where the header is to be found. */
#ifndef ITERA_TRAIN_GEMM_DNNL_H
#define ITERA_TRAIN_GEMM_DNNL_H

#if defined(ITERA_USE_DNNL) && !defined(ITERA_TRAIN_DOUBLE) && defined(__has_include)
#if __has_include(<oneapi/dnnl/dnnl.h>)
#define ITERA_HAVE_DNNL 1
#include <stdbool.h>
#include <stddef.h>

/* True when the processor multiplies bf16 in hardware. */
bool itera_dnnl_has_bf16(void);
/* As itera_gemm; false when the library refuses, and then C is untouched. */
bool itera_dnnl_gemm(float *C, size_t ldc, const void *A, size_t lda, const void *B, size_t ldb, size_t M,
                     size_t N, size_t K, int flags, bool bf16);
#endif
#endif

#endif
