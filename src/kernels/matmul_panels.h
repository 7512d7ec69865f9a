/* Quantized products of many tokens, a template (matmul_quant.h): the walk over columns, tokens and rows.
 *
 * Two groups of 4 rows are unpacked into a panel on the stack, at most PANEL_BLOCKS blocks wide, and tiles run over it.
 * Between panels the running sums live in y: storing an f32 loses nothing, so results do not depend on how many tokens
 * share a tile, nor, but for the order of low planes, on where panels end. */

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
 * are still in the second-level cache later where a matrix is small, as an expert's is. Returns the row after the
 * run. */
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
    float edge[8 * PANEL_TOKENS]; /* where a tile's 8 rows go when there are fewer; the rest of it is dropped */
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
