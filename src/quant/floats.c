/* F32, F16 and BF16 tensors to f32. */
#include "base/bytes.h"
#include "quant/half.h"
#include "quant/packed.h"

void itera_dequantize_f32(float *out, const void *blocks, size_t n) { memcpy(out, blocks, n * sizeof *out); }

void itera_dequantize_f16(float *out, const void *blocks, size_t n)
{
    const uint8_t *bytes = blocks;
    for (size_t i = 0; i < n; i++) {
        out[i] = itera_half_to_f32(itera_load_u16(bytes + 2 * i));
    }
}

void itera_dequantize_bf16(float *out, const void *blocks, size_t n)
{
    const uint8_t *bytes = blocks;
    for (size_t i = 0; i < n; i++) {
        out[i] = itera_bf16_to_f32(itera_load_u16(bytes + 2 * i));
    }
}
