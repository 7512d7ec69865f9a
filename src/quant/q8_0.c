/* Q8_0: 32 weights in 34 bytes.
 *   0  f16 d
 *   2  i8 q[32]          w = d q */
#include "base/bytes.h"
#include "quant/half.h"
#include "quant/packed.h"

void itera_dequantize_q8_0(float *out, const void *blocks, size_t n)
{
    const uint8_t *block = blocks;
    for (; n >= 32; n -= 32, block += 34, out += 32) {
        float d = itera_half_to_f32(itera_load_u16(block));
        for (int i = 0; i < 32; i++) {
            out[i] = d * (float)(int8_t)block[2 + i];
        }
    }
}

static void pack_q8_0(void *out, const uint8_t *const rows[4])
{
    itera_packed_q8_0 *packed = out;
    for (int row = 0; row < 4; row++) {
        packed->d[row] = itera_load_u16(rows[row]);
        for (int chunk = 0; chunk < 8; chunk++) {
            for (int column = 0; column < 4; column++) {
                packed->q[chunk][4 * row + column] = rows[row][2 + 4 * chunk + column] ^ 0x80;
            }
        }
    }
}

static void expand_q8_0(itera_expanded *out, const void *block, int sub)
{
    const itera_packed_q8_0 *packed = block;
    (void)sub;
    for (int row = 0; row < 4; row++) {
        out->scale[row] = itera_half_to_f32(packed->d[row]);
        for (int i = 0; i < 32; i++) {
            out->q[row][i] = (int8_t)(packed->q[i / 4][4 * row + i % 4] - 128);
        }
    }
}

const itera_packing itera_packing_q8_0 = {32, sizeof(itera_packed_q8_0), 0, 0, pack_q8_0, expand_q8_0};
