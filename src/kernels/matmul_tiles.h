/* Tiles of quantized products of many tokens, a template (matmul_quant.h): up to 4 tokens by the 8 rows of a panel. Its
 * kind is all that a tile knows of the type. */

/* One block of 32 columns of one group of 4 rows. A panel has those of two groups in turn. */
typedef struct panel_block {
    v128_t w[ITERA_STEPS];
    v128_t scale;
    v128_t extra;     /* the minimum, where the type has one */
    v128_t halves[2]; /* where it has halves, the factors of both */
} panel_block;

enum { TILE_TOKENS = 4 };

/* A tile's width is a constant. Where fewer tokens are left the last of them fills it up, computed more than once to
 * the same bits: 8-bit dot products wait for each other in a narrower tile, which takes as long. */
ITERA_INLINE size_t token_of(int t, int tokens) { return (size_t)(t < tokens ? t : tokens - 1); }

/* A tile's running sums, `width` by 2 groups: out of y unless they begin here, and back. */
ITERA_INLINE void load_sums(v128_t acc[TILE_TOKENS][2], const float *y, size_t y_stride, int first, int tokens,
                            int width)
{
    ITERA_UNROLL
    for (int t = 0; t < width; t++) {
        acc[t][0] = acc[t][1] = wasm_f32x4_splat(0.0f);
        if (!first) {
            acc[t][0] = wasm_v128_load(y + token_of(t, tokens) * y_stride);
            acc[t][1] = wasm_v128_load(y + token_of(t, tokens) * y_stride + 4);
        }
    }
}

ITERA_INLINE void store_sums(float *y, size_t y_stride, v128_t acc[TILE_TOKENS][2], int tokens, int width)
{
    ITERA_UNROLL
    for (int t = 0; t < width; t++) {
        wasm_v128_store(y + token_of(t, tokens) * y_stride, acc[t][0]);
        wasm_v128_store(y + token_of(t, tokens) * y_stride + 4, acc[t][1]);
    }
}

/* Where a tile stands. All of its 8 rows are written. */
typedef struct tile_place {
    float *y;
    size_t y_stride;
    const panel_block *panel; /* [blocks][2] */
    int blocks;
    const tile_block *x;
    size_t x_stride;
    int first; /* the sums begin here */
    int repay; /* which sum repays the offset */
} tile_place;

ITERA_INLINE void begin_rows(const tile_block *x[], const tile_place *place, int tokens, int width)
{
    ITERA_UNROLL
    for (int t = 0; t < width; t++) {
        x[t] = place->x + token_of(t, tokens) * place->x_stride;
    }
}

/* Onto idot the products of a part of a block: `steps` broadcast words of each token. */
ITERA_INLINE void tile_dots(v128_t idot[TILE_TOKENS][2], const panel_block *panel, const uint8_t *const words[],
                            int width, int begin, int steps)
{
    ITERA_UNROLL
    for (int step = begin; step < begin + steps; step++) {
        v128_t w0 = panel[0].w[step], w1 = panel[1].w[step];
        ITERA_UNROLL
        for (int t = 0; t < width; t++) {
            v128_t word = wasm_v128_load32_splat(words[t] + 4 * step);
            idot[t][0] = ITERA_DOT(word, w0, idot[t][0]);
            ITERA_PIN(idot[t][0]);
            idot[t][1] = ITERA_DOT(word, w1, idot[t][1]);
            ITERA_PIN(idot[t][1]);
        }
    }
}

/* `tokens` tokens, at most `width`, by 2 groups over a panel. */
ITERA_INLINE void tile_scaled(const tile_place *place, int tokens, int width, int kind)
{
    v128_t acc[TILE_TOKENS][2];
    const tile_block *x[TILE_TOKENS];
    const panel_block *panel = place->panel;
    begin_rows(x, place, tokens, width);
    load_sums(acc, place->y, place->y_stride, place->first, tokens, width);

    for (int block = 0; block < place->blocks; block++, panel += 2) {
        v128_t idot[TILE_TOKENS][2];
        const uint8_t *words[TILE_TOKENS];
        ITERA_UNROLL
        for (int t = 0; t < width; t++) {
            words[t] = WORDS(x[t]);
            idot[t][0] = idot[t][1] = repayment(x[t], kind, 0, place->repay);
        }
        tile_dots(idot, panel, words, width, 0, ITERA_STEPS);
        v128_t scale0 = panel[0].scale, scale1 = panel[1].scale;
        ITERA_UNROLL
        for (int t = 0; t < width; t++) {
            v128_t d = wasm_v128_load32_splat(&SUMS(x[t])->d);
            acc[t][0] = ITERA_MADD(wasm_f32x4_mul(scale0, d), sum_to_f32(idot[t][0]), acc[t][0]);
            acc[t][1] = ITERA_MADD(wasm_f32x4_mul(scale1, d), sum_to_f32(idot[t][1]), acc[t][1]);
            if (kind == kind_minimum) {
                v128_t dsum = wasm_v128_load32_splat(&SUMS(x[t])->dsum);
                acc[t][0] = ITERA_MADD(panel[0].extra, dsum, acc[t][0]);
                acc[t][1] = ITERA_MADD(panel[1].extra, dsum, acc[t][1]);
            }
            ITERA_PIN(acc[t][0]);
            ITERA_PIN(acc[t][1]);
            x[t]++;
        }
    }

    store_sums(place->y, place->y_stride, acc, tokens, width);
}

