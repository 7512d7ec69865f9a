/* Attention of one head-query, reference. */
#include "kernels/math_scalar.h"
#include "kernels/variants.h"

void itera_attention_scalar(float *out, const float *q, const float *k, const float *v, size_t kv_stride,
                            float *scores, int S, int P, float scale)
{
    for (int s = 0; s < S; s++) {
        scores[s] = scale * itera_dot_scalar(q, k + (size_t)s * kv_stride, (size_t)P);
    }
    itera_softmax_scalar(scores, (size_t)S);
    for (int p = 0; p < P; p++) {
        float sum = 0.0f;
        for (int s = 0; s < S; s++) {
            sum = sum + scores[s] * v[(size_t)s * kv_stride + (size_t)p];
        }
        out[p] = sum;
    }
}
