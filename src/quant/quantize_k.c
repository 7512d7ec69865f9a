/* Encoders of the K types: 256 weights whose sub-blocks have scales that are integers times a scale of the
 * whole. k_quants.c describes the bytes.
 *
 * Each sub-block first finds what would be best for it alone; the largest of these fixes the scale of the
 * whole. Then two steps take turns, while they lower the error: every sub-block picks the best integers near
 * what it would like to have, and the scales of the whole are fitted to all integers by least squares. */
#include "quant/encoders.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "quant/search.h"
#include "quant/to_half.h"

#define ROUNDS 4 /* of the two steps; later ones gain less than a tenth of a percent */

static int clamp_int(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/* A fitted scale as a half that decodes to a finite number. */
static uint16_t to_scale(double value)
{
    double most = ITERA_LARGEST_HALF;
    return itera_f32_to_half((float)(value > most ? most : value < -most ? -most : value));
}

/* ---- Q4_K, Q5_K: w = (d scale) q - (dmin minimum) --------------------------------------------------- */

typedef struct pairs {
    uint16_t d, dmin;
    uint8_t scale[8], minimum[8];
    int8_t q[8][32];
    double error;
} pairs;

/* Picks scale, minimum and quants of sub-block s under d and dmin. */
static void pick_pair(pairs *out, int s, const float *x, itera_affine wish, int highest)
{
    float d = itera_half_to_f32(out->d), dmin = itera_half_to_f32(out->dmin);
    int scale = d > 0.0f ? clamp_int((int)(wish.step / d + 0.5f), 0, 63) : 0;
    int minimum = dmin > 0.0f ? clamp_int((int)(-wish.base / dmin + 0.5f), 0, 63) : 0;
    double least = HUGE_VAL;
    for (int i = clamp_int(scale - 1, 0, 63); i <= scale + 1 && i <= 63; i++) {
        for (int j = clamp_int(minimum - 1, 0, 63); j <= minimum + 1 && j <= 63; j++) {
            int8_t q[32];
            double error = itera_assign(q, x, 32, d * (float)i, -(dmin * (float)j), 0, highest);
            if (error < least) {
                least = error;
                out->scale[s] = (uint8_t)i;
                out->minimum[s] = (uint8_t)j;
                memcpy(out->q[s], q, 32);
            }
        }
    }
    out->error += least;
}

/* d and dmin by least squares, all integers as they are. */
static void fit_pairs(pairs *p, const float *x)
{
    double aa = 0.0, ab = 0.0, bb = 0.0, ax = 0.0, bx = 0.0; /* x = d a - dmin b */
    for (int s = 0; s < 8; s++) {
        double b = p->minimum[s];
        for (int i = 0; i < 32; i++) {
            double a = (double)p->scale[s] * p->q[s][i];
            aa += a * a;
            ab += a * b;
            bb += b * b;
            ax += a * x[32 * s + i];
            bx += b * x[32 * s + i];
        }
    }
    double determinant = aa * bb - ab * ab;
    double d = determinant > 0.0 ? (ax * bb - bx * ab) / determinant : aa > 0.0 ? ax / aa : 0.0;
    double dmin = determinant > 0.0 ? (ax * ab - bx * aa) / determinant : 0.0;
    if (d > 0.0 && dmin >= 0.0) { /* otherwise the fit went astray, and the scales stay */
        p->d = to_scale(d);
        p->dmin = to_scale(dmin);
    }
}

static void search_pairs(pairs *best, const float *x, int highest)
{
    itera_affine wish[8];
    float most_step = 0.0f, most_minimum = 0.0f;
    for (int s = 0; s < 8; s++) {
        wish[s] = itera_search_affine(x + 32 * s, 32, highest, true);
        most_step = fmaxf(most_step, wish[s].step);
        most_minimum = fmaxf(most_minimum, -wish[s].base);
    }
    pairs now = {.d = to_scale(most_step / 63.0f), .dmin = to_scale(most_minimum / 63.0f)};
    for (int round = 0; round < ROUNDS; round++) {
        now.error = 0.0;
        for (int s = 0; s < 8; s++) {
            pick_pair(&now, s, x + 32 * s, wish[s], highest);
        }
        if (round > 0 && !(now.error < best->error)) {
            break;
        }
        *best = now;
        fit_pairs(&now, x);
    }
}

/* The 6-bit pairs in 12 bytes, the inverse of read_scale_pair in k_quants.c. */
static void put_scale_pairs(uint8_t out[12], const uint8_t scale[8], const uint8_t minimum[8])
{
    for (int s = 0; s < 4; s++) {
        out[s] = (uint8_t)(scale[s] | ((scale[s + 4] >> 4) << 6));
        out[s + 4] = (uint8_t)(minimum[s] | ((minimum[s + 4] >> 4) << 6));
        out[s + 8] = (uint8_t)((scale[s + 4] & 15) | ((minimum[s + 4] & 15) << 4));
    }
}

/* high: [32], or NULL for Q4_K */
static void encode_pairs(uint8_t *block, uint8_t *low, uint8_t *high, const float *x, int highest)
{
    pairs best;
    search_pairs(&best, x, highest);
    itera_store_u16(block, best.d);
    itera_store_u16(block + 2, best.dmin);
    put_scale_pairs(block + 4, best.scale, best.minimum);
    for (int i = 0; i < 128; i++) {
        const int8_t *even = best.q[2 * (i / 32)];
        low[i] = (uint8_t)((even[i % 32] & 15) | ((even[32 + i % 32] & 15) << 4));
    }
    for (int i = 0; high != NULL && i < 32; i++) {
        high[i] = 0;
        for (int s = 0; s < 8; s++) {
            high[i] |= (uint8_t)((best.q[s][i] >> 4) << s);
        }
    }
}

void itera_encode_q4_k(uint8_t *out, const float *x) { encode_pairs(out, out + 16, NULL, x, 15); }

void itera_encode_q5_k(uint8_t *out, const float *x) { encode_pairs(out, out + 48, out + 16, x, 31); }

/* ---- Q6_K: w = (d scale) (q - 32), a scale for each 16 weights ---------------------------------------- */

typedef struct scales_6 {
    uint16_t d;
    int8_t scale[16];
    int8_t q[256]; /* from -32 to 31 */
    double error;
} scales_6;

static void pick_scale(scales_6 *out, int s, const float *x, float wish)
{
    float d = itera_half_to_f32(out->d);
    float ratio = d != 0.0f ? wish / d : 0.0f;
    int scale = clamp_int((int)(ratio + (ratio < 0.0f ? -0.5f : 0.5f)), -128, 127);
    double least = HUGE_VAL;
    for (int i = clamp_int(scale - 1, -128, 127); i <= scale + 1 && i <= 127; i++) {
        int8_t q[16];
        double error = itera_assign(q, x, 16, d * (float)i, 0.0f, -32, 31);
        if (error < least) {
            least = error;
            out->scale[s] = (int8_t)i;
            memcpy(out->q + 16 * s, q, 16);
        }
    }
    out->error += least;
}

static void fit_scales(scales_6 *p, const float *x)
{
    double aa = 0.0, ax = 0.0;
    for (int i = 0; i < 256; i++) {
        double a = (double)p->scale[i / 16] * p->q[i];
        aa += a * a;
        ax += a * x[i];
    }
    if (aa > 0.0) {
        p->d = to_scale(ax / aa);
    }
}

static void search_scales(scales_6 *best, const float *x)
{
    float wish[16], most = 0.0f;
    for (int s = 0; s < 16; s++) {
        wish[s] = itera_search_step(x + 16 * s, 16, -32, 31);
        most = fabsf(wish[s]) > fabsf(most) ? wish[s] : most;
    }
    scales_6 now = {.d = to_scale(most / -128.0f)}; /* the side with one more level goes to the largest */
    for (int round = 0; round < ROUNDS; round++) {
        now.error = 0.0;
        for (int s = 0; s < 16; s++) {
            pick_scale(&now, s, x + 16 * s, wish[s]);
        }
        if (round > 0 && !(now.error < best->error)) {
            break;
        }
        *best = now;
        fit_scales(&now, x);
    }
}

void itera_encode_q6_k(uint8_t *out, const float *x)
{
    scales_6 best;
    search_scales(&best, x);
    memset(out, 0, 192);
    for (int i = 0; i < 256; i++) {
        int q = best.q[i] + 32;
        int half = i / 128, part = i / 32 % 4, column = i % 32; /* part: sub-block of the half */
        out[64 * half + 32 * (part & 1) + column] |= (uint8_t)((q & 15) << (part & 2 ? 4 : 0));
        out[128 + 32 * half + column] |= (uint8_t)((q >> 4) << (2 * part));
    }
    memcpy(out + 192, best.scale, 16);
    itera_store_u16(out + 208, best.d);
}