/* The same of a type with halves: the sums of 8 sub-blocks meet their scale at the end. */
ITERA_INLINE void tile_halves(const tile_place *place, int tokens, int width)
{
    const tile_block *x[TILE_TOKENS];
    const panel_block *panel = place->panel;
    begin_rows(x, place, tokens, width);

    for (int block = 0; block < place->blocks; block += 8) {
        v128_t acc[TILE_TOKENS][2], sum[TILE_TOKENS][2];
        ITERA_UNROLL
        for (int t = 0; t < width; t++) {
            sum[t][0] = sum[t][1] = wasm_f32x4_splat(0.0f);
        }
        for (int sub = 0; sub < 8; sub++, panel += 2) {
            v128_t idot[TILE_TOKENS][2], both[TILE_TOKENS][2];
            const uint8_t *words[TILE_TOKENS];
            ITERA_UNROLL
            for (int half = 0; half < 2; half++) {
                ITERA_UNROLL
                for (int t = 0; t < width; t++) {
                    words[t] = WORDS(x[t]);
                    idot[t][0] = idot[t][1] = repayment(x[t], kind_halves, half, 0);
                }
                tile_dots(idot, panel, words, width, half * (ITERA_STEPS / 2), ITERA_STEPS / 2);
                ITERA_UNROLL
                for (int t = 0; t < width; t++) {
                    ITERA_UNROLL
                    for (int g = 0; g < 2; g++) {
                        const v128_t before = half == 0 ? wasm_i32x4_splat(0) : both[t][g];
                        both[t][g] = add_half(panel[g].halves[half], idot[t][g], before);
                    }
                }
            }
            ITERA_UNROLL
            for (int t = 0; t < width; t++) {
                v128_t d = wasm_v128_load32_splat(&SUMS(x[t])->d);
                sum[t][0] = ITERA_MADD(d, halves_to_f32(both[t][0]), sum[t][0]);
                ITERA_PIN(sum[t][0]);
                sum[t][1] = ITERA_MADD(d, halves_to_f32(both[t][1]), sum[t][1]);
                ITERA_PIN(sum[t][1]);
                x[t]++;
            }
        }
        load_sums(acc, place->y, place->y_stride, place->first && block == 0, tokens, width);
        ITERA_UNROLL
        for (int t = 0; t < width; t++) {
            acc[t][0] = ITERA_MADD(panel[-2].scale, sum[t][0], acc[t][0]);
            acc[t][1] = ITERA_MADD(panel[-1].scale, sum[t][1], acc[t][1]);
        }
        store_sums(place->y, place->y_stride, acc, tokens, width);
    }
}

ITERA_INLINE void tile_advance(tile_place *place, int tokens)
{
    place->y += (size_t)tokens * place->y_stride;
    place->x += (size_t)tokens * place->x_stride;
}

ITERA_INLINE void tile(const tile_place *place, int tokens, int width, int kind)
{
    if (kind == kind_halves) {
        tile_halves(place, tokens, width);
    } else {
        tile_scaled(place, tokens, width, kind);
    }
}

/* The fewest tokens of a full tile: sixteen bits are bound by what they compute, so there the rest come one by one. */
enum { LEAST_TOKENS = ITERA_WIDEN ? TILE_TOKENS : 1 };

#define DEFINE_TILES(name, kind)                                                                             \
    static void tiles_##name(tile_place place, int tokens)                                                   \
    {                                                                                                        \
        for (; tokens >= LEAST_TOKENS; tokens -= TILE_TOKENS, tile_advance(&place, TILE_TOKENS)) {           \
            tile(&place, tokens < TILE_TOKENS ? tokens : TILE_TOKENS, TILE_TOKENS, kind);                    \
        }                                                                                                    \
        for (; tokens > 0; tokens--, tile_advance(&place, 1)) {                                              \
            tile(&place, 1, 1, kind);                                                                        \
        }                                                                                                    \
    }

DEFINE_TILES(offset, kind_offset)
DEFINE_TILES(minimum, kind_minimum)
DEFINE_TILES(halves, kind_halves)
#undef DEFINE_TILES
