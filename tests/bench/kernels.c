/* Kernel benchmark, the wasm side: prepares operands, checks a variant against the scalar reference, runs it.
 * tests/bench/kernels.mjs compiles this with the kernels, calls it and keeps the time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "quant/pack.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static uint32_t random_state = 1;

static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
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

static void *aligned(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static int close_enough(const float *a, const float *b, size_t n, double allowed)
{
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= allowed)) {
            return 0;
        }
    }
    return 1;
}

/* ---- Matrix products ---- */

static struct {
    itera_matrix w;
    size_t bytes; /* of one copy */
    int copies, next, T;
    void *x;
    float *y, *expected;
} product;

/* Copies: enough of them, used in turn, keep weights out of the caches as a whole model would. */
EXPORT(product_prepare) double product_prepare(int type, int R, int K, int T, int copies)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    size_t row_bytes = (size_t)K / info->block_elements * info->block_bytes;
    free((void *)product.w.data), free(product.x), free(product.y), free(product.expected);

    product.w = (itera_matrix){.type = (itera_type)type, .rows = R, .cols = K,
                               .group_bytes = itera_pack_group_bytes((itera_type)type, (uint32_t)K)};
    product.bytes = (size_t)(R / 4) * product.w.group_bytes;
    product.copies = copies;
    product.next = 0;
    product.T = T;
    uint8_t *data = aligned((size_t)copies * product.bytes);
    uint8_t *row = malloc(row_bytes);
    for (size_t i = 0; i < row_bytes; i++) {
        row[i] = (uint8_t)random_bits();
    }
    /* What scales a block is made a normal number of modest size: subnormal ones slow some machines down. */
    size_t scales[2] = {type == ITERA_TYPE_F32 ? 2 : 0, type == ITERA_TYPE_F32 ? 2 : 0};
    switch (type) {
    case ITERA_TYPE_Q4_1:
    case ITERA_TYPE_Q5_1:
    case ITERA_TYPE_Q4_K:
    case ITERA_TYPE_Q5_K: scales[1] = 2; break;
    case ITERA_TYPE_Q6_K: scales[0] = scales[1] = 208; break;
    default: break;
    }
    for (uint8_t *block = row; block < row + row_bytes; block += info->block_bytes) {
        for (int i = 0; i < 2; i++) {
            block[scales[i] + 1] = (uint8_t)((block[scales[i] + 1] & 0x83) | (info->block_elements == 1 ? 0x3c : 0x24));
        }
    }
    const void *rows[4] = {row, row, row, row};
    for (size_t g = 0; g < (size_t)copies * (size_t)(R / 4); g++) {
        /* Other weights, the same scales: sums of rows all alike could cancel out together. */
        for (size_t i = 0; i < row_bytes / 8 + 1; i++) {
            size_t at = random_bits() % row_bytes, in_block = at % info->block_bytes;
            int is_scale = in_block / 2 == scales[0] / 2 || in_block / 2 == scales[1] / 2;
            row[at] ^= is_scale ? 0 : (uint8_t)random_bits();
        }
        itera_pack_group(data + g * product.w.group_bytes, (itera_type)type, (uint32_t)K, rows);
    }
    free(row);
    product.w.data = data;

    float *x = floats((size_t)T * (size_t)K, -1.0f, 1.0f);
    for (size_t block = 0; block < (size_t)T * (size_t)K / 32; block++) { /* one of seven wide, anywhere */
        const float size = random_bits() % 7 == 0 ? 2.0f : 1.0f;
        for (size_t i = 32 * block; i < 32 * block + 32; i++) {
            x[i] *= size;
        }
    }
    product.x = x;
    if (info->block_elements > 1) {
        product.x = malloc((size_t)T * (size_t)K / 32 * sizeof(itera_act_block));
        itera_kernels_get(ITERA_SCALAR)->quantize_act(product.x, x, T, K);
        free(x);
    }
    product.y = aligned((size_t)T * (size_t)R * sizeof(float));
    product.expected = aligned((size_t)T * (size_t)R * sizeof(float));
    return (double)product.bytes;
}

