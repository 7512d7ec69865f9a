/* Sparse mixture of experts (blocks/moe.c with a backward pass).
 *
 * Choices are grouped by expert into *slots*: an expert's slots are neighbours and padded with empty ones to
 * a multiple of TILE. A tile of slots goes through its expert in one task, out of cache memory, and products
 * have few shapes whatever the router does. */
#include <stdlib.h>
#include <string.h>

#include "train/norm.h"

#ifndef ITERA_MOE_TILE
#define ITERA_MOE_TILE                                                                                       \
    128 /* rows: the tile's hidden rows and one expert's weights share a megabyte of cache */
#endif
enum { MOE_TILE = ITERA_MOE_TILE, MOE_MAX_EXPERTS = 256, MOE_MAX_USED = 16 };

typedef struct train_moe {
    itera_train_block block;
    itera_train_moe_params p;
    size_t router, gate, up, down;
    itera_train_block *shared; /* or NULL */
    /* saved */
    real *probs;             /* [R, X] softmax of all logits */
    real *mean;              /* [X] mean probabilities */
    real *gates;             /* [R, k] */
    int32_t *chosen;         /* [R, k] ascending */
    int32_t *slot_of;        /* [R, k] */
    int32_t *choice;         /* [slots] token * k + place, or -1 where empty */
    int32_t *first;          /* [X + 1] first slot of each expert */
    void *x;                 /* operand [slots, D] */
    void *pre_gate, *pre_up; /* operands [slots, F] before the activation; pre_gate only of SwiGLU */
    /* scratch */
    real *logits;        /* [R, X], and their gradients */
    real *slot_rows;     /* [slots, D]: outputs, then input gradients */
    real *d_gates;       /* [R, k] */
    void *dlogits;       /* operand [R, X] */
    void *dy;            /* operand [slots, D] */
    void *hidden;        /* operand [slots, F], times the gate in backward */
    void *d_gate, *d_up; /* operands [slots, F] */
    real *tile;          /* 4 [TILE, F] a thread */
    real *partial;       /* [ITERA_PARTS, X D] */
} train_moe;

static size_t moe_slots(const train_moe *m, size_t R)
{
    return R * m->p.used + (size_t)m->p.experts * MOE_TILE;
}

static void moe_layout(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T)
{
    train_moe *m = (train_moe *)block;
    const size_t R = (size_t)B * (size_t)T, X = m->p.experts, k = m->p.used, D = m->p.D, F = m->p.F;
    const size_t slots = moe_slots(m, R), gated = m->p.activation == ITERA_TRAIN_SWIGLU ? slots * F : 0;
    m->probs = itera_take_reals(saved, R * X);
    m->mean = itera_take_reals(saved, X);
    m->gates = itera_take_reals(saved, R * k);
    m->chosen = itera_arena_take(saved, R * k, sizeof(int32_t));
    m->slot_of = itera_arena_take(saved, R * k, sizeof(int32_t));
    m->choice = itera_arena_take(saved, slots, sizeof(int32_t));
    m->first = itera_arena_take(saved, X + 1, sizeof(int32_t));
    m->x = itera_take_operand(saved, slots * D);
    m->pre_gate = itera_take_operand(saved, gated);
    m->pre_up = itera_take_operand(saved, slots * F);
    m->logits = itera_take_reals(scratch, R * X);
    m->slot_rows = itera_take_reals(scratch, slots * D);
    m->d_gates = itera_take_reals(scratch, R * k);
    m->dlogits = itera_take_operand(scratch, R * X);
    m->dy = itera_take_operand(scratch, slots * D);
    m->hidden = itera_take_operand(scratch, slots * F);
    m->d_gate = itera_take_operand(scratch, gated);
    m->d_up = itera_take_operand(scratch, slots * F);
    m->tile = itera_take_reals(scratch, (size_t)itera_threads() * 4 * MOE_TILE * F);
    m->partial = itera_take_reals(scratch, (size_t)ITERA_PARTS * X);
    if (m->shared != NULL) {
        m->shared->ops->layout(m->shared, saved, scratch, B, T);
    }
}

/* ---- Router ----------------------------------------------------------------------------------- */

