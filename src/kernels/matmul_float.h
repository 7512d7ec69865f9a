/* Products of F32, F16 and BF16 weights, a template. As in matmul_quant.h, one token converts weights in
 * registers; several tokens convert two groups of rows into a panel (F32 needs none) and run tiles over it. */

#define FLOAT_BLOCK ITERA_PACK_COLS /* columns of a partial sum, see kernels.h */
#define FLOAT_PANEL 256             /* columns: 8 kB of weights */

/* Columns k and k+1 of a group, as f32. */
ITERA_INLINE void pair_f32(v128_t w[2], const uint8_t *group, size_t k)
{
    w[0] = wasm_v128_load(group + 16 * k);
    w[1] = wasm_v128_load(group + 16 * k + 16);
}

ITERA_INLINE void pair_f16(v128_t w[2], const uint8_t *group, size_t k)
{
    v128_t zero = wasm_i32x4_splat(0), halves = wasm_v128_load(group + 8 * k);
    w[0] = upper_halves_to_f32(wasm_i16x8_shuffle(zero, halves, 0, 8, 1, 9, 2, 10, 3, 11));
    w[1] = upper_halves_to_f32(wasm_i16x8_shuffle(zero, halves, 4, 12, 5, 13, 6, 14, 7, 15));
}

ITERA_INLINE void pair_bf16(v128_t w[2], const uint8_t *group, size_t k)
{
    v128_t zero = wasm_i32x4_splat(0), halves = wasm_v128_load(group + 8 * k);
    w[0] = wasm_i16x8_shuffle(zero, halves, 0, 8, 1, 9, 2, 10, 3, 11);
    w[1] = wasm_i16x8_shuffle(zero, halves, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* The last column of an odd number. */
ITERA_INLINE v128_t single_f32(const uint8_t *group, size_t k) { return wasm_v128_load(group + 16 * k); }

ITERA_INLINE v128_t single_f16(const uint8_t *group, size_t k)
{
    return load_halves((const uint16_t *)(const void *)(group + 8 * k));
}

ITERA_INLINE v128_t single_bf16(const uint8_t *group, size_t k)
{
    return wasm_i16x8_shuffle(wasm_i32x4_splat(0), wasm_v128_load64_zero(group + 8 * k), 0, 8, 1, 9, 2, 10, 3, 11);
}

typedef struct float_type {
    size_t column_bytes; /* of 4 rows */
    void (*pair)(v128_t w[2], const uint8_t *group, size_t k);
    v128_t (*single)(const uint8_t *group, size_t k);
} float_type;

static const float_type float_f32 = {16, pair_f32, single_f32};
static const float_type float_f16 = {8, pair_f16, single_f16};
static const float_type float_bf16 = {8, pair_bf16, single_bf16};

/* `groups` (1..4) neighbouring groups by one token. Each group is one chain of additions, so several run at once. */
ITERA_INLINE void float_one_token(float *y, const uint8_t *data, size_t group_bytes, const float *x, size_t cols,
                                  int groups, int last_rows, const float_type *type)
{
    v128_t acc[4], zero = wasm_f32x4_splat(0.0f);
    for (int g = 0; g < groups; g++) {
        acc[g] = zero;
    }
    for (size_t begin = 0; begin < cols; begin += FLOAT_BLOCK) {
        size_t end = cols - begin < FLOAT_BLOCK ? cols : begin + FLOAT_BLOCK;
        v128_t part[4] = {zero, zero, zero, zero};
        size_t k = begin;
        for (; k + 2 <= end; k += 2) {
            v128_t x0 = wasm_v128_load32_splat(x + k), x1 = wasm_v128_load32_splat(x + k + 1);
            for (int g = 0; g < groups; g++) {
                v128_t w[2];
                type->pair(w, data + (size_t)g * group_bytes, k);
                part[g] = ITERA_MADD(w[0], x0, part[g]);
                part[g] = ITERA_MADD(w[1], x1, part[g]);
            }
        }
        if (k < end) {
            v128_t x0 = wasm_v128_load32_splat(x + k);
            for (int g = 0; g < groups; g++) {
                part[g] = ITERA_MADD(type->single(data + (size_t)g * group_bytes, k), x0, part[g]);
            }
        }
        for (int g = 0; g < groups; g++) {
            acc[g] = wasm_f32x4_add(acc[g], part[g]);
        }
    }
    for (int g = 0; g < groups; g++) {
        store_rows(y + 4 * g, acc[g], g == groups - 1 ? last_rows : 4);
    }
}

ITERA_INLINE void float_matmul_one(float *y, const itera_matrix *w, const float *x, int row_begin, int row_end,
                                   const float_type *type)
{
    size_t cols = (size_t)w->cols;
    int row = row_begin;
    for (; row_end - row >= 16; row += 16) {
        const uint8_t *data = w->data + (size_t)(row / 4) * w->group_bytes;
        float_one_token(y + row, data, w->group_bytes, x, cols, 4, 4, type);
    }
    for (; row < row_end; row += 4) {
        const uint8_t *data = w->data + (size_t)(row / 4) * w->group_bytes;
        float_one_token(y + row, data, w->group_bytes, x, cols, 1, row_end - row < 4 ? row_end - row : 4, type);
    }
}

/* `tokens` tokens by 2 groups over `cols` columns of f32 weights, w[k][4]. The rest as tile() of matmul_quant.h. */
ITERA_INLINE void float_tile(float *y, size_t y_stride, const float *w0, const float *w1, const float *x,
                             size_t x_stride, size_t cols, int first, int rows0, int rows1, int tokens)
{
    v128_t acc[4][2], zero = wasm_f32x4_splat(0.0f);
    for (int t = 0; t < tokens; t++) {
        float *yt = y + (size_t)t * y_stride;
        acc[t][0] = first ? zero : load_rows(yt, rows0);
        acc[t][1] = first || rows1 == 0 ? zero : load_rows(yt + 4, rows1);
    }
    for (size_t begin = 0; begin < cols; begin += FLOAT_BLOCK) {
        size_t end = cols - begin < FLOAT_BLOCK ? cols : begin + FLOAT_BLOCK;
        v128_t part[4][2];
        for (int t = 0; t < tokens; t++) {
            part[t][0] = part[t][1] = zero;
        }
        for (size_t k = begin; k < end; k++) {
            v128_t w0k = wasm_v128_load(w0 + 4 * k), w1k = wasm_v128_load(w1 + 4 * k);
            for (int t = 0; t < tokens; t++) {
                v128_t xk = wasm_v128_load32_splat(x + (size_t)t * x_stride + k);
                part[t][0] = ITERA_MADD(w0k, xk, part[t][0]);
                part[t][1] = ITERA_MADD(w1k, xk, part[t][1]);
            }
        }
        for (int t = 0; t < tokens; t++) {
            acc[t][0] = wasm_f32x4_add(acc[t][0], part[t][0]);
            acc[t][1] = wasm_f32x4_add(acc[t][1], part[t][1]);
        }
    }
    for (int t = 0; t < tokens; t++) {
        float *yt = y + (size_t)t * y_stride;
        store_rows(yt, acc[t][0], rows0);
        if (rows1 > 0) {
            store_rows(yt + 4, acc[t][1], rows1);
        }
    }
}

static void float_tiles(float *y, size_t y_stride, const float *w0, const float *w1, const float *x, size_t x_stride,
                        size_t cols, int first, int rows0, int rows1, int tokens)
{
    for (; tokens >= 4; tokens -= 4, y += 4 * y_stride, x += 4 * x_stride) {
        float_tile(y, y_stride, w0, w1, x, x_stride, cols, first, rows0, rows1, 4);
    }
    for (; tokens > 0; tokens--, y += y_stride, x += x_stride) {
        float_tile(y, y_stride, w0, w1, x, x_stride, cols, first, rows0, rows1, 1);
    }
}

ITERA_INLINE void fill_float(v128_t *panel, const uint8_t *group, size_t cols, const float_type *type)
{
    size_t k = 0;
    for (; k + 2 <= cols; k += 2) {
        type->pair(panel + k, group, k);
    }
    if (k < cols) {
        panel[k] = type->single(group, k);
    }
}

ITERA_INLINE void float_matmul_panels(float *y, size_t y_stride, const itera_matrix *w, const float *x, int T,
                                      int row_begin, int row_end, const float_type *type)
{
    v128_t panel[2][FLOAT_PANEL];
    size_t all_cols = (size_t)w->cols;
    for (size_t begin = 0; begin < all_cols; begin += FLOAT_PANEL) {
        size_t cols = all_cols - begin < FLOAT_PANEL ? all_cols - begin : FLOAT_PANEL;
        for (int row = row_begin; row < row_end; row += 8) {
            const uint8_t *group0 = w->data + (size_t)(row / 4) * w->group_bytes + begin * type->column_bytes;
            int rows0 = row_end - row < 4 ? row_end - row : 4;
            int rows1 = row_end - row - rows0 < 4 ? row_end - row - rows0 : 4;
            const uint8_t *group1 = rows1 > 0 ? group0 + w->group_bytes : group0;
            const float *w0 = (const float *)(const void *)group0, *w1 = (const float *)(const void *)group1;
            if (type->column_bytes != 16) {
                fill_float(panel[0], group0, cols, type);
                fill_float(panel[1], group1, cols, type);
                w0 = (const float *)(const void *)panel[0];
                w1 = (const float *)(const void *)panel[1];
            }
            float_tiles(y + row, y_stride, w0, w1, x + begin, all_cols, cols, begin == 0, rows0, rows1, T);
        }
    }
}

#define ITERA_DEFINE_FLOAT_MATMUL(function, type)                                                            \
    void ITERA_NAME(function)(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,        \
                              int row_begin, int row_end)                                                    \
    {                                                                                                        \
        if (T == 1) {                                                                                        \
            float_matmul_one(y, w, x, row_begin, row_end, &type);                                            \
        } else {                                                                                             \
            float_matmul_panels(y, y_stride, w, x, T, row_begin, row_end, &type);                            \
        }                                                                                                    \
    }

ITERA_DEFINE_FLOAT_MATMUL(matmul_f32, float_f32)
ITERA_DEFINE_FLOAT_MATMUL(matmul_f16, float_f16)
ITERA_DEFINE_FLOAT_MATMUL(matmul_bf16, float_bf16)
