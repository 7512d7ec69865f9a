/* Every row of kernels.inc: the scalar reference against plain formulas in double precision, the vector variants
 * against the scalar reference (simd128 bit for bit, relaxed within a tolerance stated at each check), and the
 * promise that a row of a batch has the bits of the same row alone.
 *
 * Outputs stand between canaries; inputs are allocated to the byte, so that AddressSanitizer sees a read past
 * their ends. ITERA_SEED=n sets the seed, which is printed first. */
#include <stdint.h>
#include <stdlib.h>

#include "kernels/math_scalar.h"
#include "kernels/variants.h"
#include "quant/pack.h"
#include "test.h"

/* ---- Random numbers, buffers, comparison ---- */

static uint64_t random_state;

static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static float uniform(float low, float high) { return low + (high - low) * (float)(random_bits() >> 8) * 0x1p-24f; }

static float *floats(size_t n, float low, float high)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = uniform(low, high);
    }
    return x;
}

static float *copy_of(const float *x, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

#define CANARY 0x7fa5c3e1u
#define CANARIES 8

/* Room for n floats between canaries, itself filled with them: what a kernel leaves out stays recognizable. */
static float *guarded(size_t n)
{
    float *block = malloc((n + 2 * CANARIES) * sizeof *block);
    for (size_t i = 0; i < n + 2 * CANARIES; i++) {
        block[i] = itera_bits_to_f32(CANARY);
    }
    return block + CANARIES;
}

static int is_canary(float x) { return itera_f32_to_bits(x) == CANARY; }

static void guarded_free(float *x, size_t n)
{
    for (size_t i = 0; i < CANARIES; i++) {
        CHECK(is_canary(x[-1 - (int)i]) && is_canary(x[n + i]));
    }
    free(x - CANARIES);
}

/* What a check allows a variant: nothing but equal bits for simd128, absolute + relative error for relaxed. */
typedef struct tolerance {
    double absolute, relative;
} tolerance;

static const itera_kernels *scalar;

static void compare(const itera_kernels *variant, const char *what, const float *expected, const float *actual,
                    size_t n, tolerance allowed)
{
    int exact = strcmp(variant->name, "relaxed") != 0;
    size_t wrong = 0;
    for (size_t i = 0; i < n && wrong < 3; i++) {
        int same = itera_f32_to_bits(expected[i]) == itera_f32_to_bits(actual[i]) ||
                   (isnan(expected[i]) && isnan(actual[i]));
        double error = fabs((double)expected[i] - (double)actual[i]);
        if (!same && (exact || !(error <= allowed.absolute + allowed.relative * fabs((double)expected[i])))) {
            wrong++;
            test_broken(__FILE__, __LINE__, "%s %s [%zu of %zu]: %.9g, expected %.9g", variant->name, what, i, n,
                        (double)actual[i], (double)expected[i]);
        }
    }
}

/* The vector variants of this build. */
static void each_variant(void (*check)(const itera_kernels *))
{
    for (int v = ITERA_SIMD128; v <= ITERA_RELAXED; v++) {
        const itera_kernels *variant = itera_kernels_get((itera_variant)v);
        if (variant != NULL) {
            check(variant);
        }
    }
}

/* Around lane widths, around the 16 partial sums, primes. */
static const size_t SIZES[] = {1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 31, 32, 33, 61, 64, 127, 257, 768};
enum { SIZE_COUNT = sizeof SIZES / sizeof SIZES[0] };

/* ---- Matrix products ---- */

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

static int q_of(const itera_act_block *block, int i) { return 128 * block->high[i] + block->low[i]; }

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
        if (out[i].wide && !wide_too) {
            continue;
        }
        memset(out[i].low, 0, sizeof out[i].low);
        out[i].fine.dsum = out[i].coarse.dsum;
        for (int j = 0; j < 4; j++) {
            out[i].fine.repay[j] = 128 * out[i].coarse.repay[j];
        }
        out[i].fine.repay32_first = 128 * out[i].coarse.repay32_first;
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
    for (size_t i = 0; i < n; i += 32) { /* some blocks larger than the rest of their row: wide ones */
        float size = random_bits() % 4 == 0 ? 1.5f : 0.8f;
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

/* ---- Quantized activations ---- */

static void fill_activations(float *x, size_t n, int scenario)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = scenario == 0   ? uniform(-3.0f, 3.0f)
               : scenario == 1 ? 0.0f
               : scenario == 2 ? uniform(-1e-33f, 1e-33f) /* too small to count */
               : scenario == 3 ? uniform(-3e38f, 3e38f)
               : scenario == 4 ? (float)(int)(random_bits() % 255) - 127.0f /* ties and exact steps */
                               : uniform(-1.0f, 1.0f);
    }
    if (scenario == 5) {
        x[random_bits() % n] = NAN;
    }
}

