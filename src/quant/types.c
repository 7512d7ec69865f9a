/* The table of tensor types. */
#include "quant/types.h"

#include "quant/packed.h"

static const itera_type_info types[] = {
    {ITERA_TYPE_F32, "F32", 1, 4, itera_dequantize_f32},
    {ITERA_TYPE_F16, "F16", 1, 2, itera_dequantize_f16},
    {ITERA_TYPE_BF16, "BF16", 1, 2, itera_dequantize_bf16},
    {ITERA_TYPE_Q8_0, "Q8_0", 32, 34, itera_dequantize_q8_0},
    {ITERA_TYPE_Q4_0, "Q4_0", 32, 18, itera_dequantize_q4_0},
    {ITERA_TYPE_Q4_1, "Q4_1", 32, 20, itera_dequantize_q4_1},
    {ITERA_TYPE_Q5_0, "Q5_0", 32, 22, itera_dequantize_q5_0},
    {ITERA_TYPE_Q5_1, "Q5_1", 32, 24, itera_dequantize_q5_1},
    {ITERA_TYPE_Q4_K, "Q4_K", 256, 144, itera_dequantize_q4_k},
    {ITERA_TYPE_Q5_K, "Q5_K", 256, 176, itera_dequantize_q5_k},
    {ITERA_TYPE_Q6_K, "Q6_K", 256, 210, itera_dequantize_q6_k},
};

const itera_type_info *itera_type_lookup(uint32_t gguf_type_id)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if ((uint32_t)types[i].type == gguf_type_id) {
            return &types[i];
        }
    }
    return NULL;
}
