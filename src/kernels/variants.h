/* The functions behind the tables, private to src/kernels and its test. kernels.h documents them. */
#ifndef ITERA_KERNELS_VARIANTS_H
#define ITERA_KERNELS_VARIANTS_H

#include "kernels/kernels.h"
#include "kernels/simd.h"

#define ITERA_DECLARE_MATMUL(type, v)                                                                        \
    void itera_matmul_##type##_##v(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,   \
                                   int row_begin, int row_end);

#define ITERA_DECLARE_VARIANT(v)                                                                             \
    ITERA_DECLARE_MATMUL(f32, v)                                                                             \
    ITERA_DECLARE_MATMUL(f16, v)                                                                             \
    ITERA_DECLARE_MATMUL(bf16, v)                                                                            \
    ITERA_DECLARE_MATMUL(q8_0, v)                                                                            \
    ITERA_DECLARE_MATMUL(q4_0, v)                                                                            \
    ITERA_DECLARE_MATMUL(q4_1, v)                                                                            \
    ITERA_DECLARE_MATMUL(q5_0, v)                                                                            \
    ITERA_DECLARE_MATMUL(q5_1, v)                                                                            \
    ITERA_DECLARE_MATMUL(q4_k, v)                                                                            \
    ITERA_DECLARE_MATMUL(q5_k, v)                                                                            \
    ITERA_DECLARE_MATMUL(q6_k, v)                                                                            \
    void itera_quantize_act_##v(itera_act_block *out, const float *x, int T, int K);                        \
    void itera_rms_norm_##v(float *y, const float *x, const float *weight, int T, int D, size_t stride,      \
                            float eps);                                                                      \
    void itera_layer_norm_##v(float *y, const float *x, const float *weight, const float *bias, int T,       \
                              int D, float eps);                                                             \
    void itera_silu_##v(float *y, const float *x, size_t n);                                                 \
    void itera_silu_mul_##v(float *y, const float *gate, const float *up, size_t n);                         \
    void itera_gelu_erf_##v(float *y, const float *x, size_t n);                                             \
    void itera_softplus_##v(float *y, const float *x, size_t n);                                             \
    void itera_exp_##v(float *y, const float *x, size_t n);                                                  \
    void itera_add_##v(float *y, const float *a, const float *b, size_t n);                                  \
    void itera_axpy_##v(float *y, float scale, const float *x, size_t n);                                    \
    void itera_scale_##v(float *y, const float *x, float scale, size_t n);                                   \
    void itera_softmax_##v(float *x, size_t n);                                                              \
    float itera_dot_##v(const float *a, const float *b, size_t n);                                           \
    void itera_conv1d_silu_##v(float *y, float *state, const float *x, size_t x_stride, const float *weight, \
                               const float *bias, int T, int E, int taps, int e_begin, int e_end);           \
    void itera_scan_mamba2_##v(float *y, float *state, float *scale, const float *x, const float *B,         \
                               const float *C, size_t stride, const float *dt, const float *A,               \
                               const float *Dskip, int T, int H, int P, int N, int G, int head_begin,        \
                               int head_end);                                                                \
    void itera_scan_mamba1_##v(float *y, float *state, const float *x, const float *B, const float *C,       \
                               size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T, \
                               int E, int N, int e_begin, int e_end);                                        \
    void itera_attention_##v(float *out, size_t out_stride, const float *q, size_t q_stride,                 \
                             const float *k, const float *v_, size_t kv_stride, int T, int kv_heads,         \
                             int heads, int S, int P, float scale);

/* Reads every cache line of what will be used next: asked for at once, lines come together from far away. */
void itera_touch(const void *from, size_t bytes);

/* Finds the wide blocks of one row; the same in all variants. */
void itera_mark_wide(itera_act_block *row, size_t blocks);

ITERA_DECLARE_VARIANT(scalar)
#if ITERA_HAVE_SIMD128
ITERA_DECLARE_VARIANT(simd128)
#endif
#if ITERA_HAVE_RELAXED
ITERA_DECLARE_VARIANT(relaxed)
/* The forms between which the relaxed products of Q8_0 and Q4_K choose for the engine at hand. */
ITERA_DECLARE_MATMUL(q8_0_unsigned, relaxed)
ITERA_DECLARE_MATMUL(q8_0_signed, relaxed)
ITERA_DECLARE_MATMUL(q4_k_shifted, relaxed)
#endif

#endif
