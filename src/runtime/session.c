#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "blocks/linear.h"
#include "quant/pack.h"
#include "runtime/trace.h"

/* ---- Lifetime --------------------------------------------------------------------------------- */

static uint64_t choose_context(const itera_model *model, uint32_t wanted)
{
    const itera_graph *graph = &model->graph;
    uint64_t trained = graph->max_positions ? graph->max_positions : graph->context_length;
    if (model->cache_floats == 0) {
        return 0;
    }
    uint64_t context = wanted ? wanted : ITERA_DEFAULT_CONTEXT;
    return (graph->max_positions || wanted == 0) && trained && context > trained ? trained : context;
}

itera_status itera_session_create(itera_session **out, itera_model *model, uint32_t context, itera_error *error)
{
    ITERA_TRY(itera_model_ready(model, error));
    itera_session *session = itera_memory_zeroed(1, sizeof *session);
    if (session == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while creating a session");
    }
    session->model = model;
    session->context = choose_context(model, context);
    itera_status status = itera_model_reserve(model, session->context, error);
    if (status == ITERA_OK) {
        uint64_t cache = model->cache_floats * session->context;
        session->state = itera_memory_zeroed(model->state_floats, sizeof(float));
        session->cache = itera_memory_zeroed(cache, sizeof(float));
        session->logits = itera_memory_zeroed(model->graph.V, sizeof(float));
        if (session->state == NULL || session->cache == NULL || session->logits == NULL) {
            status = itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for a session of %llu MB",
                                (unsigned long long)((model->state_floats + cache) >> 18));
        }
    }
    if (status < 0) {
        itera_session_free(session);
        return status;
    }
    *out = session;
    return ITERA_OK;
}

void itera_session_free(itera_session *session)
{
    if (session != NULL) {
        free(session->state);
        free(session->cache);
        free(session->logits);
        itera_trace_free(session->trace);
        free(session);
    }
}

void itera_session_reset(itera_session *session)
{
    session->position = 0;
    memset(session->state, 0, (size_t)session->model->state_floats * sizeof(float));
}

itera_status itera_session_copy(itera_session *to, const itera_session *from, itera_error *error)
{
    const itera_model *model = from->model;
    if (to->model != model) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the two sessions belong to different models");
    }
    if (model->cache_floats > 0 && from->position > to->context) {
        return itera_fail(error, ITERA_ERR_CONTEXT_FULL, "the session to copy is longer than the context of the other");
    }
    memcpy(to->state, from->state, (size_t)model->state_floats * sizeof(float));
    memcpy(to->logits, from->logits, model->graph.V * sizeof(float));
    size_t to_offset = 0, from_offset = 0;
    for (uint32_t i = 0; i < model->graph.residual_count; i++) {
        size_t width = (size_t)model->graph.residuals[i].block->cache_floats;
        memcpy(to->cache + to_offset, from->cache + from_offset, (size_t)from->position * width * sizeof(float));
        to_offset += width * (size_t)to->context;
        from_offset += width * (size_t)from->context;
    }
    to->position = from->position;
    return ITERA_OK;
}

uint64_t itera_session_position(const itera_session *session)
{
    return session->position;
}

uint64_t itera_session_bytes(const itera_session *session)
{
    const itera_model *model = session->model;
    return (model->state_floats + model->cache_floats * session->context) * sizeof(float);
}

const float *itera_session_logits(const itera_session *session)
{
    return session->position > 0 ? session->logits : NULL;
}

/* ---- Forward ---------------------------------------------------------------------------------- */

static void embed(const itera_model *model, float *x, const int32_t *tokens, int T, uint64_t position)
{
    const itera_graph *graph = &model->graph;
    const itera_matrix *table = &graph->embedding;
    const size_t D = graph->D;
    for (int t = 0; t < T; t++) {
        float *row = x + (size_t)t * D;
        size_t group = (size_t)(tokens[t] / 4);
        itera_unpack_row(row, table->type, graph->D, table->data + group * table->group_bytes, tokens[t] % 4);
        if (graph->embedding_scale != 1.0f) {
            model->kernels->scale(row, row, graph->embedding_scale, D);
        }
        if (graph->positions != NULL) {
            model->kernels->add(row, row, graph->positions + (size_t)(position + (uint64_t)t) * D, D);
        }
    }
}

/* Arena over the model's scratch, its base aligned. */
static itera_arena scratch_arena(const itera_model *model)
{
    uintptr_t address = (uintptr_t)model->scratch;
    size_t skip = (ITERA_ARENA_ALIGN - address % ITERA_ARENA_ALIGN) % ITERA_ARENA_ALIGN;
    return (itera_arena){.base = model->scratch + skip, .capacity = model->scratch_bytes - skip};
}

