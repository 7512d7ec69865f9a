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

/* Columns of one group by one token; the dot products of different blocks do not wait for each other. */
ITERA_INLINE v128_t one_token(v128_t acc, const uint8_t *block, const tile_block *x, int blocks,
                              const vector_type *type, int in_place, const unpack_constants *k)
{
    for (int i = 0; i < blocks; block += type->block_bytes) {
        v128_t head[2];
        type->head(head, block, k);
        ITERA_UNROLL_TWICE
        for (int sub = 0; sub < type->subs; sub++, i++, x++) {
            v128_t idot[2] = {repayment(x, type->kind, 0, type->repay), wasm_i32x4_splat(0)};
            if (in_place) {
                idot[0] = nibble_dots(idot[0], WORDS(x), type->nibbles(block, sub), k);
            } else {
                block_dots(idot, WORDS(x), block, sub, type, k);
            }
            v128_t scale = wasm_f32x4_mul(type->scale(head, block, sub), wasm_v128_load32_splat(&SUMS(x)->d));
            acc = ITERA_MADD(scale, wasm_f32x4_convert_i32x4(wasm_i32x4_add(idot[0], idot[1])), acc);
            if (type->kind == kind_minimum) {
                acc = ITERA_MADD(type->min(head, block, sub), wasm_v128_load32_splat(&SUMS(x)->dsum), acc);
            }
            ITERA_PIN(acc);
        }
    }
    return acc;
}

/* The same of a type with halves. */
ITERA_INLINE v128_t one_token_halves(v128_t acc, const uint8_t *block, const tile_block *x, int blocks,
                                     const vector_type *type, const unpack_constants *k)
{
    for (int i = 0; i < blocks; block += type->block_bytes) {
        v128_t head[2], sum = wasm_f32x4_splat(0.0f);
        type->head(head, block, k);
        ITERA_UNROLL_TWICE
        for (int sub = 0; sub < type->subs; sub++, i++, x++) {
            v128_t idot[2] = {repayment(x, kind_halves, 0, 0), repayment(x, kind_halves, 1, 0)}, halves[2];
            block_dots(idot, WORDS(x), block, sub, type, k);
            type->halves(halves, block, sub);
            v128_t both = wasm_i32x4_add(wasm_i32x4_mul(halves[0], idot[0]), wasm_i32x4_mul(halves[1], idot[1]));
            sum = ITERA_MADD(wasm_v128_load32_splat(&SUMS(x)->d), wasm_f32x4_convert_i32x4(both), sum);
            ITERA_PIN(sum);
        }
        acc = ITERA_MADD(head[0], sum, acc);
    }
    return acc;
}

ITERA_INLINE v128_t one_group(v128_t acc, const uint8_t *block, const tile_block *x, int blocks,
                              const vector_type *type, int in_place, const unpack_constants *k)
{
    return type->kind == kind_halves ? one_token_halves(acc, block, x, blocks, type, k)
                                     : one_token(acc, block, x, blocks, type, in_place, k);
}

#if !ITERA_WIDEN

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
    acc = ITERA_MADD(wasm_f32x4_mul(type->scale(head, block, 0), wasm_f32x4_splat(x->fine.d)),
                     wasm_f32x4_convert_i32x4(wasm_i32x4_add(idot[0], idot[1])), acc);
    if (type->kind == kind_minimum) {
        acc = ITERA_MADD(type->min(head, block, 0), wasm_f32x4_splat(low_dsum(x)), acc);
    }
    return acc;
}

/* The low planes of a panel. */
ITERA_INLINE v128_t one_low_panel(v128_t acc, const uint8_t *group, const itera_act_block *x, int blocks,
                                  const vector_type *type, const unpack_constants *k)
{
    ITERA_KEEP_LOOP
    for (int i = 0; i < blocks && !type->coarse; i++) {
        if (x[i].wide) {
            acc = one_low_plane(acc, group + (size_t)i * type->block_bytes, x + i, type, k);
        }
    }
    return acc;
}

#endif

/* Columns [32 * begin, 32 * (begin + blocks)), those of `x`. Four quarters of the rows are read side by side, 300 to 800
 * bytes of each in turn: while one is multiplied, the processor fetches what comes next of the others. Of a single
 * stream it fetches too little ahead where memory is far away, and waits at every page. */
ITERA_INLINE void one_token_by_rows(float *y, const itera_matrix *w, const tile_block *x, int begin, int blocks,
                                    int row_begin, int row_end, const vector_type *type, int in_place,
                                    const unpack_constants *k)
{
    enum { STREAMS = 4 };
    const int turn = type->subs < 4 ? 4 : type->subs;
    const int panel = ITERA_WIDEN || type->coarse ? blocks : PANEL_BLOCKS;
    const int groups = (row_end - row_begin + 3) / 4, groups_each = (groups + STREAMS - 1) / STREAMS;
    const uint8_t *data = w->data + (size_t)(begin / type->subs) * type->block_bytes;
    for (int i = 0; i < groups_each; i++) {
        const uint8_t *group[STREAMS];
        v128_t acc[STREAMS];
        int streams = 0;
        ITERA_KEEP_LOOP
        for (int row = row_begin + 4 * i; streams < STREAMS && row < row_end; row += 4 * groups_each, streams++) {
            group[streams] = data + (size_t)(row / 4) * w->group_bytes;
            acc[streams] = begin == 0 ? wasm_f32x4_splat(0.0f) : load_rows(y + row, row_end - row);
        }
        for (int at = 0; at < blocks; at += panel) {
            const int panel_end = blocks - at < panel ? blocks : at + panel;
            ITERA_KEEP_LOOP
            for (int now = at; now < panel_end; now += turn) {
                const int n = panel_end - now < turn ? panel_end - now : turn;
                ITERA_KEEP_LOOP
                for (int s = 0; s < streams; s++) {
                    acc[s] = one_group(acc[s], group[s] + (size_t)(now / type->subs) * type->block_bytes, x + now, n,
                                       type, in_place, k);
                }
            }
#if !ITERA_WIDEN
            ITERA_KEEP_LOOP
            for (int s = 0; s < streams; s++) {
                acc[s] = one_low_panel(acc[s], group[s] + (size_t)(at / type->subs) * type->block_bytes, x + at,
                                       panel_end - at, type, k);
            }
#endif
        }
        ITERA_KEEP_LOOP
        for (int s = 0, row = row_begin + 4 * i; s < streams; s++, row += 4 * groups_each) {
            store_rows(y + row, acc[s], row_end - row);
        }
    }
}

ITERA_INLINE void matmul_one(float *y, const itera_matrix *w, const itera_act_block *x, int row_begin,
                             int row_end, const vector_type *type, int in_place)
{
    const unpack_constants k = make_constants();
    const int all_blocks = w->cols / ITERA_PACK_COLS;
#if ITERA_WIDEN
    enum { MOST = PANEL_TOKENS * PANEL_BLOCKS };
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
