/* Packed blocks: 4 rows side by side, private to src/quant and src/kernels.
 *
 * Columns go in blocks of 32, a block in 8 chunks of 4 columns. "Chunk order" is 16 bytes holding 4 rows of
 * one chunk, byte 4 * row + column: one 16-byte load meets one broadcast of 4 activations, and the 4 lanes
 * of a dot product are 4 rows. All quants are stored unsigned; the offset that a type subtracts (128, 8, 16
 * or 32) is repaid with the sum of the activations, so every type fits an unsigned x signed dot product,
 * and all but Q8_0 one whose unsigned side is 7 bits wide.
 *
 *   nibbles   q[v], v in 0..3, is in chunk order twice: low nibbles are chunk v, high nibbles chunk v + 4
 *   5th bit   high[16] in chunk order: bit j of a byte belongs to chunk j
 *   6 bits    q[h][v], v in 0..2, holds chunk 4h + v in its lower 6 bits. Its upper 2 are bits of chunk 4h + 3:
 *             the lowest in q[h][0], the highest in q[h][2]
 *
 * Scales are f16 bits as the file has them, one for each row. Sub-scales of the K types are widened from
 * 6 to 8 bits, which costs 4 bytes in 144; nothing is rounded anywhere. */
#ifndef ITERA_QUANT_PACKED_H
#define ITERA_QUANT_PACKED_H

#include "quant/types.h"

#define ITERA_PACK_ROWS 4   /* rows of a group */
#define ITERA_PACK_COLS 32  /* columns of a block, or of a sub-block */
#define ITERA_PACK_MAX_SUBS 8 /* sub-blocks of a block */

typedef struct itera_packed_q8_0 { /* w = d (q - 128) */
    uint16_t d[4];
    uint8_t q[8][16];
} itera_packed_q8_0;

typedef struct itera_packed_q4_0 { /* w = d (q - 8) */
    uint16_t d[4];
    uint8_t q[4][16];
} itera_packed_q4_0;

typedef struct itera_packed_q4_1 { /* w = d q + m */
    uint16_t d[4];
    uint16_t m[4];
    uint8_t q[4][16];
} itera_packed_q4_1;

typedef struct itera_packed_q5_0 { /* w = d (q - 16) */
    uint16_t d[4];
    uint8_t high[16];
    uint8_t q[4][16];
} itera_packed_q5_0;

typedef struct itera_packed_q5_1 { /* w = d q + m */
    uint16_t d[4];
    uint16_t m[4];
    uint8_t high[16];
    uint8_t q[4][16];
} itera_packed_q5_1;

/* K types: blocks of 256 columns, 8 sub-blocks of 32. */

typedef struct itera_packed_q4_k { /* w = (d scale) q - (dmin minimum) */
    uint16_t d[4];
    uint16_t dmin[4];
    uint8_t scales[8][8]; /* a sub-block: the scales of 4 rows, then their minima */
    uint8_t q[8][4][16];
} itera_packed_q4_k;

typedef struct itera_packed_q5_k { /* as Q4_K */
    uint16_t d[4];
    uint16_t dmin[4];
    uint8_t scales[8][8];
    struct {
        uint8_t high[16];
        uint8_t q[4][16];
    } sub[8];
} itera_packed_q5_k;

typedef struct itera_packed_q6_k { /* w = (d scale) (q - 32), a scale for each 16 columns */
    uint16_t d[4];
    int8_t scales[8][2][4]; /* sub-block, half, row */
    uint8_t q[8][2][3][16];
} itera_packed_q6_k;

/* One 32-column block of 4 rows with the quants as plain signed integers, w = scale q + min: the form in which the
 * reference product and itera_unpack_row see every quantized type. */
typedef struct itera_expanded {
    int8_t q[4][32];
    float scale[4];
    float min[4];      /* only where the packing has minima; already negated for the K types */
    int8_t half[4][2]; /* only where the packing has halves: what the scale is to be multiplied by in each */
} itera_expanded;

/* How one quantized type is packed. */
typedef struct itera_packing {
    uint32_t block_elements; /* columns of a packed block: 32 or 256 */
    uint32_t block_bytes;    /* bytes of a packed block of 4 rows */
    int has_min;             /* w has an additive part */
    int has_halves;          /* each 16 columns have a factor of their own */
    /* Packs one block of each of 4 rows in file layout. */
    void (*pack)(void *out, const uint8_t *const rows[4]);
    /* Expands sub-block `sub` (0 for types with blocks of 32) of a packed block. */
    void (*expand)(itera_expanded *out, const void *block, int sub);
} itera_packing;

extern const itera_packing itera_packing_q8_0, itera_packing_q4_0, itera_packing_q4_1, itera_packing_q5_0,
    itera_packing_q5_1, itera_packing_q4_k, itera_packing_q5_k, itera_packing_q6_k;

/* The packing of a quantized type; NULL for F32, F16 and BF16, which are packed column by column. */
const itera_packing *itera_packing_of(itera_type type);

/* Reference expansion of file-layout blocks, one function for each type of the table in types.c. */
void itera_dequantize_f32(float *out, const void *blocks, size_t n);
void itera_dequantize_f16(float *out, const void *blocks, size_t n);
void itera_dequantize_bf16(float *out, const void *blocks, size_t n);
void itera_dequantize_q8_0(float *out, const void *blocks, size_t n);
void itera_dequantize_q4_0(float *out, const void *blocks, size_t n);
void itera_dequantize_q4_1(float *out, const void *blocks, size_t n);
void itera_dequantize_q5_0(float *out, const void *blocks, size_t n);
void itera_dequantize_q5_1(float *out, const void *blocks, size_t n);
void itera_dequantize_q4_k(float *out, const void *blocks, size_t n);
void itera_dequantize_q5_k(float *out, const void *blocks, size_t n);
void itera_dequantize_q6_k(float *out, const void *blocks, size_t n);

/* Puts the unsigned quants q[row][column] of a 32-column block into packed nibbles, see above. Bits above
 * the fourth are dropped here; itera_pack_fifth_bits keeps bit 4. */
void itera_pack_nibbles(uint8_t out[4][16], uint8_t q[4][32]);
void itera_pack_fifth_bits(uint8_t out[16], uint8_t q[4][32]);

/* The inverse: adds `offset` to every quant. high may be NULL for types of 4 bits. */
void itera_expand_nibbles(int8_t q[4][32], const uint8_t packed[4][16], const uint8_t *high, int offset);

#endif
