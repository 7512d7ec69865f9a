/* The number type of the trainer, and what loops are written with.
 *
 * The same source is compiled twice: in single precision for use, and with ITERA_TRAIN_DOUBLE in double
 * precision, where gradients can be held against finite differences to many digits. Nothing here depends on
 * the number of threads: work is cut into tasks whose results do not depend on who does them, and sums go in
 * the order of the tasks, so a run can be repeated bit for bit. */
#ifndef ITERA_TRAIN_REAL_H
#define ITERA_TRAIN_REAL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/math_scalar.h"

#ifdef ITERA_TRAIN_DOUBLE
typedef double real;
static inline real real_exp(real x) { return exp(x); }
static inline real real_softplus(real x) { return x > 30 ? x : log1p(exp(x)); }
static inline real real_sqrt(real x) { return sqrt(x); }
static inline real real_log(real x) { return log(x); }
/* Phi(x), the normal distribution function: gelu(x) = x Phi(x). */
static inline real real_phi(real x) { return 0.5 * (1.0 + erf(x * 0.70710678118654752440)); }
#else
typedef float real;
static inline real real_exp(real x) { return itera_exp1(x); }
static inline real real_softplus(real x) { return itera_softplus1(x); }
static inline real real_sqrt(real x) { return sqrtf(x); }
static inline real real_log(real x) { return logf(x); }
static inline real real_phi(real x)
{
    float a = fabsf(x) * ITERA_SQRT_HALF;
    float u = a / (ITERA_ERFC_HALF_WAY + a);
    float p = ITERA_ERFC_C8;
    p = p * u + ITERA_ERFC_C7;
    p = p * u + ITERA_ERFC_C6;
    p = p * u + ITERA_ERFC_C5;
    p = p * u + ITERA_ERFC_C4;
    p = p * u + ITERA_ERFC_C3;
    p = p * u + ITERA_ERFC_C2;
    p = p * u + ITERA_ERFC_C1;
    p = p * u + ITERA_ERFC_C0;
    float erfc = itera_exp1(-(a * a)) * p;
    return 0.5f * (x < 0.0f ? erfc : 2.0f - erfc);
}
#endif

static inline real real_sigmoid(real x) { return 1 / (1 + real_exp(-x)); }
static inline real real_silu(real x) { return x * real_sigmoid(x); }
/* d silu / dx */
static inline real real_silu_slope(real x)
{
    real s = real_sigmoid(x);
    return s * (1 + x * (1 - s));
}
static inline real real_gelu(real x) { return x * real_phi(x); }
static inline real real_gelu_slope(real x)
{
    return real_phi(x) + x * real_exp(-x * x / 2) * (real)0.39894228040143267794;
}

/* Loops over tasks that touch nothing in common, and sums that may be cut into vector lanes. */
#define ITERA_PRAGMA(text) _Pragma(#text)
#ifdef _OPENMP
#include <omp.h>
#define ITERA_PARALLEL ITERA_PRAGMA(omp parallel for schedule(static))
#define ITERA_PARALLEL_UNEVEN ITERA_PRAGMA(omp parallel for schedule(dynamic, 1))
#define ITERA_SUM(...) ITERA_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define ITERA_MAX(...) ITERA_PRAGMA(omp simd reduction(max : __VA_ARGS__))
#define ITERA_VECTOR ITERA_PRAGMA(omp simd)
static inline int itera_threads(void) { return omp_get_max_threads(); }
static inline int itera_thread(void) { return omp_get_thread_num(); }
#else
#define ITERA_PARALLEL
#define ITERA_PARALLEL_UNEVEN
#define ITERA_SUM(...)
#define ITERA_MAX(...)
#define ITERA_VECTOR
static inline int itera_threads(void) { return 1; }
static inline int itera_thread(void) { return 0; }
#endif

/* Rows are cut into this many parts, whatever the number of threads, where their sum is wanted. */
#define ITERA_PARTS 16
static inline size_t itera_part_begin(size_t rows, int part) { return rows * (size_t)part / ITERA_PARTS; }

static inline real real_dot(const real *restrict a, const real *restrict b, size_t n)
{
    real sum = 0;
    ITERA_SUM(sum)
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static inline void real_add(real *restrict y, const real *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

#endif
