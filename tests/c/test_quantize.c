/* Quantizers: errors against the usual encoders and against brute force, and values at the edges. */
#include <stdint.h>
#include <stdlib.h>

#include "quant/quantize.h"
#include "quant/search.h"
#include "quant/to_half.h"
#include "test.h"

static const itera_type TYPES[] = {ITERA_TYPE_F32,  ITERA_TYPE_F16,  ITERA_TYPE_BF16, ITERA_TYPE_Q8_0,
                                   ITERA_TYPE_Q4_0, ITERA_TYPE_Q4_1, ITERA_TYPE_Q5_0, ITERA_TYPE_Q5_1,
                                   ITERA_TYPE_Q4_K, ITERA_TYPE_Q5_K, ITERA_TYPE_Q6_K};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0], FIRST_SCALED = 3, N = 8192 };

static uint32_t random_state = 1;

/* Uniform in [0, 1). */
static double uniform(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (double)(random_state >> 8) / (1 << 24);
}

/* Close to normal with deviation 1: weights of a trained matrix look like it. */
static float normal(void)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++) {
        sum += uniform();
    }
    return (float)sum;
}

/* Kinds of rows: bell-shaped, with rare large ones, all positive, uniform. */
enum { KINDS = 4 };
static void fill(float *x, int n, int kind)
{
    for (int i = 0; i < n; i++) {
        float z = normal();
        x[i] = 0.05f * (kind == 1 && uniform() < 0.02 ? 6.0f * z : kind == 2 ? fabsf(z) + 0.5f : z);
        if (kind == 3) {
            x[i] = (float)uniform() - 0.5f;
        }
    }
}

/* Quantizes and expands again; returns the root of the mean squared error. */
static double round_trip(float *out, itera_type type, const float *x, int n)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    uint8_t *bytes = malloc((size_t)n / info->block_elements * info->block_bytes);
    double sum = 0.0;
    CHECK_INT(itera_quantize(bytes, type, x, (size_t)n, NULL), ITERA_OK);
    info->dequantize(out, bytes, (size_t)n);
    for (int i = 0; i < n; i++) {
        sum += ((double)out[i] - x[i]) * ((double)out[i] - x[i]);
    }
    free(bytes);
    return sqrt(sum / n);
}

/* ---- The encoders that everybody uses, as a measure -------------------------------------------------
 * Each gives the error of its result for one block. The simple types stretch the block's own range over their
 * levels; the K types try some twenty steps under a weight that favours large values, and then round the
 * steps of their sub-blocks to six or eight bits. */

static float as_half(float value) { return itera_half_to_f32(itera_f32_to_half(value)); }

static double nearest_error(const float *x, int n, float step, float base, int lowest, int highest)
{
    int8_t q[32];
    double sum = 0.0;
    for (int i = 0; i < n; i += 16) {
        sum += itera_assign(q, x + i, 16, step, base, lowest, highest);
    }
    return sum;
}

static double usual_32(itera_type type, const float *x)
{
    float least = x[0], most = x[0];
    for (int i = 1; i < 32; i++) {
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
    }
    float largest = fabsf(least) > fabsf(most) ? least : most;
    switch (type) {
    case ITERA_TYPE_Q8_0: return nearest_error(x, 32, as_half(fabsf(largest) / 127.0f), 0.0f, -127, 127);
    case ITERA_TYPE_Q4_0: return nearest_error(x, 32, as_half(largest / -8.0f), 0.0f, -8, 7);
    case ITERA_TYPE_Q5_0: return nearest_error(x, 32, as_half(largest / -16.0f), 0.0f, -16, 15);
    case ITERA_TYPE_Q4_1: return nearest_error(x, 32, as_half((most - least) / 15.0f), as_half(least), 0, 15);
    default: return nearest_error(x, 32, as_half((most - least) / 31.0f), as_half(least), 0, 31);
    }
}

