/* Norms and softmax, reference. Sums go in the order that kernels.h states. */
#include <math.h>

#include "kernels/math_scalar.h"
#include "kernels/variants.h"

static float sum_squares(const float *x, size_t n, float shift)
{
    itera_sum16 sum = {{0}};
    size_t i = 0;
    for (; i < n - n % 16; i++) {
        float centered = x[i] - shift;
        sum.part[i % 16] = sum.part[i % 16] + centered * centered;
    }
    float total = itera_sum16_total(&sum);
    for (; i < n; i++) {
        float centered = x[i] - shift;
        total = total + centered * centered;
    }
    return total;
}

static float sum_all(const float *x, size_t n)
{
    itera_sum16 sum = {{0}};
    size_t i = 0;
    for (; i < n - n % 16; i++) {
        sum.part[i % 16] = sum.part[i % 16] + x[i];
    }
    float total = itera_sum16_total(&sum);
    for (; i < n; i++) {
        total = total + x[i];
    }
    return total;
}

void itera_rms_norm_scalar(float *y, const float *x, const float *weight, int T, int D, size_t stride,
                           float eps)
{
    for (int t = 0; t < T; t++, x += stride, y += stride) {
        float inverse = 1.0f / sqrtf(sum_squares(x, (size_t)D, 0.0f) / (float)D + eps);
        for (int d = 0; d < D; d++) {
            float value = x[d] * inverse;
            y[d] = weight != NULL ? value * weight[d] : value;
        }
    }
}

void itera_layer_norm_scalar(float *y, const float *x, const float *weight, const float *bias, int T, int D,
                             float eps)
{
    for (int t = 0; t < T; t++, x += D, y += D) {
        float mean = sum_all(x, (size_t)D) / (float)D;
        float inverse = 1.0f / sqrtf(sum_squares(x, (size_t)D, mean) / (float)D + eps);
        for (int d = 0; d < D; d++) {
            float value = (x[d] - mean) * inverse;
            value = weight != NULL ? value * weight[d] : value;
            y[d] = bias != NULL ? value + bias[d] : value;
        }
    }
}

void itera_softmax_scalar(float *x, size_t n)
{
    float largest = x[0];
    for (size_t i = 1; i < n; i++) {
        largest = largest < x[i] ? x[i] : largest;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = itera_exp1(x[i] - largest);
    }
    float inverse = 1.0f / sum_all(x, n);
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] * inverse;
    }
}
