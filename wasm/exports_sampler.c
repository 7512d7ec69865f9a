/* A sampler: options, the tokens it may pick and has seen, and the token it picks from a session's logits. */
#include <stdlib.h>

#include "exports.h"
#include "itera.h"

/* The options as JavaScript sets them, one by one, beside the sampler that they configure. */
typedef struct wasm_sampler {
    itera_sampler *sampler;
    itera_sampling options;
    uint32_t vocabulary;
    int32_t sampled;
} wasm_sampler;

EXPORT(itera_sampler_create) wasm_sampler *wasm_sampler_create(uint32_t vocabulary)
{
    wasm_sampler *s = calloc(1, sizeof *s);
    itera_sampler *sampler = itera_sampler_create(vocabulary);
    if (s == NULL || sampler == NULL) {
        free(s);
        itera_sampler_free(sampler);
        wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_MEMORY, "out of memory while creating a sampler"));
        return NULL;
    }
    *s = (wasm_sampler){.sampler = sampler, .options = itera_sampling_default(), .vocabulary = vocabulary};
    return s;
}

EXPORT(itera_sampler_free) void wasm_sampler_free(wasm_sampler *s)
{
    if (s != NULL) {
        itera_sampler_free(s->sampler);
        free(s);
    }
}

/* A double as an int32 in [0, most]; NaN and negatives are 0. */
static int32_t whole(double value, int32_t most)
{
    return value >= 0.0 ? (value < (double)most ? (int32_t)value : most) : 0;
}

EXPORT(itera_sampler_set) void wasm_sampler_set(wasm_sampler *s, int32_t which, double value)
{
    itera_sampling *o = &s->options;
    switch (which) {
    case 0: o->temperature = (float)value; break;
    case 1: o->top_k = whole(value, INT32_MAX); break;
    case 2: o->top_p = (float)value; break;
    case 3: o->min_p = (float)value; break;
    case 4: o->repetition_penalty = (float)value; break;
    case 5: o->presence_penalty = (float)value; break;
    case 6: o->frequency_penalty = (float)value; break;
    case 7: o->seed = value >= 0.0 && value <= LARGEST_OFFSET ? (uint64_t)value : 0; break;
    case 8: o->penalty_window = whole(value, ITERA_MAX_WINDOW); break;
    default: return;
    }
    itera_sampler_configure(s->sampler, o);
}

EXPORT(itera_sampler_get_random) void wasm_sampler_get_random(const wasm_sampler *s, uint64_t *out)
{
    itera_sampler_get_random(s->sampler, out);
}

EXPORT(itera_sampler_set_random) void wasm_sampler_set_random(wasm_sampler *s, const uint64_t *state)
{
    itera_sampler_set_random(s->sampler, state);
}

EXPORT(itera_sampler_bias) int32_t wasm_sampler_bias(wasm_sampler *s, int32_t token, double value)
{
    itera_status status = itera_sampler_bias(s->sampler, token, (float)value);
    return status < 0 ? wasm_report(itera_fail(&wasm_last_error, status, "token %d cannot be biased", (int)token))
                      : status;
}

EXPORT(itera_sampler_bias_clear) void wasm_sampler_bias_clear(wasm_sampler *s)
{
    itera_sampler_clear_bias(s->sampler);
}

EXPORT(itera_sampler_mask) void wasm_sampler_mask(wasm_sampler *s, const uint32_t *mask)
{
    itera_sampler_mask(s->sampler, mask);
}

EXPORT(itera_sampler_accept) void wasm_sampler_accept(wasm_sampler *s, int32_t token)
{
    itera_sampler_accept(s->sampler, token);
}

EXPORT(itera_sampler_reset) void wasm_sampler_reset(wasm_sampler *s)
{
    itera_sampler_forget(s->sampler);
}

static const float *logits_of(const itera_session *session)
{
    const float *logits = itera_session_logits(session);
    if (logits == NULL) {
        wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_ARGUMENT, "nothing has been fed to this session yet"));
    }
    return logits;
}

EXPORT(itera_sampler_sample) int32_t wasm_sampler_sample(wasm_sampler *s, const itera_session *session)
{
    const float *logits = logits_of(session);
    if (logits == NULL) {
        return ITERA_ERR_ARGUMENT;
    }
    s->sampled = itera_sampler_sample(s->sampler, logits);
    return s->sampled;
}

/* ln p of the token sampled last, under the plain softmax of the session's logits. */
EXPORT(itera_sampler_logprob) double wasm_sampler_logprob(const wasm_sampler *s, const itera_session *session)
{
    const float *logits = logits_of(session);
    return logits == NULL ? 0.0 : itera_logprob(logits, s->vocabulary, s->sampled);
}

EXPORT(itera_sampler_top)
uint32_t wasm_sampler_top(wasm_sampler *s, const itera_session *session, uint32_t n, int32_t *tokens, float *logprobs)
{
    const float *logits = logits_of(session);
    return logits == NULL ? 0 : itera_sampler_top(s->sampler, logits, n, tokens, logprobs);
}
