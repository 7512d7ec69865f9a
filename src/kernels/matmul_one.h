/* Quantized products of one token, a template (matmul_quant.h): weights are unpacked in registers on their way from
 * memory. */

/* A group's rows of y: `rows`, or the first four where there are more. */
ITERA_INLINE v128_t load_rows(const float *y, int rows) { return itera_load_part(y, (size_t)rows); }

/* Not inlined: once a group of rows the call is cheap, and each type would have a copy of its own. */
static __attribute__((noinline)) void store_rows(float *y, v128_t value, int rows)
{
    itera_store_part(y, value, (size_t)rows);
}

ITERA_INLINE v128_t word_of(const uint8_t *words, int chunk, int i)
{
    return wasm_v128_load32_splat(words + 4 * step_of(chunk, i));
}

/* Groups of 4 rows that are read side by side, each a stream through memory. Every word of the input meets all of them,
 * and while one is multiplied, the processor fetches what comes next of the others: of a single stream it fetches too
 * little ahead where memory is far away, and waits at every page. */
enum { STREAMS = 4 };

/* Rows of a stream, a multiple of 4: a quarter of all, so that streams are pages apart. */
ITERA_INLINE int quarter_of(int row_begin, int row_end)
{
    const int groups = (row_end - row_begin + 3) / 4;
    return 4 * ((groups + STREAMS - 1) / STREAMS);
}

/* The group `ahead` rows after the one of row `first`; where there is none, that one once more, in vain. */
ITERA_INLINE const uint8_t *stream_at(const itera_matrix *w, int first, int ahead, int row_end)
{
    const int row = first + ahead < row_end ? first + ahead : first;
    return w->data + (size_t)(row / 4) * w->group_bytes;
}

ITERA_INLINE void store_streams(float *y, const v128_t acc[STREAMS], int first, int quarter, int row_end)
{
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        const int row = first + g * quarter;
        if (row < row_end) {
            store_rows(y + row, acc[g], row_end - row);
        }
    }
}

/* A packed block of each. */
ITERA_INLINE void blocks_at(const uint8_t *block[STREAMS], const uint8_t *const group[STREAMS], int i,
                            const vector_type *type)
{
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        block[g] = group[g] + (size_t)(i / type->subs) * type->block_bytes;
    }
}

ITERA_INLINE void next_blocks(const uint8_t *block[STREAMS], const vector_type *type)
{
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        block[g] += type->block_bytes;
    }
}

/* Onto idot[g][0] the first half of the columns of group g, onto idot[g][1] the second. */
ITERA_INLINE void block_dots(v128_t idot[STREAMS][2], const uint8_t *words, const uint8_t *const block[STREAMS],
                             int sub, const vector_type *type, const unpack_constants *k)
{
    ITERA_UNROLL
    for (int v = 0; v < 4; v++) {
        v128_t q[STREAMS][2], w[ITERA_STEPS];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            type->pair(q[g], block[g], sub, v, k);
        }
        ITERA_UNROLL
        for (int half = 0; half < 2; half++) {
            int chunk = v + 4 * half;
            v128_t word[ITERA_STEPS / 8];
            ITERA_UNROLL
            for (int i = 0; i < ITERA_STEPS / 8; i++) {
                word[i] = word_of(words, chunk, i);
            }
            ITERA_UNROLL
            for (int g = 0; g < STREAMS; g++) {
                put_operands(w, chunk, q[g][half], k);
                ITERA_UNROLL
                for (int i = 0; i < ITERA_STEPS / 8; i++) {
                    idot[g][half] = ITERA_DOT(word[i], w[step_of(chunk, i)], idot[g][half]);
                    ITERA_PIN(idot[g][half]);
                }
            }
        }
    }
}

/* The same for a block of nibbles, each taken where it lies: what is 16 or 256 times as large stays so until the end,
 * and only sums are shifted. 8-bit dot products must take the second operand as unsigned for that. */