/* Step and minimum of 32 weights by trial: inverse steps (first + 0.1 i + highest) / range. */
static void usual_affine(float *step, float *low, const float *x, int highest, double first, int trials)
{
    double squares = 0.0, best = HUGE_VAL;
    float least = 0.0f, most = x[0], weight[32];
    for (int i = 0; i < 32; i++) {
        squares += (double)x[i] * x[i];
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
    }
    for (int i = 0; i < 32; i++) {
        weight[i] = (float)sqrt(squares / 32.0) + fabsf(x[i]);
    }
    for (int trial = -1; trial <= trials; trial++) {
        double inverse = ((trial < 0 ? 0.0 : first + 0.1 * trial) + highest) / (most - least);
        double w = 0, wq = 0, wqq = 0, wx = 0, wxq = 0, error = 0.0;
        int q[32];
        for (int i = 0; i < 32; i++) {
            int nearest = (int)lrint(inverse * (x[i] - least));
            q[i] = nearest < 0 ? 0 : nearest > highest ? highest : nearest;
            w += weight[i], wq += weight[i] * q[i], wqq += (double)weight[i] * q[i] * q[i];
            wx += (double)weight[i] * x[i], wxq += (double)weight[i] * x[i] * q[i];
        }
        double determinant = w * wqq - wq * wq;
        double d = determinant > 0 ? (w * wxq - wx * wq) / determinant : 0.0;
        double m = determinant > 0 ? (wqq * wx - wq * wxq) / determinant : 0.0;
        if (m > 0) {
            m = 0;
            d = wxq / wqq;
        }
        if (trial < 0) {
            d = 1.0 / inverse;
            m = least;
        }
        for (int i = 0; i < 32; i++) {
            error += weight[i] * (d * q[i] + m - x[i]) * (d * q[i] + m - x[i]);
        }
        if (error < best) {
            best = error;
            *step = (float)d;
            *low = (float)-m;
        }
    }
}

static double usual_45(const float *x, int highest, double first, int trials)
{
    float step[8], low[8], most_step = 0.0f, most_low = 0.0f;
    double sum = 0.0;
    for (int s = 0; s < 8; s++) {
        usual_affine(&step[s], &low[s], x + 32 * s, highest, first, trials);
        most_step = fmaxf(most_step, step[s]);
        most_low = fmaxf(most_low, low[s]);
    }
    float d = as_half(most_step / 63.0f), dmin = as_half(most_low / 63.0f);
    for (int s = 0; s < 8; s++) {
        float scale = rintf(63.0f * step[s] / most_step);
        float minimum = most_low > 0 ? rintf(63.0f * low[s] / most_low) : 0.0f;
        sum += nearest_error(x + 32 * s, 32, d * scale, -(dmin * minimum), 0, highest);
    }
    return sum;
}

static double usual_6(const float *x)
{
    float step[16], most = 0.0f;
    double sum = 0.0;
    for (int s = 0; s < 16; s++) {
        float largest = 0.0f;
        double best = 0.0;
        for (int i = 0; i < 16; i++) {
            largest = fabsf(x[16 * s + i]) > fabsf(largest) ? x[16 * s + i] : largest;
        }
        for (int trial = -9; trial <= 9; trial++) {
            double inverse = -(32 + 0.1 * trial) / largest, a = 0.0, b = 0.0;
            for (int i = 0; i < 16; i++) {
                double v = x[16 * s + i], q = fmax(-32, fmin(31, rint(inverse * v)));
                a += v * v * v * q; /* weights x^2 */
                b += v * v * q * q;
            }
            if (b > 0 && a * a > best * b) {
                best = a * a / b;
                step[s] = (float)(a / b);
            }
        }
        most = fabsf(step[s]) > fabsf(most) ? step[s] : most;
    }
    float d = as_half(most / -128.0f);
    for (int s = 0; s < 16; s++) {
        float scale = fminf(127.0f, rintf(step[s] / (most / -128.0f)));
        sum += nearest_error(x + 16 * s, 16, d * scale, 0.0f, -32, 31);
    }
    return sum;
}

