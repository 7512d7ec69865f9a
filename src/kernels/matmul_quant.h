/* Quantized products, a template. The variant defines ITERA_STEPS, ITERA_WIDEN, ITERA_DOT, ITERA_MADD,
 * step_of() and put_operands().
 *
 * One token: weights are unpacked in registers on their way from memory. More tokens: two groups of 4 rows
 * are unpacked into a panel on the stack, at most PANEL_BLOCKS blocks wide, and tiles of up to 4 tokens run
 * over it; its kind is all that a tile knows of the type. Between panels the running sums live in y: storing
 * an f32 loses nothing, so results do not depend on how many tokens share a tile, nor, but for the order of low
 * planes, on where panels end. */

#if ITERA_WIDEN
#define PANEL_BLOCKS 16 /* 512 columns: 9 kB of weights, 20 kB of widened activations */
#define PANEL_TOKENS 16
#else
#define PANEL_BLOCKS 32 /* 1024 columns: 10 kB of weights */
#define PANEL_TOKENS 128
#endif

typedef struct panel_block {
    v128_t w[ITERA_STEPS];
    v128_t scale;
    v128_t extra; /* minimum, or scale of the second half */
} panel_block;

/* ---- Activations as broadcast words: 4 bytes (or 2 widened columns) a step ---- */

#if ITERA_WIDEN
typedef struct tile_block {
    int16_t x[32]; /* 128 high + low: even columns of 4 chunks, then odd columns, the order of put_operands() */
    float d, dsum;
    int32_t repay, repay32_first;
} tile_block;

ITERA_INLINE void widen_block(tile_block *out, const itera_act_block *block, int repay)
{
    for (int half = 0; half < 2; half++) {
        v128_t high = wasm_v128_load(block->high + 16 * half), low = wasm_v128_load(block->low + 16 * half);
        v128_t even = wasm_i16x8_shr(wasm_i16x8_shl(high, 8), 1),
               even_low = wasm_i16x8_shr(wasm_i16x8_shl(low, 8), 8);
        v128_t odd = wasm_i16x8_shl(wasm_i16x8_shr(high, 8), 7), odd_low = wasm_i16x8_shr(low, 8);
        wasm_v128_store(out->x + 16 * half, wasm_i16x8_add(even, even_low));
        wasm_v128_store(out->x + 16 * half + 8, wasm_i16x8_add(odd, odd_low));
    }
    out->d = block->fine.d;
    out->dsum = block->fine.dsum;
    out->repay = block->fine.repay[repay];
    out->repay32_first = block->fine.repay32_first;
}
#define WORDS(block) ((const uint8_t *)(block)->x)
#define SUMS(block) (block)
#define REPAY(block, which) ((void)(which), &(block)->repay)
#else
typedef itera_act_block tile_block;
#define WORDS(block) ((const uint8_t *)(block)->high)
#define SUMS(block) (&(block)->coarse)
#define REPAY(block, which) (&(block)->coarse.repay[which])
#endif

/* What repays the weights' offset over the columns that a part (all, or a half) covers. A multiplication here would wait
 * for the units that make the dot products. */
ITERA_INLINE v128_t repayment(const tile_block *x, int kind, int part, int repay)
{
    v128_t all = wasm_v128_load32_splat(REPAY(x, repay));
    if (kind == kind_halves) {
        v128_t first = wasm_v128_load32_splat(&SUMS(x)->repay32_first);
        return part == 0 ? first : wasm_i32x4_sub(wasm_i32x4_add(all, all), first); /* twice 16 */
    }
    return all;
}

/* Two halves onto acc: what the first comes to before its d, and the second. */
ITERA_INLINE v128_t add_halves(v128_t acc, v128_t d, v128_t first_half, v128_t second_scale, v128_t second_dot)
{
    return ITERA_MADD(d, ITERA_MADD(second_scale, wasm_f32x4_convert_i32x4(second_dot), first_half), acc);
}

/* ---- Tiles ---- */

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