/* The k largest of logits [X], the lower index on a tie, in ascending order of index; softmax over them. */
static void moe_choose(int32_t *chosen, real *gates, const real *logits, int X, int k)
{
    uint8_t taken[MOE_MAX_EXPERTS] = {0};
    for (int i = 0; i < k; i++) {
        int best = -1;
        for (int x = 0; x < X; x++) {
            if (!taken[x] && (best < 0 || logits[x] > logits[best])) {
                best = x;
            }
        }
        taken[best] = 1;
    }
    real most = 0, sum = 0;
    for (int x = 0, i = 0; x < X; x++) {
        if (taken[x]) {
            most = i == 0 || logits[x] > most ? logits[x] : most;
            chosen[i++] = x;
        }
    }
    for (int i = 0; i < k; i++) {
        gates[i] = real_exp(logits[chosen[i]] - most);
        sum += gates[i];
    }
    for (int i = 0; i < k; i++) {
        gates[i] /= sum;
    }
}

static void moe_softmax(real *p, const real *logits, size_t X)
{
    real most = logits[0], sum = 0;
    for (size_t x = 1; x < X; x++) {
        most = logits[x] > most ? logits[x] : most;
    }
    for (size_t x = 0; x < X; x++) {
        p[x] = real_exp(logits[x] - most);
        sum += p[x];
    }
    for (size_t x = 0; x < X; x++) {
        p[x] /= sum;
    }
}

/* The router's own loss, and its gradient with respect to the mean probabilities. */
static double moe_balance(const train_moe *m, real *d_mean, size_t R)
{
    const size_t X = m->p.experts;
    double loss = 0;
    if (m->p.balance == ITERA_BALANCE_SWITCH) {
        size_t counts[MOE_MAX_EXPERTS] = {0};
        for (size_t i = 0; i < R * m->p.used; i++) {
            counts[m->chosen[i]]++;
        }
        for (size_t x = 0; x < X; x++) {
            d_mean[x] = (real)X * (real)counts[x] / (real)(R * m->p.used);
            loss += (double)(d_mean[x] * m->mean[x]);
        }
        return loss;
    }
    real mean = 0, variance = 0;
    for (size_t x = 0; x < X; x++) {
        mean += m->mean[x] / (real)X;
    }
    for (size_t x = 0; x < X; x++) {
        variance += (m->mean[x] - mean) * (m->mean[x] - mean) / (real)(X - 1);
    }
    const real below = mean + (real)1e-6;
    for (size_t x = 0; x < X; x++) {
        d_mean[x] = 2 * (m->mean[x] - mean) / ((real)(X - 1) * below * below) -
                    2 * variance / (below * below * below * (real)X);
    }
    return (double)(variance / (below * below));
}

static void moe_route(train_moe *m, itera_train_run *run, const real *u)
{
    const size_t R = (size_t)run->B * (size_t)run->T, X = m->p.experts, k = m->p.used, D = m->p.D;
    /* In reals: a rounded logit would choose another expert than the finished model does. */
    itera_gemm_reals(m->logits, X, u, D, run->params->value + m->router, D, R, X, D, ITERA_B_TURNED);
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        real *sums = m->partial + (size_t)part * X;
        memset(sums, 0, X * sizeof(real));
        for (size_t r = itera_part_begin(R, part); r < itera_part_begin(R, part + 1); r++) {
            moe_choose(m->chosen + r * k, m->gates + r * k, m->logits + r * X, (int)X, (int)k);
            moe_softmax(m->probs + r * X, m->logits + r * X, X);
            real_add(sums, m->probs + r * X, X);
        }
    }
    memset(m->mean, 0, X * sizeof(real));
    itera_sum_parts(m->mean, m->partial, X, X);
    for (size_t x = 0; x < X; x++) {
        m->mean[x] /= (real)R;
    }
    real d_mean[MOE_MAX_EXPERTS];
    run->router_loss += moe_balance(m, d_mean, R);
}

static void moe_assign_slots(train_moe *m, size_t R)
{
    const size_t X = m->p.experts, k = m->p.used;
    int32_t next[MOE_MAX_EXPERTS] = {0};
    for (size_t i = 0; i < R * k; i++) {
        next[m->chosen[i]]++;
    }
    int32_t at = 0;
    for (size_t x = 0; x < X; x++) {
        int32_t count = next[x];
        m->first[x] = next[x] = at;
        at += (count + MOE_TILE - 1) / MOE_TILE * MOE_TILE;
    }
    m->first[X] = at;
    memset(m->choice, 0xff, (size_t)at * sizeof *m->choice);
    for (size_t i = 0; i < R * k; i++) {
        m->slot_of[i] = next[m->chosen[i]]++;
        m->choice[m->slot_of[i]] = (int32_t)i;
    }
}