static double usual_error(itera_type type, const float *x, int n)
{
    double sum = 0.0;
    int block = (int)itera_type_lookup((uint32_t)type)->block_elements;
    for (int i = 0; i < n; i += block) {
        sum += type == ITERA_TYPE_Q4_K   ? usual_45(x + i, 15, -1.0, 20)
               : type == ITERA_TYPE_Q5_K ? usual_45(x + i, 31, -0.5, 15)
               : type == ITERA_TYPE_Q6_K ? usual_6(x + i)
                                         : usual_32(type, x + i);
    }
    return sqrt(sum / n);
}

TEST(errors_are_below_those_of_the_usual_encoders)
{
    static float x[N], out[N];
    for (int kind = 0; kind < KINDS; kind++) {
        fill(x, N, kind);
        for (int i = FIRST_SCALED; i < TYPE_COUNT; i++) {
            const char *name = itera_type_lookup((uint32_t)TYPES[i])->name;
            double ours = round_trip(out, TYPES[i], x, N), usual = usual_error(TYPES[i], x, N);
            if (!(ours <= usual)) {
                test_broken(__FILE__, __LINE__, "%s, kind %d: error %g, usual %g", name, kind, ours, usual);
            }
            if (getenv("ITERA_SHOW_ERRORS")) {
                printf("  %s, kind %d: %.3g, %.2f%% of the usual\n", name, kind, ours, 100.0 * ours / usual);
            }
        }
    }
}

/* Relative to the deviation of bell-shaped weights. */
TEST(errors_of_bell_shaped_weights_are_bounded)
{
    static float x[N], out[N];
    const struct {
        itera_type type;
        double most;
    } bounds[] = {{ITERA_TYPE_F32, 0.0},     {ITERA_TYPE_F16, 0.0003},  {ITERA_TYPE_BF16, 0.002},
                  {ITERA_TYPE_Q8_0, 0.0055}, {ITERA_TYPE_Q6_K, 0.019},  {ITERA_TYPE_Q5_K, 0.037},
                  {ITERA_TYPE_Q5_1, 0.036},  {ITERA_TYPE_Q5_0, 0.041},  {ITERA_TYPE_Q4_K, 0.075},
                  {ITERA_TYPE_Q4_1, 0.073},  {ITERA_TYPE_Q4_0, 0.083}};
    fill(x, N, 0);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        double error = round_trip(out, bounds[i].type, x, N) / 0.05;
        if (!(error <= bounds[i].most)) {
            test_broken(__FILE__, __LINE__, "%s: %g, expected at most %g",
                        itera_type_lookup((uint32_t)bounds[i].type)->name, error, bounds[i].most);
        }
    }
}

/* ---- Brute force ---------------------------------------------------------------------------------- */

/* The least error over all scales that half precision has. */
static double least_error(const float *x, int n, int lowest, int highest)
{
    double least = HUGE_VAL;
    for (unsigned half = 0; half < 0x10000; half++) {
        if ((half & 0x7c00) != 0x7c00) {
            int8_t q[32];
            float step = itera_half_to_f32((uint16_t)half);
            least = fmin(least, itera_assign(q, x, n, step, 0.0f, lowest, highest));
        }
    }
    return least;
}

TEST(no_scale_is_better_for_q4_0_and_q5_0)
{
    for (int block = 0; block < 12; block++) {
        float x[32], out[32];
        fill(x, 32, block % KINDS);
        double q4 = round_trip(out, ITERA_TYPE_Q4_0, x, 32), q5 = round_trip(out, ITERA_TYPE_Q5_0, x, 32);
        /* The sweep is exact; rounding its step to half moves it a little. */
        CHECK(32 * q4 * q4 <= 1.0005 * least_error(x, 32, -8, 7));
        CHECK(32 * q5 * q5 <= 1.002 * least_error(x, 32, -16, 15));
    }
}

