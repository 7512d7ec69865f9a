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
    itera_status status = itera_model_reserve(model, error);
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
    memset(session->logits, 0, session->model->graph.V * sizeof(float)); /* a snapshot holds them even here */
    if (session->trace != NULL) {
        session->trace->seen = false;
    }
}

/* Moves the first `positions` rows of every block from one cache to another with room for at least as many. They may
 * begin at the same place, where rows move away from it: so those of the last block go first. */
static void move_cache_rows(const itera_model *model, float *to, uint64_t to_context, const float *from,
                            uint64_t from_context, uint64_t positions)
{
    size_t width_before = (size_t)model->cache_floats;
    for (uint32_t i = model->graph.residual_count; i-- > 0;) {
        const size_t width = (size_t)model->graph.residuals[i].block->cache_floats;
        width_before -= width;
        memmove(to + width_before * (size_t)to_context, from + width_before * (size_t)from_context,
                (size_t)positions * width * sizeof(float));
    }
}

itera_status itera_session_reserve(itera_session *session, uint32_t context, itera_error *error)
{
    const itera_model *model = session->model;
    const uint64_t before = session->context, after = choose_context(model, context);
    if (after <= before) {
        return ITERA_OK;
    }
    const bool fits = after <= UINT64_MAX / sizeof(float) / model->cache_floats;
    float *cache = fits ? itera_memory_resize(session->cache, model->cache_floats * after * sizeof(float)) : NULL;
    if (cache == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for a KV cache of %llu positions",
                          (unsigned long long)after);
    }
    move_cache_rows(model, cache, after, cache, before, session->position);
    session->cache = cache;
    session->context = after;
    return ITERA_OK;
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
    move_cache_rows(model, to->cache, to->context, from->cache, from->context, from->position);
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

/* One pass, and what its phases, split over threads, need. */
typedef struct pass_state {
    const itera_model *model;
    itera_run run;
    const int32_t *tokens;
    float *x;                        /* [T, D] the residual stream */
    float *normed;                   /* [T, D] */
    float *y;                        /* [T, D] output of the block that ran last */
    const itera_residual *before;    /* its residual; NULL at the beginning */
    const itera_norm *norm;          /* of the block that comes next, or in front of the head */
    float *logits;                   /* [n, V] */
    itera_input head_input;          /* [n, D] */
} pass_state;

static void embed(const pass_state *pass, int t)
{
    const itera_model *model = pass->model;
    const itera_graph *graph = &model->graph;
    const itera_matrix *table = &graph->embedding;
    const size_t D = graph->D;
    float *row = pass->x + (size_t)t * D;
    const int32_t token = pass->tokens[t];
    itera_unpack_row(row, table->type, graph->D, table->data + (size_t)(token / 4) * table->group_bytes, token % 4);
    if (graph->embedding_scale != 1.0f) {
        model->kernels->scale(row, row, graph->embedding_scale, D);
    }
    if (graph->positions != NULL) {
        model->kernels->add(row, row, graph->positions + (size_t)(pass->run.position + (uint64_t)t) * D, D);
    }
}

/* x = Emb[token], or x = x + scale * y behind a block;  normed = norm(x), by tokens */
static void join_and_norm(void *context, itera_team team)
{
    const pass_state *pass = context;
    const itera_kernels *k = pass->model->kernels;
    const size_t D = pass->model->graph.D;
    const itera_range tokens = itera_share(team, pass->run.T, 1);
    const size_t first = (size_t)tokens.begin * D;
    if (pass->before == NULL) {
        for (int t = tokens.begin; t < tokens.end; t++) {
            embed(pass, t);
        }
    } else {
        k->axpy(pass->x + first, pass->before->scale, pass->y + first, (size_t)(tokens.end - tokens.begin) * D);
    }
    itera_norm_apply(pass->norm, k, pass->normed + first, pass->x + first, tokens.end - tokens.begin);
}

static void next_norm(pass_state *pass, const itera_norm *norm)
{
    const uint64_t n = (uint64_t)pass->run.T * pass->model->graph.D;
    pass->norm = norm;
    itera_parallel_split(pass->run.T > 1 ? itera_pool_for(&pass->run, 6 * n) : NULL, pass->run.T, ITERA_LEAST_TOKENS,
                         join_and_norm, pass);
}