/* logits [n, V] of n rows of the residual stream. */
static void head(const itera_model *model, itera_run *run, float *logits, float *normed, const float *x, int n)
{
    const itera_graph *graph = &model->graph;
    itera_norm_apply(&graph->output_norm, model->kernels, normed, x, n);
    itera_act_block *blocks = itera_input_take(run->scratch, (uint64_t)n, graph->D);
    itera_input input = itera_input_of(normed, blocks, n, (int)graph->D);
    itera_linear(run, logits, graph->V, graph->head, &input);
    if (graph->logit_scale != 1.0f) {
        model->kernels->scale(logits, logits, graph->logit_scale, (size_t)n * graph->V);
    }
}

/* One pass over at most ITERA_BATCH tokens, already checked. `logits` NULL: only the last token's are computed, and not
 * even those when another pass follows. */
static void pass(itera_session *session, const int32_t *tokens, int T, float *logits, bool last)
{
    const itera_model *model = session->model;
    const itera_graph *graph = &model->graph;
    const size_t D = graph->D;
    itera_arena arena = scratch_arena(model);
    float *x = itera_arena_floats(&arena, (uint64_t)ITERA_BATCH * D);
    float *normed = itera_arena_floats(&arena, (uint64_t)ITERA_BATCH * D);
    float *y = itera_arena_floats(&arena, (uint64_t)ITERA_BATCH * D);
    const uint64_t mark = arena.used;
    itera_run run = {.kernels = model->kernels,
                     .scratch = &arena,
                     .T = T,
                     .position = session->position,
                     .state = session->state,
                     .cache = session->cache,
                     .context = session->context};

    float *traced = session->trace != NULL ? session->trace->values : NULL;

    embed(model, x, tokens, T, session->position);
    if (traced != NULL) {
        itera_trace_before(session->trace, &run);
    }
    for (uint32_t i = 0; i < graph->residual_count; i++) {
        const itera_residual *residual = &graph->residuals[i];
        arena.used = mark;
        itera_norm_apply(&residual->norm, model->kernels, normed, x, T);
        residual->block->ops->forward(residual->block, &run, y, normed);
        model->kernels->axpy(x, residual->scale, y, (size_t)T * D);
        if (traced != NULL) {
            traced += itera_trace_after(session->trace, traced, residual->block, &run);
        }
        run.state += residual->block->state_floats;
        run.cache += residual->block->cache_floats * session->context;
    }
    arena.used = mark;
    if (logits != NULL) {
        head(model, &run, logits, normed, x, T);
        memcpy(session->logits, logits + (size_t)(T - 1) * graph->V, graph->V * sizeof(float));
    } else if (last) {
        head(model, &run, session->logits, normed, x + (size_t)(T - 1) * D, 1);
    }
    session->position += (uint64_t)T;
}

static itera_status check_room(const itera_session *session, const int32_t *tokens, size_t n, itera_error *error)
{
    const itera_graph *graph = &session->model->graph;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= graph->V) {
            return itera_fail(error, ITERA_ERR_TOKEN, "token %d is outside the vocabulary of %u", (int)tokens[i],
                              graph->V);
        }
    }
    uint64_t limit = session->context ? session->context : graph->max_positions;
    if (limit > 0 && (session->position > limit || n > limit - session->position)) {
        return itera_fail(error, ITERA_ERR_CONTEXT_FULL, "%zu more tokens after %llu exceed the context of %llu", n,
                          (unsigned long long)session->position, (unsigned long long)limit);
    }
    return ITERA_OK;
}

itera_status itera_session_feed(itera_session *session, const int32_t *tokens, size_t n, float *logits,
                                itera_error *error)
{
    ITERA_TRY(check_room(session, tokens, n, error));
    const size_t V = session->model->graph.V;
    for (size_t i = 0; i < n; i += ITERA_BATCH) {
        int T = (int)(n - i < ITERA_BATCH ? n - i : ITERA_BATCH);
        pass(session, tokens + i, T, logits ? logits + i * V : NULL, i + (size_t)T == n);
    }
    return ITERA_OK;
}

itera_status itera_session_score(itera_session *session, const int32_t *tokens, size_t n, float *nll,
                                 itera_error *error)
{
    const uint32_t V = session->model->graph.V;
    if (n < 2) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "scoring needs at least two tokens");
    }
    ITERA_TRY(check_room(session, tokens, n - 1, error));
    if (tokens[n - 1] < 0 || (uint32_t)tokens[n - 1] >= V) {
        return itera_fail(error, ITERA_ERR_TOKEN, "token %d is outside the vocabulary of %u", (int)tokens[n - 1], V);
    }
    float *logits = itera_memory_zeroed((uint64_t)ITERA_BATCH * V, sizeof(float));
    if (logits == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory to score tokens");
    }
    for (size_t i = 0; i + 1 < n; i += ITERA_BATCH) {
        int T = (int)(n - 1 - i < ITERA_BATCH ? n - 1 - i : ITERA_BATCH);
        pass(session, tokens + i, T, logits, true);
        for (int t = 0; t < T; t++) {
            nll[i + (size_t)t] = (float)-itera_logprob(logits + (size_t)t * V, V, tokens[i + (size_t)t + 1]);
        }
    }
    free(logits);
    return ITERA_OK;
}
