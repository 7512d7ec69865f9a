/* Products of F32, F16 and BF16 weights, a template. As in matmul_quant.h, one token converts weights in
 * registers; several tokens convert two groups of rows into a panel (F32 needs none) and run tiles over it.
 */

#define FLOAT_BLOCK ITERA_FLOAT_BLOCK
#define FLOAT_PANEL 256 /* columns: 8 kB of weights */

/* Columns k and k+1 of a group, as f32. */
ITERA_INLINE void pair_f32(v128_t w[2], const uint8_t *group, size_t k, const unpack_constants *c)
{
    (void)c;
    w[0] = wasm_v128_load(group + 16 * k);
    w[1] = wasm_v128_load(group + 16 * k + 16);
}

ITERA_INLINE void pair_f16(v128_t w[2], const uint8_t *group, size_t k, const unpack_constants *c)
{
    v128_t zero = wasm_i32x4_splat(0), halves = wasm_v128_load(group + 8 * k);
    w[0] = upper_halves_to_f32(wasm_i16x8_shuffle(zero, halves, 0, 8, 1, 9, 2, 10, 3, 11), c);
    w[1] = upper_halves_to_f32(wasm_i16x8_shuffle(zero, halves, 4, 12, 5, 13, 6, 14, 7, 15), c);
}

ITERA_INLINE void pair_bf16(v128_t w[2], const uint8_t *group, size_t k, const unpack_constants *c)
{
    (void)c;
    v128_t zero = wasm_i32x4_splat(0), halves = wasm_v128_load(group + 8 * k);
    w[0] = wasm_i16x8_shuffle(zero, halves, 0, 8, 1, 9, 2, 10, 3, 11);
    w[1] = wasm_i16x8_shuffle(zero, halves, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* The last column of an odd number. */
ITERA_INLINE v128_t single_f32(const uint8_t *group, size_t k, const unpack_constants *c)
{
    (void)c;
    return wasm_v128_load(group + 16 * k);
}

ITERA_INLINE v128_t single_f16(const uint8_t *group, size_t k, const unpack_constants *c)
{
    return load_halves((const uint16_t *)(const void *)(group + 8 * k), c);
}

ITERA_INLINE v128_t single_bf16(const uint8_t *group, size_t k, const unpack_constants *c)
{
    (void)c;
    return wasm_i16x8_shuffle(wasm_i32x4_splat(0), wasm_v128_load64_zero(group + 8 * k), 0, 8, 1, 9, 2, 10, 3,
                              11);
}

typedef struct float_type {
    size_t column_bytes; /* of 4 rows */
    void (*pair)(v128_t w[2], const uint8_t *group, size_t k, const unpack_constants *c);
    v128_t (*single)(const uint8_t *group, size_t k, const unpack_constants *c);
} float_type;

static const float_type float_f32 = {16, pair_f32, single_f32};
static const float_type float_f16 = {8, pair_f16, single_f16};
static const float_type float_bf16 = {8, pair_bf16, single_bf16};

/* Onto part[g]: 4 columns of group g from k on. */
ITERA_INLINE void float_four_columns(v128_t part[STREAMS], const uint8_t *const group[STREAMS], const float *x,
                                     size_t k, const float_type *type, const unpack_constants *c)
{
    ITERA_UNROLL
    for (int pair = 0; pair < 2; pair++, k += 2) {
        const v128_t x0 = wasm_v128_load32_splat(x + k), x1 = wasm_v128_load32_splat(x + k + 1);
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            v128_t w[2];
            type->pair(w, group[g], k, c);
            part[g] = ITERA_MADD(w[0], x0, part[g]);
            part[g] = ITERA_MADD(w[1], x1, part[g]);
            ITERA_PIN(part[g]);
        }
    }
}

/* STREAMS groups by one token. */
ITERA_INLINE void float_one_token(v128_t acc[STREAMS], const uint8_t *const group[STREAMS], const float *x, size_t cols,
                                  const float_type *type)
{
    const unpack_constants c = make_constants();
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        acc[g] = wasm_f32x4_splat(0.0f);
    }
    for (size_t k = 0; k < cols;) {
        const size_t end = cols - k < FLOAT_BLOCK ? cols : k + FLOAT_BLOCK;
        v128_t part[STREAMS];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            part[g] = wasm_f32x4_splat(0.0f);
        }
        for (; k + 4 <= end; k += 4) {
            float_four_columns(part, group, x, k, type, &c);
        }
        ITERA_KEEP_LOOP
        for (; k < end; k++) {
            const v128_t xk = wasm_v128_load32_splat(x + k);
            ITERA_UNROLL
            for (int g = 0; g < STREAMS; g++) {
                part[g] = ITERA_MADD(type->single(group[g], k, &c), xk, part[g]);
            }
        }
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            acc[g] = wasm_f32x4_add(acc[g], part[g]);
        }
    }
}

ITERA_INLINE void float_matmul_one(float *y, const itera_matrix *w, const float *x, int row_begin,
                                   int row_end, const float_type *type)
{
    const int quarter = quarter_of(row_begin, row_end);
    for (int first = row_begin; first < row_begin + quarter; first += 4) {
        const uint8_t *group[STREAMS];
        v128_t acc[STREAMS];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            group[g] = stream_at(w, first, g * quarter, row_end);
        }
        float_one_token(acc, group, x, (size_t)w->cols, type);
        store_streams(y, acc, first, quarter, row_end);
    }
}

