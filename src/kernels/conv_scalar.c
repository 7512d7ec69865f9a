/* Causal depthwise convolution, reference. */
#include "kernels/math_scalar.h"
#include "kernels/variants.h"

/* Row t of the input, which begins taps - 1 rows before this call's first. */
static const float *input_row(const float *state, const float *x, size_t x_stride, int t, int E, int taps)
{
    return t < 0 ? state + (size_t)(t + taps - 1) * (size_t)E : x + (size_t)t * x_stride;
}

void itera_conv1d_silu_scalar(float *y, float *state, const float *x, size_t x_stride, const float *weight,
                              const float *bias, int T, int E, int taps, int e_begin, int e_end)
{
    for (int t = 0; t < T; t++) {
        for (int e = e_begin; e < e_end; e++) {
            float sum = bias != NULL ? bias[e] : 0.0f;
            for (int j = 0; j < taps; j++) {
                const float *row = input_row(state, x, x_stride, t - (taps - 1) + j, E, taps);
                sum = sum + weight[(size_t)j * (size_t)E + (size_t)e] * row[e];
            }
            y[(size_t)t * (size_t)E + e] = itera_silu1(sum);
        }
    }
    /* The last taps - 1 inputs, oldest first. Rows move towards the front, so copying in order is safe. */
    for (int j = 0; j < taps - 1; j++) {
        memmove(state + (size_t)j * (size_t)E + e_begin,
                input_row(state, x, x_stride, T - (taps - 1) + j, E, taps) + e_begin,
                (size_t)(e_end - e_begin) * sizeof *state);
    }
}
