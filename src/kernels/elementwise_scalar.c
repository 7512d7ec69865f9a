/* Element-wise kernels, reference. */
#include "kernels/math_scalar.h"
#include "kernels/variants.h"

void itera_silu_mul_scalar(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = itera_silu1(gate[i]) * up[i];
    }
}

void itera_gelu_erf_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = itera_gelu1(x[i]);
    }
}

void itera_softplus_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = itera_softplus1(x[i]);
    }
}

void itera_exp_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = itera_exp1(x[i]);
    }
}

void itera_add_scalar(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}

void itera_axpy_scalar(float *y, float scale, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = y[i] + scale * x[i];
    }
}

void itera_scale_scalar(float *y, const float *x, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = scale * x[i];
    }
}
