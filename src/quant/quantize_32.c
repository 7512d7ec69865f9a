/* Encoders of the types with blocks of 32 weights; q4.c, q5.c and q8_0.c describe the bytes. */
#include "quant/encoders.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "quant/search.h"
#include "quant/to_half.h"

/* Low nibbles are weights 0..15, high nibbles 16..31. */
static void put_nibbles(uint8_t *out, const uint8_t q[32])
{
    for (int i = 0; i < 16; i++) {
        out[i] = (uint8_t)((q[i] & 15) | ((q[i + 16] & 15) << 4));
    }
}

static void put_fifth_bits(uint8_t out[4], const uint8_t q[32])
{
    memset(out, 0, 4);
    for (int i = 0; i < 32; i++) {
        out[i / 8] |= (uint8_t)((q[i] >> 4) << (i % 8));
    }
}

void itera_encode_q8_0(uint8_t *out, const float *x)
{
    uint16_t d = itera_settle_step(itera_search_step_near(x, 32, 127), x, 32, -127, 127);
    int8_t q[32];
    itera_assign(q, x, 32, itera_half_to_f32(d), 0.0f, -127, 127);
    itera_store_u16(out, d);
    memcpy(out + 2, q, 32);
}

/* Chooses d and writes it; q gets the quants plus `offset`, so from 0 up. */
static void encode_symmetric(uint8_t *out, uint8_t q[32], const float *x, int offset)
{
    int8_t nearest[32];
    uint16_t d = itera_settle_step(itera_search_step(x, 32, -offset, offset - 1), x, 32, -offset, offset - 1);
    itera_assign(nearest, x, 32, itera_half_to_f32(d), 0.0f, -offset, offset - 1);
    itera_store_u16(out, d);
    for (int i = 0; i < 32; i++) {
        q[i] = (uint8_t)(nearest[i] + offset);
    }
}

/* The same for d and m. Both are rounded to half, which a neighbour of one may make up for. */
static void encode_affine(uint8_t *out, uint8_t q[32], const float *x, int highest)
{
    itera_affine affine = itera_search_affine(x, 32, highest, false);
    /* The fit may lie beyond the values, and so beyond the largest half. */
    float base = fmaxf(fminf(affine.base, ITERA_LARGEST_HALF), -ITERA_LARGEST_HALF);
    uint16_t step_half = itera_f32_to_half(affine.step), base_half = itera_f32_to_half(base);
    double least = HUGE_VAL;
    for (int trial = 0; trial < 9; trial++) {
        uint16_t d = (uint16_t)(step_half + trial / 3 - 1), m = (uint16_t)(base_half + trial % 3 - 1);
        if (d >= 0x7c00u || (m & 0x7c00u) == 0x7c00u) {
            continue; /* past zero, or infinite */
        }
        int8_t nearest[32];
        double error = itera_assign(nearest, x, 32, itera_half_to_f32(d), itera_half_to_f32(m), 0, highest);
        if (error < least) {
            least = error;
            memcpy(q, nearest, 32);
            itera_store_u16(out, d);
            itera_store_u16(out + 2, m);
        }
    }
}

void itera_encode_q4_0(uint8_t *out, const float *x)
{
    uint8_t q[32];
    encode_symmetric(out, q, x, 8);
    put_nibbles(out + 2, q);
}

void itera_encode_q4_1(uint8_t *out, const float *x)
{
    uint8_t q[32];
    encode_affine(out, q, x, 15);
    put_nibbles(out + 4, q);
}

void itera_encode_q5_0(uint8_t *out, const float *x)
{
    uint8_t q[32];
    encode_symmetric(out, q, x, 16);
    put_fifth_bits(out + 2, q);
    put_nibbles(out + 6, q);
}

void itera_encode_q5_1(uint8_t *out, const float *x)
{
    uint8_t q[32];
    encode_affine(out, q, x, 31);
    put_fifth_bits(out + 4, q);
    put_nibbles(out + 8, q);
}
