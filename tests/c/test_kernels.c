/* Every row of kernels.inc but the products, which are test_matmul.c's: the scalar reference against plain formulas in
 * double precision, the vector variants against the reference, and a row of a batch against the same row alone.
 * kernel_checks.h tells what holds for all kernels. */
#include "kernel_checks.h"

/* Around lane widths, around the 16 partial sums, primes. */
static const size_t SIZES[] = {1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 31, 32, 33, 61, 64, 127, 257, 768};
enum { SIZE_COUNT = sizeof SIZES / sizeof SIZES[0] };

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

static int sums_are(const itera_act_sums *sums, float d, int sum, int first, int base)
{
    return sums->d == d && sums->dsum == d * (float)sum && sums->repay[ITERA_REPAY_0] == base &&
           sums->repay[ITERA_REPAY_8] == base - 8 * sum && sums->repay[ITERA_REPAY_16] == base - 16 * sum &&
           sums->repay[ITERA_REPAY_128] == base - 128 * sum && sums->repay32[0] == base - 32 * first &&
           sums->repay32[1] == base - 32 * (sum - first);
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
                CHECK(sums_are(&block->fine, block->fine.d, sum, low, 0));
                CHECK(sums_are(&block->coarse, 128.0f * block->fine.d, high, high_low, ITERA_SUM_BASE));
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


static void scalar_silu(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float one = 1.0f;
        scalar->silu_mul(y + i, x + i, &one, 1);
    }
}

static void check_silu_mul(const itera_kernels *variant)
{
    check_binary(variant, 0);
    CHECK(worst(scalar_silu, exact_silu, -80.0, 80.0, 0.00173, 1) < 2.5e-7);
}

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
    static const int CASES[][3] = {{1, 8, 16}, {5, 12, 16}, {4, 7, 3}, {3, 1, 1}, {9, 33, 5}, {2, 64, 8}, {1, 4103, 2}};
    for (int i = 0; i < 7; i++) {
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

#define ITERA_MATMUL(TYPE, name)
#define ITERA_KERNEL(name)                                                                                   \
    TEST(name##_agrees_with_the_reference)                                                                   \
    {                                                                                                        \
        each_variant(check_##name);                                                                          \
    }
#include "kernels/kernels.inc"
#undef ITERA_KERNEL

int main(int argc, char **argv)
{
    kernel_checks_begin();
    test_begin(argc, argv);
#define ITERA_KERNEL(name) RUN(name##_agrees_with_the_reference);
#include "kernels/kernels.inc"
    return test_end();
}
