/* Causal depthwise convolution on vectors of channels, a template. */

/* Row t of the input, which begins taps - 1 rows before this call's first. */
ITERA_INLINE const float *conv_input_row(const float *state, const float *x, size_t x_stride, int t, size_t E,
                                         int taps)
{
    return t < 0 ? state + (size_t)(t + taps - 1) * E : x + (size_t)t * x_stride;
}

/* Most models have 4 taps: their rows are looked up once a token, and the loop over taps unrolls. Returns where less
 * than a vector is left, for conv_any_taps, whose instructions are the same. */
static size_t conv_four_taps(float *y, const float *const rows[4], const float *weight, const float *bias,
                             size_t E, size_t e, size_t e_end)
{
    for (; e + 4 <= e_end; e += 4) {
        v128_t sum = bias != NULL ? wasm_v128_load(bias + e) : wasm_f32x4_splat(0.0f);
        for (size_t j = 0; j < 4; j++) {
            sum = ITERA_MADD(wasm_v128_load(weight + j * E + e), wasm_v128_load(rows[j] + e), sum);
        }
        wasm_v128_store(y + e, itera_silu4(sum));
    }
    return e;
}

static void conv_any_taps(float *y, const float *state, const float *x, size_t x_stride, const float *weight,
                          const float *bias, int t, size_t E, int taps, size_t e, size_t e_end)
{
    for (; e < e_end; e += 4) {
        size_t n = e_end - e;
        v128_t sum = bias != NULL ? itera_load_part(bias + e, n) : wasm_f32x4_splat(0.0f);
        for (int j = 0; j < taps; j++) {
            const float *row = conv_input_row(state, x, x_stride, t - (taps - 1) + j, E, taps);
            sum =
                ITERA_MADD(itera_load_part(weight + (size_t)j * E + e, n), itera_load_part(row + e, n), sum);
        }
        itera_store_part(y + e, itera_silu4(sum), n);
    }
}

void ITERA_NAME(conv1d_silu)(float *y, float *state, const float *x, size_t x_stride, const float *weight,
                             const float *bias, int T, int E, int taps, int e_begin, int e_end)
{
    size_t width = (size_t)E, begin = (size_t)e_begin, end = (size_t)e_end;
    for (int t = 0; t < T; t++, y += width) {
        size_t e = begin;
        if (taps == 4) {
            const float *rows[4];
            for (int j = 0; j < 4; j++) {
                rows[j] = conv_input_row(state, x, x_stride, t - 3 + j, width, taps);
            }
            e = conv_four_taps(y, rows, weight, bias, width, begin, end);
        }
        conv_any_taps(y, state, x, x_stride, weight, bias, t, width, taps, e, end);
    }
    for (int j = 0; j < taps - 1; j++) {
        memmove(state + (size_t)j * width + begin,
                conv_input_row(state, x, x_stride, T - (taps - 1) + j, width, taps) + begin,
                (end - begin) * sizeof *state);
    }
}