static size_t moe_expert_of(const train_moe *m, int32_t slot)
{
    size_t x = 0;
    while (m->first[x + 1] <= slot) {
        x++;
    }
    return x;
}

/* ---- Forward ---------------------------------------------------------------------------------- */

/* h = the activated row, dropped where the run drops; from the rows before activation */
static void moe_activate(const train_moe *m, const itera_train_run *run, real *restrict h,
                         const real *restrict gate, const real *restrict up, int32_t choice)
{
    const size_t F = m->p.F;
    if (m->p.activation == ITERA_TRAIN_SWIGLU) {
        for (size_t f = 0; f < F; f++) {
            h[f] = real_silu(gate[f]) * up[f];
        }
    } else {
        for (size_t f = 0; f < F; f++) {
            h[f] = real_gelu(up[f]);
        }
    }
    for (size_t f = 0; f < F && run->dropout > 0; f++) {
        h[f] *= itera_keep(run, m->block.site, (uint64_t)choice * F + f);
    }
}

static void moe_forward_tile(train_moe *m, const itera_train_run *run, const void *operand, size_t slot)
{
    const size_t D = m->p.D, F = m->p.F, x = moe_expert_of(m, (int32_t)slot),
                 row_bytes = D * itera_operand_bytes();
    const bool gated = m->p.activation == ITERA_TRAIN_SWIGLU;
    real *gate = m->tile + (size_t)itera_thread() * 4 * MOE_TILE * F, *up = gate + MOE_TILE * F;
    void *rows = itera_operand_at(m->x, slot * D);
    for (size_t i = 0; i < MOE_TILE; i++) {
        const int32_t choice = m->choice[slot + i];
        void *to = itera_operand_at(rows, i * D);
        if (choice < 0) {
            memset(to, 0, row_bytes);
        } else {
            memcpy(to, itera_operand_at(operand, (size_t)choice / m->p.used * D), row_bytes);
        }
    }
    itera_linear_forward(up, rows, itera_weight(run->params, m->up + x * F * D), MOE_TILE, F, D);
    itera_operand_store(m->pre_up, slot * F, up, MOE_TILE * F);
    if (gated) {
        itera_linear_forward(gate, rows, itera_weight(run->params, m->gate + x * F * D), MOE_TILE, F, D);
        itera_operand_store(m->pre_gate, slot * F, gate, MOE_TILE * F);
    }
    for (size_t i = 0; i < MOE_TILE; i++) {
        real h[ITERA_MAX_ROW];
        moe_activate(m, run, h, gate + i * F, up + i * F, m->choice[slot + i]);
        itera_operand_store(m->hidden, (slot + i) * F, h, F);
    }
    itera_linear_forward(m->slot_rows + slot * D, itera_operand_at(m->hidden, slot * F),
                         itera_weight(run->params, m->down + x * D * F), MOE_TILE, D, F);
}

static void moe_forward(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                        const void *operand)
{
    train_moe *m = (train_moe *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, D = m->p.D, k = m->p.used;
    moe_route(m, run, u);
    moe_assign_slots(m, R);
    if (m->shared != NULL) {
        m->shared->ops->forward(m->shared, run, out, u, operand);
    }
    const int tiles = m->first[m->p.experts] / MOE_TILE;
    ITERA_PARALLEL_UNEVEN
    for (int tile = 0; tile < tiles; tile++) {
        moe_forward_tile(m, run, operand, (size_t)tile * MOE_TILE);
    }
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real *restrict to = out + r * D;
        if (m->shared == NULL) {
            memset(to, 0, D * sizeof(real));
        }
        for (size_t i = 0; i < k; i++) {
            const real gate = m->gates[r * k + i], *restrict from =
                                                       m->slot_rows + (size_t)m->slot_of[r * k + i] * D;
            for (size_t d = 0; d < D; d++) {
                to[d] += gate * from[d];
            }
        }
    }
}

/* ---- Backward --------------------------------------------------------------------------------- */

/* One row: dh [F] is what the hidden row feels before the gate; d_gate and dh become the gradients before the
 * activation, h the hidden row times its gate. */
