/* Tensor types: dequantization of blocks made by hand, and the packed form, which must lose nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "quant/half.h"
#include "quant/pack.h"
#include "quant/packed.h"
#include "test.h"

static const itera_type TYPES[] = {ITERA_TYPE_F32,  ITERA_TYPE_F16,  ITERA_TYPE_BF16, ITERA_TYPE_Q8_0,
                                   ITERA_TYPE_Q4_0, ITERA_TYPE_Q4_1, ITERA_TYPE_Q5_0, ITERA_TYPE_Q5_1,
                                   ITERA_TYPE_Q4_K, ITERA_TYPE_Q5_K, ITERA_TYPE_Q6_K};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0] };

/* Halves whose values are known by heart. */
#define HALF_0_5 0x3800
#define HALF_MINUS_2 0xc000
#define HALF_0_25 0x3400

static void put_half(uint8_t *at, unsigned half)
{
    at[0] = (uint8_t)half;
    at[1] = (uint8_t)(half >> 8);
}

/* Any quants that visit all values and both ends; i is the weight's place in its block. */
static int quant_at(int i, int levels) { return (i * 7 + i / 5 + 3) % levels; }

TEST(types_are_found_by_id_and_no_others)
{
    const char *names[] = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"};
    for (int i = 0; i < TYPE_COUNT; i++) {
        const itera_type_info *info = itera_type_lookup((uint32_t)TYPES[i]);
        REQUIRE(info != NULL);
        CHECK(info->type == TYPES[i] && strcmp(info->name, names[i]) == 0);
    }
    CHECK(itera_type_lookup(4) == NULL); /* the old Q4_2 */
    CHECK(itera_type_lookup(10) == NULL); /* Q2_K */
    CHECK(itera_type_lookup(0xffffffffu) == NULL);
}

TEST(halves_convert_exactly)
{
    const struct {
        uint16_t half;
        float value;
    } known[] = {{0x0000, 0.0f},     {0x3c00, 1.0f},          {0xc000, -2.0f},     {0x3555, 0.333251953125f},
                 {0x7bff, 65504.0f}, {0x0001, 0x1p-24f},      {0x03ff, 0x3ffp-24f}, {0x0400, 0x1p-14f},
                 {0x8001, -0x1p-24f}, {0xfc00, -INFINITY},    {0x7c00, INFINITY}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        CHECK(itera_half_to_f32(known[i].half) == known[i].value);
    }
    CHECK(itera_f32_to_bits(itera_half_to_f32(0x8000)) == 0x80000000u);
    CHECK(isnan(itera_half_to_f32(0x7e00)));
    for (unsigned half = 0; half < 0x10000; half++) { /* the kernels' form, wherever it promises to be right */
        if ((half & 0x7c00) != 0x7c00) {
            CHECK(itera_finite_half_to_f32((uint16_t)half) == itera_half_to_f32((uint16_t)half));
        }
    }
    CHECK(itera_bf16_to_f32(0x3fc0) == 1.5f);
}

TEST(dequantizes_q8_0)
{
    uint8_t block[34];
    float out[32];
    put_half(block, HALF_MINUS_2);
    for (int i = 0; i < 32; i++) {
        block[2 + i] = (uint8_t)(i * 8 - 128);
    }
    itera_dequantize_q8_0(out, block, 32);
    for (int i = 0; i < 32; i++) {
        CHECK(out[i] == -2.0f * (float)(i * 8 - 128));
    }
}

/* Q4_0, Q4_1, Q5_0, Q5_1: d = 0.5, m = -2 where there is one. */
static void check_32(itera_type type, int levels, int has_min, int offset)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    uint8_t block[24] = {0};
    uint8_t *at = block;
    float out[32];
    put_half(at, HALF_0_5);
    at += 2;
    if (has_min) {
        put_half(at, HALF_MINUS_2);
        at += 2;
    }
    if (levels == 32) {
        for (int i = 0; i < 32; i++) {
            at[i / 8] |= (uint8_t)((quant_at(i, levels) >> 4) << (i % 8));
        }
        at += 4;
    }
    for (int i = 0; i < 16; i++) {
        at[i] = (uint8_t)((quant_at(i, levels) & 15) | ((quant_at(i + 16, levels) & 15) << 4));
    }
    CHECK_INT(at + 16 - block, info->block_bytes);
    info->dequantize(out, block, 32);
    for (int i = 0; i < 32; i++) {
        CHECK(out[i] == 0.5f * (float)(quant_at(i, levels) - offset) + (has_min ? -2.0f : 0.0f));
    }
}

TEST(dequantizes_q4_0) { check_32(ITERA_TYPE_Q4_0, 16, 0, 8); }
TEST(dequantizes_q4_1) { check_32(ITERA_TYPE_Q4_1, 16, 1, 0); }
TEST(dequantizes_q5_0) { check_32(ITERA_TYPE_Q5_0, 32, 0, 16); }
TEST(dequantizes_q5_1) { check_32(ITERA_TYPE_Q5_1, 32, 1, 0); }

