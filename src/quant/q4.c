/* Q4_0 and Q4_1: 32 weights of 4 bits.
 *   Q4_0, 18 bytes:  0 f16 d   2 u8 q[16]             w = d (nibble - 8)
 *   Q4_1, 20 bytes:  0 f16 d   2 f16 m   4 u8 q[16]   w = d nibble + m
 * The low nibble of q[i] is weight i, the high nibble weight i + 16. */
#include "base/bytes.h"
#include "quant/half.h"
#include "quant/packed.h"

void itera_dequantize_q4_0(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 32; n -= 32, block += 18, out += 32) {
        float d = itera_half_to_f32(itera_load_u16(block));
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((block[2 + i] & 15) - 8);
            out[i + 16] = d * (float)((block[2 + i] >> 4) - 8);
        }
    }
}

void itera_dequantize_q4_1(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 32; n -= 32, block += 20, out += 32) {
        float d = itera_half_to_f32(itera_load_u16(block));
        float m = itera_half_to_f32(itera_load_u16(block + 2));
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(block[4 + i] & 15) + m;
            out[i + 16] = d * (float)(block[4 + i] >> 4) + m;
        }
    }
}

/* The file pairs weights i and i + 16 in a byte, which is the packed pairing too (chunk v with v + 4), so
 * packing is a transposition of 4-byte words. */
static void pack_words(uint8_t out[4][16], const uint8_t *const rows[4], int quants_at)
{
    for (int v = 0; v < 4; v++) {
        for (int row = 0; row < 4; row++) {
            memcpy(&out[v][4 * row], rows[row] + quants_at + 4 * v, 4);
        }
    }
}

static void pack_q4_0(void *out, const uint8_t *const rows[4])
{
    itera_packed_q4_0 *packed = out;
    for (int row = 0; row < 4; row++) {
        packed->d[row] = itera_load_u16(rows[row]);
    }
    pack_words(packed->q, rows, 2);
}

static void pack_q4_1(void *out, const uint8_t *const rows[4])
{
    itera_packed_q4_1 *packed = out;
    for (int row = 0; row < 4; row++) {
        packed->d[row] = itera_load_u16(rows[row]);
        packed->m[row] = itera_load_u16(rows[row] + 2);
    }
    pack_words(packed->q, rows, 4);
}

static void expand_q4_0(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q4_0 *packed = block;
    (void)sub;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
    }
    itera_expand_nibbles(out->q, packed->q, NULL, -8);
}

static void expand_q4_1(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q4_1 *packed = block;
    (void)sub;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
        out->min[row] = itera_half_to_f32(packed->m[row]);
    }
    itera_expand_nibbles(out->q, packed->q, NULL, 0);
}

const itera_packing itera_packing_q4_0 = {32, sizeof(itera_packed_q4_0), 0, 0, pack_q4_0, expand_q4_0};
const itera_packing itera_packing_q4_1 = {32, sizeof(itera_packed_q4_1), 1, 0, pack_q4_1, expand_q4_1};