EXPORT(product_check) int product_check(int variant)
{
    size_t n = (size_t)product.T * (size_t)product.w.rows;
    double largest = 0.0;
    itera_kernels_get(ITERA_SCALAR)->matmul[product.w.type](product.expected, (size_t)product.w.rows, &product.w, product.x,
                                                           product.T, 0, product.w.rows);
    itera_kernels_get((itera_variant)variant)->matmul[product.w.type](product.y, (size_t)product.w.rows, &product.w,
                                                                     product.x, product.T, 0, product.w.rows);
    for (size_t i = 0; i < n; i++) {
        largest = fabs((double)product.expected[i]) > largest ? fabs((double)product.expected[i]) : largest;
    }
    return close_enough(product.y, product.expected, n, variant == ITERA_RELAXED ? 2e-2 * largest : 0.0);
}

EXPORT(product_run) void product_run(int variant, int times)
{
    itera_matmul_fn matmul = itera_kernels_get((itera_variant)variant)->matmul[product.w.type];
    itera_matrix w = product.w;
    for (int i = 0; i < times; i++) {
        w.data = product.w.data + (size_t)product.next * product.bytes;
        product.next = (product.next + 1) % product.copies;
        matmul(product.y, (size_t)w.rows, &w, product.x, product.T, 0, w.rows);
    }
}

/* ---- Mamba-2 scan ---- */

static struct {
    int T, H, P, N;
    size_t stride;
    float *x, *dt, *A, *D, *state, *scale, *y;
} scan;

EXPORT(scan_prepare) void scan_prepare(int T, int H, int P, int N)
{
    free(scan.x), free(scan.dt), free(scan.A), free(scan.D), free(scan.state), free(scan.scale), free(scan.y);
    scan.T = T, scan.H = H, scan.P = P, scan.N = N;
    scan.stride = (size_t)(H * P + 2 * N);
    scan.x = floats((size_t)T * scan.stride, -1.0f, 1.0f);
    scan.dt = floats((size_t)(T * H), 0.01f, 0.1f);
    scan.A = floats((size_t)H, -4.0f, -0.5f);
    scan.D = floats((size_t)H, -1.0f, 1.0f);
    scan.state = floats((size_t)(H * P * N), -1.0f, 1.0f);
    scan.scale = floats((size_t)H, 1.0f, 1.0f);
    scan.y = floats((size_t)(T * H * P), 0.0f, 0.0f);
}

EXPORT(scan_run) void scan_run(int variant, int times)
{
    const itera_kernels *kernels = itera_kernels_get((itera_variant)variant);
    const float *B = scan.x + scan.H * scan.P, *C = B + scan.N;
    for (int i = 0; i < times; i++) {
        kernels->scan_mamba2(scan.y, scan.state, scan.scale, scan.x, B, C, scan.stride, scan.dt, scan.A, scan.D, scan.T, scan.H, scan.P,
                             scan.N, 1, 0, scan.H);
    }
}

/* ---- Element-wise: `which` in the order of kernels.h ---- */

EXPORT(elementwise_run) void elementwise_run(int variant, int which, int n, int times)
{
    static float *x, *y;
    static itera_act_block *blocks;
    const itera_kernels *kernels = itera_kernels_get((itera_variant)variant);
    if (x == NULL) {
        x = floats(1 << 16, -8.0f, 8.0f);
        y = floats(1 << 16, -8.0f, 8.0f);
        blocks = malloc((1 << 11) * sizeof *blocks);
    }
    for (int i = 0; i < times; i++) {
        switch (which) {
        case 0: kernels->silu_mul(y, x, x, (size_t)n); break;
        case 1: kernels->softplus(y, x, (size_t)n); break;
        case 2: kernels->gelu_erf(y, x, (size_t)n); break;
        case 3: kernels->exp(y, x, (size_t)n); break;
        case 4: kernels->quantize_act(blocks, x, 1, n); break;
        case 5: kernels->rms_norm(y, x, NULL, 1, n, (size_t)n, 1e-5f); break;
        default: break;
        }
    }
}
