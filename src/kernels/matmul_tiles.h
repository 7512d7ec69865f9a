/* Quantized products of many tokens, a template (matmul_quant.h).
 *
 * Two groups of 4 rows are unpacked into a panel on the stack, at most PANEL_BLOCKS blocks wide, and tiles of up to 4
 * tokens run over it; its kind is all that a tile knows of the type. Between panels the running sums live in y: storing
 * an f32 loses nothing, so results do not depend on how many tokens share a tile, nor, but for the order of low planes,
 * on where panels end. */

typedef struct panel_block {
    v128_t w[ITERA_STEPS];
    v128_t scale;
    v128_t extra;     /* the minimum, where the type has one */
    v128_t halves[2]; /* where it has halves, the factors of both */
} panel_block;

/* ---- Tiles ---- */

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

/* ---- The low plane of wide blocks ----
 * A correction after the high planes of a panel, block by block. Which tokens have one differs from block to block, and
 * tokens lie pages apart: what the products need of them is gathered into tiles, once for all rows. At sixteen bits
 * there is no low plane. */

#if !ITERA_WIDEN

#define LOW_TILES 384 /* 72 kB: a third of the blocks of PANEL_TOKENS tokens */

typedef struct low_tile {
    int8_t words[TILE_TOKENS][ITERA_ACT_BLOCK];
    float d[TILE_TOKENS], dsum[TILE_TOKENS];
    int32_t repay[TILE_TOKENS];
    uint8_t block, token[TILE_TOKENS]; /* where fewer tokens are left the last of them fills it up */
} low_tile;

typedef struct low_tiles {
    int count;
    low_tile tile[LOW_TILES]; /* by blocks, upwards */
} low_tiles;

static void gather_tile(low_tile *tile, const tile_place *place, int block, const uint8_t *members, int tokens)
{
    tile->block = (uint8_t)block;
    for (int t = 0; t < TILE_TOKENS; t++) {
        const uint8_t token = members[token_of(t, tokens)];
        const itera_act_block *x = place->x + (size_t)token * place->x_stride + block;
        memcpy(tile->words[t], x->low, sizeof x->low);
        tile->d[t] = x->fine.d;
        tile->dsum[t] = low_dsum(x);
        tile->repay[t] = low_repay(x, place->repay);
        tile->token[t] = token;
    }
}

/* The tiles of the first tokens of a panel. Returns how many tokens: all, or as many as fit. */
static int gather_low(low_tiles *low, const tile_place *place, int tokens)
{
    uint8_t members[PANEL_BLOCKS][PANEL_TOKENS];
    int members_of[PANEL_BLOCKS] = {0}, tiles = 0, taken = 0;
    for (; taken < tokens && tiles + place->blocks <= LOW_TILES; taken++) {
        const itera_act_block *row = place->x + (size_t)taken * place->x_stride;
        for (int block = row->to_wide; block < place->blocks;) {
            tiles += members_of[block] % TILE_TOKENS == 0;
            members[block][members_of[block]++] = (uint8_t)taken;
            block++;
            block += block < place->blocks ? row[block].to_wide : 0;
        }
    }
    low->count = 0;
    for (int block = 0; block < place->blocks; block++) {
        for (int i = 0; i < members_of[block]; i += TILE_TOKENS) {
            gather_tile(&low->tile[low->count++], place, block, members[block] + i, members_of[block] - i);
        }
    }
    return taken;
}

ITERA_INLINE void add_low_tile(const tile_place *place, const low_tile *tile, int kind)
{
    const panel_block *panel = place->panel + 2 * tile->block;
    const uint8_t *words[TILE_TOKENS];
    float *y[TILE_TOKENS];
    v128_t idot[TILE_TOKENS][2], acc[TILE_TOKENS][2];
    ITERA_UNROLL
    for (int t = 0; t < TILE_TOKENS; t++) {
        words[t] = (const uint8_t *)tile->words[t];
        y[t] = place->y + (size_t)tile->token[t] * place->y_stride;
        idot[t][0] = idot[t][1] = wasm_v128_load32_splat(&tile->repay[t]);
    }
    tile_dots(idot, panel, words, TILE_TOKENS, 0, ITERA_STEPS);
    ITERA_UNROLL
    for (int t = 0; t < TILE_TOKENS; t++) {
        v128_t d = wasm_v128_load32_splat(&tile->d[t]), dsum = wasm_v128_load32_splat(&tile->dsum[t]);
        ITERA_UNROLL
        for (int g = 0; g < 2; g++) {
            acc[t][g] = ITERA_MADD(wasm_f32x4_mul(panel[g].scale, d), sum_to_f32(idot[t][g]),
                                   wasm_v128_load(y[t] + 4 * g));
            if (kind == kind_minimum) {
                acc[t][g] = ITERA_MADD(panel[g].extra, dsum, acc[t][g]);
            }
        }
    }
    ITERA_UNROLL
    for (int t = 0; t < TILE_TOKENS; t++) { /* last: a token that is here more than once was added to once */
        wasm_v128_store(y[t], acc[t][0]);
        wasm_v128_store(y[t] + 4, acc[t][1]);
    }
}

#define DEFINE_LOW_PLANES(name, kind)                                                                        \
    static void low_planes_##name(const tile_place *place, const low_tiles *low)                             \
    {                                                                                                        \
        for (int i = 0; i < low->count; i++) {                                                               \
            add_low_tile(place, &low->tile[i], kind);                                                        \
        }                                                                                                    \
    }

DEFINE_LOW_PLANES(offset, kind_offset)
DEFINE_LOW_PLANES(minimum, kind_minimum)
#undef DEFINE_LOW_PLANES