/* `tokens` tokens by 2 groups over a panel. */
ITERA_INLINE void tile(const tile_place *place, int tokens, int kind)
{
    v128_t acc[4][2];
    const tile_block *x[4];
    const panel_block *panel = place->panel;
    ITERA_UNROLL
    for (int t = 0; t < tokens; t++) {
        const float *yt = place->y + (size_t)t * place->y_stride;
        x[t] = place->x + (size_t)t * place->x_stride;
        acc[t][0] = acc[t][1] = wasm_f32x4_splat(0.0f);
        if (!place->first) {
            acc[t][0] = wasm_v128_load(yt);
            acc[t][1] = wasm_v128_load(yt + 4);
        }
    }

    for (int block = 0; block < place->blocks; block++, panel += 2) {
        const int parts = kind == kind_halves ? 2 : 1;
        const int steps = ITERA_STEPS / parts;
        v128_t first_half[4][2];
        ITERA_UNROLL
        for (int part = 0; part < parts; part++) {
            v128_t idot[4][2];
            ITERA_UNROLL
            for (int t = 0; t < tokens; t++) {
                idot[t][0] = idot[t][1] =
                    kind == kind_minimum ? wasm_i32x4_splat(0) : repayment(x[t], kind, part, place->repay);
            }
            ITERA_UNROLL
            for (int step = part * steps; step < (part + 1) * steps; step++) {
                v128_t w0 = panel[0].w[step], w1 = panel[1].w[step];
                ITERA_UNROLL
                for (int t = 0; t < tokens; t++) {
                    v128_t word = wasm_v128_load32_splat(WORDS(x[t]) + 4 * step);
                    idot[t][0] = ITERA_DOT(word, w0, idot[t][0]);
                    ITERA_PIN(idot[t][0]);
                    idot[t][1] = ITERA_DOT(word, w1, idot[t][1]);
                    ITERA_PIN(idot[t][1]);
                }
            }
            v128_t scale0 = panel[0].scale, scale1 = panel[1].scale;
            ITERA_UNROLL
            for (int t = 0; t < tokens; t++) {
                if (kind == kind_halves && part == 0) {
                    first_half[t][0] = wasm_f32x4_mul(scale0, wasm_f32x4_convert_i32x4(idot[t][0]));
                    first_half[t][1] = wasm_f32x4_mul(scale1, wasm_f32x4_convert_i32x4(idot[t][1]));
                    continue;
                }
                v128_t d = wasm_v128_load32_splat(&SUMS(x[t])->d);
                if (kind == kind_halves) {
                    acc[t][0] = add_halves(acc[t][0], d, first_half[t][0], panel[0].extra, idot[t][0]);
                    acc[t][1] = add_halves(acc[t][1], d, first_half[t][1], panel[1].extra, idot[t][1]);
                    ITERA_PIN(acc[t][0]);
                    ITERA_PIN(acc[t][1]);
                    continue;
                }
                acc[t][0] =
                    ITERA_MADD(wasm_f32x4_mul(scale0, d), wasm_f32x4_convert_i32x4(idot[t][0]), acc[t][0]);
                acc[t][1] =
                    ITERA_MADD(wasm_f32x4_mul(scale1, d), wasm_f32x4_convert_i32x4(idot[t][1]), acc[t][1]);
                if (kind == kind_minimum) {
                    v128_t dsum = wasm_v128_load32_splat(&SUMS(x[t])->dsum);
                    acc[t][0] = ITERA_MADD(panel[0].extra, dsum, acc[t][0]);
                    acc[t][1] = ITERA_MADD(panel[1].extra, dsum, acc[t][1]);
                }
                ITERA_PIN(acc[t][0]);
                ITERA_PIN(acc[t][1]);
            }
        }
        ITERA_UNROLL
        for (int t = 0; t < tokens; t++) {
            x[t]++;
        }
    }

    ITERA_UNROLL
    for (int t = 0; t < tokens; t++) {
        float *yt = place->y + (size_t)t * place->y_stride;
        wasm_v128_store(yt, acc[t][0]);
        wasm_v128_store(yt + 4, acc[t][1]);
    }
}

