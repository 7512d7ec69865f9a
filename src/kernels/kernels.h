/* Every kernel's interface, the packed weight layout they read, and the table that selects a variant.
 *
 * Shape letters: T tokens, K columns of a matrix (input width), R rows (output width), D model width,
 * E inner width, N state, H heads, P head width, G groups, S positions in a KV cache.
 * All arrays are row-major f32 unless said otherwise. Outputs never alias inputs unless said so. No
 * kernel reads or writes a byte outside its arrays. Pointers need the alignment of their element type.
 *
 * Order of sums: wherever a kernel sums n terms without saying how, it does so in 16 interleaved partial
 * sums p[i % 16] over the first n - n % 16 terms; lane l of 4 is ((p[l] + p[l+4]) + (p[l+8] + p[l+12])); the
 * lanes add up as (0+1)+(2+3); the tail follows in order.
 *
 * Every variant of a kernel does the same floating-point operations in the same order as the scalar
 * reference, so `scalar` and `simd128` agree bit for bit; `relaxed` may fuse multiply-adds and takes fewer
 * bits of quantized activations, see Products. Nothing depends on T: a row of a batch gets the same bits as
 * the same row alone. */
#ifndef ITERA_KERNELS_KERNELS_H
#define ITERA_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "quant/types.h"

/* ---- Packed matrices -------------------------------------------------------------------------
 * Rows are interleaved in groups of 4, so that one 16-byte load meets one broadcast of the input and
 * the four lanes of an accumulator are four rows: no horizontal sums. A matrix whose row count is not
 * a multiple of 4 is padded with zero rows. Group g starts at data + g * group_bytes. Per group:
 *   F32        [K][4] f32
 *   F16, BF16  [K][4] u16
 *   quantized  one packed block after another along K, layouts in quant/packed.h */
typedef struct itera_matrix {
    const uint8_t *data; /* 4-byte aligned; 64-byte where a tensor begins */
    itera_type type;
    int32_t rows;        /* R */
    int32_t cols;        /* K */
    size_t group_bytes;  /* bytes of 4 interleaved rows, a multiple of 4 */
} itera_matrix;

/* ---- Quantized activations -------------------------------------------------------------------
 * Input of the quantized products: blocks of 32 columns, symmetric, 15 bits, nearest even:
 * d = max|x| / 16256, q = round(x * (16256 / max|x|)), 16256 = 128 * 127.
 *
 * Where products are made by 16-bit multiplications (scalar, simd128) the bits are free. The 8-bit dot product of
 * relaxed SIMD takes q as two planes, q = 128 high + low. The high plane alone is what llama.cpp's products
 * of 32-column types see, and more than its K types see, whose blocks are of 256. The low plane costs as
 * much again and is taken by the 32-column types in `wide` blocks only, those whose activations are large
 * beside the rest of the row (outlier blocks): few, but most of the error (tests/bench/LOG.md). The sums are
 * in the form in which products use them: integers of the coarse ones begin at ITERA_SUM_BASE, the bits of
 * 1.5 * 2^23. There f32 is as fine as integers, so what is counted on from there is an f32 once 1.5 * 2^23
 * is subtracted, if it stays below 2^22. */
#define ITERA_SUM_BASE 0x4b400000
#define ITERA_ACT_BLOCK 32
#define ITERA_ACT_LARGEST 16256
#define ITERA_ACT_WIDE 1.35f /* a wide block's d^2 is more than so many times the mean over its row */
typedef struct itera_act_sums {
    float d;
    float dsum;         /* d times the sum of all q: times a weight's minimum, it repays the minima */
    int32_t repay[4];   /* zero points: base - the sum of all q times 0, 8, 16 and 128, offsets of unsigned weights */
    int32_t repay32[2]; /* base - the sum of each half of q times 32: Q6_K has a scale for each */
} itera_act_sums;
enum { ITERA_REPAY_0, ITERA_REPAY_8, ITERA_REPAY_16, ITERA_REPAY_128 };
typedef struct itera_act_block {
    int8_t high[ITERA_ACT_BLOCK]; /* (q + 64) >> 7: x / (128 d) rounded, -127 to 127 */
    int8_t low[ITERA_ACT_BLOCK];  /* q - 128 high: -64 to 63 */
    itera_act_sums fine;          /* of q; base 0 */
    itera_act_sums coarse;        /* of high alone: its d is 128 times the fine one; base ITERA_SUM_BASE */
    int32_t to_wide;              /* blocks from here to the row's next wide one, 0 there, or to its end */
} itera_act_block;                /* 132 bytes */

