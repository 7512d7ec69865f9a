#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/elementary.h"
#include "base/memory.h"
#include "itera.h"
#include "runtime/ranking.h"

typedef struct bias {
    int32_t token;
    float value;
} bias;

struct itera_sampler {
    itera_sampling options;
    uint64_t random[4];            /* xoshiro256** state */
    itera_ranking ranking;         /* of the logits after bias and penalties */
    itera_candidate *kept;         /* [V] the best so far, best first */
    int32_t *window;               /* [ITERA_MAX_WINDOW] ring of recorded tokens */
    uint64_t recorded;             /* tokens ever recorded; the ring's head */
    uint32_t *counts;              /* [V] scratch of the penalties, zero between calls */
    bias *biases;
    size_t bias_count, bias_capacity;
    const uint32_t *mask;          /* the caller's; NULL: every token is allowed */
};

/* ---- Random numbers: xoshiro256** seeded by splitmix64 (Blackman & Vigna 2018) ------------------- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t next_random(uint64_t s[4])
{
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Uniform in [0, 1), 53 bits. */
static double uniform(uint64_t s[4])
{
    return (double)(next_random(s) >> 11) * 0x1.0p-53;
}

/* ---- Lifetime and options ---------------------------------------------------------------------- */

itera_sampling itera_sampling_default(void)
{
    return (itera_sampling){.temperature = 0.8f,
                            .top_k = 40,
                            .top_p = 0.95f,
                            .min_p = 0.05f,
                            .repetition_penalty = 1.0f,
                            .penalty_window = 64};
}

