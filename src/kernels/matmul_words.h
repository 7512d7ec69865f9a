/* Activations as products of quantized types see them, for one token and for many, a template (matmul_quant.h).
 *
 * A step is a broadcast word: 4 bytes, or 2 widened columns. */

/* Blocks of 32 columns and tokens that are taken at once. */
#if ITERA_WIDEN
#define PANEL_BLOCKS 16 /* 512 columns: 9 kB of weights, 20 kB of widened activations */
#define PANEL_TOKENS 16
#else
#define PANEL_BLOCKS 32 /* 1024 columns: 10 kB of weights */
#define PANEL_TOKENS 128
#endif

#if ITERA_WIDEN
typedef struct tile_block {
    int16_t x[32]; /* 128 high + low: even columns of 4 chunks, then odd columns, the order of put_operands() */
    float d, dsum;
    int32_t repay, repay32[2];
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
    out->repay32[0] = block->fine.repay32[0];
    out->repay32[1] = block->fine.repay32[1];
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

/* What repays the weights' offset over the columns that a part (all, or a half) covers: a dot product begins with it. A
 * multiplication here would wait for the units that make the dot products. */
ITERA_INLINE v128_t repayment(const tile_block *x, int kind, int part, int repay)
{
    switch (kind) {
    case kind_offset: return wasm_v128_load32_splat(REPAY(x, repay));
    case kind_halves: return wasm_v128_load32_splat(&SUMS(x)->repay32[part]);
    default: return wasm_i32x4_splat(0);
    }
}

/* ---- The low plane of wide blocks: at sixteen bits there is none ---- */

#if !ITERA_WIDEN

#define LOW_WORDS(block) ((const uint8_t *)(block)->low)

/* What repays the offset in the low plane, and d times its sum. */
ITERA_INLINE int32_t low_repay(const itera_act_block *block, int repay)
{
    return block->fine.repay[repay] - 128 * block->coarse.repay[repay];
}

ITERA_INLINE float low_dsum(const itera_act_block *block) { return block->fine.dsum - block->coarse.dsum; }

#endif