ITERA_INLINE void tile_advance(tile_place *place, int tokens)
{
    place->y += (size_t)tokens * place->y_stride;
    place->x += (size_t)tokens * place->x_stride;
}

#define DEFINE_TILES(name, kind)                                                                             \
    static void tiles_##name(tile_place place, int tokens)                                                   \
    {                                                                                                        \
        for (; tokens >= 4; tokens -= 4, tile_advance(&place, 4)) {                                          \
            tile(&place, 4, kind);                                                                           \
        }                                                                                                    \
        for (; tokens > 0; tokens--, tile_advance(&place, 1)) {                                              \
            tile(&place, 1, kind);                                                                           \
        }                                                                                                    \
    }

DEFINE_TILES(offset, kind_offset)
DEFINE_TILES(minimum, kind_minimum)
DEFINE_TILES(halves, kind_halves)
#undef DEFINE_TILES

/* ---- The low plane of wide blocks ----
 * A correction after the high planes of a panel, block by block. Which tokens have one differs from block to block:
 * they are gathered, so that 4 of them make a tile. At sixteen bits there is no low plane. */

#if !ITERA_WIDEN

#define LOW_WORDS(block) ((const uint8_t *)(block)->low)

/* What repays the offset in the low plane, and d times its sum. */
ITERA_INLINE int32_t low_repay(const itera_act_block *block, int repay)
{
    return block->fine.repay[repay] - 128 * block->coarse.repay[repay];
}

ITERA_INLINE float low_dsum(const itera_act_block *block) { return block->fine.dsum - block->coarse.dsum; }

typedef struct wide_tokens {
    int count[PANEL_BLOCKS];
    uint8_t token[PANEL_BLOCKS][PANEL_TOKENS];
} wide_tokens;

static void find_wide(wide_tokens *wide, const tile_place *place, int tokens)
{
    for (int block = 0; block < place->blocks; block++) {
        int count = 0;
        ITERA_KEEP_LOOP
        for (int t = 0; t < tokens; t++) {
            wide->token[block][count] = (uint8_t)t;
            count += place->x[(size_t)t * place->x_stride + (size_t)block].wide;
        }
        wide->count[block] = count;
    }
}

/* One block of up to 4 tokens by 2 groups. */
ITERA_INLINE void low_tile(const tile_place *place, int block, const uint8_t *members, int count, int kind)
{
    static const itera_act_block nothing;
    const panel_block *panel = place->panel + 2 * block;
    const itera_act_block *x[4];
    v128_t idot[4][2];
    ITERA_UNROLL
    for (int t = 0; t < 4; t++) {
        x[t] = t < count ? place->x + (size_t)members[t] * place->x_stride + block : &nothing;
        idot[t][0] = idot[t][1] = wasm_i32x4_splat(kind == kind_offset ? low_repay(x[t], place->repay) : 0);
    }
    ITERA_UNROLL
    for (int step = 0; step < ITERA_STEPS; step++) {
        v128_t w0 = panel[0].w[step], w1 = panel[1].w[step];
        ITERA_UNROLL
        for (int t = 0; t < 4; t++) {
            v128_t word = wasm_v128_load32_splat(LOW_WORDS(x[t]) + 4 * step);
            idot[t][0] = ITERA_DOT(word, w0, idot[t][0]);
            ITERA_PIN(idot[t][0]);
            idot[t][1] = ITERA_DOT(word, w1, idot[t][1]);
            ITERA_PIN(idot[t][1]);
        }
    }
    ITERA_UNROLL
    for (int t = 0; t < 4; t++) {
        v128_t d = wasm_f32x4_splat(x[t]->fine.d), dsum = wasm_f32x4_splat(low_dsum(x[t]));
        ITERA_UNROLL
        for (int g = 0; g < 2; g++) {
            if (t < count) {
                float *y = place->y + (size_t)members[t] * place->y_stride + 4 * g;
                v128_t acc = ITERA_MADD(wasm_f32x4_mul(panel[g].scale, d), wasm_f32x4_convert_i32x4(idot[t][g]),
                                        wasm_v128_load(y));
                if (kind == kind_minimum) {
                    acc = ITERA_MADD(panel[g].extra, dsum, acc);
                }
                wasm_v128_store(y, acc);
            }
        }
    }
}

