/* Activations as products of quantized types see them, for one token and for many, a template (matmul_quant.h).
 *
 * A step is a broadcast word: 4 bytes, or 2 widened columns. */

/* Blocks of 32 columns and tokens that are taken at once. */
#if ITERA_WIDEN
#define PANEL_BLOCKS 16 /* 512 columns: 10 kB of weights */
#define PANEL_TOKENS 64 /* 84 kB of widened activations, in the second-level cache */
#else
#define PANEL_BLOCKS 32 /* 1024 columns: 12 kB of weights */
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

/* The sum of a block's products as f32. Those of bytes have begun at ITERA_SUM_BASE: a subtraction runs on the adders,
 * a conversion would wait for the units that make the dot products. */
ITERA_INLINE v128_t sum_to_f32(v128_t sum)
{
#if ITERA_WIDEN
    return wasm_f32x4_convert_i32x4(sum);
#else
    return wasm_f32x4_sub(sum, wasm_i32x4_splat(ITERA_SUM_BASE));
#endif
}

/* A half's integer factor times its sum, onto another such product: 32-bit integers, or where sums are of bytes f32, in
 * which both products and what they add up to are exact (2 * 128 * 16 * 32 * 127 < 2^24). */
ITERA_INLINE v128_t half_factor(v128_t integer) { return ITERA_WIDEN ? integer : wasm_f32x4_convert_i32x4(integer); }

ITERA_INLINE v128_t add_half(v128_t factor, v128_t sum, v128_t product)
{
    return ITERA_WIDEN ? wasm_i32x4_add(product, wasm_i32x4_mul(factor, sum))
                       : ITERA_MADD(factor, sum_to_f32(sum), product);
}

ITERA_INLINE v128_t halves_to_f32(v128_t product) { return ITERA_WIDEN ? wasm_f32x4_convert_i32x4(product) : product; }

/* What a dot product over the columns of a part (all, or a half) begins with: what repays the weights' offset. A
 * multiplication here would wait for the units that make the dot products. */
ITERA_INLINE v128_t repayment(const tile_block *x, int kind, int part, int repay)
{
    return wasm_v128_load32_splat(kind == kind_halves ? &SUMS(x)->repay32[part] : REPAY(x, repay));
}

/* ---- The low plane of wide blocks: at sixteen bits there is none ---- */

#if !ITERA_WIDEN

#define LOW_WORDS(block) ((const uint8_t *)(block)->low)

/* What repays the offset in the low plane, and d times its sum. */
ITERA_INLINE int32_t low_repay(const itera_act_block *block, int repay)
{
    return ITERA_SUM_BASE + block->fine.repay[repay] - 128 * (block->coarse.repay[repay] - ITERA_SUM_BASE);
}

ITERA_INLINE float low_dsum(const itera_act_block *block) { return block->fine.dsum - block->coarse.dsum; }

#endif
