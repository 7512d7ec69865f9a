/* Quantization of activations on vectors, a template. */

/* Sums of 16-bit lanes: q[0], q[1] hold the first 16 columns, q[2], q[3] the others. */
ITERA_INLINE itera_act_sums sums_of(float d, const v128_t q[4], int32_t base)
{
    v128_t first =
        wasm_i32x4_add(wasm_i32x4_extadd_pairwise_i16x8(q[0]), wasm_i32x4_extadd_pairwise_i16x8(q[1]));
    v128_t second =
        wasm_i32x4_add(wasm_i32x4_extadd_pairwise_i16x8(q[2]), wasm_i32x4_extadd_pairwise_i16x8(q[3]));
    /* Lanes: two partial sums of the first half, two of the second. */
    v128_t folded = wasm_i32x4_add(wasm_i32x4_shuffle(first, second, 0, 2, 4, 6),
                                   wasm_i32x4_shuffle(first, second, 1, 3, 5, 7));
    int32_t low = wasm_i32x4_extract_lane(folded, 0) + wasm_i32x4_extract_lane(folded, 1);
    int32_t high = wasm_i32x4_extract_lane(folded, 2) + wasm_i32x4_extract_lane(folded, 3);
    int32_t sum = low + high;
    return (itera_act_sums){.d = d, .dsum = d * (float)sum, .repay = {base, base - 8 * sum, base - 16 * sum, base - 128 * sum},
                            .repay32 = {base - 32 * low, base - 32 * high}};
}

static void quantize_row(itera_act_block *out, const float *x, size_t n)
{
    const v128_t magic = wasm_f32x4_splat(ITERA_ROUND_MAGIC);
    for (; n >= ITERA_ACT_BLOCK; n -= ITERA_ACT_BLOCK, x += ITERA_ACT_BLOCK, out++) {
        v128_t v[8];
        v128_t largest4 = wasm_f32x4_splat(0.0f);
        for (int i = 0; i < 8; i++) {
            v[i] = wasm_v128_load(x + 4 * i);
            largest4 = wasm_f32x4_pmax(largest4, wasm_f32x4_abs(v[i]));
        }
        largest4 = wasm_f32x4_pmax(largest4, wasm_i32x4_shuffle(largest4, largest4, 2, 3, 0, 1));
        largest4 = wasm_f32x4_pmax(largest4, wasm_i32x4_shuffle(largest4, largest4, 1, 0, 3, 2));
        float largest = wasm_f32x4_extract_lane(largest4, 0);
        float d = largest < 0x1p-100f ? 0.0f : largest / (float)ITERA_ACT_LARGEST;
        v128_t inverse = wasm_f32x4_splat(largest < 0x1p-100f ? 0.0f : (float)ITERA_ACT_LARGEST / largest);

        for (int i = 0; i < 8; i++) {
            v128_t scaled = wasm_v128_and(wasm_f32x4_mul(v[i], inverse), wasm_f32x4_eq(v[i], v[i]));
            v[i] = wasm_i32x4_sub(wasm_f32x4_add(scaled, magic), magic); /* the bits' difference */
        }
        v128_t q[4], high[4], low[4];
        const v128_t most = wasm_i16x8_splat(ITERA_ACT_LARGEST), least = wasm_i16x8_splat(-ITERA_ACT_LARGEST);
        for (int i = 0; i < 4; i++) {
            v128_t narrow = wasm_i16x8_narrow_i32x4(v[2 * i], v[2 * i + 1]);
            q[i] = wasm_i16x8_max(wasm_i16x8_min(narrow, most), least);
            high[i] = wasm_i16x8_shr(wasm_i16x8_add(q[i], wasm_i16x8_splat(64)), 7);
            low[i] = wasm_i16x8_sub(q[i], wasm_i16x8_shl(high[i], 7));
        }
        wasm_v128_store(out->high, wasm_i8x16_narrow_i16x8(high[0], high[1]));
        wasm_v128_store(out->high + 16, wasm_i8x16_narrow_i16x8(high[2], high[3]));
        wasm_v128_store(out->low, wasm_i8x16_narrow_i16x8(low[0], low[1]));
        wasm_v128_store(out->low + 16, wasm_i8x16_narrow_i16x8(low[2], low[3]));
        out->fine = sums_of(d, q, 0);
        out->coarse = sums_of(128.0f * d, high, ITERA_SUM_BASE);
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