#define DEFINE_LOW_PLANES(name, kind)                                                                        \
    static void low_planes_##name(const tile_place *place, const wide_tokens *wide)                          \
    {                                                                                                        \
        for (int block = 0; block < place->blocks; block++) {                                                \
            for (int i = 0; i < wide->count[block]; i += 4) {                                                \
                low_tile(place, block, wide->token[block] + i, wide->count[block] - i, kind);                \
            }                                                                                                \
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
            panel->scale = type->scale(head, block, sub, 0);
            if (type->kind == kind_halves) {
                panel->extra = type->scale(head, block, sub, 1);
            } else if (type->kind == kind_minimum) {
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
#define TOUCH_BYTES ((size_t)3 << 16)

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
    wide_tokens wide;
#endif
    size_t all_blocks = (size_t)w->cols / ITERA_PACK_COLS;

    for (size_t begin = 0; begin < all_blocks; begin += PANEL_BLOCKS) {
        int blocks = all_blocks - begin < PANEL_BLOCKS ? (int)(all_blocks - begin) : PANEL_BLOCKS;
        for (int t = 0; t < T; t += PANEL_TOKENS) {
            int tokens = T - t < PANEL_TOKENS ? T - t : PANEL_TOKENS;
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
                find_wide(&wide, &place, tokens);
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
                    (type->kind == kind_minimum ? low_planes_minimum : low_planes_offset)(&place, &wide);
                }
#endif
                if (rows < 8) {
                    copy_rows(yt, y_stride, edge, 8, rows, tokens);
                }
            }
        }
    }
}

/* ---- One token ---- */

ITERA_INLINE v128_t load_rows(const float *y, int rows) { return itera_load_part(y, (size_t)rows); }

ITERA_INLINE void store_rows(float *y, v128_t value, int rows) { itera_store_part(y, value, (size_t)rows); }

ITERA_INLINE v128_t word_of(const uint8_t *words, int chunk, int i)
{
    return wasm_v128_load32_splat(words + 4 * step_of(chunk, i));
}

/* Onto idot[0] the first half of the columns, onto idot[1] the second. */
ITERA_INLINE void block_dots(v128_t idot[2], const uint8_t *words, const uint8_t *block, int sub,
                             const vector_type *type, const unpack_constants *k)
{
    ITERA_UNROLL
    for (int v = 0; v < 4; v++) {
        v128_t q[2], w[ITERA_STEPS];
        type->pair(q, block, sub, v, k);
        ITERA_UNROLL
        for (int half = 0; half < 2; half++) {
            int chunk = v + 4 * half;
            put_operands(w, chunk, q[half], k);
            ITERA_UNROLL
            for (int i = 0; i < ITERA_STEPS / 8; i++) {
                idot[half] = ITERA_DOT(word_of(words, chunk, i), w[step_of(chunk, i)], idot[half]);
            }
            ITERA_PIN(idot[half]);
        }
    }
}

/* The sum over a block of nibbles, each taken where it lies: what is 16 or 256 times as large stays so until the end, and
 * only sums are shifted. 8-bit dot products must take the second operand as unsigned for that. */
