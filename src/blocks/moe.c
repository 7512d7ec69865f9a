/* Sparse mixture of experts. Tokens of a batch are grouped by expert, so that an expert's weights are read
 * once for all of its tokens. Experts add to a token's output in ascending order whatever the batch, so a
 * token gets the same bits alone and in company.
 *
 * Every thread walks over all experts and makes its own columns of each: those of the hidden layer first, then,
 * when all are there, those of the output. So work is even, however tokens choose, and threads meet three times
 * a block rather than twice an expert. */
#include <string.h>

#include "blocks/ffn.h"

typedef struct moe {
    itera_block block;
    itera_moe_params p;
    uint32_t F, shared_F;
    itera_matrix router; /* [X, D] */
    itera_experts gate;  /* X of [F, D], SwiGLU only */
    itera_experts up;    /* X of [F, D] */
    itera_experts down;  /* X of [D, F] */
    itera_ffn shared;    /* used when shared_F > 0 */
} moe;

/* A visit is one token at one of its k experts; visits are numbered expert by expert. */
typedef struct buffers {
    itera_act_block *blocks; /* [T, D / 32], of all tokens */
    float *logits;           /* [T, X] of the router */
    int32_t *chosen;         /* [T, k] experts, ascending */
    float *gates;            /* [T, k] their weights */
    int32_t *first;          /* [X + 1] first visit of each expert */
    int32_t *token;          /* [T k] of each visit */
    float *visit_gates;      /* [T k] */
    float *x;                /* [threads, T, D] inputs of an expert's visits */
    itera_act_block *x_blocks; /* the same, quantized */
    float *hidden;           /* [T k, F] */
    itera_act_block *hidden_blocks;
    float *gate;             /* [T, F] of the expert at hand */
    float *shared_hidden;    /* [T, shared F] */
    float *shared_gate;      /* [T, shared F]: not `gate`, whose columns are other threads' */
    itera_act_block *shared_blocks;
    float *y;                /* [T, D] outputs of the expert at hand */
} buffers;

static buffers layout(const moe *m, const itera_run *run)
{
    itera_arena *scratch = run->scratch;
    const uint64_t rows = (uint64_t)run->T, threads = (uint64_t)itera_pool_threads(run->pool);
    const itera_moe_params *p = &m->p;
    const uint64_t visits = rows * p->used;
    buffers b;
    b.blocks = itera_input_take(scratch, rows, p->D);
    b.logits = itera_arena_floats(scratch, rows * p->experts);
    b.chosen = itera_arena_take(scratch, visits, sizeof(int32_t));
    b.gates = itera_arena_floats(scratch, visits);
    b.first = itera_arena_take(scratch, (uint64_t)p->experts + 1, sizeof(int32_t));
    b.token = itera_arena_take(scratch, visits, sizeof(int32_t));
    b.visit_gates = itera_arena_floats(scratch, visits);
    b.x = itera_arena_floats(scratch, threads * rows * p->D);
    b.x_blocks = itera_input_take(scratch, threads * rows, p->D);
    b.hidden = itera_arena_floats(scratch, visits * m->F);
    b.hidden_blocks = itera_input_take(scratch, visits, m->F);
    b.gate = itera_arena_floats(scratch, rows * m->F);
    b.shared_hidden = itera_arena_floats(scratch, rows * m->shared_F);
    b.shared_gate = itera_arena_floats(scratch, rows * m->shared_F);
    b.shared_blocks = itera_input_take(scratch, rows, m->shared_F);
    b.y = itera_arena_floats(scratch, rows * p->D);
    return b;
}

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const moe *)block, most);
}

/* The k largest of logits [X] (the lower index wins a tie) in ascending order of index, and the softmax over them.
 * A taken logit is marked by its presence in `chosen`, not overwritten, so that NaN cannot loop; `chosen` ascends, so
 * one look at a time goes along with x. */
static void route(int32_t *chosen, float *gates, const float *logits, int X, int k, const itera_kernels *kernels)
{
    for (int i = 0; i < k; i++) {
        int best = -1, passed = 0;
        for (int x = 0; x < X; x++) {
            if (passed < i && chosen[passed] == x) {
                passed++;
            } else if (best < 0 || logits[x] > logits[best]) {
                best = x;
            }
        }
        int slot = i; /* insertion keeps `chosen` ascending */
        while (slot > 0 && chosen[slot - 1] > best) {
            chosen[slot] = chosen[slot - 1];
            slot--;
        }
        chosen[slot] = best;
    }
    for (int i = 0; i < k; i++) {
        gates[i] = logits[chosen[i]];
    }
    kernels->softmax(gates, (size_t)k);
}

