/* Q4_K, Q5_K and Q6_K: 256 weights in 8 sub-blocks of 32.
 *
 *   Q4_K, 144 bytes:  0 f16 d   2 f16 dmin   4 u8 scales[12]   16 u8 q[128]
 *   Q5_K, 176 bytes:  0 f16 d   2 f16 dmin   4 u8 scales[12]   16 u8 high[32]   48 u8 q[128]
 *     w = (d scale) quant - (dmin minimum); scale and minimum have 6 bits, one pair for each sub-block.
 *     q: 32 bytes for each pair of sub-blocks, low nibbles the even one, high nibbles the odd one;
 *     bit s of high[i] is the 5th bit of weight i of sub-block s.
 *   Q6_K, 210 bytes:  0 u8 low[128]   128 u8 high[64]   192 i8 scales[16]   208 f16 d
 *     w = (d scale) (quant - 32), a scale for each 16 weights. For each half of 128 weights: 64 bytes of
 *     low nibbles (weights 0..63 low, 64..127 high) and 32 bytes whose bits 2s and 2s+1 are the upper two
 *     bits of sub-block s of that half. */
#include "base/bytes.h"
#include "quant/half.h"
#include "quant/packed.h"

/* The 6-bit pair of sub-block s (0..7): the first four pairs lie in the low 6 bits of bytes 0..7, the other
 * four have their low nibbles in bytes 8..11 and their upper two bits on top of bytes 0..7. */
static void read_scale_pair(uint8_t *scale, uint8_t *minimum, const uint8_t scales[12], int s)
{
    if (s < 4) {
        *scale = scales[s] & 63;
        *minimum = scales[s + 4] & 63;
    } else {
        *scale = (uint8_t)((scales[s + 4] & 15) | ((scales[s - 4] >> 6) << 4));
        *minimum = (uint8_t)((scales[s + 4] >> 4) | ((scales[s] >> 6) << 4));
    }
}

/* Quants of sub-block s. high is NULL for Q4_K. */
static void read_quants_45(uint8_t q[32], const uint8_t *low, const uint8_t *high, int s)
{
    const uint8_t *nibbles = low + 32 * (s / 2);
    for (int i = 0; i < 32; i++) {
        q[i] = (s & 1) ? nibbles[i] >> 4 : nibbles[i] & 15;
        if (high != NULL) {
            q[i] |= (uint8_t)(((high[i] >> s) & 1) << 4);
        }
    }
}

static void read_quants_6(uint8_t q[32], const uint8_t *block, int s)
{
    const uint8_t *low = block + 64 * (s / 4) + 32 * (s & 1);
    const uint8_t *high = block + 128 + 32 * (s / 4);
    int high_nibbles = (s & 2) != 0;
    int high_shift = 2 * (s & 3);
    for (int i = 0; i < 32; i++) {
        int nibble = high_nibbles ? low[i] >> 4 : low[i] & 15;
        q[i] = (uint8_t)(nibble | (((high[i] >> high_shift) & 3) << 4));
    }
}

static void dequantize_45(float *out, const uint8_t *block, const uint8_t *low, const uint8_t *high)
{
    float d = itera_half_to_f32(itera_load_u16(block));
    float dmin = itera_half_to_f32(itera_load_u16(block + 2));
    for (int s = 0; s < 8; s++) {
        uint8_t scale, minimum, q[32];
        read_scale_pair(&scale, &minimum, block + 4, s);
        read_quants_45(q, low, high, s);
        float step = d * (float)scale, base = dmin * (float)minimum;
        for (int i = 0; i < 32; i++) {
            out[32 * s + i] = step * (float)q[i] - base;
        }
    }
}

void itera_dequantize_q4_k(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 256; n -= 256, block += 144, out += 256) {
        dequantize_45(out, block, block + 16, NULL);
    }
}

void itera_dequantize_q5_k(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 256; n -= 256, block += 176, out += 256) {
        dequantize_45(out, block, block + 48, block + 16);
    }
}

void itera_dequantize_q6_k(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 256; n -= 256, block += 210, out += 256) {
        float d = itera_half_to_f32(itera_load_u16(block + 208));
        for (int s = 0; s < 8; s++) {
            uint8_t q[32];
            read_quants_6(q, block, s);
            for (int i = 0; i < 32; i++) {
                float step = d * (float)(int8_t)block[192 + 2 * s + i / 16];
                out[32 * s + i] = step * (float)(q[i] - 32);
            }
        }
    }
}