ITERA_INLINE v128_t nibble_dots(v128_t sum, const uint8_t *words, const uint8_t *nibbles, const unpack_constants *k)
{
    v128_t by_16 = wasm_i32x4_splat(0);
#if ITERA_WIDEN
    v128_t by_256 = wasm_i32x4_splat(0);
#endif
    ITERA_UNROLL
    for (int v = 0; v < 4; v++) {
        v128_t q = wasm_v128_load(nibbles + 16 * v);
#if ITERA_WIDEN
        sum = ITERA_DOT(word_of(words, v, 0), wasm_v128_and(q, k->nibbles[0]), sum);
        ITERA_PIN(sum);
        by_16 = ITERA_DOT(word_of(words, v + 4, 0), wasm_v128_and(q, k->nibbles[1]), by_16);
        ITERA_PIN(by_16);
        by_256 = ITERA_DOT(word_of(words, v, 1), wasm_v128_and(q, k->nibbles[2]), by_256);
        ITERA_PIN(by_256);
        sum = ITERA_DOT(word_of(words, v + 4, 1), wasm_u16x8_shr(q, 12), sum);
        ITERA_PIN(sum);
#else
        sum = ITERA_DOT(word_of(words, v, 0), wasm_v128_and(q, k->nibble), sum);
        ITERA_PIN(sum);
        by_16 = ITERA_DOT(word_of(words, v + 4, 0), wasm_v128_andnot(q, k->nibble), by_16);
        ITERA_PIN(by_16);
#endif
    }
#if ITERA_WIDEN
    by_16 = wasm_i32x4_add(by_16, wasm_i32x4_shr(by_256, 4));
#endif
    return wasm_i32x4_add(sum, wasm_i32x4_shr(by_16, 4));
}

/* One group by one token: a single stream through memory, in the order that prefetchers like (two groups side
 * by side read at half the speed); the dot products of different blocks do not wait for each other. */
ITERA_INLINE v128_t one_token(v128_t acc, const uint8_t *block, const tile_block *x, int blocks,
                              const vector_type *type, int in_place, const unpack_constants *k)
{
    for (int i = 0; i < blocks; block += type->block_bytes) {
        v128_t head[2];
        type->head(head, block, k);
        ITERA_UNROLL_TWICE
        for (int sub = 0; sub < type->subs; sub++, i++, x++) {
            v128_t idot[2] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};
            if (type->kind == kind_halves) {
                idot[1] = repayment(x, type->kind, 1, type->repay);
            }
            if (type->kind != kind_minimum) {
                idot[0] = repayment(x, type->kind, 0, type->repay);
            }
            if (in_place) {
                idot[0] = nibble_dots(idot[0], WORDS(x), type->nibbles(block, sub), k);
            } else {
                block_dots(idot, WORDS(x), block, sub, type, k);
            }

            v128_t d = wasm_v128_load32_splat(&SUMS(x)->d), scale = type->scale(head, block, sub, 0);
            if (type->kind == kind_halves) {
                acc = add_halves(acc, d, wasm_f32x4_mul(scale, wasm_f32x4_convert_i32x4(idot[0])),
                                 type->scale(head, block, sub, 1), idot[1]);
                continue;
            }
            v128_t sum = wasm_f32x4_convert_i32x4(wasm_i32x4_add(idot[0], idot[1]));
            acc = ITERA_MADD(wasm_f32x4_mul(scale, d), sum, acc);
            if (type->kind == kind_minimum) {
                acc = ITERA_MADD(type->min(head, block, sub), wasm_v128_load32_splat(&SUMS(x)->dsum), acc);
            }
        }
    }
    return acc;
}

#if ITERA_WIDEN

ITERA_INLINE void matmul_one(float *y, const itera_matrix *w, const itera_act_block *x, int row_begin,
                             int row_end, const vector_type *type, int in_place)
{
    enum { MOST = PANEL_TOKENS * PANEL_BLOCKS };
    tile_block widened[MOST];
    const unpack_constants k = make_constants();
    int all_blocks = w->cols / ITERA_PACK_COLS;
    for (int begin = 0; begin < all_blocks; begin += MOST) {
        int blocks = all_blocks - begin < MOST ? all_blocks - begin : MOST;
        for (int block = 0; block < blocks; block++) {
            widen_block(&widened[block], &x[begin + block], type->repay);
        }
        const uint8_t *data = w->data + (size_t)(begin / type->subs) * type->block_bytes;
        for (int row = row_begin; row < row_end; row += 4) {
            int rows = row_end - row < 4 ? row_end - row : 4;
            v128_t acc = begin == 0 ? wasm_f32x4_splat(0.0f) : load_rows(y + row, rows);
            acc = one_token(acc, data + (size_t)(row / 4) * w->group_bytes, widened, blocks, type, in_place, &k);
            store_rows(y + row, acc, rows);
        }
    }
}