static void moe_backward_row(train_moe *m, const itera_train_run *run, real *restrict dh,
                             real *restrict d_gate, real *restrict h, const real *restrict gate,
                             const real *restrict up, int32_t choice)
{
    const size_t F = m->p.F;
    const real g = m->gates[choice];
    moe_activate(m, run, h, gate, up, choice);
    m->d_gates[choice] = real_dot(dh, h, F);
    for (size_t f = 0; f < F && run->dropout > 0; f++) {
        dh[f] *= itera_keep(run, m->block.site, (uint64_t)choice * F + f);
    }
    if (m->p.activation == ITERA_TRAIN_SWIGLU) {
        for (size_t f = 0; f < F; f++) {
            const real s = real_sigmoid(gate[f]), d = g * dh[f];
            d_gate[f] = d * up[f] * s * (1 + gate[f] * (1 - s));
            dh[f] = d * gate[f] * s;
            h[f] *= g;
        }
    } else {
        for (size_t f = 0; f < F; f++) {
            dh[f] *= g * real_gelu_slope(up[f]);
            h[f] *= g;
        }
    }
}

static void moe_backward_tile(train_moe *m, const itera_train_run *run, const real *dout, size_t slot)
{
    const size_t D = m->p.D, F = m->p.F, x = moe_expert_of(m, (int32_t)slot);
    const bool gated = m->p.activation == ITERA_TRAIN_SWIGLU;
    real *dh = m->tile + (size_t)itera_thread() * 4 * MOE_TILE * F, *up = dh + MOE_TILE * F;
    real *gate = up + MOE_TILE * F;
    for (size_t i = 0; i < MOE_TILE; i++) {
        const int32_t choice = m->choice[slot + i];
        if (choice < 0) {
            memset(itera_operand_at(m->dy, (slot + i) * D), 0, D * itera_operand_bytes());
        } else {
            itera_operand_store(m->dy, (slot + i) * D, dout + (size_t)choice / m->p.used * D, D);
        }
    }
    itera_linear_backward(dh, itera_operand_at(m->dy, slot * D),
                          itera_weight(run->params, m->down + x * D * F), MOE_TILE, D, F);
    itera_operand_load(up, m->pre_up, slot * F, MOE_TILE * F);
    if (gated) {
        itera_operand_load(gate, m->pre_gate, slot * F, MOE_TILE * F);
    }
    for (size_t i = 0; i < MOE_TILE; i++) {
        const int32_t choice = m->choice[slot + i];
        real h[ITERA_MAX_ROW], d_gate[ITERA_MAX_ROW];
        if (choice < 0) {
            memset(h, 0, F * sizeof(real));
            memset(d_gate, 0, F * sizeof(real));
        } else {
            moe_backward_row(m, run, dh + i * F, d_gate, h, gate + i * F, up + i * F, choice);
        }
        itera_operand_store(m->hidden, (slot + i) * F, h, F);
        itera_operand_store(m->d_up, (slot + i) * F, dh + i * F, F);
        if (gated) {
            itera_operand_store(m->d_gate, (slot + i) * F, d_gate, F);
        }
    }
    real *dx = m->slot_rows + slot * D;
    itera_linear_backward(dx, itera_operand_at(m->d_up, slot * F),
                          itera_weight(run->params, m->up + x * F * D), MOE_TILE, F, D);
    if (gated) {
        itera_gemm(dx, D, itera_operand_at(m->d_gate, slot * F), F,
                   itera_weight(run->params, m->gate + x * F * D), D, MOE_TILE, D, F, ITERA_ACCUMULATE);
    }
}

/* dW [out, in] of one expert += dy^T x over its slots, in pieces of few sizes. */
static void moe_expert_gradient(const train_moe *m, real *dW, const void *dy, const void *x, size_t expert,
                                size_t out, size_t in)
{
    size_t slot = (size_t)m->first[expert], left = (size_t)m->first[expert + 1] - slot;
    while (left > 0) {
        size_t piece = 8 * MOE_TILE;
        while (piece > left) {
            piece /= 2;
        }
        itera_linear_gradient(dW, itera_operand_at(dy, slot * out), itera_operand_at(x, slot * in), piece,
                              out, in);
        slot += piece;
        left -= piece;
    }
}

static void moe_weight_gradients(train_moe *m, real *grad)
{
    const size_t D = m->p.D, F = m->p.F;
    const int kinds = m->p.activation == ITERA_TRAIN_SWIGLU ? 3 : 2;
    ITERA_PARALLEL_UNEVEN
    for (int task = 0; task < kinds * (int)m->p.experts; task++) {
        const size_t x = (size_t)(task / kinds), at = x * D * F;
        if (task % kinds == 0) {
            moe_expert_gradient(m, grad + m->down + at, m->dy, m->hidden, x, D, F);
        } else if (task % kinds == 1) {
            moe_expert_gradient(m, grad + m->up + at, m->d_up, m->x, x, F, D);
        } else {
            moe_expert_gradient(m, grad + m->gate + at, m->d_gate, m->x, x, F, D);
        }
    }
}

