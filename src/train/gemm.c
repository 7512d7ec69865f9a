#include "train/gemm.h"

#include <string.h>

#include "quant/half.h"
#include "train/gemm_dnnl.h"

/* Whether operands are bf16. The one setting of the process: every operand that lives was stored under it. */
static bool gemm_bf16;

const char *itera_gemm_setup(itera_precision precision)
{
#ifdef ITERA_HAVE_DNNL
    gemm_bf16 = precision == ITERA_PRECISION_BEST && itera_dnnl_has_bf16();
    return gemm_bf16 ? "oneDNN bf16" : "oneDNN f32";
#else
    (void)precision;
    gemm_bf16 = false;
    return "plain";
#endif
}

size_t itera_operand_bytes(void) { return gemm_bf16 ? 2 : sizeof(real); }

void *itera_operand_at(const void *operand, size_t index)
{
    return (char *)(size_t)operand + index * itera_operand_bytes();
}

/* Round to nearest, ties to even; there are no NaNs to keep. */
static void gemm_to_bf16(uint16_t *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = itera_f32_to_bits(from[i]);
        to[i] = (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
}

static void gemm_from_bf16(float *restrict to, const uint16_t *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = itera_bits_to_f32((uint32_t)from[i] << 16);
    }
}

void itera_operand_store(void *operand, size_t index, const real *from, size_t n)
{
    if (gemm_bf16) {
        gemm_to_bf16((uint16_t *)operand + index, (const float *)(const void *)from, n);
    } else {
        memcpy((real *)operand + index, from, n * sizeof(real));
    }
}

void itera_operand_rows(void *operand, const real *from, size_t R, size_t n)
{
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        itera_operand_store(operand, r * n, from + r * n, n);
    }
}

void itera_operand_load(real *to, const void *operand, size_t index, size_t n)
{
    if (gemm_bf16) {
        gemm_from_bf16((float *)(void *)to, (const uint16_t *)operand + index, n);
    } else {
        memcpy(to, (const real *)operand + index, n * sizeof(real));
    }
}

/* ---- Plain ------------------------------------------------------------------------------------ */

enum { TILE_M = 64, TILE_N = 64, TILE_K = 128 };

/* A matrix of any of the forms, seen from one place in it. */
typedef struct gemm_view {
    const void *data;
    size_t row, col; /* elements to the next row, and to the next column */
    bool bf16;
} gemm_view;

/* packed [rows, cols], `stride` apart, zero to the right of cols */
static void gemm_pack(real *packed, size_t stride, const gemm_view *view, size_t i, size_t j, size_t rows,
                      size_t cols)
{
    for (size_t r = 0; r < rows; r++) {
        const size_t from = (i + r) * view->row + j * view->col;
        real *restrict to = packed + r * stride;
        if (view->bf16) {
            for (size_t c = 0; c < cols; c++) {
                to[c] = (real)itera_bf16_to_f32(((const uint16_t *)view->data)[from + c * view->col]);
            }
        } else {
            const real *restrict data = (const real *)view->data + from;
            for (size_t c = 0; c < cols; c++) {
                to[c] = data[c * view->col];
            }
        }
        memset(to + cols, 0, (stride - cols) * sizeof(real));
    }
}

/* C [m, n] += A B for one tile, A packed to [m, TILE_K], B to [k, TILE_N]. Four rows at a time, so that each
 * row of B is read once for all of them. */
static void gemm_tile(real *C, size_t ldc, const real *A, const real *B, size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i += 4) {
        real sums[4][TILE_N] = {{0}};
        const size_t rows = m - i < 4 ? m - i : 4;
        for (size_t j = 0; j < k; j++) {
            const real *restrict b = B + j * TILE_N;
            for (size_t r = 0; r < rows; r++) {
                const real a = A[(i + r) * TILE_K + j];
                for (size_t c = 0; c < TILE_N; c++) {
                    sums[r][c] += a * b[c];
                }
            }
        }
        for (size_t r = 0; r < rows; r++) {
            real_add(C + (i + r) * ldc, sums[r], n);
        }
    }
}

static void gemm_plain(real *C, size_t ldc, gemm_view A, gemm_view B, size_t M, size_t N, size_t K,
                       bool accumulate)
{
    const size_t down = (M + TILE_M - 1) / TILE_M, across = (N + TILE_N - 1) / TILE_N;
    ITERA_PARALLEL
    for (size_t tile = 0; tile < down * across; tile++) {
        const size_t i = tile / across * TILE_M, c = tile % across * TILE_N;
        const size_t m = M - i < TILE_M ? M - i : TILE_M, n = N - c < TILE_N ? N - c : TILE_N;
        real left[TILE_M * TILE_K], right[TILE_K * TILE_N];
        for (size_t r = 0; r < m && !accumulate; r++) {
            memset(C + (i + r) * ldc + c, 0, n * sizeof(real));
        }
        for (size_t j = 0; j < K; j += TILE_K) {
            const size_t k = K - j < TILE_K ? K - j : TILE_K;
            gemm_pack(left, TILE_K, &A, i, j, m, k);
            gemm_pack(right, TILE_N, &B, j, c, k, n);
            gemm_tile(C + i * ldc + c, ldc, left, right, m, n, k);
        }
    }
}

/* ---- Choice ----------------------------------------------------------------------------------- */

static void gemm_any(real *C, size_t ldc, const void *A, size_t lda, const void *B, size_t ldb, size_t M,
                     size_t N, size_t K, int flags, bool bf16)
{
    if (M == 0 || N == 0) {
        return;
    }
#ifdef ITERA_HAVE_DNNL
    if (K > 0 && itera_dnnl_gemm(C, ldc, A, lda, B, ldb, M, N, K, flags, bf16)) {
        return;
    }
#endif
    gemm_view a = {A, flags & ITERA_A_TURNED ? 1 : lda, flags & ITERA_A_TURNED ? lda : 1, bf16};
    gemm_view b = {B, flags & ITERA_B_TURNED ? 1 : ldb, flags & ITERA_B_TURNED ? ldb : 1, bf16};
    gemm_plain(C, ldc, a, b, M, N, K, flags & ITERA_ACCUMULATE);
}

void itera_gemm(real *C, size_t ldc, const void *A, size_t lda, const void *B, size_t ldb, size_t M, size_t N,
                size_t K, int flags)
{
    gemm_any(C, ldc, A, lda, B, ldb, M, N, K, flags, gemm_bf16);
}

void itera_gemm_reals(real *C, size_t ldc, const real *A, size_t lda, const real *B, size_t ldb, size_t M,
                      size_t N, size_t K, int flags)
{
    gemm_any(C, ldc, A, lda, B, ldb, M, N, K, flags, false);
}