#else

/* The low plane of one block of a 32-column type. */
ITERA_INLINE v128_t one_low_plane(v128_t acc, const uint8_t *block, const itera_act_block *x,
                                  const vector_type *type, const unpack_constants *k)
{
    v128_t head[2], idot[2] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};
    if (type->kind == kind_offset) {
        idot[0] = wasm_i32x4_splat(low_repay(x, type->repay));
    }
    type->head(head, block, k);
    block_dots(idot, LOW_WORDS(x), block, 0, type, k);
    acc = ITERA_MADD(wasm_f32x4_mul(type->scale(head, block, 0, 0), wasm_f32x4_splat(x->fine.d)),
                     wasm_f32x4_convert_i32x4(wasm_i32x4_add(idot[0], idot[1])), acc);
    if (type->kind == kind_minimum) {
        acc = ITERA_MADD(type->min(head, block, 0), wasm_f32x4_splat(low_dsum(x)), acc);
    }
    return acc;
}

ITERA_INLINE void matmul_one(float *y, const itera_matrix *w, const itera_act_block *x, int row_begin,
                             int row_end, const vector_type *type, int in_place)
{
    const unpack_constants k = make_constants();
    int blocks = w->cols / ITERA_PACK_COLS;
    int most = type->coarse ? blocks : PANEL_BLOCKS; /* low planes follow the high ones of a panel */
    for (int row = row_begin; row < row_end; row += 4) {
        const uint8_t *group = w->data + (size_t)(row / 4) * w->group_bytes;
        v128_t acc = wasm_f32x4_splat(0.0f);
        for (int begin = 0; begin < blocks; begin += most) {
            int end = blocks - begin < most ? blocks : begin + most;
            acc = one_token(acc, group + (size_t)(begin / type->subs) * type->block_bytes, x + begin, end - begin,
                            type, in_place, &k);
            for (int i = begin; !type->coarse && i < end; i++) {
                if (x[i].wide) {
                    acc = one_low_plane(acc, group + (size_t)i * type->block_bytes, x + i, type, &k);
                }
            }
        }
        store_rows(y + row, acc, row_end - row < 4 ? row_end - row : 4);
    }
}

#endif

/* function: matmul_<type>; kind: the tiles that fit the descriptor's kind. */
#define ITERA_DEFINE_QUANT_MATMUL(function, type, kind)                                                      \
    static void fill_##function(panel_block *panel, const uint8_t *group, size_t begin, int blocks)          \
    {                                                                                                        \
        fill(panel, group, begin, blocks, &type);                                                            \
    }                                                                                                        \
    void ITERA_NAME(function)(float *y, size_t y_stride, const itera_matrix *w, const void *x, int T,        \
                              int row_begin, int row_end)                                                    \
    {                                                                                                        \
        if (T == 1) {                                                                                        \
            matmul_one(y, w, x, row_begin, row_end, &type, ITERA_WIDEN && (type).nibbles != NULL);           \
        } else {                                                                                             \
            matmul_panels(y, y_stride, w, x, T, row_begin, row_end, fill_##function, tiles_##kind, &type);   \
        }                                                                                                    \
    }

ITERA_DEFINE_QUANT_MATMUL(matmul_q4_0, vector_q4_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q4_1, vector_q4_1, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_0, vector_q5_0, offset)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_1, vector_q5_1, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q5_k, vector_q5_k, minimum)
ITERA_DEFINE_QUANT_MATMUL(matmul_q6_k, vector_q6_k, halves)
