/* Products of every type: the scalar reference against a plain sum in double precision, the vector variants against the
 * reference, and a row of a batch against the same row alone. kernel_checks.h tells what holds for all kernels. */
#include "kernel_checks.h"
#include "quant/pack.h"

typedef struct product {
    itera_matrix w;
    uint8_t *data;
    float *dense;   /* [R, K] f32, for the plain formula */
    void *x;        /* [T] rows as the type wants them */
    itera_act_block *coarse; /* the same as relaxed products see it; NULL for float types */
    float *x_floats; /* [T, K] what x stands for */
    size_t x_row;   /* bytes of a row of x */
    int T;
} product;

static int is_quantized(itera_type type) { return itera_type_lookup((uint32_t)type)->block_elements > 1; }

/* Noise as weights: every quant and scale comes up. The halves that scale a block are kept small and finite. */
static void random_row(uint8_t *row, itera_type type, int K, int extreme)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    size_t blocks = (size_t)K / info->block_elements;
    for (size_t i = 0; i < blocks * info->block_bytes; i++) {
        row[i] = extreme ? (type == ITERA_TYPE_Q8_0 ? 0x80 : 0xff) : (uint8_t)random_bits();
    }
    for (size_t b = 0; b < blocks; b++, row += info->block_bytes) {
        size_t halves[2] = {0, 0};
        switch (type) {
        case ITERA_TYPE_F32: {
            float value = uniform(-1.0f, 1.0f);
            memcpy(row, &value, 4);
            continue;
        }
        case ITERA_TYPE_BF16: row[1] = (uint8_t)((row[1] & 0x80) | 0x3e); continue;
        case ITERA_TYPE_Q4_1:
        case ITERA_TYPE_Q5_1:
        case ITERA_TYPE_Q4_K:
        case ITERA_TYPE_Q5_K: halves[1] = 2; break;
        case ITERA_TYPE_Q6_K: halves[0] = halves[1] = 208; break;
        default: break;
        }
        for (int i = 0; i < 2; i++) { /* 2^-7 .. 2^-3 of either sign, now and then subnormal */
            unsigned exponent = random_bits() % 16 == 0 ? 0 : 0x20 + random_bits() % 16;
            row[halves[i] + 1] = (uint8_t)((random_bits() & 0x80) | exponent);
        }
    }
}

static int is_k_type(itera_type type)
{
    return type == ITERA_TYPE_Q4_K || type == ITERA_TYPE_Q5_K || type == ITERA_TYPE_Q6_K;
}

/* The activations as relaxed products see them: the high plane alone, but of wide blocks, in other types than the
 * K types, the low one too. */
static itera_act_block *coarsened(const itera_act_block *blocks, size_t count, int wide_too)
{
    itera_act_block *out = malloc(count * sizeof *out);
    memcpy(out, blocks, count * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        if (out[i].to_wide == 0 && !wide_too) {
            continue;
        }
        memset(out[i].low, 0, sizeof out[i].low);
        out[i].fine.dsum = out[i].coarse.dsum;
        for (int j = 0; j < 4; j++) {
            out[i].fine.repay[j] = 128 * (out[i].coarse.repay[j] - ITERA_SUM_BASE);
        }
        for (int j = 0; j < 2; j++) {
            out[i].fine.repay32[j] = 128 * (out[i].coarse.repay32[j] - ITERA_SUM_BASE);
        }
    }
    return out;
}