/* What a phase of forward, split over threads, needs. */
typedef struct phase {
    const moe *m;
    const itera_run *run;
    buffers b;
    itera_input all;    /* the tokens */
    itera_input hidden; /* the hidden layer of every visit */
    itera_input shared; /* the hidden layer of the shared expert */
    float *y;
} phase;

static void route_tokens(void *context, itera_team team)
{
    const phase *f = context;
    const int X = (int)f->m->p.experts, k = (int)f->m->p.used;
    itera_range tokens = itera_share(team, f->run->T, 1);
    for (int t = tokens.begin; t < tokens.end; t++) {
        route(f->b.chosen + t * k, f->b.gates + t * k, f->b.logits + (size_t)t * (size_t)X, X, k, f->run->kernels);
    }
}

/* Numbers the visits: expert by expert, tokens in order within. */
static void sort_visits(const moe *m, const buffers *b, int T)
{
    const int X = (int)m->p.experts, k = (int)m->p.used;
    memset(b->first, 0, ((size_t)X + 1) * sizeof *b->first);
    for (int i = 0; i < T * k; i++) {
        b->first[b->chosen[i] + 1]++;
    }
    for (int x = 0; x < X; x++) {
        b->first[x + 1] += b->first[x];
    }
    for (int i = 0; i < T * k; i++) {
        int visit = b->first[b->chosen[i]]++; /* moves on to where the next expert begins */
        b->token[visit] = i / k;
        b->visit_gates[visit] = b->gates[i];
    }
    memmove(b->first + 1, b->first, (size_t)X * sizeof *b->first);
    b->first[0] = 0;
}

static itera_ffn expert_of(const moe *m, int expert)
{
    itera_ffn ffn = {.up = itera_expert(&m->up, expert),
                     .down = itera_expert(&m->down, expert),
                     .activation = m->p.activation};
    if (m->p.activation == ITERA_SWIGLU) {
        ffn.gate = itera_expert(&m->gate, expert);
    }
    return ffn;
}

/* The inputs of visits [first, first + n) one behind another. */
static itera_input gather(const phase *f, itera_team team, int first, int n)
{
    const size_t D = f->m->p.D, row_blocks = D / ITERA_ACT_BLOCK;
    const itera_input *all = &f->all;
    itera_input input = *all;
    input.T = n;
    if (n == all->T) { /* every token, in order */
        return input;
    }
    const size_t mine = (size_t)team.thread * (size_t)all->T;
    float *x = f->b.x + mine * D;
    input.x = x;
    input.blocks = f->b.x_blocks + mine * row_blocks;
    for (int i = 0; i < n; i++) {
        const size_t token = (size_t)f->b.token[first + i];
        if (all->quantized) {
            memcpy(input.blocks + (size_t)i * row_blocks, all->blocks + token * row_blocks,
                   row_blocks * sizeof(itera_act_block));
        }
        if (itera_is_float(f->m->up.first.type) || (f->m->gate.count > 0 && itera_is_float(f->m->gate.first.type))) {
            memcpy(x + (size_t)i * D, all->x + token * D, D * sizeof(float));
        }
    }
    return input;
}

/* Hidden layers, by columns */
static void hide(void *context, itera_team team)
{
    const phase *f = context;
    const moe *m = f->m;
    const buffers *b = &f->b;
    if (m->shared_F > 0) {
        itera_ffn_hidden_share(f->run, team, &m->shared, b->shared_hidden, b->shared_gate, &f->all);
    }
    for (int expert = 0; expert < (int)m->p.experts; expert++) {
        const int first = b->first[expert], n = b->first[expert + 1] - first;
        if (n > 0) {
            itera_ffn ffn = expert_of(m, expert);
            itera_input input = gather(f, team, first, n);
            itera_ffn_hidden_share(f->run, team, &ffn, b->hidden + (size_t)first * m->F, b->gate, &input);
        }
    }
}

