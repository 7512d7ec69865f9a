/* Tensor types: the ids are GGUF's (ggml_type), the names are llama.cpp's.
 *
 * To add a quantized type, copy what its nearest neighbour has in:
 *   reading    here and types.c; packed.h; its file of block layouts (q*.c, k_quants.c); the switch in pack.c
 *   products   kernels/kernels.inc, matmul_unpack.h, matmul_quant.h and matmul_scalar.c
 *   writing    encoders.h, its encoder, and the switch in quantize.c
 * Tests walk these lists (tests/c/test_quant.c, test_matmul.c, test_quantize.c). */
#ifndef ITERA_QUANT_TYPES_H
#define ITERA_QUANT_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef enum itera_type {
    ITERA_TYPE_F32 = 0,
    ITERA_TYPE_F16 = 1,
    ITERA_TYPE_Q4_0 = 2,
    ITERA_TYPE_Q4_1 = 3,
    ITERA_TYPE_Q5_0 = 6,
    ITERA_TYPE_Q5_1 = 7,
    ITERA_TYPE_Q8_0 = 8,
    ITERA_TYPE_Q4_K = 12,
    ITERA_TYPE_Q5_K = 13,
    ITERA_TYPE_Q6_K = 14,
    ITERA_TYPE_BF16 = 30,
} itera_type;

/* What every layer may know of a type. */
typedef struct itera_type_info {
    itera_type type;
    const char *name;          /* "Q4_K" */
    uint32_t block_elements;   /* weights a block: 1, 32 or 256 */
    uint32_t block_bytes;      /* bytes a block in the file */
    /* Expands `n` elements (a multiple of block_elements) of file-layout `blocks` into `out` [n] f32. */
    void (*dequantize)(float *out, const void *blocks, size_t n);
} itera_type_info;

/* The entry of a GGUF type id, or NULL where the type is not supported. */
const itera_type_info *itera_type_lookup(uint32_t gguf_type_id);

#endif