#define ITERA_FLOAT_BLOCK 16 /* columns of a partial sum of the float products, see below */

/* ---- Products --------------------------------------------------------------------------------
 * Order of operations, the same in every variant (each product and each sum below is one rounding, but
 * that `relaxed` may fuse a product into the sum it feeds):
 *   quantized   acc = 0; for each 32 columns:  acc = acc + (scale * d) * (float)i,  i = sum of q_w * q_x
 *               and, for types with a minimum,  acc = acc + min * dsum  after it (min is negative for the
 *               K types)
 *   Q6_K        a scale for each 256 columns, an integer s beside it for each 16. acc = 0; for each 256 columns:
 *               sum = 0; for each 32 of them:  sum = sum + d * (float)(s0 * i0 + s1 * i1), which fits 32 bits;
 *               acc = acc + scale * sum
 *   both        `relaxed` takes i from the high planes alone for K types; for 32-column types, after each 1024
 *               columns follow the low planes of the wide blocks among them, in the same form, block by block.
 *               Q8_0 is simd128's where the engine's 8-bit dot product saturates.
 *               Scales are taken as finite: see itera_finite_half_to_f32, which reads F16 weights too.
 *   F32, F16, BF16   acc = 0; for each 16 columns (fewer in the last block):  part = 0;
 *               part = part + w * x for each column in order;  acc = acc + part. */

/* y[t * y_stride + r] = sum over k of W[r, k] * x[t, k], for r in [row_begin, row_end), t in [0, T).
 * row_begin is a multiple of 4; row_end is one too or equals W->rows; entries of y outside the range
 * stay untouched. x: [T, K] f32 (rows contiguous) for F32, F16 and BF16 weights; [T, K/32]
 * itera_act_block for quantized ones. The row range is the place for threads: disjoint ranges of one
 * product may run at the same time. */
typedef void (*itera_matmul_fn)(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,
                                int row_begin, int row_end);

#define ITERA_ATTENTION_BLOCK 32 /* positions of a step of attention, see below */
#define ITERA_TYPE_LIMIT 31 /* one more than the largest itera_type */

