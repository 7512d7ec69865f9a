#include "quant/search.h"

#include <math.h>
#include <stddef.h>

#include "quant/to_half.h"

/* Values and ranges below this count as zero: no half is a scale for them, and 1 / x may overflow. */
#define NOTHING 0x1p-100f

double itera_assign(int8_t *q, const float *x, int n, float step, float base, int lowest, int highest)
{
    float inverse = step != 0.0f ? 1.0f / step : 0.0f;
    double error = 0.0;
    for (int i = 0; i < n; i++) {
        float place = (x[i] - base) * inverse;
        place = place < (float)lowest ? (float)lowest : place > (float)highest ? (float)highest : place;
        int nearest = (int)(place + (place < 0.0f ? -0.5f : 0.5f));
        float miss = x[i] - (step * (float)nearest + base);
        q[i] = (int8_t)nearest;
        error += (double)miss * miss;
    }
    return error;
}

uint16_t itera_settle_step(float step, const float *x, int n, int lowest, int highest)
{
    uint16_t middle = itera_f32_to_half(step), best = middle;
    double least = HUGE_VAL;
    for (int offset = -1; offset <= 1; offset++) {
        uint16_t half = (uint16_t)(middle + offset);
        if ((half & 0x7c00u) == 0x7c00u || ((half ^ middle) & 0x8000u) != 0) {
            continue; /* infinity is no scale, and 0 has no neighbour on the other side */
        }
        int8_t q[ITERA_SEARCH_MAX];
        double error = itera_assign(q, x, n, itera_half_to_f32(half), 0.0f, lowest, highest);
        if (error < least) {
            least = error;
            best = half;
        }
    }
    return best;
}

/* ---- One step: a sweep -----------------------------------------------------------------------------
 *
 * Let t = 1 / |step| grow. Each |q[i]| is round(t |x[i]|), up to its limit, so it goes up by one where
 * t = (|q[i]| + 1/2) / |x[i]|, and nothing changes between two such places. With a = sum |x q| and
 * b = sum q^2 the best step of an assignment is a / b and its error is sum x^2 - a^2 / b, so the sweep only
 * has to keep a and b, and to remember where a^2 / b was the largest. */

typedef struct sweep {
    float size[ITERA_SEARCH_MAX];  /* |x| */
    int limit[ITERA_SEARCH_MAX];   /* of |q| */
    int q[ITERA_SEARCH_MAX];
    float next[ITERA_SEARCH_MAX];  /* the t at which |q| goes up; INFINITY at the limit */
    int heap[ITERA_SEARCH_MAX];    /* indices, smallest next on top */
    int count;
} sweep;

static void plan_next(sweep *s, int i)
{
    s->next[i] = s->q[i] < s->limit[i] ? ((float)s->q[i] + 0.5f) / s->size[i] : INFINITY;
}