static int sums_are(const itera_act_sums *sums, float d, int sum, int first)
{
    return sums->d == d && sums->dsum == d * (float)sum && sums->repay[ITERA_REPAY_0] == 0 &&
           sums->repay[ITERA_REPAY_8] == -8 * sum && sums->repay[ITERA_REPAY_16] == -16 * sum &&
           sums->repay[ITERA_REPAY_128] == -128 * sum && sums->repay32_first == -32 * first;
}

static void check_quantize_act(const itera_kernels *variant)
{
    for (int scenario = 0; scenario < 6; scenario++) {
        int T = scenario == 5 ? 3 : 1;
        size_t n = 32 * (size_t)(scenario + 1);
        float *x = malloc(n * sizeof *x);
        fill_activations(x, n, scenario);
        itera_act_block *expected = malloc(n / 32 * sizeof *expected), *actual = malloc(n / 32 * sizeof *actual);
        scalar->quantize_act(expected, x, T, (int)n / T);
        variant->quantize_act(actual, x, T, (int)n / T);
        CHECK(memcmp(expected, actual, n / 32 * sizeof *expected) == 0);
        for (size_t i = 0; i < n; i++) {
            const itera_act_block *block = &expected[i / 32];
            int q = q_of(block, (int)(i % 32));
            double error = fabs((double)x[i] - (double)q * (double)block->fine.d);
            /* Half a step, and the rounding of x times the reciprocal of d. */
            CHECK(isnan(x[i]) ? q == 0 : error <= 0.502 * (double)block->fine.d + 1e-32);
            CHECK(abs(q - 128 * block->high[i % 32]) <= 64);
            if (i % 32 == 0) {
                int low = 0, sum = 0, high_low = 0, high = 0;
                for (int j = 0; j < 32; j++) {
                    sum += q_of(block, j);
                    low += j < 16 ? q_of(block, j) : 0;
                    high += block->high[j];
                    high_low += j < 16 ? block->high[j] : 0;
                }
                CHECK(sums_are(&block->fine, block->fine.d, sum, low));
                CHECK(sums_are(&block->coarse, 128.0f * block->fine.d, high, high_low));
            }
        }
        free(x), free(expected), free(actual);
    }
}

/* ---- Norms, softmax, dot ---- */

static const tolerance ROUNDING = {1e-6, 2e-6}; /* a few fused sums of terms near 1 */

static void check_rms_norm(const itera_kernels *variant)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t D = SIZES[i], stride = D + 3, n = 3 * stride - 3;
        float *x = floats(n, -2.0f, 2.0f), *weight = floats(D, 0.5f, 1.5f);
        for (int with_weight = 0; with_weight < 2; with_weight++) {
            float *expected = guarded(n), *actual = guarded(n);
            scalar->rms_norm(expected, x, with_weight ? weight : NULL, 3, (int)D, stride, 1e-5f);
            variant->rms_norm(actual, x, with_weight ? weight : NULL, 3, (int)D, stride, 1e-5f);
            compare(variant, "rms_norm", expected, actual, n, ROUNDING);
            float *in_place = copy_of(x, n);
            variant->rms_norm(in_place, in_place, with_weight ? weight : NULL, 3, (int)D, stride, 1e-5f);
            for (size_t t = 0; t < 3; t++) {
                CHECK(memcmp(in_place + t * stride, actual + t * stride, D * sizeof *x) == 0);
            }
            double sum = 0.0;
            for (size_t d = 0; d < D; d++) {
                sum += (double)x[d] * (double)x[d];
            }
            CHECK_NEAR(expected[D - 1],
                       (double)x[D - 1] / sqrt(sum / (double)D + 1e-5) * (with_weight ? (double)weight[D - 1] : 1.0), 2e-6);
            guarded_free(expected, n), guarded_free(actual, n), free(in_place);
        }
        free(x), free(weight);
    }
}