ITERA_INLINE void nibble_dots(v128_t idot[STREAMS][2], const uint8_t *words, const uint8_t *const block[STREAMS],
                              int sub, const vector_type *type, const unpack_constants *k)
{
    v128_t by_16[STREAMS];
#if ITERA_WIDEN
    v128_t by_256[STREAMS];
#endif
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        by_16[g] = wasm_i32x4_splat(0);
#if ITERA_WIDEN
        by_256[g] = wasm_i32x4_splat(0);
#endif
    }
    ITERA_UNROLL
    for (int v = 0; v < 4; v++) {
        v128_t word[2][2];
        ITERA_UNROLL
        for (int half = 0; half < 2; half++) {
            ITERA_UNROLL
            for (int i = 0; i < ITERA_STEPS / 8; i++) {
                word[half][i] = word_of(words, v + 4 * half, i);
            }
        }
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            v128_t q = wasm_v128_load(type->nibbles(block[g], sub) + 16 * v);
#if ITERA_WIDEN
            idot[g][0] = ITERA_DOT(word[0][0], wasm_v128_and(q, k->nibbles[0]), idot[g][0]);
            ITERA_PIN(idot[g][0]);
            by_16[g] = ITERA_DOT(word[1][0], wasm_v128_and(q, k->nibbles[1]), by_16[g]);
            ITERA_PIN(by_16[g]);
            by_256[g] = ITERA_DOT(word[0][1], wasm_v128_and(q, k->nibbles[2]), by_256[g]);
            ITERA_PIN(by_256[g]);
            idot[g][0] = ITERA_DOT(word[1][1], wasm_u16x8_shr(q, 12), idot[g][0]);
            ITERA_PIN(idot[g][0]);
#else
            idot[g][0] = ITERA_DOT(word[0][0], wasm_v128_and(q, k->nibble), idot[g][0]);
            ITERA_PIN(idot[g][0]);
            by_16[g] = ITERA_DOT(word[1][0], wasm_v128_andnot(q, k->nibble), by_16[g]);
            ITERA_PIN(by_16[g]);
#endif
        }
    }
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
#if ITERA_WIDEN
        by_16[g] = wasm_i32x4_add(by_16[g], wasm_i32x4_shr(by_256[g], 4));
#endif
        idot[g][1] = wasm_i32x4_add(idot[g][1], wasm_i32x4_shr(by_16[g], 4));
    }
}

/* A block's sums meet their scale, and its minimum the activations' sum, where the type has one. */
ITERA_INLINE void add_block(v128_t acc[STREAMS], const v128_t idot[STREAMS][2], const tile_block *x,
                            const v128_t head[STREAMS][2], const uint8_t *const block[STREAMS], int sub,
                            const vector_type *type)
{
    const v128_t d = wasm_v128_load32_splat(&SUMS(x)->d), dsum = wasm_v128_load32_splat(&SUMS(x)->dsum);
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        v128_t scale = wasm_f32x4_mul(type->scale(head[g], block[g], sub), d);
        acc[g] = ITERA_MADD(scale, sum_to_f32(wasm_i32x4_add(idot[g][0], idot[g][1])), acc[g]);
        if (type->kind == kind_minimum) {
            acc[g] = ITERA_MADD(type->min(head[g], block[g], sub), dsum, acc[g]);
        }
        ITERA_PIN(acc[g]);
    }
}

/* 32-column blocks begin .. end - 1 of each group by one token. */
ITERA_INLINE void one_token(v128_t acc[STREAMS], const uint8_t *const group[STREAMS], const tile_block *x, int begin,
                            int end, const vector_type *type, int in_place, const unpack_constants *k)
{
    const uint8_t *block[STREAMS];
    blocks_at(block, group, begin, type);
    for (int i = begin; i < end; next_blocks(block, type)) {
        v128_t head[STREAMS][2];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            type->head(head[g], block[g], k);
        }
        ITERA_UNROLL_TWICE
        for (int sub = 0; sub < type->subs; sub++, i++) {
            v128_t idot[STREAMS][2];
            ITERA_UNROLL
            for (int g = 0; g < STREAMS; g++) {
                idot[g][0] = repayment(&x[i], type->kind, 0, type->repay);
                idot[g][1] = wasm_i32x4_splat(0);
            }
            if (in_place) {
                nibble_dots(idot, WORDS(&x[i]), block, sub, type, k);
            } else {
                block_dots(idot, WORDS(&x[i]), block, sub, type, k);
            }
            add_block(acc, idot, &x[i], head, block, sub, type);
        }
    }
}