static product product_make(itera_type type, int R, int K, int T, int extreme)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    size_t row_bytes = (size_t)K / info->block_elements * info->block_bytes;
    size_t group_bytes = itera_pack_group_bytes(type, (uint32_t)K);
    size_t groups = ((size_t)R + 3) / 4;
    product p = {.T = T};
    p.data = malloc(groups * group_bytes);
    p.dense = malloc((size_t)R * (size_t)K * sizeof(float));
    p.w = (itera_matrix){.data = p.data, .type = type, .rows = R, .cols = K, .group_bytes = group_bytes};

    uint8_t *file = malloc(4 * row_bytes);
    for (size_t g = 0; g < groups; g++) {
        const void *rows[4] = {NULL, NULL, NULL, NULL};
        for (size_t lane = 0; lane < 4 && 4 * g + lane < (size_t)R; lane++) {
            uint8_t *row = file + lane * row_bytes;
            random_row(row, type, K, extreme);
            info->dequantize(p.dense + (4 * g + lane) * (size_t)K, row, (size_t)K);
            rows[lane] = row;
        }
        itera_pack_group(p.data + g * group_bytes, type, (uint32_t)K, rows);
    }
    free(file);

    size_t n = (size_t)T * (size_t)K;
    p.x_floats = floats(n, -2.0f, 2.0f);
    /* Some blocks are larger than the rest of their row: wide ones, in a long prompt more than products take at once. */
    const uint32_t each = T > 100 ? 2 : 4;
    for (size_t i = 0; i < n; i += 32) {
        float size = random_bits() % each == 0 ? 1.5f : 0.8f;
        for (size_t j = i; j < i + 32 && j < n; j++) {
            p.x_floats[j] *= size;
        }
    }
    if (extreme) {
        for (size_t i = 0; i < n; i++) {
            p.x_floats[i] = random_bits() % 8 == 0 ? -3.0f : 3.0f; /* the largest, either sign */
        }
    }
    if (!is_quantized(type)) {
        p.x = copy_of(p.x_floats, n);
        p.x_row = (size_t)K * sizeof(float);
        return p;
    }
    itera_act_block *blocks = malloc(n / 32 * sizeof *blocks);
    scalar->quantize_act(blocks, p.x_floats, T, K);
    for (size_t i = 0; i < n; i++) {
        p.x_floats[i] = (float)q_of(&blocks[i / 32], (int)(i % 32)) * blocks[i / 32].fine.d;
    }
    p.x = blocks;
    p.x_row = (size_t)K / 32 * sizeof *blocks;
    p.coarse = coarsened(blocks, n / 32, is_k_type(type));
    return p;
}

static void product_free(product *p)
{
    free(p->data), free(p->dense), free(p->x), free(p->coarse), free(p->x_floats);
}