static void check_layer_norm(const itera_kernels *variant)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t D = SIZES[i], n = 3 * D;
        float *x = floats(n, -1.0f, 3.0f), *weight = floats(D, 0.5f, 1.5f), *bias = floats(D, -0.5f, 0.5f);
        for (int with = 0; with < 2; with++) {
            float *expected = guarded(n), *actual = guarded(n), *in_place = copy_of(x, n);
            scalar->layer_norm(expected, x, with ? weight : NULL, with ? bias : NULL, 3, (int)D, 1e-5f);
            variant->layer_norm(actual, x, with ? weight : NULL, with ? bias : NULL, 3, (int)D, 1e-5f);
            compare(variant, "layer_norm", expected, actual, n, ROUNDING);
            variant->layer_norm(in_place, in_place, with ? weight : NULL, with ? bias : NULL, 3, (int)D, 1e-5f);
            CHECK(memcmp(in_place, actual, n * sizeof *x) == 0);
            double mean = 0.0, squares = 0.0;
            for (size_t d = 0; d < D; d++) {
                mean += (double)x[d] / (double)D;
            }
            for (size_t d = 0; d < D; d++) {
                squares += ((double)x[d] - mean) * ((double)x[d] - mean) / (double)D;
            }
            double value = ((double)x[0] - mean) / sqrt(squares + 1e-5);
            CHECK_NEAR(expected[0], with ? value * (double)weight[0] + (double)bias[0] : value, 1e-5);
            guarded_free(expected, n), guarded_free(actual, n), free(in_place);
        }
        free(x), free(weight), free(bias);
    }
}

static void check_softmax(const itera_kernels *variant)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t n = SIZES[i];
        float *x = floats(n, -20.0f, 20.0f), *expected = guarded(n), *actual = guarded(n);
        if (n > 5) {
            x[1] = -INFINITY; /* a mask */
        }
        memcpy(expected, x, n * sizeof *x);
        memcpy(actual, x, n * sizeof *x);
        scalar->softmax(expected, n);
        variant->softmax(actual, n);
        compare(variant, "softmax", expected, actual, n, (tolerance){1e-7, 4e-6});
        double largest = -1e30, sum = 0.0, total = 0.0;
        for (size_t j = 0; j < n; j++) {
            largest = (double)x[j] > largest ? (double)x[j] : largest;
        }
        for (size_t j = 0; j < n; j++) {
            sum += exp((double)x[j] - largest);
        }
        for (size_t j = 0; j < n; j++) {
            CHECK_NEAR(expected[j], exp((double)x[j] - largest) / sum, 1e-6);
            total += (double)expected[j];
        }
        CHECK_NEAR(total, 1.0, 1e-5);
        guarded_free(expected, n), guarded_free(actual, n), free(x);
    }
}

static void check_dot(const itera_kernels *variant)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t n = SIZES[i];
        float *a = floats(n, -2.0f, 2.0f), *b = floats(n, -2.0f, 2.0f);
        float expected = scalar->dot(a, b, n), actual = variant->dot(a, b, n);
        compare(variant, "dot", &expected, &actual, 1, (tolerance){2e-6 * (double)n, 0.0});
        double sum = 0.0;
        for (size_t j = 0; j < n; j++) {
            sum += (double)a[j] * (double)b[j];
        }
        CHECK_NEAR(expected, sum, 1e-6 * (double)n);
        free(a), free(b);
    }
}

/* ---- Element-wise ---- */

typedef void (*unary_fn)(float *y, const float *x, size_t n);

static void check_unary(const itera_kernels *variant, const char *what, unary_fn reference, unary_fn kernel)
{
    static const float SPECIAL[] = {0.0f,   -0.0f,  1e-30f, -1e-30f, 87.0f,  88.0f,  88.5f,     -87.0f,   -87.4f,
                                    -100.f, 100.0f, 20.0f,  19.99f,  1e38f,  -1e38f, 3.0f,      -3.0f,    0.5f,
                                    -0.5f,  NAN,    0.6931f, 1e-8f,  -1e-8f, 1e-40f, INFINITY,  -INFINITY, 11.0f};
    size_t special = sizeof SPECIAL / sizeof SPECIAL[0];
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t n = SIZES[i];
        float *x = floats(n, -12.0f, 12.0f), *expected = guarded(n), *actual = guarded(n);
        for (size_t j = 0; j < n && i % 2 == 1; j++) {
            x[j] = SPECIAL[random_bits() % special];
        }
        reference(expected, x, n);
        kernel(actual, x, n);
        compare(variant, what, expected, actual, n, (tolerance){1e-6, 4e-6});
        kernel(x, x, n);
        CHECK(memcmp(x, actual, n * sizeof *x) == 0 || i % 2 == 1);
        guarded_free(expected, n), guarded_free(actual, n), free(x);
    }
}