/* All pairs of ends on a fine grid, each refined by a few rounds of least squares. */
static double least_affine_error(const float *x, int highest)
{
    float least = x[0], most = x[0];
    double best = HUGE_VAL;
    for (int i = 1; i < 32; i++) {
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
    }
    for (int low = -8; low < 60; low++) {
        for (int high = -8; high < 60; high++) {
            double unit = (most - least) / 250.0, base = least + unit * low;
            double step = (most - unit * high - base) / highest;
            for (int round = 0; round < 4; round++) {
                int8_t q[32];
                best = fmin(best, itera_assign(q, x, 32, (float)step, (float)base, 0, highest));
                double s = 0, ss = 0, v = 0, vs = 0;
                for (int i = 0; i < 32; i++) {
                    s += q[i], ss += q[i] * q[i], v += x[i], vs += x[i] * q[i];
                }
                step = (32 * vs - v * s) / (32 * ss - s * s);
                base = (v - step * s) / 32;
            }
        }
    }
    return best;
}

TEST(q4_1_and_q5_1_come_close_to_the_best_pair)
{
    double ours_4 = 0.0, ours_5 = 0.0, best_4 = 0.0, best_5 = 0.0;
    for (int block = 0; block < 24; block++) {
        float x[32], out[32];
        fill(x, 32, block % KINDS);
        double q4 = round_trip(out, ITERA_TYPE_Q4_1, x, 32), q5 = round_trip(out, ITERA_TYPE_Q5_1, x, 32);
        ours_4 += 32 * q4 * q4;
        ours_5 += 32 * q5 * q5;
        best_4 += least_affine_error(x, 15);
        best_5 += least_affine_error(x, 31);
    }
    if (getenv("ITERA_SHOW_ERRORS")) {
        printf("  Q4_1 %.4f, Q5_1 %.4f of the best\n", ours_4 / best_4, ours_5 / best_5);
    }
    CHECK(ours_4 <= 1.10 * best_4);
    CHECK(ours_5 <= 1.15 * best_5);
}

TEST(a_block_that_its_type_can_say_exactly_is_said_exactly)
{
    float x[256], out[256];
    for (int i = FIRST_SCALED; i < TYPE_COUNT; i++) { /* all levels of a type, at a step of 1/4 */
        char bits = itera_type_lookup((uint32_t)TYPES[i])->name[1];
        int levels = 1 << (bits - '0');
        for (int k = 0; k < 256; k++) {
            int spread = bits == '8' ? k % 32 * 8 - 127 : (k * 7 + k / 32) % levels - levels / 2;
            x[k] = 0.25f * (float)spread;
        }
        CHECK_NEAR(round_trip(out, TYPES[i], x, 256), 0.0, 1e-3);
    }
}

/* ---- Edges ------------------------------------------------------------------------------------------ */

TEST(zeros_stay_zeros)
{
    float x[256] = {0}, out[256];
    x[3] = -0.0f;
    for (int i = 0; i < TYPE_COUNT; i++) {
        CHECK(round_trip(out, TYPES[i], x, 256) == 0.0);
    }
}

TEST(equal_values_and_single_values_come_out_well)
{
    float x[256], out[256];
    for (int i = 0; i < TYPE_COUNT; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int k = 0; k < 256; k++) {
                x[k] = (float)sign * 0.37f;
            }
            CHECK_NEAR(round_trip(out, TYPES[i], x, 256), 0.0, 0.37 / 200);
            for (int k = 0; k < 256; k++) {
                x[k] = k == 77 ? (float)sign * 0.37f : 0.0f;
            }
            CHECK_NEAR(round_trip(out, TYPES[i], x, 256), 0.0, 0.37 / 200);
            CHECK_NEAR(out[77], sign * 0.37, 0.37 / 100);
        }
    }
}

