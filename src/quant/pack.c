/* Groups of 4 rows, to and from their packed form; the blocks themselves are made beside each type. */
#include "quant/pack.h"

#include "base/bytes.h"
#include "quant/packed.h"

/* A block of a padding row: all zero bytes mean weights of zero in every type. 256 bytes hold any block. */
static const uint8_t zero_block[256];

const itera_packing *itera_packing_of(itera_type type)
{
    switch (type) {
    case ITERA_TYPE_Q8_0: return &itera_packing_q8_0;
    case ITERA_TYPE_Q4_0: return &itera_packing_q4_0;
    case ITERA_TYPE_Q4_1: return &itera_packing_q4_1;
    case ITERA_TYPE_Q5_0: return &itera_packing_q5_0;
    case ITERA_TYPE_Q5_1: return &itera_packing_q5_1;
    case ITERA_TYPE_Q4_K: return &itera_packing_q4_k;
    case ITERA_TYPE_Q5_K: return &itera_packing_q5_k;
    case ITERA_TYPE_Q6_K: return &itera_packing_q6_k;
    default: return NULL;
    }
}

uint64_t itera_pack_group_bytes(itera_type type, uint32_t cols)
{
    const itera_packing *packing = itera_packing_of(type);
    if (packing == NULL) {
        return (uint64_t)cols * ITERA_PACK_ROWS * (type == ITERA_TYPE_F32 ? 4 : 2);
    }
    return (uint64_t)(cols / packing->block_elements) * packing->block_bytes;
}

void itera_pack_group(void *out, itera_type type, uint32_t cols, const void *const rows[4])
{
    const itera_packing *packing = itera_packing_of(type);
    uint8_t *to = out;

    if (packing == NULL) { /* [K][4]: one number of each row in turn */
        size_t width = type == ITERA_TYPE_F32 ? 4 : 2;
        for (size_t k = 0; k < cols; k++) {
            for (int row = 0; row < ITERA_PACK_ROWS; row++, to += width) {
                const uint8_t *from = rows[row] != NULL ? (const uint8_t *)rows[row] + k * width : zero_block;
                for (size_t i = 0; i < width; i += 2) { /* of a known size each, so no call */
                    memcpy(to + i, from + i, 2);
                }
            }
        }
        return;
    }

    uint32_t file_block_bytes = itera_type_lookup((uint32_t)type)->block_bytes;
    size_t blocks = cols / packing->block_elements;
    for (size_t block = 0; block < blocks; block++, to += packing->block_bytes) {
        const uint8_t *from[4];
        for (int row = 0; row < ITERA_PACK_ROWS; row++) {
            const uint8_t *begin = rows[row];
            from[row] = begin != NULL ? begin + block * file_block_bytes : zero_block;
        }
        packing->pack(to, from);
    }
}

void itera_unpack_row(float *out, itera_type type, uint32_t cols, const void *group, int lane)
{
    const itera_packing *packing = itera_packing_of(type);
    const uint8_t *from = group;

    if (packing == NULL) {
        const itera_type_info *info = itera_type_lookup((uint32_t)type);
        for (size_t k = 0; k < cols; k++) {
            info->dequantize(out + k, from + (4 * k + (size_t)lane) * info->block_bytes, 1);
        }
        return;
    }

    for (uint32_t column = 0; column < cols; column += ITERA_PACK_COLS, out += ITERA_PACK_COLS) {
        itera_expanded expanded;
        packing->expand(&expanded, from + (size_t)(column / packing->block_elements) * packing->block_bytes,
                        (int)(column % packing->block_elements / ITERA_PACK_COLS));
        for (int i = 0; i < ITERA_PACK_COLS; i++) {
            float scale = expanded.scale[lane] * (packing->has_halves ? (float)expanded.half[lane][i / 16] : 1.0f);
            float value = scale * (float)expanded.q[lane][i];
            out[i] = packing->has_min ? value + expanded.min[lane] : value;
        }
    }
}

/* Four bytes, one of each of four columns, at a time: more than twice as fast as one. */
void itera_pack_nibbles(uint8_t out[4][16], uint8_t q[4][32])
{
    for (int v = 0; v < 4; v++) {
        for (int row = 0; row < 4; row++) {
            const uint32_t low = itera_load_u32(&q[row][4 * v]), high = itera_load_u32(&q[row][4 * v + 16]);
            const uint32_t both = (low & 0x0f0f0f0f) | (high & 0x0f0f0f0f) << 4;
            memcpy(&out[v][4 * row], &both, sizeof both);
        }
    }
}

void itera_pack_fifth_bits(uint8_t out[16], uint8_t q[4][32])
{
    for (int row = 0; row < 4; row++) {
        uint32_t bits = 0;
        for (int chunk = 0; chunk < 8; chunk++) {
            bits |= (itera_load_u32(&q[row][4 * chunk]) >> 4 & 0x01010101) << chunk;
        }
        memcpy(&out[4 * row], &bits, sizeof bits);
    }
}

void itera_expand_nibbles(int8_t q[4][32], const uint8_t packed[4][16], const uint8_t *high, int offset)
{
    for (int row = 0; row < 4; row++) {
        for (int i = 0; i < 32; i++) {
            int byte = 4 * row + i % 4;
            int nibbles = packed[i / 4 % 4][byte];
            int quant = i < 16 ? nibbles & 15 : nibbles >> 4;
            if (high != NULL) {
                quant |= (high[byte] >> (i / 4) & 1) << 4;
            }
            q[row][i] = (int8_t)(quant + offset);
        }
    }
}