/* Largest error of the reference over its range, in the stated measure. */
static double worst(unary_fn kernel, double (*exact)(double), double low, double high, double step, int relative)
{
    double largest = 0.0;
    for (double at = low; at <= high; at += step) {
        float x = (float)at, y;
        kernel(&y, &x, 1);
        double expected = exact((double)x), error = fabs((double)y - expected);
        error = relative ? error / (fabs(expected) + 1e-300) : error;
        largest = error > largest ? error : largest;
    }
    return largest;
}

static double exact_exp(double x) { return exp(x); }
static double exact_silu(double x) { return x / (1.0 + exp(-x)); }
static double exact_softplus(double x) { return log1p(exp(x)); }
static double exact_gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2.0)); }

static void check_exp(const itera_kernels *variant)
{
    check_unary(variant, "exp", scalar->exp, variant->exp);
    CHECK(worst(scalar->exp, exact_exp, -87.2, 88.3, 0.00173, 1) < 1e-7);
    float x[4] = {-87.4f, -INFINITY, 0.0f, INFINITY}, y[4];
    scalar->exp(y, x, 4);
    CHECK(y[0] == 0.0f && y[1] == 0.0f && y[2] == 1.0f && y[3] > 2e38f && !isinf(y[3]));
}

static void check_silu(const itera_kernels *variant)
{
    check_unary(variant, "silu", scalar->silu, variant->silu);
    CHECK(worst(scalar->silu, exact_silu, -80.0, 80.0, 0.00173, 1) < 2.5e-7);
}

static void check_gelu_erf(const itera_kernels *variant)
{
    check_unary(variant, "gelu_erf", scalar->gelu_erf, variant->gelu_erf);
    CHECK(worst(scalar->gelu_erf, exact_gelu, -12.0, 12.0, 0.000173, 0) < 5e-7);
}

static void check_softplus(const itera_kernels *variant)
{
    check_unary(variant, "softplus", scalar->softplus, variant->softplus);
    CHECK(worst(scalar->softplus, exact_softplus, -80.0, 40.0, 0.00173, 1) < 2.5e-7);
    float x[2] = {20.5f, 1e30f}, y[2];
    scalar->softplus(y, x, 2);
    CHECK(y[0] == x[0] && y[1] == x[1]);
}

/* Binary kernels, and those with a scalar: `which` 0 silu_mul, 1 add, 2 axpy, 3 scale. */
static void run_binary(const itera_kernels *kernels, int which, float *y, const float *a, const float *b, size_t n)
{
    switch (which) {
    case 0: kernels->silu_mul(y, a, b, n); break;
    case 1: kernels->add(y, a, b, n); break;
    case 2: kernels->axpy(y, 0.7f, a, n); break;
    default: kernels->scale(y, a, -1.3f, n); break;
    }
}

static void check_binary(const itera_kernels *variant, int which)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        size_t n = SIZES[i];
        float *a = floats(n, -9.0f, 9.0f), *b = floats(n, -2.0f, 2.0f);
        float *expected = guarded(n), *actual = guarded(n);
        memcpy(expected, b, n * sizeof *b);
        memcpy(actual, b, n * sizeof *b);
        run_binary(scalar, which, expected, a, b, n);
        run_binary(variant, which, actual, a, b, n);
        compare(variant, "binary", expected, actual, n, (tolerance){2e-6, 4e-6});
        for (size_t j = 0; j < n; j++) {
            double x = (double)a[j], other = (double)b[j];
            double exact = which == 0   ? exact_silu(x) * other
                           : which == 1 ? x + other
                           : which == 2 ? other + (double)0.7f * x
                                        : (double)-1.3f * x;
            CHECK_NEAR(expected[j], exact, 1e-6 + 1e-6 * fabs(exact));
        }
        float *in_place = copy_of(b, n);
        run_binary(variant, which, in_place, a, in_place, n);
        CHECK(memcmp(in_place, actual, n * sizeof *b) == 0);
        guarded_free(expected, n), guarded_free(actual, n);
        free(a), free(b), free(in_place);
    }
}

static void check_silu_mul(const itera_kernels *variant) { check_binary(variant, 0); }
static void check_add(const itera_kernels *variant) { check_binary(variant, 1); }
static void check_axpy(const itera_kernels *variant) { check_binary(variant, 2); }
static void check_scale(const itera_kernels *variant) { check_binary(variant, 3); }

/* ---- Convolution ---- */