#if !ITERA_WIDEN

/* What the low plane of a wide block adds, behind the high planes of the panel as tiles of many tokens do. */
typedef struct low_products {
    v128_t scale[STREAMS], sum[STREAMS], min[STREAMS], dsum;
} low_products;

ITERA_INLINE void keep_low(low_products *low, const v128_t idot[STREAMS][2], const tile_block *x,
                           const v128_t head[STREAMS][2], const uint8_t *const block[STREAMS],
                           const vector_type *type)
{
    low->dsum = wasm_f32x4_splat(low_dsum(x));
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        low->scale[g] = wasm_f32x4_mul(type->scale(head[g], block[g], 0), wasm_f32x4_splat(x->fine.d));
        low->sum[g] = sum_to_f32(wasm_i32x4_add(idot[g][0], idot[g][1]));
        if (type->kind == kind_minimum) {
            low->min[g] = type->min(head[g], block[g], 0);
        }
    }
}

ITERA_INLINE void add_low(v128_t acc[STREAMS], const low_products *low, const vector_type *type)
{
    ITERA_UNROLL
    for (int g = 0; g < STREAMS; g++) {
        acc[g] = ITERA_MADD(low->scale[g], low->sum[g], acc[g]);
        if (type->kind == kind_minimum) {
            acc[g] = ITERA_MADD(low->min[g], low->dsum, acc[g]);
        }
    }
}

/* The same of a type that takes the low plane of wide blocks, at most PANEL_BLOCKS blocks. Both planes of a block are
 * read by the same instructions, one in a turn of the loop after the other: instructions that read wide blocks only
 * would go by even steps where each group has one such block, which a processor takes for a stream of its own and
 * fetches ahead of the four. */
ITERA_INLINE void one_token_planes(v128_t acc[STREAMS], const uint8_t *const group[STREAMS], const tile_block *x,
                                   int begin, int end, const vector_type *type, const unpack_constants *k)
{
    const uint8_t *block[STREAMS];
    low_products low[PANEL_BLOCKS];
    int lows = 0, is_low = 0;
    blocks_at(block, group, begin, type);
    ITERA_KEEP_LOOP
    for (const tile_block *at = x + begin; at < x + end;) {
        v128_t head[STREAMS][2], idot[STREAMS][2];
        const v128_t start =
            is_low ? wasm_i32x4_splat(low_repay(at, type->repay)) : repayment(at, type->kind, 0, type->repay);
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            type->head(head[g], block[g], k);
            idot[g][0] = start;
            idot[g][1] = wasm_i32x4_splat(0);
        }
        block_dots(idot, is_low ? LOW_WORDS(at) : WORDS(at), block, 0, type, k);
        if (is_low) {
            keep_low(&low[lows++], idot, at, head, block, type);
        } else {
            add_block(acc, idot, at, head, block, 0, type);
        }
        is_low = !is_low && at->to_wide == 0;
        if (!is_low) {
            next_blocks(block, type);
            at++;
        }
    }
    ITERA_KEEP_LOOP
    for (int i = 0; i < lows; i++) {
        add_low(acc, &low[i], type);
    }
}

#endif

