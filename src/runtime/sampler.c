#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/elementary.h"
#include "base/memory.h"
#include "itera.h"

typedef struct bias {
    int32_t token;
    float value;
} bias;

/* A token in the running, as a heap entry. */
typedef struct candidate {
    float logit;
    int32_t token;
} candidate;

struct itera_sampler {
    uint32_t V;
    itera_sampling options;
    uint64_t random[4];            /* xoshiro256** state */
    float *logits;                 /* [V] after bias and penalties */
    candidate *heap;               /* [V] */
    candidate *kept;               /* [V] the best so far, best first */
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
    s->V = vocabulary;
    s->logits = itera_memory_zeroed(n, sizeof *s->logits);
    s->heap = itera_memory_zeroed(n, sizeof *s->heap);
    s->kept = itera_memory_zeroed(n, sizeof *s->kept);
    s->counts = itera_memory_zeroed(n, sizeof *s->counts);
    s->window = itera_memory_zeroed(ITERA_MAX_WINDOW, sizeof *s->window);
    if (s->logits == NULL || s->heap == NULL || s->kept == NULL || s->counts == NULL || s->window == NULL) {
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
        free(s->logits);
        free(s->heap);
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
    if (token < 0 || (uint32_t)token >= s->V) {
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
    if (token >= 0 && (uint32_t)token < s->V) {
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
        float *logit = &s->logits[token];
        *logit = *logit > 0.0f ? *logit / o->repetition_penalty : *logit * o->repetition_penalty;
        *logit -= o->presence_penalty + (float)count * o->frequency_penalty;
        s->counts[token] = 0;
    }
}

static void prepare(itera_sampler *s, const float *logits)
{
    for (uint32_t i = 0; i < s->V; i++) {
        s->logits[i] = logits[i] == logits[i] ? logits[i] : -INFINITY; /* a NaN is never chosen */
    }
    for (size_t i = 0; i < s->bias_count; i++) {
        s->logits[s->biases[i].token] += s->biases[i].value;
    }
    penalize(s);
    if (s->mask != NULL) {
        itera_mask_logits(s->logits, s->V, s->mask);
    }
}

/* The lower token wins a tie, so that greedy is the same everywhere. */
static bool better(candidate a, candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

static void sift_down(candidate *heap, size_t n, size_t i)
{
    candidate moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(heap[child + 1], heap[child])) {
            child++;
        }
        if (!better(heap[child], moving)) {
            break;
        }
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static candidate pop(candidate *heap, size_t *n)
{
    candidate top = heap[0];
    heap[0] = heap[--*n];
    sift_down(heap, *n, 0);
    return top;
}

/* A max-heap of all tokens: linear to build, logarithmic for each one that is really wanted. */
static void build_heap(itera_sampler *s, const float *logits)
{
    for (uint32_t i = 0; i < s->V; i++) {
        s->heap[i] = (candidate){.logit = logits[i], .token = (int32_t)i};
    }
    for (size_t i = s->V / 2; i-- > 0;) {
        sift_down(s->heap, s->V, i);
    }
}

static int32_t argmax(const float *logits, uint32_t V)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < V; i++) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return (int32_t)best;
}

/* ---- Sampling ---------------------------------------------------------------------------------- */

/* Fills `kept` by top-k, top-p and min-p; returns how many, at least 1. */
static size_t shortlist(itera_sampler *s)
{
    const itera_sampling *o = &s->options;
    build_heap(s, s->logits);
    size_t left = s->V, n = 0;
    const double best = s->heap[0].logit;
    const bool limited = o->top_k > 0 && (uint32_t)o->top_k < s->V;
    double mass = 0.0; /* of the softmax over the tokens that top-k lets through, scaled by the best */
    if (limited) {
        while (n < (size_t)o->top_k) {
            s->kept[n++] = pop(s->heap, &left);
        }
        for (size_t i = 0; i < n; i++) {
            mass += exp((double)s->kept[i].logit - best);
        }
    } else if (o->top_p < 1.0f) {
        for (uint32_t i = 0; i < s->V; i++) {
            mass += exp((double)s->logits[i] - best);
        }
    }
    const double wanted = o->top_p < 1.0f ? (double)o->top_p * mass : INFINITY;
    const double least = o->min_p > 0.0f ? best + itera_log((double)o->min_p) : -INFINITY;
    double sum = 0.0;
    size_t taken = 0, limit = limited ? n : s->V;
    while (taken < limit) {
        candidate next = limited ? s->kept[taken] : pop(s->heap, &left);
        if (taken > 0 && (sum >= wanted || (double)next.logit < least)) {
            break;
        }
        sum += exp((double)next.logit - best);
        s->kept[taken++] = next;
    }
    return taken;
}

int32_t itera_sampler_sample(itera_sampler *s, const float *logits)
{
    const itera_sampling *o = &s->options;
    prepare(s, logits);
    if (!(o->temperature > 0.0f)) {
        return argmax(s->logits, s->V);
    }
    size_t n = shortlist(s);
    const double best = s->kept[0].logit, inverse = 1.0 / (double)o->temperature;
    double mass = 0.0;
    for (size_t i = 0; i < n; i++) {
        mass += exp(((double)s->kept[i].logit - best) * inverse);
    }
    double target = uniform(s->random) * mass;
    for (size_t i = 0; i < n; i++) {
        target -= exp(((double)s->kept[i].logit - best) * inverse);
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
        mass += exp((double)logits[i] - (double)best);
    }
    return (double)logits[token] - (double)best - itera_log(mass);
}

uint32_t itera_sampler_top(itera_sampler *s, const float *logits, uint32_t n, int32_t *tokens, float *logprobs)
{
    build_heap(s, logits);
    size_t left = s->V;
    uint32_t count = n < s->V ? n : s->V;
    if (count == 0) {
        return 0;
    }
    const double best = s->heap[0].logit, best_logprob = itera_logprob(logits, s->V, s->heap[0].token);
    for (uint32_t i = 0; i < count; i++) {
        candidate next = pop(s->heap, &left);
        tokens[i] = next.token;
        logprobs[i] = (float)((double)next.logit - best + best_logprob);
    }
    return count;
}