static void check_conv1d_silu(const itera_kernels *variant)
{
    static const int CASES[][3] = {{1, 5, 4}, {7, 16, 4}, {3, 19, 4}, {2, 8, 1}, {6, 13, 2}, {9, 4, 5}, {1, 3, 3}, {2, 12, 4}};
    for (int i = 0; i < 8; i++) {
        int T = CASES[i][0], E = CASES[i][1], taps = CASES[i][2];
        size_t width = (size_t)E, stride = width + 6, n = (size_t)T * width, history = (size_t)(taps - 1) * width;
        float *x = floats((size_t)(T - 1) * stride + width, -2.0f, 2.0f), *weight = floats((size_t)taps * width, -1.0f, 1.0f);
        float *bias = i % 3 == 2 ? NULL : floats(width, -1.0f, 1.0f);
        float *start = floats(history, -1.0f, 1.0f), *state = copy_of(start, history), *other = guarded(history);
        float *expected = guarded(n), *actual = guarded(n), *pieces = guarded(n);
        scalar->conv1d_silu(expected, taps > 1 ? state : NULL, x, stride, weight, bias, T, E, taps, 0, E);
        memcpy(other, start, history * sizeof *start);
        variant->conv1d_silu(actual, taps > 1 ? other : NULL, x, stride, weight, bias, T, E, taps, 0, E);
        compare(variant, "conv1d_silu", expected, actual, n, (tolerance){2e-6, 4e-6});
        CHECK(memcmp(state, other, history * sizeof *state) == 0);

        memcpy(other, start, history * sizeof *start); /* one token at a time */
        for (int t = 0; t < T; t++) {
            variant->conv1d_silu(pieces + (size_t)t * width, taps > 1 ? other : NULL, x + (size_t)t * stride, stride,
                                 weight, bias, 1, E, taps, 0, E);
        }
        CHECK(memcmp(pieces, actual, n * sizeof *actual) == 0);
        CHECK(memcmp(state, other, history * sizeof *state) == 0);

        memcpy(other, start, history * sizeof *start); /* the last channels, then the first: as two threads would */
        memset(pieces, 0, n * sizeof *pieces);
        int cut = E / 8 * 4;
        variant->conv1d_silu(pieces, taps > 1 ? other : NULL, x, stride, weight, bias, T, E, taps, cut, E);
        variant->conv1d_silu(pieces, taps > 1 ? other : NULL, x, stride, weight, bias, T, E, taps, 0, cut);
        CHECK(memcmp(pieces, actual, n * sizeof *actual) == 0);
        CHECK(memcmp(state, other, history * sizeof *state) == 0);

        double sum = bias != NULL ? (double)bias[0] : 0.0; /* the last token's first channel, from the definition */
        for (int j = 0; j < taps; j++) {
            int t = T - taps + j;
            double input = t < 0 ? (double)start[(size_t)(t + taps - 1) * width] : (double)x[(size_t)t * stride];
            sum += (double)weight[(size_t)j * width] * input;
        }
        CHECK_NEAR(expected[(size_t)(T - 1) * width], exact_silu(sum), 2e-6);
        guarded_free(expected, n), guarded_free(actual, n), guarded_free(pieces, n), guarded_free(other, history);
        free(x), free(weight), free(bias), free(start), free(state);
    }
}

/* ---- Scans ---- */

typedef struct scan2 {
    int T, H, P, N, G;
    size_t stride, state_size, n;
    float *x, *B, *C, *dt, *A, *D, *start;
} scan2;

/* `state` is followed by the scales. */
static void run_scan2(const itera_kernels *kernels, const scan2 *s, float *y, float *state, int t0, int T, int h0, int h1)
{
    size_t at = (size_t)t0 * s->stride;
    kernels->scan_mamba2(y + (size_t)t0 * (size_t)(s->H * s->P), state, state + s->H * s->P * s->N, s->x + at,
                         s->B + at, s->C + at, s->stride, s->dt + (size_t)t0 * (size_t)s->H, s->A, s->D, T, s->H,
                         s->P, s->N, s->G, h0, h1);
}