/* logits becomes their gradient: through the gates of the chosen, and through the balance of all. */
static void moe_backward_router(train_moe *m, const itera_train_run *run)
{
    const size_t R = (size_t)run->B * (size_t)run->T, X = m->p.experts, k = m->p.used;
    real d_mean[MOE_MAX_EXPERTS];
    moe_balance(m, d_mean, R);
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        const real *gates = m->gates + r * k, *d = m->d_gates + r * k, *p = m->probs + r * X;
        real *to = m->logits + r * X, along = 0, level = 0;
        for (size_t x = 0; x < X; x++) {
            level += p[x] * d_mean[x];
        }
        for (size_t x = 0; x < X; x++) {
            to[x] = run->router_weight / (real)R * p[x] * (d_mean[x] - level);
        }
        for (size_t i = 0; i < k; i++) {
            along += gates[i] * d[i];
        }
        for (size_t i = 0; i < k; i++) {
            to[m->chosen[r * k + i]] += gates[i] * (d[i] - along);
        }
    }
}

static void moe_backward(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                         const void *operand)
{
    train_moe *m = (train_moe *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, X = m->p.experts, D = m->p.D, k = m->p.used;
    if (m->shared != NULL) {
        m->shared->ops->backward(m->shared, run, du, dout, operand);
    }
    const int tiles = m->first[X] / MOE_TILE;
    ITERA_PARALLEL_UNEVEN
    for (int tile = 0; tile < tiles; tile++) {
        moe_backward_tile(m, run, dout, (size_t)tile * MOE_TILE);
    }
    moe_weight_gradients(m, run->params->grad);
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real *restrict to = du + r * D;
        if (m->shared == NULL) {
            memset(to, 0, D * sizeof(real));
        }
        for (size_t i = 0; i < k; i++) {
            real_add(to, m->slot_rows + (size_t)m->slot_of[r * k + i] * D, D);
        }
    }
    moe_backward_router(m, run);
    itera_operand_rows(m->dlogits, m->logits, R, X);
    itera_gemm(du, D, m->dlogits, X, itera_weight(run->params, m->router), D, R, D, X, ITERA_ACCUMULATE);
    itera_linear_gradient(run->params->grad + m->router, m->dlogits, operand, R, X, D);
}

static const itera_train_ops moe_ops = {
    .name = "mixture of experts", .layout = moe_layout, .forward = moe_forward, .backward = moe_backward};

itera_train_block *itera_train_moe(itera_params *params, int layer, const itera_train_moe_params *p)
{
    train_moe *m = calloc(1, sizeof *m);
    if (m == NULL || p->experts > MOE_MAX_EXPERTS || p->used > p->experts) {
        free(m);
        return NULL;
    }
    m->block = (itera_train_block){.ops = &moe_ops, .D = p->D, .wants_reals = true};
    m->p = *p;
    const uint32_t D = p->D, F = p->F, X = p->experts;
    m->router = itera_params_add(params, layer, "ffn_gate_inp.weight", D, X, 0, ITERA_INIT_NORMAL, p->scale);
    if (p->activation == ITERA_TRAIN_SWIGLU) {
        m->gate =
            itera_params_add(params, layer, "ffn_gate_exps.weight", D, F, X, ITERA_INIT_NORMAL, p->scale);
    }
    m->up = itera_params_add(params, layer, "ffn_up_exps.weight", D, F, X, ITERA_INIT_NORMAL, p->scale);
    m->down =
        itera_params_add(params, layer, "ffn_down_exps.weight", F, D, X, ITERA_INIT_NORMAL, p->out_scale);
    if (p->shared_F > 0) {
        itera_train_ffn_params shared = {.D = D,
                                         .F = p->shared_F,
                                         .activation = p->activation,
                                         .suffix = "_shexp",
                                         .scale = p->scale,
                                         .out_scale = p->out_scale};
        m->shared = itera_train_ffn(params, layer, &shared);
        if (m->shared == NULL) {
            free(m);
            return NULL;
        }
    }
    return &m->block;
}

void itera_train_block_free(itera_train_block *block)
{
    if (block != NULL && block->ops == &moe_ops) {
        free(((train_moe *)block)->shared);
    }
    free(block);
}
