/* Attention of the queries that share a key-value head, reference. */
#include <math.h>

#include "kernels/math_scalar.h"
#include "kernels/variants.h"

static void one_query(float *out, const float *q, const float *k, const float *v, size_t kv_stride, int S, int P,
                      float scale)
{
    float largest = -INFINITY, denominator = 0.0f; /* of the softmax */
    for (int p = 0; p < P; p++) {
        out[p] = 0.0f;
    }
    for (int begin = 0; begin < S; begin += ITERA_ATTENTION_BLOCK) {
        const int n = S - begin < ITERA_ATTENTION_BLOCK ? S - begin : ITERA_ATTENTION_BLOCK;
        const float *keys = k + (size_t)begin * kv_stride, *values = v + (size_t)begin * kv_stride;
        float scores[ITERA_ATTENTION_BLOCK], before = largest, sum[4] = {0};
        for (int s = 0; s < n; s++) {
            float dot[4] = {0};
            for (int p = 0; p < P; p++) {
                dot[p % 4] = dot[p % 4] + keys[(size_t)s * kv_stride + (size_t)p] * q[p];
            }
            scores[s] = ((dot[0] + dot[1]) + (dot[2] + dot[3])) * scale;
            largest = largest < scores[s] ? scores[s] : largest;
        }
        for (int s = 0; s < n; s++) {
            scores[s] = itera_exp1(scores[s] - largest);
            sum[s % 4] = sum[s % 4] + scores[s];
        }
        float faded = itera_exp1(before - largest); /* what came before was measured by a smaller maximum */
        denominator = denominator * faded + ((sum[0] + sum[1]) + (sum[2] + sum[3]));
        for (int p = 0; p < P; p++) {
            float total = out[p] * faded;
            for (int s = 0; s < n; s++) {
                total = total + scores[s] * values[(size_t)s * kv_stride + (size_t)p];
            }
            out[p] = total;
        }
    }
    float inverse = 1.0f / denominator;
    for (int p = 0; p < P; p++) {
        out[p] = out[p] * inverse;
    }
}

void itera_attention_scalar(float *out, size_t out_stride, const float *q, size_t q_stride, const float *k,
                            const float *v, size_t kv_stride, int T, int kv_heads, int heads, int S, int P,
                            float scale)
{
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < kv_heads * heads; h++) {
            const size_t kv = (size_t)(h / heads) * (size_t)P;
            one_query(out + (size_t)t * out_stride + (size_t)h * (size_t)P,
                      q + (size_t)t * q_stride + (size_t)h * (size_t)P, k + kv, v + kv, kv_stride, S + t,
                      P, scale);
        }
    }
}