static void check_scan2_formula(const scan2 *s, const float *y)
{
    for (int h = 0; h < s->H; h++) { /* first and last channel of each head */
        for (int p = 0; p < s->P; p += s->P > 1 ? s->P - 1 : 1) {
            double state[64];
            for (int n = 0; n < s->N; n++) {
                state[n] = (double)s->start[((size_t)h * (size_t)s->N + (size_t)n) * (size_t)s->P + (size_t)p] *
                           (double)s->start[s->H * s->P * s->N + h];
            }
            for (int t = 0; t < s->T; t++) {
                size_t row = (size_t)t * s->stride, group = (size_t)(h / (s->H / s->G) * s->N);
                double dt = (double)s->dt[t * s->H + h], x = (double)s->x[row + (size_t)(h * s->P + p)], sum = 0.0;
                for (int n = 0; n < s->N; n++) {
                    state[n] = state[n] * exp(dt * (double)s->A[h]) + (double)s->B[row + group + (size_t)n] * dt * x;
                    sum += (double)s->C[row + group + (size_t)n] * state[n];
                }
                CHECK_NEAR(y[(t * s->H + h) * s->P + p], sum + (double)s->D[h] * x, 2e-5);
            }
        }
    }
}

/* Where all zeros is the state, as a session begins; and a step so long that nothing of the state is left. */
static void check_scan_mamba2_begins_and_forgets(const itera_kernels *variant)
{
    enum { P = 6, N = 3, STRIDE = P + 2 * N };
    float *rows = floats(3 * STRIDE, -1.0f, 1.0f), state[P * N] = {0}, other[P * N], y[3 * P], again[2 * P];
    const float dt[3] = {0.5f, 200.0f, 0.5f}, A = -1.0f, skip = 0.0f;
    float scale = 0.0f, other_scale = 0.5f;
    memset(other, 0, sizeof other);
    variant->scan_mamba2(y, state, &scale, rows, rows + P, rows + P + N, STRIDE, dt, &A, &skip, 3, 1, P, N, 1, 0, 1);
    for (int p = 0; p < P; p++) {
        float sum = 0.0f;
        for (int n = 0; n < N; n++) {
            sum += rows[P + n] * rows[P + N + n];
        }
        CHECK_NEAR(y[p], sum * 0.5f * rows[p], 1e-5);
    }
    variant->scan_mamba2(again, other, &other_scale, rows + STRIDE, rows + STRIDE + P, rows + STRIDE + P + N, STRIDE,
                         dt + 1, &A, &skip, 2, 1, P, N, 1, 0, 1);
    CHECK(memcmp(again, y + P, sizeof again) == 0); /* the third token remembers the second alone */
    CHECK(scale >= 0.25f && scale <= 64.0f && scale == other_scale);
    free(rows);
}