typedef struct float_place {
    float *y;
    size_t y_stride;
    const float *w0, *w1; /* [cols][4] f32: two groups */
    const float *x;
    size_t x_stride;
    size_t cols;
    int first; /* as in tile_place */
} float_place;

/* Onto part: `columns` columns from k on, `tokens` tokens by 2 groups. */
ITERA_INLINE void float_tile_columns(v128_t part[4][2], const float *w0, const float *w1,
                                     const float *const x[4], size_t k, int columns, int tokens)
{
    ITERA_UNROLL
    for (int i = 0; i < columns; i++) {
        v128_t w0k = wasm_v128_load(w0 + 4 * k + 4 * i), w1k = wasm_v128_load(w1 + 4 * k + 4 * i);
        ITERA_UNROLL
        for (int t = 0; t < tokens; t++) {
            v128_t xk = wasm_v128_load32_splat(x[t] + k + i);
            part[t][0] = ITERA_MADD(w0k, xk, part[t][0]);
            ITERA_PIN(part[t][0]);
            part[t][1] = ITERA_MADD(w1k, xk, part[t][1]);
            ITERA_PIN(part[t][1]);
        }
    }
}

/* `tokens` tokens by 2 groups over columns of f32 weights; the rest as tile() of matmul_tiles.h. */
ITERA_INLINE void float_tile(const float_place *place, int tokens)
{
    v128_t acc[4][2];
    const float *x[4];
    ITERA_UNROLL
    for (int t = 0; t < tokens; t++) {
        x[t] = place->x + (size_t)t * place->x_stride;
    }
    load_sums(acc, place->y, place->y_stride, place->first, tokens, tokens);
    for (size_t begin = 0; begin < place->cols; begin += FLOAT_BLOCK) {
        size_t end = place->cols - begin < FLOAT_BLOCK ? place->cols : begin + FLOAT_BLOCK, k = begin;
        v128_t part[4][2];
        ITERA_UNROLL
        for (int t = 0; t < tokens; t++) {
            part[t][0] = part[t][1] = wasm_f32x4_splat(0.0f);
        }
        for (; k + 4 <= end; k += 4) {
            float_tile_columns(part, place->w0, place->w1, x, k, 4, tokens);
        }
        for (; k < end; k++) {
            float_tile_columns(part, place->w0, place->w1, x, k, 1, tokens);
        }
        ITERA_UNROLL
        for (int t = 0; t < tokens; t++) {
            acc[t][0] = wasm_f32x4_add(acc[t][0], part[t][0]);
            acc[t][1] = wasm_f32x4_add(acc[t][1], part[t][1]);
        }
    }
    store_sums(place->y, place->y_stride, acc, tokens, tokens);
}

static void float_tiles(float_place place, int tokens)
{
    for (; tokens >= 4; tokens -= 4) {
        float_tile(&place, 4);
        place.y += 4 * place.y_stride;
        place.x += 4 * place.x_stride;
    }
    for (; tokens > 0; tokens--) {
        float_tile(&place, 1);
        place.y += place.y_stride;
        place.x += place.x_stride;
    }
}

/* Where there are fewer than 8 rows: beside y. What the other columns of `edge` hold is added to, and dropped. */
static void float_edge_tiles(float_place place, int tokens, int rows)
{
    float edge[8 * PANEL_TOKENS] = {0}, *y = place.y;
    const size_t y_stride = place.y_stride;
    place.y = edge;
    place.y_stride = 8;
    for (int t = 0; t < tokens; t += PANEL_TOKENS) {
        const int n = tokens - t < PANEL_TOKENS ? tokens - t : PANEL_TOKENS;
        if (!place.first) {
            copy_rows(edge, 8, y, y_stride, rows, n);
        }
        float_tiles(place, n);
        copy_rows(y, y_stride, edge, 8, rows, n);
        y += (size_t)n * y_stride;
        place.x += (size_t)n * place.x_stride;
    }
}

ITERA_INLINE void fill_float(v128_t *panel, const uint8_t *group, size_t cols, const float_type *type)
{
    const unpack_constants c = make_constants();
    size_t k = 0;
    for (; k + 2 <= cols; k += 2) {
        type->pair(panel + k, group, k, &c);
    }
    if (k < cols) {
        panel[k] = type->single(group, k, &c);
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
            const int rows = row_end - row;
            const uint8_t *group1 = rows > 4 ? group0 + w->group_bytes : group0;
            float_place place = {y + row, y_stride, NULL, NULL, x + begin, all_cols, cols, begin == 0};
            if (type->column_bytes == 16) {
                place.w0 = (const float *)(const void *)group0;
                place.w1 = (const float *)(const void *)group1;
            } else {
                fill_float(panel[0], group0, cols, type);
                fill_float(panel[1], group1, cols, type);
                place.w0 = (const float *)(const void *)panel[0];
                place.w1 = (const float *)(const void *)panel[1];
            }
            if (rows < 8) {
                float_edge_tiles(place, T, rows);
            } else {
                float_tiles(place, T);
            }
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