typedef struct itera_kernels {
    const char *name; /* "scalar", "simd128" or "relaxed" */

    itera_matmul_fn matmul[ITERA_TYPE_LIMIT]; /* by itera_type; NULL for ids that are not a type */

    /* out: [T, K / 32] blocks; x: [T, K] f32, K a multiple of 32. Blocks of zeros get d = 0; so do blocks in which
     * nothing reaches 2^-100. NaN counts as zero; an infinity makes its block's d infinite. */
    void (*quantize_act)(itera_act_block *out, const float *x, int T, int K);

    /* y[t,d] = x[t,d] / sqrt(mean_d(x^2) + eps) * weight[d]; weight NULL means ones. y may be x.
     * x and y rows are `stride` floats apart. */
    void (*rms_norm)(float *y, const float *x, const float *weight, int T, int D, size_t stride, float eps);
    /* y = (x - mean) / sqrt(variance + eps) * weight + bias, rows contiguous [T, D]. y may be x. weight or
     * bias NULL means ones or zeros. */
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, int T, int D,
                       float eps);

    /* Element-wise over n; y may be any of the inputs. kernels/math_scalar.h states the errors.
     *   silu_mul  silu(gate) * up, silu(x) = x / (1 + e^-x)    gelu_erf  x/2 (1 + erf(x / sqrt 2))
     *   softplus  ln(1 + e^x), which is x itself above 20      exp  0 below -87.3, e^88.37 above 88.37 */
    void (*silu_mul)(float *y, const float *gate, const float *up, size_t n);
    void (*gelu_erf)(float *y, const float *x, size_t n);
    void (*softplus)(float *y, const float *x, size_t n);
    void (*exp)(float *y, const float *x, size_t n);
    void (*add)(float *y, const float *a, const float *b, size_t n);           /* a + b */
    void (*axpy)(float *y, float scale, const float *x, size_t n);             /* y += scale * x */
    void (*scale)(float *y, const float *x, float scale, size_t n);            /* scale * x */

    /* x <- softmax(x) over n >= 1 entries, in place, the maximum subtracted first. */
    void (*softmax)(float *x, size_t n);

    /* Causal depthwise convolution, then silu.
     *   y[t,e] = silu(bias[e] + sum_j weight[j,e] * x[t - (taps-1) + j, e]), j ascending
     * where positions before this call come from `state` [taps-1, E], oldest first; state is left holding the
     * last taps-1 inputs. y: [T, E] contiguous; x: row t at x + t * x_stride; weight: [taps, E]; bias: [E] or
     * NULL. taps >= 1; when taps is 1 state is not touched and may be NULL.
     * Handles only channels in [e_begin, e_end): the place for threads. */
    void (*conv1d_silu)(float *y, float *state, const float *x, size_t x_stride, const float *weight,
                        const float *bias, int T, int E, int taps, int e_begin, int e_end);

    /* Mamba-2 scan (Dao & Gu 2024, eq. of the scalar-A recurrence), sequential over t:
     *   h[n,p] = exp(dt[t,h] * A[h]) * h[n,p] + B[t,g,n] * (dt[t,h] * x[t,h,p])
     *   y[t,h,p] = sum_n C[t,g,n] * h[n,p] + Dskip[h] * x[t,h,p],  g = h / (H / G), n ascending
     * A head decays as a whole, so its decay needs no multiplication in every element: what is stored is
     * state = h / scale, and decay goes to the scale until that leaves its range (kernels/scan_steps.h):
     *   scale[h] = scale[h] * exp(dt[t,h] * A[h]);  out of range: state is multiplied by it / 64, scale[h] = 64
     *   state[h,n,p] = state[h,n,p] + B[t,g,n] * ((dt[t,h] / scale[h]) * x[t,h,p])
     *   y[t,h,p] = scale[h] * (sum_n C[t,g,n] * state[h,n,p]) + Dskip[h] * x[t,h,p]
     * state: [H, N, P], scale: [H], in and out, zeros at the start. y: [T, H*P] contiguous. x, B and C are slices
     * of wider rows: row t of each is `stride` floats after row t-1. dt: [T, H] after softplus. A: [H] (negative).
     * Dskip: [H]. Handles only heads in [head_begin, head_end): the place for threads. P, N >= 1, any size. */
    void (*scan_mamba2)(float *y, float *state, float *scale, const float *x, const float *B, const float *C,
                        size_t stride, const float *dt, const float *A, const float *Dskip, int T, int H,
                        int P, int N, int G, int head_begin, int head_end);

    /* Mamba-1 scan (Gu & Dao 2023, eq. 2), sequential over t:
     *   state[n,e] = state[n,e] * exp(dt[t,e] * A[n,e]) + B[t,n] * (dt[t,e] * x[t,e])
     *   y[t,e] = sum_n C[t,n] * state[n,e] + Dskip[e] * x[t,e], n ascending
     * exp as 2^((dt * log2 e) * A), of which kernels/math_scalar.h states the error.
     * state: [N, E]; A: [N, E], negative; dt, x, y: [T, E] contiguous (y may be x); B, C: rows `bc_stride` apart.
     * Handles only channels in [e_begin, e_end), e_begin a multiple of 4, e_end too or equal to E. */
    void (*scan_mamba1)(float *y, float *state, const float *x, const float *B, const float *C,
                        size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T, int E,
                        int N, int e_begin, int e_end);

    /* Causal attention of T tokens' queries; `heads` query heads share a key-value head g = h / heads:
     *   out[t,h,p] = sum_s softmax_s(scale * q[t,h] . k[s,g]) * v[s,g,p],  s < S + t
     * by blocks of ITERA_ATTENTION_BLOCK positions from the first on, keeping the largest score so far and the sums
     * relative to it: mass = mass * e^(before - largest) + sum_s e^(score - largest), out likewise, and in the end
     * out * (1 / mass). Products over p and masses within a block are summed in four interleaved partial sums,
     * added as (0+1)+(2+3); values in one chain.
     * q, out: token t, head h < kv_heads * heads at + t * stride + h * P, [P]; out may not alias q. k, v: position s,
     * head g at + s * kv_stride + g * P. Any range of key-value heads may be given: the place for threads. */
    void (*attention)(float *out, size_t out_stride, const float *q, size_t q_stride, const float *k,
                      const float *v, size_t kv_stride, int T, int kv_heads, int heads, int S, int P,
                      float scale);
} itera_kernels;

/* Variants in ascending order. A native build holds all, a wasm module its best (unless it was compiled with
 * ITERA_ALL_VARIANTS). */
typedef enum itera_variant { ITERA_SCALAR = 0, ITERA_SIMD128 = 1, ITERA_RELAXED = 2 } itera_variant;

/* The best variant compiled into this build. */
itera_variant itera_kernels_best(void);
/* The table of a variant, or NULL when this build does not hold it. Tables are immutable. */
const itera_kernels *itera_kernels_get(itera_variant variant);

#endif
