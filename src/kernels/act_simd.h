/* Quantization of activations on vectors, a template. */

_Static_assert(sizeof(itera_act_sums) == 32, "two vectors");

/* Sums of 16-bit lanes: q[0], q[1] hold the first 16 columns, q[2], q[3] the others. d: the same in all lanes. */
ITERA_INLINE void store_sums_of(itera_act_sums *out, v128_t d, const v128_t q[4], int32_t base)
{
    v128_t first = wasm_i32x4_add(wasm_i32x4_extadd_pairwise_i16x8(q[0]), wasm_i32x4_extadd_pairwise_i16x8(q[1]));
    v128_t second = wasm_i32x4_add(wasm_i32x4_extadd_pairwise_i16x8(q[2]), wasm_i32x4_extadd_pairwise_i16x8(q[3]));
    /* Lanes: two partial sums of the first half, two of the second; then the halves, twice each; then all. */
    v128_t halves = wasm_i32x4_add(wasm_i32x4_shuffle(first, second, 0, 2, 4, 6),
                                   wasm_i32x4_shuffle(first, second, 1, 3, 5, 7));
    halves = wasm_i32x4_add(halves, wasm_i32x4_shuffle(halves, halves, 1, 0, 3, 2));
    v128_t sum = wasm_i32x4_add(halves, wasm_i32x4_shuffle(halves, halves, 2, 3, 0, 1));

    /* d, dsum, repay[0], repay[1]; repay[2], repay[3], repay32[0], repay32[1] */
    v128_t floats = wasm_f32x4_mul(d, wasm_f32x4_replace_lane(wasm_f32x4_convert_i32x4(sum), 0, 1.0f));
    v128_t by_8 = wasm_i32x4_shl(sum, 3);
    v128_t integers = wasm_i32x4_replace_lane(wasm_i32x4_sub(wasm_i32x4_splat(base), by_8), 2, base);
    v128_t rest = wasm_i32x4_shl(wasm_i32x4_shuffle(sum, by_8, 0, 4, 0, 4), 4);
    rest = wasm_i32x4_shuffle(rest, wasm_i32x4_shl(halves, 5), 0, 1, 4, 6);
    wasm_v128_store(out, wasm_i32x4_shuffle(floats, integers, 0, 1, 6, 7));
    wasm_v128_store(out->repay + 2, wasm_i32x4_sub(wasm_i32x4_splat(base), rest));
}

static void quantize_row(itera_act_block *out, const float *x, size_t n)
{
    const v128_t magic = ITERA_CONSTANT(ITERA_ROUND_MAGIC), largest_q = ITERA_CONSTANT((float)ITERA_ACT_LARGEST);
    const v128_t least_largest = ITERA_CONSTANT(0x1p-100f), magnitude = ITERA_CONSTANT_BITS(0x7fffffff);
    const v128_t most = ITERA_CONSTANT_BITS(0x10001u * ITERA_ACT_LARGEST), half = ITERA_CONSTANT_BITS(0x10001u * 64);
    const v128_t least = ITERA_CONSTANT_BITS(0x10001u * (0x10000u - ITERA_ACT_LARGEST));
    for (; n >= ITERA_ACT_BLOCK; n -= ITERA_ACT_BLOCK, x += ITERA_ACT_BLOCK, out++) {
        v128_t v[8], largest[4];
        for (int i = 0; i < 8; i++) { /* whose second operand is NaN, a maximum is the first */
            v[i] = wasm_v128_load(x + 4 * i);
            v128_t before = i < 4 ? wasm_f32x4_splat(0.0f) : largest[i - 4];
            largest[i % 4] = wasm_f32x4_pmax(before, wasm_v128_and(v[i], magnitude));
        }
        v128_t largest4 =
            wasm_f32x4_pmax(wasm_f32x4_pmax(largest[0], largest[1]), wasm_f32x4_pmax(largest[2], largest[3]));
        largest4 = wasm_f32x4_pmax(largest4, wasm_i32x4_shuffle(largest4, largest4, 2, 3, 0, 1));
        largest4 = wasm_f32x4_pmax(largest4, wasm_i32x4_shuffle(largest4, largest4, 1, 0, 3, 2));
        v128_t large_enough = wasm_f32x4_ge(largest4, least_largest);
        v128_t d = wasm_v128_and(wasm_f32x4_div(largest4, largest_q), large_enough);
        v128_t inverse = wasm_v128_and(wasm_f32x4_div(largest_q, largest4), large_enough);

        for (int i = 0; i < 8; i++) {
            v128_t scaled = wasm_v128_and(wasm_f32x4_mul(v[i], inverse), wasm_f32x4_eq(v[i], v[i]));
            v[i] = wasm_i32x4_sub(wasm_f32x4_add(scaled, magic), magic); /* the bits' difference */
        }
        v128_t q[4], high[4], low[4];
        for (int i = 0; i < 4; i++) {
            v128_t narrow = wasm_i16x8_narrow_i32x4(v[2 * i], v[2 * i + 1]);
            q[i] = wasm_i16x8_max(wasm_i16x8_min(narrow, most), least);
            high[i] = wasm_i16x8_shr(wasm_i16x8_add(q[i], half), 7);
            ITERA_PIN(high[i]);
            low[i] = wasm_i16x8_sub(q[i], wasm_i16x8_shl(high[i], 7));
        }
        wasm_v128_store(out->high, wasm_i8x16_narrow_i16x8(high[0], high[1]));
        wasm_v128_store(out->high + 16, wasm_i8x16_narrow_i16x8(high[2], high[3]));
        wasm_v128_store(out->low, wasm_i8x16_narrow_i16x8(low[0], low[1]));
        wasm_v128_store(out->low + 16, wasm_i8x16_narrow_i16x8(low[2], low[3]));
        store_sums_of(&out->fine, d, q, 0);
        store_sums_of(&out->coarse, wasm_f32x4_mul(d, wasm_f32x4_splat(128.0f)), high, ITERA_SUM_BASE);
    }
}

void ITERA_NAME(quantize_act)(itera_act_block *out, const float *x, int T, int K)
{
    size_t blocks = (size_t)K / ITERA_ACT_BLOCK;
    for (int t = 0; t < T; t++, out += blocks, x += K) {
        quantize_row(out, x, (size_t)K);
        itera_mark_wide(out, blocks);
    }
}