#endif

/* ---- The walk over panels, tokens and pairs of groups ---- */

/* Unpacks blocks begin .. begin + blocks - 1 of one group into every second entry of a panel. */
ITERA_INLINE void fill(panel_block *panel, const uint8_t *group, size_t begin, int blocks,
                       const vector_type *type)
{
    const unpack_constants k = make_constants();
    const uint8_t *block = group + begin / (size_t)type->subs * type->block_bytes;
    for (int i = 0; i < blocks; block += type->block_bytes) {
        v128_t head[2];
        type->head(head, block, &k);
        for (int sub = 0; sub < type->subs; sub++, i++, panel += 2) {
            ITERA_UNROLL
            for (int v = 0; v < 4; v++) {
                v128_t q[2];
                type->pair(q, block, sub, v, &k);
                put_operands(panel->w, v, q[0], &k);
                put_operands(panel->w, v + 4, q[1], &k);
            }
            if (type->kind == kind_halves) {
                panel->scale = head[0];
                type->halves(panel->halves, block, sub);
                panel->halves[0] = half_factor(panel->halves[0]);
                panel->halves[1] = half_factor(panel->halves[1]);
            } else {
                panel->scale = type->scale(head, block, sub);
            }
            if (type->kind == kind_minimum) {
                panel->extra = type->min(head, block, sub);
            }
        }
    }
}

/* The first rows of each of T tokens. */
static void copy_rows(float *to, size_t to_stride, const float *from, size_t from_stride, int rows, int T)
{
    for (int t = 0; t < T; t++, to += to_stride, from += from_stride) {
        memcpy(to, from, (size_t)rows * sizeof *to);
    }
}

/* What the next panels are filled from is touched in runs so long that a processor sees a stream: filling alone would
 * wait for most of its lines one after another. The first panel's turn takes whole groups for that, whose other columns
 * are still in the second-level cache later where a matrix is small, as an expert's is. Returns the row after the run. */
#define TOUCH_BYTES ((size_t)192 << 10)

static int touch_run(const itera_matrix *w, int row, int row_end, size_t begin, int blocks, const vector_type *type)
{
    const size_t from = begin / (size_t)type->subs * type->block_bytes;
    const size_t bytes = begin == 0 ? w->group_bytes : (size_t)(blocks / type->subs) * type->block_bytes;
    for (size_t touched = 0; touched < TOUCH_BYTES && row < row_end; touched += bytes, row += 4) {
        itera_touch(w->data + (size_t)(row / 4) * w->group_bytes + from, bytes);
    }
    return row;
}

typedef void (*fill_fn)(panel_block *panel, const uint8_t *group, size_t begin, int blocks);
typedef void (*tiles_fn)(tile_place place, int tokens);

static void matmul_panels(float *y, size_t y_stride, const itera_matrix *w, const itera_act_block *x, int T,
                          int row_begin, int row_end, fill_fn fill_panel, tiles_fn tiles, const vector_type *type)
{
    panel_block panel[2 * PANEL_BLOCKS];
    float edge[8 * PANEL_TOKENS]; /* where a tile's 8 rows go when there are fewer */
#if ITERA_WIDEN
    tile_block widened[PANEL_TOKENS * PANEL_BLOCKS];
#else
    low_tiles low;
#endif
    size_t all_blocks = (size_t)w->cols / ITERA_PACK_COLS;

    for (size_t begin = 0; begin < all_blocks; begin += PANEL_BLOCKS) {
        int blocks = all_blocks - begin < PANEL_BLOCKS ? (int)(all_blocks - begin) : PANEL_BLOCKS;
        for (int t = 0, tokens; t < T; t += tokens) {
            tokens = T - t < PANEL_TOKENS ? T - t : PANEL_TOKENS;
            const itera_act_block *xt = x + (size_t)t * all_blocks + begin;
            tile_place place = {.panel = panel, .blocks = blocks, .first = begin == 0, .repay = type->repay};
#if ITERA_WIDEN
            for (int i = 0; i < tokens; i++) {
                for (int block = 0; block < blocks; block++) {
                    widen_block(&widened[i * PANEL_BLOCKS + block], &xt[(size_t)i * all_blocks + (size_t)block],
                                type->repay);
                }
            }
            place.x = widened;
            place.x_stride = PANEL_BLOCKS;
#else
            place.x = xt;
            place.x_stride = all_blocks;
            if (!type->coarse) {
                tokens = gather_low(&low, &place, tokens);
            }
#endif
            int touched = row_begin;
            for (int row = row_begin; row < row_end; row += 8) {
                const uint8_t *group = w->data + (size_t)(row / 4) * w->group_bytes;
                const int rows = row_end - row;
                float *yt = y + (size_t)t * y_stride + row;
                place.y = rows < 8 ? edge : yt;
                place.y_stride = rows < 8 ? 8 : y_stride;
                if (rows < 8 && !place.first) {
                    copy_rows(edge, 8, yt, y_stride, rows, tokens);
                }
                if (row >= touched) {
                    touched = touch_run(w, row, row_end, begin, blocks, type);
                }
                fill_panel(panel, group, begin, blocks);
                /* A last group alone meets itself as its partner. */
                fill_panel(panel + 1, rows > 4 ? group + w->group_bytes : group, begin, blocks);
                tiles(place, tokens);
#if !ITERA_WIDEN
                if (!type->coarse) {
                    (type->kind == kind_minimum ? low_planes_minimum : low_planes_offset)(&place, &low);
                }
#endif
                if (rows < 8) {
                    copy_rows(yt, y_stride, edge, 8, rows, tokens);
                }
            }
        }
    }
}
