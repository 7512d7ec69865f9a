/* Quantization of activations, reference. */
#include "kernels/math_scalar.h"
#include "kernels/variants.h"

static int32_t clamp(int32_t q)
{
    return q < -ITERA_ACT_LARGEST ? -ITERA_ACT_LARGEST : q > ITERA_ACT_LARGEST ? ITERA_ACT_LARGEST : q;
}

static itera_act_sums sums_of(float d, int32_t first_half, int32_t second_half, int32_t base)
{
    int32_t sum = first_half + second_half;
    return (itera_act_sums){.d = d,
                            .dsum = d * (float)sum,
                            .repay = {base, base - 8 * sum, base - 16 * sum, base - 128 * sum},
                            .repay32 = {base - 32 * first_half, base - 32 * second_half}};
}

void itera_mark_wide(itera_act_block *row, size_t blocks)
{
    float sum = 0.0f;
    for (size_t i = 0; i < blocks; i++) {
        sum += row[i].coarse.d * row[i].coarse.d;
    }
    float most = ITERA_ACT_WIDE / (float)blocks * sum;
    int32_t distance = 0;
    for (size_t i = blocks; i-- > 0;) {
        distance = row[i].coarse.d * row[i].coarse.d > most ? 0 : distance + 1;
        row[i].to_wide = distance;
    }
}

static void quantize_row(itera_act_block *out, const float *x, size_t n)
{
    for (; n >= ITERA_ACT_BLOCK; n -= ITERA_ACT_BLOCK, x += ITERA_ACT_BLOCK, out++) {
        float largest = 0.0f;
        for (int i = 0; i < ITERA_ACT_BLOCK; i++) {
            float magnitude = itera_bits_to_f32(itera_f32_to_bits(x[i]) & 0x7fffffffu);
            largest = largest < magnitude ? magnitude : largest;
        }
        /* Below 2^-100 the reciprocal of d would overflow. */
        float d = largest < 0x1p-100f ? 0.0f : largest / (float)ITERA_ACT_LARGEST;
        float inverse = largest < 0x1p-100f ? 0.0f : (float)ITERA_ACT_LARGEST / largest;

        int32_t sum[2] = {0, 0}, high_sum[2] = {0, 0};
        for (int i = 0; i < ITERA_ACT_BLOCK; i++) {
            /* The magic number leaves round(x / d) in the low bits; of an infinite x, some integer in range. */
            float scaled = x[i] == x[i] ? x[i] * inverse : 0.0f;
            uint32_t shifted = itera_f32_to_bits(scaled + ITERA_ROUND_MAGIC);
            int32_t q = clamp((int32_t)(shifted - itera_f32_to_bits(ITERA_ROUND_MAGIC)));
            int32_t high = (q + 64) >> 7;
            out->high[i] = (int8_t)high;
            out->low[i] = (int8_t)(q - 128 * high);
            sum[i / 16] += q;
            high_sum[i / 16] += high;
        }
        out->fine = sums_of(d, sum[0], sum[1], 0);
        out->coarse = sums_of(128.0f * d, high_sum[0], high_sum[1], ITERA_SUM_BASE);
    }
}

void itera_quantize_act_scalar(itera_act_block *out, const float *x, int T, int K)
{
    size_t blocks = (size_t)K / ITERA_ACT_BLOCK;
    for (int t = 0; t < T; t++, out += blocks, x += K) {
        quantize_row(out, x, (size_t)K);
        itera_mark_wide(out, blocks);
    }
}
