/* Quantization of activations, reference. */
#include "kernels/math_scalar.h"
#include "kernels/variants.h"

static int32_t clamp_to_int8(int32_t n) { return n < -128 ? -128 : n > 127 ? 127 : n; }

void itera_quantize_act_scalar(itera_act_block *out, const float *x, size_t n)
{
    for (; n >= ITERA_ACT_BLOCK; n -= ITERA_ACT_BLOCK, x += ITERA_ACT_BLOCK, out++) {
        float largest = 0.0f;
        for (int i = 0; i < ITERA_ACT_BLOCK; i++) {
            float magnitude = itera_bits_to_f32(itera_f32_to_bits(x[i]) & 0x7fffffffu);
            largest = largest < magnitude ? magnitude : largest;
        }
        /* Below 2^-100 the reciprocal of d would overflow. */
        float d = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
        float inverse = largest < 0x1p-100f ? 0.0f : 127.0f / largest;

        int32_t sum[2] = {0, 0};
        for (int i = 0; i < ITERA_ACT_BLOCK; i++) {
            /* The magic number leaves round(x / d) in the low bits; NaN ends as some integer in range. */
            float scaled = x[i] == x[i] ? x[i] * inverse : 0.0f;
            uint32_t shifted = itera_f32_to_bits(scaled + ITERA_ROUND_MAGIC);
            int32_t q = clamp_to_int8((int32_t)(shifted - itera_f32_to_bits(ITERA_ROUND_MAGIC)));
            out->q[i] = (int8_t)q;
            sum[i / 16] += q;
        }
        out->d = d;
        out->dsum = d * (float)(sum[0] + sum[1]);
        out->nsum = -(sum[0] + sum[1]);
        out->nsum_low = -sum[0];
    }
}
