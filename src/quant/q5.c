/* Q5_0 and Q5_1: 32 weights of 5 bits.
 *   Q5_0, 22 bytes:  0 f16 d   2 u32 high   6 u8 q[16]             w = d (quant - 16)
 *   Q5_1, 24 bytes:  0 f16 d   2 f16 m   4 u32 high   8 u8 q[16]   w = d quant + m
 * The low nibble of q[i] is weight i, the high nibble weight i + 16; bit i of `high` is the 5th bit of
 * weight i. */
#include "base/bytes.h"
#include "quant/half.h"
#include "quant/packed.h"

/* high_at: where the 32-bit word of high bits stands in a block. */
static void read_quants(uint8_t q[32], const uint8_t *block, int high_at)
{
    uint32_t high = itera_load_u32(block + high_at);
    const uint8_t *nibbles = block + high_at + 4;
    for (int i = 0; i < 16; i++) {
        q[i] = (uint8_t)((nibbles[i] & 15) | (((high >> i) & 1) << 4));
        q[i + 16] = (uint8_t)((nibbles[i] >> 4) | (((high >> (i + 16)) & 1) << 4));
    }
}

void itera_dequantize_q5_0(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 32; n -= 32, block += 22, out += 32) {
        uint8_t q[32];
        float d = itera_half_to_f32(itera_load_u16(block));
        read_quants(q, block, 2);
        for (int i = 0; i < 32; i++) {
            out[i] = d * (float)(q[i] - 16);
        }
    }
}

void itera_dequantize_q5_1(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 32; n -= 32, block += 24, out += 32) {
        uint8_t q[32];
        float d = itera_half_to_f32(itera_load_u16(block));
        float m = itera_half_to_f32(itera_load_u16(block + 2));
        read_quants(q, block, 4);
        for (int i = 0; i < 32; i++) {
            out[i] = d * (float)q[i] + m;
        }
    }
}

static void pack_q5_0(void *out, const uint8_t *const rows[4])
{
    itera_packed_q5_0 *packed = out;
    uint8_t q[4][32];
    for (int row = 0; row < 4; row++) {
        packed->d[row] = itera_load_u16(rows[row]);
        read_quants(q[row], rows[row], 2);
    }
    itera_pack_fifth_bits(packed->high, q);
    itera_pack_nibbles(packed->q, q);
}

static void pack_q5_1(void *out, const uint8_t *const rows[4])
{
    itera_packed_q5_1 *packed = out;
    uint8_t q[4][32];
    for (int row = 0; row < 4; row++) {
        packed->d[row] = itera_load_u16(rows[row]);
        packed->m[row] = itera_load_u16(rows[row] + 2);
        read_quants(q[row], rows[row], 4);
    }
    itera_pack_fifth_bits(packed->high, q);
    itera_pack_nibbles(packed->q, q);
}

static void expand_q5_0(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q5_0 *packed = block;
    (void)sub;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
    }
    itera_expand_nibbles(out->q, packed->q, packed->high, -16);
}

static void expand_q5_1(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q5_1 *packed = block;
    (void)sub;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
        out->min[row] = itera_half_to_f32(packed->m[row]);
    }
    itera_expand_nibbles(out->q, packed->q, packed->high, 0);
}

const itera_packing itera_packing_q5_0 = {32, sizeof(itera_packed_q5_0), 0, 0, pack_q5_0, expand_q5_0};
const itera_packing itera_packing_q5_1 = {32, sizeof(itera_packed_q5_1), 1, 0, pack_q5_1, expand_q5_1};