static void check_scan_mamba2(const itera_kernels *variant)
{
    check_scan_mamba2_begins_and_forgets(variant);
    static const int CASES[][5] = {{1, 2, 16, 16, 1}, {5, 4, 32, 8, 2}, {3, 3, 17, 5, 3}, {9, 2, 64, 64, 1},
                                   {2, 4, 5, 3, 1},   {4, 1, 1, 1, 1},  {6, 6, 24, 7, 2}, {3, 2, 12, 33, 2},
                                   {77, 2, 20, 3, 1}, {1, 1, 135, 4, 1}};
    for (int i = 0; i < 10; i++) {
        scan2 s = {CASES[i][0], CASES[i][1], CASES[i][2], CASES[i][3], CASES[i][4], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        size_t inner = (size_t)(s.H * s.P), bc = (size_t)(s.G * s.N);
        s.stride = inner + 2 * bc; /* x, B and C side by side, as the convolution leaves them */
        s.state_size = inner * (size_t)s.N + (size_t)s.H;
        s.n = (size_t)s.T * inner;
        s.x = floats((size_t)s.T * s.stride, -1.0f, 1.0f);
        s.B = s.x + inner;
        s.C = s.B + bc;
        s.dt = floats((size_t)(s.T * s.H), 0.001f, 0.9f);
        s.A = floats((size_t)s.H, -8.0f, -0.1f);
        s.D = floats((size_t)s.H, -1.0f, 1.0f);
        s.start = floats(s.state_size, -1.0f, 1.0f);
        for (int h = 0; h < s.H; h++) {
            s.start[s.state_size - (size_t)s.H + (size_t)h] = uniform(0.3f, 4.0f);
        }
        float *expected = guarded(s.n), *actual = guarded(s.n), *pieces = guarded(s.n);
        float *state = copy_of(s.start, s.state_size), *other = guarded(s.state_size);
        run_scan2(scalar, &s, expected, state, 0, s.T, 0, s.H);
        check_scan2_formula(&s, expected);
        memcpy(other, s.start, s.state_size * sizeof *other);
        run_scan2(variant, &s, actual, other, 0, s.T, 0, s.H);
        tolerance allowed = {2e-6 * (double)(s.T + s.N), 0.0}; /* rounding goes on through time and along n */
        compare(variant, "scan_mamba2", expected, actual, s.n, allowed);
        compare(variant, "scan_mamba2 state", state, other, s.state_size, allowed);

        /* In two halves, and heads apart from each other. */
        memcpy(state, other, s.state_size * sizeof *state);
        memcpy(other, s.start, s.state_size * sizeof *other);
        for (int h = s.H; h-- > 0;) {
            run_scan2(variant, &s, pieces, other, 0, s.T / 2, h, h + 1);
            run_scan2(variant, &s, pieces, other, s.T / 2, s.T - s.T / 2, h, h + 1);
        }
        CHECK(memcmp(pieces, actual, s.n * sizeof *actual) == 0);
        CHECK(memcmp(state, other, s.state_size * sizeof *state) == 0);
        guarded_free(expected, s.n), guarded_free(actual, s.n), guarded_free(pieces, s.n);
        guarded_free(other, s.state_size), free(state);
        free(s.x), free(s.dt), free(s.A), free(s.D), free(s.start);
    }
}

static void check_scan_mamba1(const itera_kernels *variant)
{
    static const int CASES[][3] = {{1, 8, 16}, {5, 12, 16}, {4, 7, 3}, {3, 1, 1}, {9, 33, 5}, {2, 64, 8}};
    for (int i = 0; i < 6; i++) {
        int T = CASES[i][0], E = CASES[i][1], N = CASES[i][2];
        size_t width = (size_t)E, n = (size_t)T * width, size = (size_t)N * width, bc_stride = 2 * (size_t)N + 3;
        float *x = floats(n, -1.0f, 1.0f), *dt = floats(n, 0.001f, 0.5f), *A = floats(size, -16.0f, -0.5f);
        float *D = floats(width, -1.0f, 1.0f), *bc = floats((size_t)T * bc_stride, -1.0f, 1.0f);
        float *start = floats(size, -1.0f, 1.0f), *state = copy_of(start, size), *other = guarded(size);
        float *expected = guarded(n), *actual = guarded(n), *pieces = copy_of(x, n);
        scalar->scan_mamba1(expected, state, x, bc, bc + N, bc_stride, dt, A, D, T, E, N, 0, E);
        memcpy(other, start, size * sizeof *other);
        variant->scan_mamba1(actual, other, x, bc, bc + N, bc_stride, dt, A, D, T, E, N, 0, E);
        tolerance allowed = {2e-6 * (double)(T + N), 0.0};
        compare(variant, "scan_mamba1", expected, actual, n, allowed);
        compare(variant, "scan_mamba1 state", state, other, size, allowed);

        double h[64], sum = 0.0; /* the last channel from the definition */
        for (int m = 0; m < N; m++) {
            h[m] = (double)start[(size_t)m * width + width - 1];
        }
        for (int t = 0; t < T; t++) {
            double step = (double)dt[(size_t)(t + 1) * width - 1], input = (double)x[(size_t)(t + 1) * width - 1];
            sum = (double)D[E - 1] * input;
            for (int m = 0; m < N; m++) {
                h[m] = h[m] * exp(step * (double)A[(size_t)(m + 1) * width - 1]) +
                       (double)bc[(size_t)t * bc_stride + (size_t)m] * step * input;
                sum += (double)bc[(size_t)t * bc_stride + (size_t)(N + m)] * h[m];
            }
        }
        CHECK_NEAR(expected[n - 1], sum, 1e-5);

        /* In place, token by token, channels in two ranges. */
        memcpy(state, other, size * sizeof *state);
        memcpy(other, start, size * sizeof *other);
        int middle = E / 8 * 4;
        for (int t = 0; t < T; t++) {
            for (int part = 0; part < 2; part++) {
                float *row = pieces + (size_t)t * width;
                variant->scan_mamba1(row, other, row, bc + (size_t)t * bc_stride, bc + (size_t)t * bc_stride + N, bc_stride,
                                     dt + (size_t)t * width, A, D, 1, E, N, part == 0 ? 0 : middle, part == 0 ? middle : E);
            }
        }
        CHECK(memcmp(pieces, actual, n * sizeof *actual) == 0);
        CHECK(memcmp(state, other, size * sizeof *state) == 0);
        guarded_free(expected, n), guarded_free(actual, n), guarded_free(other, size);
        free(pieces), free(x), free(dt), free(A), free(D), free(bc), free(start), free(state);
    }
}

/* ---- Attention ---- */

static void check_attention(const itera_kernels *variant)
{
    /* tokens, key-value heads, query heads of each, positions before them, width */
    static const int CASES[][5] = {{1, 1, 1, 0, 16}, {1, 4, 3, 5, 64}, {5, 2, 2, 17, 24}, {7, 1, 3, 33, 13}, {1, 6, 1, 3, 1},
                                   {3, 2, 1, 100, 80}, {40, 1, 1, 0, 4}, {2, 5, 9, 64, 16}, {2, 1, 2, 31, 136}};
    for (int i = 0; i < 9; i++) {
        const int T = CASES[i][0], kv_heads = CASES[i][1], each = CASES[i][2], heads = kv_heads * each;
        const int before = CASES[i][3], P = CASES[i][4], S = before + T;
        const size_t kv_stride = (size_t)(P * kv_heads) * 2 + 1, all = (size_t)(S - 1) * kv_stride + (size_t)(P * kv_heads);
        const size_t width = (size_t)(heads * P), q_stride = width + 5, n = (size_t)T * width;
        float *q = floats((size_t)T * q_stride, -2.0f, 2.0f), *k = floats(all, -2.0f, 2.0f), *v = floats(all, -1.0f, 1.0f);
        float *expected = guarded(n), *actual = guarded(n), *alone = guarded(n);
        scalar->attention(expected, width, q, q_stride, k, v, kv_stride, T, kv_heads, each, before + 1, P,
                           0.3f);
        variant->attention(actual, width, q, q_stride, k, v, kv_stride, T, kv_heads, each, before + 1, P,
                           0.3f);
        compare(variant, "attention", expected, actual, n, (tolerance){1e-5, 0.0});
        for (int t = 0; t < T; t++) { /* the same bits token by token, head by head */
            for (int h = heads; h-- > 0;) {
                const size_t at = (size_t)t * width + (size_t)(h * P);
                variant->attention(alone + at, width, q + (size_t)t * q_stride + (size_t)(h * P), q_stride,
                                   k + h / each * P, v + h / each * P, kv_stride, 1, 1, 1, before + 1 + t, P, 0.3f);
            }
        }
        CHECK(memcmp(alone, actual, n * sizeof *actual) == 0);

        for (int t = 0; t < T; t++) { /* the last dimension of each query from the definition */
            for (int h = 0; h < heads; h++) {
                double sum = 0.0, value = 0.0;
                for (int s = 0; s <= before + t; s++) {
                    double score = 0.0;
                    for (int p = 0; p < P; p++) {
                        score += (double)q[(size_t)t * q_stride + (size_t)(h * P + p)] *
                                 (double)k[(size_t)s * kv_stride + (size_t)(h / each * P + p)];
                    }
                    sum += exp((double)0.3f * score);
                    value += exp((double)0.3f * score) * (double)v[(size_t)s * kv_stride + (size_t)(h / each * P + P) - 1];
                }
                CHECK_NEAR(expected[(size_t)t * width + (size_t)(h * P + P) - 1], value / sum, 5e-6);
            }
        }
        guarded_free(expected, n), guarded_free(actual, n), guarded_free(alone, n);
        free(q), free(k), free(v);
    }
}

/* ---- One test a row of kernels.inc ---- */

#define ITERA_MATMUL(TYPE, name)                                                                             \
    TEST(matmul_##name##_agrees_with_the_reference_and_with_itself_in_any_batch)                             \
    {                                                                                                        \
        check_matmul(ITERA_TYPE_##TYPE);                                                                     \
    }
#define ITERA_KERNEL(name)                                                                                   \
    TEST(name##_agrees_with_the_reference)                                                                   \
    {                                                                                                        \
        each_variant(check_##name);                                                                          \
    }
#include "kernels/kernels.inc"
#undef ITERA_MATMUL
#undef ITERA_KERNEL

int main(int argc, char **argv)
{
    const char *seed = getenv("ITERA_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)random_state);
    random_state = random_state * 0x9e3779b97f4a7c15u + 1;
    scalar = itera_kernels_get(ITERA_SCALAR);

    test_begin(argc, argv);
#define ITERA_MATMUL(TYPE, name) RUN(matmul_##name##_agrees_with_the_reference_and_with_itself_in_any_batch);
#define ITERA_KERNEL(name) RUN(name##_agrees_with_the_reference);
#include "kernels/kernels.inc"
#if ITERA_HAVE_RELAXED && !defined(__wasm__)
    RUN(relaxed_products_are_right_on_every_engine);
#endif
    return test_end();
}