TEST(the_largest_and_the_smallest_values_stay_finite)
{
    static const float sizes[] = {65504.0f, 1e4f, 1e-4f, 6e-8f, 1e-30f, 1e-45f};
    float x[256], out[256];
    for (int i = 0; i < TYPE_COUNT; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (int k = 0; k < 256; k++) {
                x[k] = k % 3 == 0 ? sizes[s] : k % 3 == 1 ? -sizes[s] : sizes[s] * 1e-20f;
            }
            double error = round_trip(out, TYPES[i], x, 256);
            for (int k = 0; k < 256; k++) {
                CHECK(isfinite(out[k]));
            }
            /* From 1e-4 down the scales of some types are subnormal halves, of which there are few. */
            CHECK(error <= (s < 2 ? 0.12 : s == 2 ? 0.3 : 1.0) * (double)sizes[s]);
        }
    }
}

TEST(infinities_nan_and_too_large_values_are_refused)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 65520.0f, -3e38f};
    uint8_t bytes[1024];
    for (int i = 0; i < TYPE_COUNT; i++) {
        int scaled = itera_type_lookup((uint32_t)TYPES[i])->block_elements > 1;
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            float x[256] = {0};
            itera_error error = {{0}};
            x[200] = bad[b];
            int refused = scaled || (TYPES[i] == ITERA_TYPE_F16 && isfinite(bad[b]));
            itera_status expected = refused ? ITERA_ERR_CORRUPT : ITERA_OK;
            CHECK_INT(itera_quantize(bytes, TYPES[i], x, 256, &error), expected);
            CHECK((error.text[0] != '\0') == refused);
        }
        if (scaled) {
            float x[256] = {0};
            CHECK_INT(itera_quantize(bytes, TYPES[i], x, 31, NULL), ITERA_ERR_ARGUMENT);
        }
    }
    CHECK_INT(itera_quantize(bytes, (itera_type)4, (float[32]){0}, 32, NULL), ITERA_ERR_ARGUMENT);
}

TEST(halves_are_rounded_to_nearest_even)
{
    for (unsigned half = 0; half < 0x10000; half++) { /* every half comes back, and so does every middle */
        float value = itera_half_to_f32((uint16_t)half);
        if (isnan(value)) {
            CHECK((itera_f32_to_half(value) & 0x7fff) == 0x7e00);
            continue;
        }
        CHECK_INT(itera_f32_to_half(value), half);
        if ((half & 0x7fff) < 0x7bff) {
            float next = itera_half_to_f32((uint16_t)(half + 1));
            CHECK_INT(itera_f32_to_half(0.5f * (value + next)), half + (half & 1));
            CHECK_INT(itera_f32_to_half(0.499f * value + 0.501f * next), half + 1);
        }
    }
    CHECK_INT(itera_f32_to_half(65519.0f), 0x7bff);
    CHECK_INT(itera_f32_to_half(65520.0f), 0x7c00);
    CHECK_INT(itera_f32_to_half(-1e30f), 0xfc00);
    CHECK_INT(itera_f32_to_bf16(1.5f), 0x3fc0);
    CHECK_INT(itera_f32_to_bf16(itera_bits_to_f32(0x3f808000)), 0x3f80); /* a middle: down to even */
    CHECK_INT(itera_f32_to_bf16(itera_bits_to_f32(0x3f818000)), 0x3f82); /* and up */
    CHECK(isnan(itera_bf16_to_f32(itera_f32_to_bf16(itera_bits_to_f32(0x7f800001)))));
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(errors_are_below_those_of_the_usual_encoders);
    RUN(errors_of_bell_shaped_weights_are_bounded);
    RUN(no_scale_is_better_for_q4_0_and_q5_0);
    RUN(q4_1_and_q5_1_come_close_to_the_best_pair);
    RUN(a_block_that_its_type_can_say_exactly_is_said_exactly);
    RUN(zeros_stay_zeros);
    RUN(equal_values_and_single_values_come_out_well);
    RUN(the_largest_and_the_smallest_values_stay_finite);
    RUN(infinities_nan_and_too_large_values_are_refused);
    RUN(halves_are_rounded_to_nearest_even);
    return test_end();
}
