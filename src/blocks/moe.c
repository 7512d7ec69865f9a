/* Sparse mixture of experts. Tokens of a batch are grouped by expert, so that an expert's weights are read
 * once for all of its tokens. Experts add to a token's output in ascending order whatever the batch, so a
 * token gets the same bits alone and in company. */
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

typedef struct buffers {
    itera_act_block *blocks; /* [T, D / 32], of all tokens */
    float *logits;           /* [T, X] of the router */
    int32_t *chosen;         /* [T, k] experts, ascending */
    float *gates;            /* [T, k] their weights */
    int32_t *members;        /* [T] tokens of the expert at hand */
    float *member_gates;     /* [T] */
    float *x;                /* [T, D] gathered inputs */
    itera_act_block *x_blocks;
    float *y;                /* [T, D] outputs of the expert */
    itera_ffn_buffers ffn;
} buffers;

static buffers layout(const moe *m, itera_arena *scratch, int T)
{
    const uint64_t rows = (uint64_t)T;
    const itera_moe_params *p = &m->p;
    buffers b;
    b.blocks = itera_input_take(scratch, rows, p->D);
    b.logits = itera_arena_floats(scratch, rows * p->experts);
    b.chosen = itera_arena_take(scratch, rows * p->used, sizeof(int32_t));
    b.gates = itera_arena_floats(scratch, rows * p->used);
    b.members = itera_arena_take(scratch, rows, sizeof(int32_t));
    b.member_gates = itera_arena_floats(scratch, rows);
    b.x = itera_arena_floats(scratch, rows * p->D);
    b.x_blocks = itera_input_take(scratch, rows, p->D);
    b.y = itera_arena_floats(scratch, rows * p->D);
    b.ffn = itera_ffn_layout(scratch, rows, m->F > m->shared_F ? m->F : m->shared_F);
    return b;
}

static void measure(const itera_block *block, itera_arena *scratch, int T, uint64_t context)
{
    (void)context;
    layout((const moe *)block, scratch, T);
}

/* The k largest of logits [X] (the lower index wins a tie) in ascending order of index, and the softmax over them.
 * A taken logit is marked by its presence in `chosen`, not overwritten, so that NaN cannot loop. */
static void route(int32_t *chosen, float *gates, const float *logits, int X, int k, const itera_kernels *kernels)
{
    for (int i = 0; i < k; i++) {
        int best = -1;
        for (int x = 0; x < X; x++) {
            int taken = 0;
            for (int j = 0; j < i; j++) {
                taken |= chosen[j] == x;
            }
            if (!taken && (best < 0 || logits[x] > logits[best])) {
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

/* Gathers the tokens that chose `expert`; returns how many. */
static int gather(const moe *m, buffers *b, const itera_input *all, int expert)
{
    const int k = (int)m->p.used;
    const size_t D = m->p.D, row_blocks = D / ITERA_ACT_BLOCK;
    int n = 0;
    for (int t = 0; t < all->T; t++) {
        for (int i = 0; i < k; i++) {
            if (b->chosen[t * k + i] != expert) {
                continue;
            }
            b->members[n] = t;
            b->member_gates[n] = b->gates[t * k + i];
            if (all->quantized) {
                memcpy(b->x_blocks + (size_t)n * row_blocks, all->blocks + (size_t)t * row_blocks,
                       row_blocks * sizeof(itera_act_block));
            }
            memcpy(b->x + (size_t)n * D, all->x + (size_t)t * D, D * sizeof(float));
            n++;
        }
    }
    return n;
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const moe *m = (const moe *)block;
    const itera_kernels *kernels = run->kernels;
    const int T = run->T, X = (int)m->p.experts, k = (int)m->p.used;
    const size_t D = m->p.D;
    buffers b = layout(m, run->scratch, T);
    itera_input all = itera_input_of(x, b.blocks, T, (int)D);

    itera_linear(run, b.logits, (size_t)X, &m->router, &all);
    for (int t = 0; t < T; t++) {
        route(b.chosen + t * k, b.gates + t * k, b.logits + (size_t)t * (size_t)X, X, k, kernels);
    }

    if (m->shared_F > 0) {
        itera_ffn_apply(run, &m->shared, &b.ffn, y, &all);
    } else {
        memset(y, 0, (size_t)T * D * sizeof(float));
        if (!itera_is_float(m->up.first.type) && !all.quantized) {
            kernels->quantize_act(all.blocks, x, T, (int)D); /* once, before rows are gathered */
            all.quantized = true;
        }
    }

    for (int expert = 0; expert < X; expert++) {
        int n = gather(m, &b, &all, expert);
        if (n == 0) {
            continue;
        }
        itera_ffn ffn = {.up = itera_expert(&m->up, expert),
                         .down = itera_expert(&m->down, expert),
                         .activation = m->p.activation};
        if (m->p.activation == ITERA_SWIGLU) {
            ffn.gate = itera_expert(&m->gate, expert);
        }
        itera_input input = itera_input_of(b.x, b.x_blocks, n, (int)D);
        input.quantized = all.quantized;
        itera_ffn_apply(run, &ffn, &b.ffn, b.y, &input);
        for (int i = 0; i < n; i++) {
            kernels->axpy(y + (size_t)b.members[i] * D, b.member_gates[i], b.y + (size_t)i * D, D);
        }
    }
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