itera_sampler *itera_sampler_create(uint32_t vocabulary)
{
    itera_sampler *s = itera_memory_zeroed(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    size_t n = vocabulary ? vocabulary : 1;
    s->ranking.V = vocabulary;
    s->ranking.logits = itera_memory_zeroed(n, sizeof *s->ranking.logits);
    s->ranking.heap = itera_memory_zeroed(itera_ranking_blocks((uint32_t)n), sizeof *s->ranking.heap);
    s->kept = itera_memory_zeroed(n, sizeof *s->kept);
    s->counts = itera_memory_zeroed(n, sizeof *s->counts);
    s->window = itera_memory_zeroed(ITERA_MAX_WINDOW, sizeof *s->window);
    if (s->ranking.logits == NULL || s->ranking.heap == NULL || s->kept == NULL || s->counts == NULL ||
        s->window == NULL) {
        itera_sampler_free(s);
        return NULL;
    }
    itera_sampling options = itera_sampling_default();
    itera_sampler_configure(s, &options);
    return s;
}

void itera_sampler_free(itera_sampler *s)
{
    if (s != NULL) {
        free(s->ranking.logits);
        free(s->ranking.heap);
        free(s->kept);
        free(s->counts);
        free(s->window);
        free(s->biases);
        free(s);
    }
}

void itera_sampler_configure(itera_sampler *s, const itera_sampling *options)
{
    s->options = *options;
    if (s->options.penalty_window < 0) {
        s->options.penalty_window = 0;
    }
    if (s->options.penalty_window > ITERA_MAX_WINDOW) {
        s->options.penalty_window = ITERA_MAX_WINDOW;
    }
    uint64_t seed = options->seed;
    for (int i = 0; i < 4; i++) {
        s->random[i] = splitmix(&seed);
    }
}

void itera_sampler_get_random(const itera_sampler *s, uint64_t out[4])
{
    memcpy(out, s->random, sizeof s->random);
}

void itera_sampler_set_random(itera_sampler *s, const uint64_t state[4])
{
    if ((state[0] | state[1] | state[2] | state[3]) != 0) { /* from zeros the generator would never come out */
        memcpy(s->random, state, sizeof s->random);
    }
}

itera_status itera_sampler_bias(itera_sampler *s, int32_t token, float value)
{
    if (token < 0 || (uint32_t)token >= s->ranking.V) {
        return ITERA_ERR_TOKEN;
    }
    bias *biases = itera_memory_grow(s->biases, &s->bias_capacity, s->bias_count + 1, sizeof *biases);
    if (biases == NULL) {
        return ITERA_ERR_MEMORY;
    }
    s->biases = biases;
    s->biases[s->bias_count++] = (bias){.token = token, .value = value};
    return ITERA_OK;
}

void itera_sampler_clear_bias(itera_sampler *s)
{
    s->bias_count = 0;
}

void itera_sampler_mask(itera_sampler *s, const uint32_t *mask)
{
    s->mask = mask;
}

void itera_sampler_accept(itera_sampler *s, int32_t token)
{
    if (token >= 0 && (uint32_t)token < s->ranking.V) {
        s->window[s->recorded++ % ITERA_MAX_WINDOW] = token;
    }
}

void itera_sampler_forget(itera_sampler *s)
{
    s->recorded = 0;
}

/* ---- Logits ------------------------------------------------------------------------------------ */

static void penalize(itera_sampler *s)
{
    const itera_sampling *o = &s->options;
    uint64_t n = s->recorded < (uint64_t)o->penalty_window ? s->recorded : (uint64_t)o->penalty_window;
    if (n == 0 || (o->repetition_penalty == 1.0f && o->presence_penalty == 0.0f && o->frequency_penalty == 0.0f)) {
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        s->counts[s->window[(s->recorded - 1 - i) % ITERA_MAX_WINDOW]]++;
    }
    for (uint64_t i = 0; i < n; i++) {
        int32_t token = s->window[(s->recorded - 1 - i) % ITERA_MAX_WINDOW];
        uint32_t count = s->counts[token];
        if (count == 0) {
            continue; /* done when it was met before */
        }
        float *logit = &s->ranking.logits[token];
        *logit = *logit > 0.0f ? *logit / o->repetition_penalty : *logit * o->repetition_penalty;
        *logit -= o->presence_penalty + (float)count * o->frequency_penalty;
        s->counts[token] = 0;
    }
}

static void copy_logits(itera_sampler *s, const float *logits)
{
    for (uint32_t i = 0; i < s->ranking.V; i++) {
        s->ranking.logits[i] = logits[i] == logits[i] ? logits[i] : -INFINITY; /* a NaN is never chosen */
    }
}

static void prepare(itera_sampler *s, const float *logits)
{
    copy_logits(s, logits);
    for (size_t i = 0; i < s->bias_count; i++) {
        s->ranking.logits[s->biases[i].token] += s->biases[i].value;
    }
    penalize(s);
    if (s->mask != NULL) {
        itera_mask_logits(s->ranking.logits, s->ranking.V, s->mask);
    }
}

/* ---- Sampling ---------------------------------------------------------------------------------- */

/* Fills `kept` by top-k, top-p and min-p; returns how many, at least 1. */
static size_t shortlist(itera_sampler *s)
{
    const itera_sampling *o = &s->options;
    itera_ranking_build(&s->ranking);
    size_t n = 0;
    const double best = itera_ranking_best(&s->ranking).logit;
    const bool limited = o->top_k > 0 && (uint32_t)o->top_k < s->ranking.V;
    double mass = 0.0; /* of the softmax over the tokens that top-k lets through, scaled by the best */
    if (limited) {
        while (n < (size_t)o->top_k) {
            s->kept[n++] = itera_ranking_take(&s->ranking);
        }
        for (size_t i = 0; i < n; i++) {
            mass += itera_exp((double)s->kept[i].logit - best);
        }
    } else if (o->top_p < 1.0f) {
        for (uint32_t i = 0; i < s->ranking.V; i++) {
            mass += itera_exp((double)s->ranking.logits[i] - best);
        }
    }
    const double wanted = o->top_p < 1.0f ? (double)o->top_p * mass : INFINITY;
    const double least = o->min_p > 0.0f ? best + itera_log((double)o->min_p) : -INFINITY;
    double sum = 0.0;
    size_t taken = 0, limit = limited ? n : s->ranking.V;
    while (taken < limit) {
        itera_candidate next = limited ? s->kept[taken] : itera_ranking_take(&s->ranking);
        if (taken > 0 && (sum >= wanted || (double)next.logit < least)) {
            break;
        }
        sum += itera_exp((double)next.logit - best);
        s->kept[taken++] = next;
    }
    return taken;
}

int32_t itera_sampler_sample(itera_sampler *s, const float *logits)
{
    const itera_sampling *o = &s->options;
    prepare(s, logits);
    if (!(o->temperature > 0.0f)) {
        itera_ranking_build(&s->ranking);
        return itera_ranking_best(&s->ranking).token;
    }
    size_t n = shortlist(s);
    const double best = s->kept[0].logit, inverse = 1.0 / (double)o->temperature;
    double mass = 0.0;
    for (size_t i = 0; i < n; i++) {
        mass += itera_exp(((double)s->kept[i].logit - best) * inverse);
    }
    double target = uniform(s->random) * mass;
    for (size_t i = 0; i < n; i++) {
        target -= itera_exp(((double)s->kept[i].logit - best) * inverse);
        if (target < 0.0) {
            return s->kept[i].token;
        }
    }
    return s->kept[0].token; /* only when every logit is infinite or rounding ate the last share */
}

double itera_logprob(const float *logits, uint32_t V, int32_t token)
{
    float best = logits[0];
    for (uint32_t i = 1; i < V; i++) {
        best = logits[i] > best ? logits[i] : best;
    }
    double mass = 0.0;
    for (uint32_t i = 0; i < V; i++) {
        mass += itera_exp((double)logits[i] - (double)best);
    }
    return (double)logits[token] - (double)best - itera_log(mass);
}

uint32_t itera_sampler_top(itera_sampler *s, const float *logits, uint32_t n, int32_t *tokens, float *logprobs)
{
    const uint32_t count = n < s->ranking.V ? n : s->ranking.V;
    if (count == 0) {
        return 0;
    }
    copy_logits(s, logits);
    itera_ranking_build(&s->ranking);
    const itera_candidate best = itera_ranking_best(&s->ranking);
    const double best_logprob = itera_logprob(logits, s->ranking.V, best.token);
    for (uint32_t i = 0; i < count; i++) {
        itera_candidate next = itera_ranking_take(&s->ranking);
        if (next.logit == -INFINITY) {
            return i;
        }
        tokens[i] = next.token;
        logprobs[i] = (float)((double)next.logit - (double)best.logit + best_logprob);
    }
    return count;
}