static void sift_down(sweep *s, int at)
{
    int moving = s->heap[at];
    for (int child = 2 * at + 1; child < s->count; child = 2 * at + 1) {
        if (child + 1 < s->count && s->next[s->heap[child + 1]] < s->next[s->heap[child]]) {
            child++;
        }
        if (s->next[moving] <= s->next[s->heap[child]]) {
            break;
        }
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = moving;
}

/* Sweeps with the given limits for positive and negative values. Returns a^2 / b and sets *step to a / b. */
static double run_sweep(double *step, const float *x, int n, int positive_limit, int negative_limit)
{
    sweep s = {.count = 0};
    float largest = 0.0f;
    for (int i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
    }
    /* Where to begin: an assignment whose |q| all fit into half of the range can be doubled at half the step,
     * without any change, so the largest value needs to be tried in the upper half only. Where to end: with
     * steps of largest / limit no value is off by more than half a step, so the best assignment has an error
     * of at most n (largest / (2 limit))^2, and cannot cut the largest value by more than its root. */
    int least_limit = positive_limit < negative_limit ? positive_limit : negative_limit;
    int most_limit = positive_limit < negative_limit ? negative_limit : positive_limit;
    float start = (0.5f * (float)least_limit - 0.5f) / largest;
    float end = (float)most_limit / (largest * (1.0f - sqrtf((float)n) / (2.0f * (float)least_limit)));
    double a = 0.0, b = 0.0;
    for (int i = 0; i < n; i++) {
        if (x[i] == 0.0f) {
            continue;
        }
        int k = s.count++;
        s.size[k] = fabsf(x[i]);
        s.limit[k] = x[i] > 0.0f ? positive_limit : negative_limit;
        float place = start * s.size[k] + 0.5f;
        s.q[k] = place < (float)s.limit[k] ? (int)place : s.limit[k];
        plan_next(&s, k);
        s.heap[k] = k;
        a += (double)s.size[k] * s.q[k];
        b += (double)s.q[k] * s.q[k];
    }
    for (int at = s.count / 2 - 1; at >= 0; at--) {
        sift_down(&s, at);
    }
    double best_a = a, best_b = b > 0.0 ? b : 1.0;
    while (s.next[s.heap[0]] <= end) {
        int i = s.heap[0];
        a += s.size[i];
        b += 2 * s.q[i] + 1;
        s.q[i]++;
        plan_next(&s, i);
        sift_down(&s, 0);
        if (a * a * best_b > best_a * best_a * b) {
            best_a = a;
            best_b = b;
        }
    }
    *step = best_a / best_b;
    return best_a * best_a / best_b;
}

static bool all_zero(const float *x, int n)
{
    for (int i = 0; i < n; i++) {
        if (fabsf(x[i]) >= NOTHING) {
            return false;
        }
    }
    return true;
}

float itera_search_step(const float *x, int n, int lowest, int highest)
{
    if (all_zero(x, n)) {
        return 0.0f;
    }
    double step, flipped;
    double gain = run_sweep(&step, x, n, highest, -lowest);
    if (-lowest != highest && run_sweep(&flipped, x, n, -lowest, highest) > gain) {
        step = -flipped;
    }
    return (float)step;
}

float itera_search_step_near(const float *x, int n, int highest)
{
    if (all_zero(x, n)) {
        return 0.0f;
    }
    float largest = 0.0f, best = 0.0f;
    for (int i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
    }
    double most = -1.0;
    for (int trial = -8; trial <= 8; trial++) {
        float inverse = ((float)highest + 0.06f * (float)trial) / largest;
        double a = 0.0, b = 0.0;
        for (int i = 0; i < n; i++) {
            float q = floorf(fminf(fabsf(x[i]) * inverse, (float)highest - 0.5f) + 0.5f);
            a += (double)fabsf(x[i]) * q;
            b += (double)q * q;
        }
        if (a * a > most * b) {
            most = a * a / b;
            best = (float)(a / b);
        }
    }
    return best;
}

/* ---- Step and base: trials, then refinement ------------------------------------------------------ */

typedef struct fit {
    itera_affine affine;
    double error;
} fit;

/* Assigns q and fits step and base to that assignment. Returns false, and changes nothing, where all q are
 * the same, which determines neither. */
static bool refit(fit *f, const float *x, int n, int highest, bool negative_base)
{
    double sum_q = 0.0, sum_qq = 0.0, sum_x = 0.0, sum_xq = 0.0, sum_xx = 0.0;
    float inverse = 1.0f / f->affine.step;
    for (int i = 0; i < n; i++) {
        float place = (x[i] - f->affine.base) * inverse;
        place = place < 0.0f ? 0.0f : place > (float)highest ? (float)highest : place;
        float q = (float)(int)(place + 0.5f);
        sum_q += q;
        sum_qq += (double)q * q;
        sum_x += x[i];
        sum_xq += (double)x[i] * q;
        sum_xx += (double)x[i] * x[i];
    }
    double determinant = n * sum_qq - sum_q * sum_q;
    if (determinant <= 0.0) {
        return false;
    }
    double step = (n * sum_xq - sum_x * sum_q) / determinant;
    double base = (sum_x - step * sum_q) / n;
    if (negative_base && base > 0.0) {
        base = 0.0;
        step = sum_xq / sum_qq;
    }
    if (!(step > 0.0)) {
        return false;
    }
    f->affine = (itera_affine){(float)step, (float)base};
    f->error = sum_xx - step * sum_xq - base * sum_x;
    return true;
}

itera_affine itera_search_affine(const float *x, int n, int highest, bool negative_base)
{
    float least = negative_base ? fminf(x[0], 0.0f) : x[0], largest = x[0];
    for (int i = 1; i < n; i++) {
        least = fminf(least, x[i]);
        largest = fmaxf(largest, x[i]);
    }
    float step = (largest - least) / (float)highest;
    if (!(step >= NOTHING)) { /* all the same: the base says it, or nothing does */
        return (itera_affine){0.0f, negative_base ? fminf(least, 0.0f) : least};
    }

    /* Both ends of the range move inwards by parts of a step: an outlier may be worth cutting off. Assigning
     * and fitting in turn never makes it worse; two rounds show what a start is good for. */
    static const float cuts[] = {-0.3f, 0.0f, 0.3f, 0.6f, 0.9f, 1.3f, 1.8f};
    enum { CUTS = sizeof cuts / sizeof cuts[0], TRIAL_ROUNDS = 2, FINAL_ROUNDS = 8 };
    fit best = {{step, least}, HUGE_VAL};
    for (int trial = 0; trial < CUTS * CUTS; trial++) {
        float from = least + cuts[trial / CUTS] * step, to = largest - cuts[trial % CUTS] * step;
        if (to <= from) {
            continue;
        }
        fit found = {{(to - from) / (float)highest, from}, HUGE_VAL};
        for (int round = 0; round < TRIAL_ROUNDS && refit(&found, x, n, highest, negative_base); round++) {
            if (found.error < best.error) {
                best = found;
            }
        }
    }
    for (int round = 0; round < FINAL_ROUNDS; round++) {
        fit finer = best;
        if (!refit(&finer, x, n, highest, negative_base) || !(finer.error < best.error)) {
            break;
        }
        best = finer;
    }
    return best.affine;
}
