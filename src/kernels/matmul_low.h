/* The low plane of wide blocks for many tokens, a template (matmul_quant.h): a correction after the high planes of a
 * panel, block by block. Which tokens have one differs from block to block, and tokens lie pages apart: what the
 * products need of them is gathered into tiles, once for all rows. At sixteen bits there is no low plane. */

#if !ITERA_WIDEN

#define LOW_TILES 384 /* 71 kB: three eighths of the blocks of a panel and PANEL_TOKENS tokens */

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