/* Outputs, by columns: the shared expert's, then the others' in ascending order */
static void combine(void *context, itera_team team)
{
    const phase *f = context;
    const moe *m = f->m;
    const buffers *b = &f->b;
    const size_t D = m->p.D, F = m->F;
    const itera_range columns = itera_share(team, (int)D, ITERA_ROW_GRAIN);
    const size_t width = (size_t)(columns.end - columns.begin);
    if (m->shared_F > 0) {
        itera_linear_share(f->run, team, f->y, D, &m->shared.down, &f->shared);
    } else {
        for (int t = 0; t < f->run->T; t++) {
            memset(f->y + (size_t)t * D + columns.begin, 0, width * sizeof(float));
        }
    }
    for (int expert = 0; expert < (int)m->p.experts; expert++) {
        const int first = b->first[expert], n = b->first[expert + 1] - first;
        if (n == 0) {
            continue;
        }
        const itera_matrix down = itera_expert(&m->down, expert);
        itera_input hidden = f->hidden;
        hidden.T = n;
        hidden.x += (size_t)first * F;
        hidden.blocks += (size_t)first * (F / ITERA_ACT_BLOCK);
        itera_linear_share(f->run, team, b->y, D, &down, &hidden);
        for (int i = first; i < first + n; i++) {
            f->run->kernels->axpy(f->y + (size_t)b->token[i] * D + columns.begin, b->visit_gates[i],
                                  b->y + (size_t)(i - first) * D + columns.begin, width);
        }
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const moe *m = (const moe *)block;
    const int T = run->T, X = (int)m->p.experts, visits = T * (int)m->p.used;
    phase f = {.m = m, .run = run, .b = layout(m, run), .y = y};
    f.all = itera_input_of(x, f.b.blocks, T, (int)m->p.D);

    itera_linear(run, f.b.logits, (size_t)X, &m->router, &f.all);
    itera_parallel(T > 1 ? itera_pool_for(run, (uint64_t)visits * (uint64_t)X) : NULL, route_tokens, &f);
    sort_visits(m, &f.b, T);

    if (run->chosen_experts != NULL) {
        const int k = (int)m->p.used;
        memcpy(run->chosen_experts, f.b.chosen + (T - 1) * k, (size_t)k * sizeof(int32_t));
        memcpy(run->chosen_gates, f.b.gates + (T - 1) * k, (size_t)k * sizeof(float));
    }

    uint64_t work = (uint64_t)visits * m->F * m->p.D + (uint64_t)T * m->shared_F * m->p.D;
    itera_ffn first = expert_of(m, 0);
    itera_ffn_prepare(run, &first, &f.all);
    if (m->shared_F > 0) {
        itera_ffn_prepare(run, &m->shared, &f.all);
    }
    itera_parallel_split(itera_pool_for(run, 2 * work), (int)m->F, itera_linear_least(T), hide, &f);

    f.hidden = itera_input_of(f.b.hidden, f.b.hidden_blocks, visits, (int)m->F);
    itera_input_prepare(run, &f.hidden, m->down.first.type);
    if (m->shared_F > 0) {
        f.shared = itera_input_of(f.b.shared_hidden, f.b.shared_blocks, T, (int)m->shared_F);
        itera_input_prepare(run, &f.shared, m->shared.down.type);
    }
    itera_parallel_split(itera_pool_for(run, work), (int)m->p.D, itera_linear_least(T), combine, &f);
}

static const itera_block_ops ops = {.name = "mixture of experts", .forward = forward, .measure = measure};

itera_status itera_moe_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                             const itera_moe_params *p)
{
    if (p->experts == 0 || p->used == 0 || p->used > p->experts) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "layer %u uses %u of %u experts", layer, p->used,
                          p->experts);
    }
    void *memory;
    char name[64];
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(moe)));
    moe *m = memory;
    itera_weights *weights = builder->weights;
    m->block.ops = &ops;
    m->block.experts = p->experts;
    m->block.experts_used = p->used;
    m->p = *p;
    ITERA_TRY(itera_build_matrix(builder, &m->router, layer, "ffn_gate_inp.weight", p->experts, p->D));
    m->F = itera_weights_dim(weights, itera_layer_name(name, layer, "ffn_up_exps.weight"), 1);
    if (p->activation == ITERA_SWIGLU) {
        ITERA_TRY(itera_weights_experts(weights, &m->gate, itera_layer_name(name, layer, "ffn_gate_exps.weight"),
                                        p->experts, p->used, m->F, p->D, builder->error));
    }
    ITERA_TRY(itera_weights_experts(weights, &m->up, itera_layer_name(name, layer, "ffn_up_exps.weight"), p->experts,
                                    p->used, m->F, p->D, builder->error));
    ITERA_TRY(itera_weights_experts(weights, &m->down, itera_layer_name(name, layer, "ffn_down_exps.weight"),
                                    p->experts, p->used, p->D, m->F, builder->error));
    m->shared_F = itera_weights_dim(weights, itera_layer_name(name, layer, "ffn_up_shexp.weight"), 1);
    if (m->shared_F > 0) {
        ITERA_TRY(itera_ffn_build(builder, &m->shared, layer, "_shexp", p->D, p->activation));
    }
    *out = &m->block;
    return ITERA_OK;
}