/* The same of a type with halves. */
ITERA_INLINE void one_token_halves(v128_t acc[STREAMS], const uint8_t *const group[STREAMS], const tile_block *x,
                                   int begin, int end, const vector_type *type, const unpack_constants *k)
{
    const uint8_t *block[STREAMS];
    blocks_at(block, group, begin, type);
    for (int i = begin; i < end; next_blocks(block, type)) {
        v128_t head[STREAMS][2], sum[STREAMS];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            type->head(head[g], block[g], k);
            sum[g] = wasm_f32x4_splat(0.0f);
        }
        ITERA_UNROLL_TWICE
        for (int sub = 0; sub < type->subs; sub++, i++) {
            v128_t idot[STREAMS][2];
            ITERA_UNROLL
            for (int g = 0; g < STREAMS; g++) {
                idot[g][0] = repayment(&x[i], kind_halves, 0, 0);
                idot[g][1] = repayment(&x[i], kind_halves, 1, 0);
            }
            block_dots(idot, WORDS(&x[i]), block, sub, type, k);
            const v128_t d = wasm_v128_load32_splat(&SUMS(&x[i])->d);
            ITERA_UNROLL
            for (int g = 0; g < STREAMS; g++) {
                v128_t halves[2];
                type->halves(halves, block[g], sub);
                const v128_t left = add_half(half_factor(halves[0]), idot[g][0], wasm_i32x4_splat(0));
                const v128_t both = add_half(half_factor(halves[1]), idot[g][1], left);
                sum[g] = ITERA_MADD(d, halves_to_f32(both), sum[g]);
                ITERA_PIN(sum[g]);
            }
        }
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            acc[g] = ITERA_MADD(head[g][0], sum[g], acc[g]);
        }
    }
}

/* Columns [32 * begin, 32 * (begin + blocks)), those of `x`. */
ITERA_INLINE void one_token_by_rows(float *y, const itera_matrix *w, const tile_block *x, int begin, int blocks,
                                    int row_begin, int row_end, const vector_type *type, int in_place,
                                    const unpack_constants *k)
{
    const int panel = ITERA_WIDEN || type->coarse ? blocks : PANEL_BLOCKS;
    const int quarter = quarter_of(row_begin, row_end);
    const size_t offset = (size_t)(begin / type->subs) * type->block_bytes;
    for (int first = row_begin; first < row_begin + quarter; first += 4) {
        const uint8_t *group[STREAMS];
        v128_t acc[STREAMS];
        ITERA_UNROLL
        for (int g = 0; g < STREAMS; g++) {
            const int row = first + g * quarter;
            group[g] = stream_at(w, first, g * quarter, row_end) + offset;
            acc[g] = begin == 0 || row >= row_end ? wasm_f32x4_splat(0.0f) : load_rows(y + row, row_end - row);
        }
        for (int at = 0; at < blocks; at += panel) {
            const int end = blocks - at < panel ? blocks : at + panel;
            if (type->kind == kind_halves) {
                one_token_halves(acc, group, x, at, end, type, k);
#if !ITERA_WIDEN
            } else if (!type->coarse) {
                one_token_planes(acc, group, x, at, end, type, k);
#endif
            } else {
                one_token(acc, group, x, at, end, type, in_place, k);
            }
        }
        store_streams(y, acc, first, quarter, row_end);
    }
}

ITERA_INLINE void matmul_one(float *y, const itera_matrix *w, const itera_act_block *x, int row_begin,
                             int row_end, const vector_type *type, int in_place)
{
    const unpack_constants k = make_constants();
    const int all_blocks = w->cols / ITERA_PACK_COLS;
#if ITERA_WIDEN
    enum { MOST = 16 * PANEL_BLOCKS };
    tile_block widened[MOST];
    for (int begin = 0; begin < all_blocks; begin += MOST) {
        const int blocks = all_blocks - begin < MOST ? all_blocks - begin : MOST;
        for (int block = 0; block < blocks; block++) {
            widen_block(&widened[block], &x[begin + block], type->repay);
        }
        one_token_by_rows(y, w, widened, begin, blocks, row_begin, row_end, type, in_place, &k);
    }
#else
    one_token_by_rows(y, w, x, 0, all_blocks, row_begin, row_end, type, in_place, &k);
#endif
}