/* Q4_K, Q5_K: d = 0.5, dmin = -2; scale 63 - 7s and minimum 9s + 0 of sub-block s. */
static void check_k45(itera_type type, int levels)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    uint8_t block[176] = {0};
    uint8_t *scales = block + 4, *high = block + 16, *low = levels == 32 ? block + 48 : block + 16;
    float out[256];
    put_half(block, HALF_0_5);
    put_half(block + 2, HALF_MINUS_2);
    for (int s = 0; s < 8; s++) {
        int scale = 63 - 7 * s, minimum = 9 * s;
        if (s < 4) {
            scales[s] |= (uint8_t)scale;
            scales[s + 4] |= (uint8_t)minimum;
        } else { /* low nibbles in the last four bytes, upper two bits on top of the first eight */
            scales[s + 4] |= (uint8_t)((scale & 15) | ((minimum & 15) << 4));
            scales[s - 4] |= (uint8_t)((scale >> 4) << 6);
            scales[s] |= (uint8_t)((minimum >> 4) << 6);
        }
        for (int i = 0; i < 32; i++) {
            int quant = quant_at(32 * s + i, levels);
            low[32 * (s / 2) + i] |= (uint8_t)((quant & 15) << (s % 2 * 4));
            if (levels == 32) {
                high[i] |= (uint8_t)((quant >> 4) << s);
            }
        }
    }
    info->dequantize(out, block, 256);
    for (int i = 0; i < 256; i++) {
        int s = i / 32;
        CHECK(out[i] == 0.5f * (float)(63 - 7 * s) * (float)quant_at(i, levels) + 2.0f * (float)(9 * s));
    }
}

TEST(dequantizes_q4_k) { check_k45(ITERA_TYPE_Q4_K, 16); }
TEST(dequantizes_q5_k) { check_k45(ITERA_TYPE_Q5_K, 32); }

TEST(dequantizes_q6_k)
{
    uint8_t block[210] = {0};
    float out[256];
    put_half(block + 208, HALF_0_25);
    for (int s = 0; s < 16; s++) {
        block[192 + s] = (uint8_t)(s * 17 - 128);
    }
    for (int i = 0; i < 256; i++) {
        int quant = quant_at(i, 64), half = i / 128, within = i % 128;
        block[64 * half + within % 64] |= (uint8_t)((quant & 15) << (within / 64 * 4));
        block[128 + 32 * half + within % 32] |= (uint8_t)((quant >> 4) << (within / 32 * 2));
    }
    itera_dequantize_q6_k(out, block, 256);
    for (int i = 0; i < 256; i++) {
        CHECK(out[i] == 0.25f * (float)(i / 16 * 17 - 128) * (float)(quant_at(i, 64) - 32));
    }
}

/* ---- Packing ---- */

static uint32_t random_bits(void)
{
    static uint32_t state = 12345;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static int same_bits(float a, float b)
{
    return itera_f32_to_bits(a) == itera_f32_to_bits(b) || (isnan(a) && isnan(b));
}

/* Any bytes are valid blocks, so rows of noise reach every quant, scale and sign; `missing` is a NULL row. */
static void check_round_trip(itera_type type, uint32_t cols, int missing)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    size_t row_bytes = cols / info->block_elements * info->block_bytes;
    size_t group_bytes = itera_pack_group_bytes(type, cols);
    uint8_t *file = malloc(4 * row_bytes), *group = malloc(group_bytes);
    float *expected = malloc(cols * sizeof *expected), *actual = malloc(cols * sizeof *actual);
    const void *rows[4];
    for (size_t i = 0; i < 4 * row_bytes; i++) {
        file[i] = (uint8_t)random_bits();
    }
    for (int row = 0; row < 4; row++) {
        rows[row] = row == missing ? NULL : file + (size_t)row * row_bytes;
    }
    itera_pack_group(group, type, cols, rows);

    for (int row = 0; row < 4; row++) {
        int wrong = 0;
        itera_unpack_row(actual, type, cols, group, row);
        memset(expected, 0, cols * sizeof *expected);
        if (rows[row] != NULL) {
            info->dequantize(expected, rows[row], cols);
        }
        for (uint32_t k = 0; k < cols; k++) {
            wrong += rows[row] != NULL ? !same_bits(expected[k], actual[k]) : actual[k] != 0.0f;
        }
        CHECK_INT(wrong, 0);
    }
    CHECK((double)group_bytes <= 1.03 * 4.0 * (double)row_bytes);
    CHECK_INT(group_bytes % 4, 0);
    free(file), free(group), free(expected), free(actual);
}

TEST(unpacking_a_packed_row_is_dequantizing_it_bit_for_bit)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        for (uint32_t cols = 256; cols <= 1280; cols += 512) {
            check_round_trip(TYPES[i], cols, -1);
        }
    }
    check_round_trip(ITERA_TYPE_F32, 37, -1); /* types without blocks take any width */
    check_round_trip(ITERA_TYPE_F16, 37, -1);
    check_round_trip(ITERA_TYPE_Q4_0, 32, -1);
}

TEST(missing_rows_are_packed_as_zeros)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        for (int missing = 0; missing < 4; missing++) {
            check_round_trip(TYPES[i], 256, missing);
        }
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(types_are_found_by_id_and_no_others);
    RUN(halves_convert_exactly);
    RUN(dequantizes_q8_0);
    RUN(dequantizes_q4_0);
    RUN(dequantizes_q4_1);
    RUN(dequantizes_q5_0);
    RUN(dequantizes_q5_1);
    RUN(dequantizes_q4_k);
    RUN(dequantizes_q5_k);
    RUN(dequantizes_q6_k);
    RUN(unpacking_a_packed_row_is_dequantizing_it_bit_for_bit);
    RUN(missing_rows_are_packed_as_zeros);
    return test_end();
}