/* Rounding errors grow with the sum of magnitudes, which extreme operands make large. */
static double magnitude_of(const product *p)
{
    double largest = 0.0;
    for (int r = 0; r < p->w.rows; r++) {
        double sum = 0.0;
        for (int k = 0; k < p->w.cols; k++) {
            sum += fabs((double)p->dense[(size_t)r * (size_t)p->w.cols + (size_t)k]) * 3.0;
        }
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

static void check_product_formula(const product *p, const float *y)
{
    /* f32 sums: at most one unit in the last place of the running sum for each block and term. Quantized types with
     * minima compute w q + min apart, which costs as much again. */
    double allowed = 2e-6 * magnitude_of(p);
    int wrong = 0;
    for (int t = 0; t < p->T && wrong < 3; t++) {
        for (int r = 0; r < p->w.rows && wrong < 3; r++) {
            double sum = 0.0;
            for (int k = 0; k < p->w.cols; k++) {
                sum += (double)p->dense[(size_t)r * (size_t)p->w.cols + (size_t)k] *
                       (double)p->x_floats[(size_t)t * (size_t)p->w.cols + (size_t)k];
            }
            double error = fabs(sum - (double)y[(size_t)t * (size_t)p->w.rows + (size_t)r]);
            if (!(error <= allowed)) {
                wrong++;
                test_broken(__FILE__, __LINE__, "scalar row %d token %d: error %g, allowed %g", r, t, error, allowed);
            }
        }
    }
}

/* Q8_0 on an engine that saturates. */
static int takes_simd128(itera_type type)
{
#if ITERA_HAVE_RELAXED && !defined(__wasm__)
    return type == ITERA_TYPE_Q8_0 && itera_native_dot == ITERA_DOT_SATURATING;
#else
    return (void)type, 0;
#endif
}

static void check_product(itera_type type, int R, int K, int T, int extreme)
{
    product p = product_make(type, R, K, T, extreme);
    size_t n = (size_t)T * (size_t)R;
    float *fine = guarded(n), *coarse = guarded(n);
    scalar->matmul[type](fine, (size_t)R, &p.w, p.x, T, 0, R);
    scalar->matmul[type](coarse, (size_t)R, &p.w, p.coarse != NULL ? p.coarse : p.x, T, 0, R);
    check_product_formula(&p, fine);

    for (int v = ITERA_SCALAR; v <= ITERA_RELAXED; v++) {
        const itera_kernels *variant = itera_kernels_get((itera_variant)v);
        if (variant == NULL) {
            continue;
        }
        /* Fused or not, a product's rounding is lost or kept: the scale of the error is that of the terms. */
        tolerance allowed = {1e-6 * magnitude_of(&p), 0.0};
        float *y = guarded(n);
        variant->matmul[type](y, (size_t)R, &p.w, p.x, T, 0, R);
        compare(variant, "product", v == ITERA_RELAXED && !takes_simd128(type) ? coarse : fine, y, n, allowed);
        guarded_free(y, n);

        /* Rows of one token alone have the bits they have in the batch. */
        float *batch = guarded(n), *alone = guarded(n);
        variant->matmul[type](batch, (size_t)R, &p.w, p.x, T, 0, R);
        for (int t = 0; t < T; t++) {
            variant->matmul[type](alone + (size_t)t * (size_t)R, (size_t)R, &p.w,
                                  (const uint8_t *)p.x + (size_t)t * p.x_row, 1, 0, R);
        }
        CHECK(memcmp(batch, alone, n * sizeof *batch) == 0);

        /* A range of rows in a wider y: the same bits inside, nothing outside. */
        size_t stride = (size_t)R + 5;
        int begin = R > 8 ? 4 : 0, end = R > 12 ? R / 4 * 4 - 4 : R;
        float *part = guarded((size_t)T * stride);
        variant->matmul[type](part, stride, &p.w, p.x, T, begin, end);
        int wrong = 0;
        for (size_t i = 0; i < (size_t)T * stride; i++) {
            size_t t = i / stride, r = i % stride;
            wrong += r >= (size_t)begin && r < (size_t)end ? part[i] != batch[t * (size_t)R + r] : !is_canary(part[i]);
        }
        CHECK_INT(wrong, 0);
        guarded_free(part, (size_t)T * stride);
        guarded_free(batch, n);
        guarded_free(alone, n);
    }
    guarded_free(fine, n);
    guarded_free(coarse, n);
    product_free(&p);
}

static void check_matmul(itera_type type)
{
    static const int ROWS[] = {1, 3, 4, 5, 8, 11, 24, 37};
    static const int TOKENS[] = {1, 2, 3, 4, 5, 7, 9, 17};
    int block = (int)itera_type_lookup((uint32_t)type)->block_elements;
    for (int i = 0; i < 8; i++) {
        check_product(type, ROWS[i], block == 1 ? 37 : block, TOKENS[7 - i], 0);
        check_product(type, ROWS[i], block == 256 ? 512 : 96, TOKENS[i], 0);
    }
    check_product(type, 8, block == 1 ? 1 : block, 4, 0);
    check_product(type, 12, 1280, 130, 0); /* more than a panel of columns and of tokens */
    check_product(type, 9, 8448, 2, 0);   /* more than the widened row of one token */
    check_product(type, 6, 8448, 1, 0);
    if (is_quantized(type)) {
        check_product(type, 8, 512, 5, 1);
    }
}

#if ITERA_HAVE_RELAXED && !defined(__wasm__)
/* No engine's choice for operands above 127 may show in the result, but that Q8_0 is more exact where it saturates. */
static void relaxed_products_are_right_on_every_engine(void)
{
    static const itera_type QUANTIZED[] = {ITERA_TYPE_Q8_0, ITERA_TYPE_Q4_0, ITERA_TYPE_Q4_1, ITERA_TYPE_Q5_0,
                                           ITERA_TYPE_Q5_1, ITERA_TYPE_Q4_K, ITERA_TYPE_Q5_K, ITERA_TYPE_Q6_K};
    static const int ENGINES[] = {ITERA_DOT_UNSIGNED, ITERA_DOT_SIGNED, ITERA_DOT_SATURATING};
    for (int i = 0; i < 8; i++) {
        for (int engine = 0; engine < 3; engine++) {
            itera_native_dot = ENGINES[engine];
            check_product(QUANTIZED[i], 12, 512, 5, 0);
            check_product(QUANTIZED[i], 12, 512, 1, 1);
            check_product(QUANTIZED[i], 7, 256, 6, 1);
        }
    }
    itera_native_dot = ITERA_DOT_UNSIGNED;
}
#endif

/* ---- One test a product of kernels.inc ---- */

#define ITERA_KERNEL(name)
#define ITERA_MATMUL(TYPE, name)                                                                             \
    TEST(matmul_##name##_agrees_with_the_reference_and_with_itself_in_any_batch)                             \
    {                                                                                                        \
        check_matmul(ITERA_TYPE_##TYPE);                                                                     \
    }
#include "kernels/kernels.inc"
#undef ITERA_MATMUL

int main(int argc, char **argv)
{
    kernel_checks_begin();
    test_begin(argc, argv);
#define ITERA_MATMUL(TYPE, name) RUN(matmul_##name##_agrees_with_the_reference_and_with_itself_in_any_batch);
#include "kernels/kernels.inc"
#if ITERA_HAVE_RELAXED && !defined(__wasm__)
    RUN(relaxed_products_are_right_on_every_engine);
#endif
    return test_end();
}