static void pack_q4_k(void *out, const uint8_t *const rows[4])
{
    itera_packed_q4_k *packed = out;
    for (int s = 0; s < 8; s++) {
        uint8_t q[4][32];
        for (int row = 0; row < 4; row++) {
            packed->d[row] = itera_load_u16(rows[row]);
            packed->dmin[row] = itera_load_u16(rows[row] + 2);
            read_scale_pair(&packed->scales[s][row], &packed->scales[s][4 + row], rows[row] + 4, s);
            read_quants_45(q[row], rows[row] + 16, NULL, s);
        }
        itera_pack_nibbles(packed->q[s], q);
    }
}

static void pack_q5_k(void *out, const uint8_t *const rows[4])
{
    itera_packed_q5_k *packed = out;
    for (int s = 0; s < 8; s++) {
        uint8_t q[4][32];
        for (int row = 0; row < 4; row++) {
            packed->d[row] = itera_load_u16(rows[row]);
            packed->dmin[row] = itera_load_u16(rows[row] + 2);
            read_scale_pair(&packed->scales[s][row], &packed->scales[s][4 + row], rows[row] + 4, s);
            read_quants_45(q[row], rows[row] + 48, rows[row] + 16, s);
        }
        itera_pack_fifth_bits(packed->sub[s].high, q);
        itera_pack_nibbles(packed->sub[s].q, q);
    }
}

static void pack_q6_k(void *out, const uint8_t *const rows[4])
{
    itera_packed_q6_k *packed = out;
    for (int s = 0; s < 8; s++) {
        uint8_t q[4][32];
        for (int row = 0; row < 4; row++) {
            packed->d[row] = itera_load_u16(rows[row] + 208);
            packed->scales[s][0][row] = (int8_t)rows[row][192 + 2 * s];
            packed->scales[s][1][row] = (int8_t)rows[row][192 + 2 * s + 1];
            read_quants_6(q[row], rows[row], s);
        }
        for (int half = 0; half < 2; half++) {
            for (int byte = 0; byte < 16; byte++) {
                const uint8_t *column = &q[byte / 4][16 * half + byte % 4];
                for (int v = 0; v < 3; v++) {
                    packed->q[s][half][v][byte] = (uint8_t)(column[4 * v] | ((column[12] >> (2 * v)) & 3) << 6);
                }
            }
        }
    }
}

static void expand_scales(itera_expanded *out, const uint16_t d[4], const uint16_t dmin[4],
                          const uint8_t scales[8])
{
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(d[row]) * (float)scales[row];
        out->min[row] = -(itera_half_to_f32(dmin[row]) * (float)scales[4 + row]);
    }
}

static void expand_q4_k(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q4_k *packed = block;
    expand_scales(out, packed->d, packed->dmin, packed->scales[sub]);
    itera_expand_nibbles(out->q, packed->q[sub], NULL, 0);
}

static void expand_q5_k(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q5_k *packed = block;
    expand_scales(out, packed->d, packed->dmin, packed->scales[sub]);
    itera_expand_nibbles(out->q, packed->sub[sub].q, packed->sub[sub].high, 0);
}

static void expand_q6_k(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q6_k *packed = block;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
        for (int half = 0; half < 2; half++) {
            out->half[row][half] = packed->scales[sub][half][row];
            for (int column = 0; column < 4; column++) {
                int8_t *q = &out->q[row][16 * half + column];
                q[12] = -32;
                for (int v = 0; v < 3; v++) {
                    int byte = packed->q[sub][half][v][4 * row + column];
                    q[4 * v] = (int8_t)((byte & 63) - 32);
                    q[12] = (int8_t)(q[12] + ((byte >> 6) << (2 * v)));
                }
            }
        }
    }
}

const itera_packing itera_packing_q4_k = {256, sizeof(itera_packed_q4_k), 1, 0, pack_q4_k, expand_q4_k};
const itera_packing itera_packing_q5_k = {256, sizeof(itera_packed_q5_k), 1, 0, pack_q5_k, expand_q5_k};
const itera_packing itera_packing_q6_k = {256, sizeof(itera_packed_q6_k), 0, 1, pack_q6_k, expand_q6_k};