/* logits = scale * Head normed, by rows of the head */
static void head(void *context, itera_team team)
{
    const pass_state *pass = context;
    const itera_graph *graph = &pass->model->graph;
    const size_t V = graph->V;
    itera_range rows = itera_linear_share(&pass->run, team, pass->logits, V, graph->head, &pass->head_input);
    if (graph->logit_scale != 1.0f) {
        for (int i = 0; i < pass->head_input.T; i++) {
            float *row = pass->logits + (size_t)i * V + rows.begin;
            pass->model->kernels->scale(row, row, graph->logit_scale, (size_t)(rows.end - rows.begin));
        }
    }
}

/* One pass over at most as many tokens as the model takes, already checked. `logits` NULL: only the last token's are
 * computed, and not even those when another pass follows. */
static void pass_tokens(itera_session *session, const int32_t *tokens, int T, float *logits, bool last)
{
    const itera_model *model = session->model;
    const itera_graph *graph = &model->graph;
    const size_t D = graph->D;
    itera_arena arena = itera_arena_over(model->scratch, model->scratch_bytes);
    pass_state pass = {.model = model,
                       .tokens = tokens,
                       .x = itera_arena_floats(&arena, (uint64_t)model->batch * D),
                       .normed = itera_arena_floats(&arena, (uint64_t)model->batch * D),
                       .y = itera_arena_floats(&arena, (uint64_t)model->batch * D)};
    const uint64_t mark = arena.used;
    pass.run = (itera_run){.kernels = model->kernels,
                           .pool = model->pool,
                           .scratch = &arena,
                           .T = T,
                           .position = session->position,
                           .state = session->state,
                           .cache = session->cache};

    float *traced = session->trace != NULL ? session->trace->values : NULL;
    if (traced != NULL) {
        itera_trace_before(session->trace, &pass.run);
    }
    for (uint32_t i = 0; i < graph->residual_count; i++) {
        const itera_residual *residual = &graph->residuals[i];
        next_norm(&pass, &residual->norm);
        arena.used = mark;
        residual->block->ops->forward(residual->block, &pass.run, pass.y, pass.normed);
        if (traced != NULL) {
            traced += itera_trace_after(session->trace, traced, residual->block, &pass.run);
        }
        pass.before = residual;
        pass.run.state += residual->block->state_floats;
        pass.run.cache += residual->block->cache_floats * session->context;
    }
    session->position += (uint64_t)T;
    if (logits == NULL && !last) {
        return;
    }
    next_norm(&pass, &graph->output_norm);
    arena.used = mark;
    const int rows = logits != NULL ? T : 1; /* without `logits` the last token's alone */
    pass.logits = logits != NULL ? logits : session->logits;
    pass.head_input = itera_input_of(pass.normed + (size_t)(T - rows) * D,
                                     itera_input_take(&arena, (uint64_t)rows, D), rows, (int)D);
    itera_input_prepare(&pass.run, &pass.head_input, graph->head->type);
    itera_parallel_split(itera_pool_for(&pass.run, itera_linear_work(graph->head, rows)), (int)graph->V,
                         itera_linear_least(rows), head, &pass);
    if (logits != NULL) {
        memcpy(session->logits, logits + (size_t)(T - 1) * graph->V, graph->V * sizeof(float));
    }
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
    const size_t V = session->model->graph.V, batch = (size_t)session->model->batch;
    for (size_t i = 0; i < n; i += batch) {
        int T = (int)(n - i < batch ? n - i : batch);
        pass_tokens(session, tokens + i, T, logits ? logits + i * V : NULL, i + (size_t)T == n);
    }
    return ITERA_OK;
}

/* Logits of so many tokens are held at once. */
#define SCORE_BATCH 64
_Static_assert(SCORE_BATCH <= ITERA_BATCH, "a pass takes them");

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
    float *logits = itera_memory_zeroed((uint64_t)SCORE_BATCH * V, sizeof(float));
    if (logits == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory to score tokens");
    }
    for (size_t i = 0; i + 1 < n; i += SCORE_BATCH) {
        int T = (int)(n - 1 - i < SCORE_BATCH ? n - 1 - i : SCORE_BATCH);
        pass_tokens(session, tokens + i, T, logits, true);
        for (int t = 0; t < T; t++) {
            nll[i + (size_t)t] = (float)-itera_logprob(logits + (size_t)t * V, V, tokens[i + (size_t)t + 1]);
        }
    }
    free(logits);
    return ITERA_OK;
}
