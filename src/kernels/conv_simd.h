/* Causal depthwise convolution on vectors of channels, a template. */

/* Row t of the input, which begins taps - 1 rows before this call's first. */
ITERA_INLINE const float *conv_input_row(const float *state, const float *x, size_t x_stride, int t, size_t E,
                                         int taps)
{
    return t < 0 ? state + (size_t)(t + taps - 1) * E : x + (size_t)t * x_stride;
}

/* n channels, 4 or fewer, of a token with 4 taps. */
ITERA_INLINE void conv_vector(float *y, const float *const rows[4], const float *weight, const float *bias, size_t E,
                              size_t e, size_t n)
{
    v128_t sum = bias != NULL ? itera_load_part(bias + e, n) : wasm_f32x4_splat(0.0f);
    ITERA_UNROLL
    for (size_t j = 0; j < 4; j++) {
        sum = ITERA_MADD(itera_load_part(weight + j * E + e, n), itera_load_part(rows[j] + e, n), sum);
    }
    itera_store_part(y + e, itera_silu4(sum), n);
}

/* Most models have 4 taps: their rows are looked up once a token. Four vectors at a time, as in elementwise_simd.h. */
static void conv_four_taps(float *y, const float *const rows[4], const float *weight, const float *bias,
                           size_t E, size_t e, size_t e_end)
{
    for (; e + 16 <= e_end; e += 16) {
        ITERA_UNROLL
        for (size_t v = 0; v < 4; v++) {
            conv_vector(y, rows, weight, bias, E, e + 4 * v, 4);
        }
    }
    for (; e < e_end; e += 4) {
        conv_vector(y, rows, weight, bias, E, e, e_end - e);
    }
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
        if (taps == 4) {
            const float *rows[4];
            for (int j = 0; j < 4; j++) {
                rows[j] = conv_input_row(state, x, x_stride, t - 3 + j, width, taps);
            }
            conv_four_taps(y, rows, weight, bias, width, begin, end);
        } else {
            conv_any_taps(y, state, x, x_stride, weight, bias, t, width, taps, begin, end);
        }
    }
    for (int j = 0; j < taps - 1; j++) {
        memmove(state + (size_t)j * width + begin,
                conv_input_row(state, x, x_stride, T - (taps - 1) + j, width, taps) + begin,
                (end - begin) * sizeof *state);
    }
}
