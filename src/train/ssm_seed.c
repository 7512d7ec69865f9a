/* The seed model's mixer (DESIGN section 5; blocks/ssm_seed.c with a backward pass). */
#include <stdlib.h>
#include <string.h>

#include "train/conv.h"
#include "train/norm.h"

typedef struct train_seed {
    itera_train_block block;
    itera_train_seed_params p;
    size_t in, conv, conv_bias, dt_weight, dt_bias, a_log, B, C, skip, out; /* parameters */
    /* saved */
    real *ag;                            /* [R, 2E]: the input of the convolution, and the gate */
    real *a;                             /* [R, E] */
    real *dt_pre;                        /* [R, E] before softplus, without the bias */
    real *dt;                            /* [R] */
    real *Ba;                            /* [R, N] */
    real *h;                             /* [R, N] */
    real *y;                             /* [R, E] before the gate */
    void *a_operand, *h_operand, *gated; /* operands [R, E], [R, N], [R, E] */
    /* scratch */
    real *d, *da; /* [R, E] */
    real *dh;     /* [R, N] */
    real *ddt;    /* [R] */
    void *dout;   /* operand [R, D] */
    void *dag;    /* operand [R, 2E] */
    void *dy_operand, *dh_operand;
    real *partial, *dA; /* of convolution and rows; [B, N] */
} train_seed;

static itera_conv_shape seed_conv_shape(const train_seed *m, int B, int T)
{
    return (itera_conv_shape){.B = B, .T = T, .C = m->p.E, .taps = m->p.taps, .x_stride = 2 * (size_t)m->p.E};
}

static void seed_layout(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T)
{
    train_seed *m = (train_seed *)block;
    const size_t R = (size_t)B * (size_t)T, E = m->p.E, N = m->p.N;
    m->ag = itera_take_reals(saved, R * 2 * E);
    m->a = itera_take_reals(saved, R * E);
    m->dt_pre = itera_take_reals(saved, R * E);
    m->dt = itera_take_reals(saved, R);
    m->Ba = itera_take_reals(saved, R * N);
    m->h = itera_take_reals(saved, R * N);
    m->y = itera_take_reals(saved, R * E);
    m->a_operand = itera_take_operand(saved, R * E);
    m->h_operand = itera_take_operand(saved, R * N);
    m->gated = itera_take_operand(saved, R * E);
    m->d = itera_take_reals(scratch, R * E);
    m->da = itera_take_reals(scratch, R * E);
    m->dh = itera_take_reals(scratch, R * N);
    m->ddt = itera_take_reals(scratch, R);
    m->dout = itera_take_operand(scratch, R * m->p.D);
    m->dag = itera_take_operand(scratch, R * 2 * E);
    m->dy_operand = itera_take_operand(scratch, R * E);
    m->dh_operand = itera_take_operand(scratch, R * N);
    size_t conv = (size_t)B * (m->p.taps + 1) * E, rows = (size_t)ITERA_PARTS * 2 * E;
    m->partial = itera_take_reals(scratch, conv > rows ? conv : rows);
    m->dA = itera_take_reals(scratch, (size_t)B * N);
}

/* h_t = exp(dt_t A) h_{t-1} + dt_t (B a_t), per sequence */
static void seed_scan(train_seed *m, const itera_train_run *run)
{
    const size_t N = m->p.N, T = (size_t)run->T;
    const real *a_log = run->params->value + m->a_log;
    ITERA_PARALLEL
    for (int b = 0; b < run->B; b++) {
        for (size_t r = (size_t)b * T; r < ((size_t)b + 1) * T; r++) {
            for (size_t n = 0; n < N; n++) {
                real before = r == (size_t)b * T ? 0 : m->h[(r - 1) * N + n];
                m->h[r * N + n] =
                    real_exp(-real_exp(a_log[n]) * m->dt[r]) * before + m->dt[r] * m->Ba[r * N + n];
            }
        }
    }
}

static void seed_forward(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                         const void *operand)
{
    train_seed *m = (train_seed *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, E = m->p.E, N = m->p.N, D = m->p.D;
    const itera_params *params = run->params;
    const real *value = params->value;
    const itera_conv_shape conv = seed_conv_shape(m, run->B, run->T);
    (void)u;
    itera_linear_forward(m->ag, operand, itera_weight(params, m->in), R, 2 * E, D);
    itera_conv_silu_forward(m->a, m->ag, value + m->conv, value + m->conv_bias, &conv);
    itera_operand_rows(m->a_operand, m->a, R, E);
    itera_linear_forward(m->dt_pre, m->a_operand, itera_weight(params, m->dt_weight), R, E, E);
    itera_linear_forward(m->Ba, m->a_operand, itera_weight(params, m->B), R, N, E);
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real sum = 0;
        ITERA_SUM(sum)
        for (size_t e = 0; e < E; e++) {
            sum += real_softplus(m->dt_pre[r * E + e] + value[m->dt_bias + e]);
        }
        m->dt[r] = sum / (real)E;
    }
    seed_scan(m, run);
    itera_operand_rows(m->h_operand, m->h, R, N);
    itera_linear_forward(m->y, m->h_operand, itera_weight(params, m->C), R, E, N);
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real row[ITERA_MAX_ROW];
        real *restrict y = m->y + r * E;
        const real *restrict g = m->ag + r * 2 * E + E;
        for (size_t e = 0; e < E; e++) {
            y[e] += value[m->skip + e] * m->a[r * E + e];
            row[e] = y[e] * real_silu(g[e]);
        }
        itera_operand_store(m->gated, r * E, row, E);
    }
    itera_linear_forward(out, m->gated, itera_weight(params, m->out), R, D, E);
}

/* d: d gated on entry, dy on return; the gate's gradient goes to dag, the skip's share to da and the skip. */
static void seed_backward_gate(train_seed *m, const itera_train_run *run)
{
    const size_t R = (size_t)run->B * (size_t)run->T, E = m->p.E;
    const real *skip = run->params->value + m->skip;
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        real *sums = m->partial + (size_t)part * E;
        memset(sums, 0, E * sizeof(real));
        for (size_t r = itera_part_begin(R, part); r < itera_part_begin(R, part + 1); r++) {
            real dg[ITERA_MAX_ROW];
            const real *restrict g = m->ag + r * 2 * E + E, *restrict y = m->y + r * E,
                                 *restrict a = m->a + r * E;
            real *restrict d = m->d + r * E, *restrict da = m->da + r * E;
            for (size_t e = 0; e < E; e++) {
                dg[e] = d[e] * y[e] * real_silu_slope(g[e]);
                d[e] *= real_silu(g[e]);
                da[e] = d[e] * skip[e];
                sums[e] += d[e] * a[e];
            }
            itera_operand_store(m->dag, r * 2 * E + E, dg, E);
            itera_operand_store(m->dy_operand, r * E, d, E);
        }
    }
    itera_sum_parts(run->params->grad + m->skip, m->partial, E, E);
}

/* dh [R, N]: what y feels on entry, d(B a) on return. */
static void seed_backward_scan(train_seed *m, const itera_train_run *run)
{
    const size_t N = m->p.N, T = (size_t)run->T;
    const real *a_log = run->params->value + m->a_log;
    memset(m->dA, 0, (size_t)run->B * N * sizeof(real));
    ITERA_PARALLEL
    for (int b = 0; b < run->B; b++) {
        const size_t first = (size_t)b * T;
        memset(m->ddt + first, 0, T * sizeof(real));
        for (size_t n = 0; n < N; n++) {
            const real A = -real_exp(a_log[n]);
            real carried = 0; /* d loss / dh_t from all later steps */
            for (size_t r = first + T; r-- > first;) {
                const real before = r == first ? 0 : m->h[(r - 1) * N + n];
                const real decay = real_exp(m->dt[r] * A), d = m->dh[r * N + n] + carried;
                m->ddt[r] += d * (A * decay * before + m->Ba[r * N + n]);
                m->dA[(size_t)b * N + n] += d * m->dt[r] * decay * before;
                m->dh[r * N + n] = d * m->dt[r];
                carried = d * decay;
            }
        }
    }
    for (size_t b = 0; b < (size_t)run->B; b++) {
        for (size_t n = 0; n < N; n++) {
            run->params->grad[m->a_log + n] += m->dA[b * N + n] * -real_exp(a_log[n]);
        }
    }
}

/* d [R, E] = d dt_pre, from ddt [R] */
static void seed_backward_dt(train_seed *m, const itera_train_run *run)
{
    const size_t R = (size_t)run->B * (size_t)run->T, E = m->p.E;
    const real *bias = run->params->value + m->dt_bias;
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        real *sums = m->partial + (size_t)part * E;
        memset(sums, 0, E * sizeof(real));
        for (size_t r = itera_part_begin(R, part); r < itera_part_begin(R, part + 1); r++) {
            const real share = m->ddt[r] / (real)E;
            real *restrict d = m->d + r * E;
            const real *restrict pre = m->dt_pre + r * E;
            for (size_t e = 0; e < E; e++) {
                d[e] = share * real_sigmoid(pre[e] + bias[e]);
                sums[e] += d[e];
            }
            itera_operand_store(m->dy_operand, r * E, d, E);
        }
    }
    itera_sum_parts(run->params->grad + m->dt_bias, m->partial, E, E);
}

static void seed_backward(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                          const void *operand)
{
    train_seed *m = (train_seed *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, E = m->p.E, N = m->p.N, D = m->p.D;
    const itera_params *params = run->params;
    const real *value = params->value;
    real *grad = params->grad;
    const itera_conv_shape conv = seed_conv_shape(m, run->B, run->T);

    itera_operand_rows(m->dout, dout, R, D);
    itera_linear_backward(m->d, m->dout, itera_weight(params, m->out), R, D, E);
    itera_linear_gradient(grad + m->out, m->dout, m->gated, R, D, E);
    seed_backward_gate(m, run);
    itera_linear_backward(m->dh, m->dy_operand, itera_weight(params, m->C), R, E, N);
    itera_linear_gradient(grad + m->C, m->dy_operand, m->h_operand, R, E, N);
    seed_backward_scan(m, run);
    itera_operand_rows(m->dh_operand, m->dh, R, N);
    itera_gemm(m->da, E, m->dh_operand, N, itera_weight(params, m->B), E, R, E, N, ITERA_ACCUMULATE);
    itera_linear_gradient(grad + m->B, m->dh_operand, m->a_operand, R, N, E);
    seed_backward_dt(m, run);
    itera_gemm(m->da, E, m->dy_operand, E, itera_weight(params, m->dt_weight), E, R, E, E, ITERA_ACCUMULATE);
    itera_linear_gradient(grad + m->dt_weight, m->dy_operand, m->a_operand, R, E, E);
    itera_conv_silu_backward(m->da, m->dag, 2 * E, grad + m->conv, grad + m->conv_bias, m->partial, m->ag,
                             value + m->conv, value + m->conv_bias, &conv);
    itera_linear_backward(du, m->dag, itera_weight(params, m->in), R, 2 * E, D);
    itera_linear_gradient(grad + m->in, m->dag, operand, R, 2 * E, D);
}

static const itera_train_ops seed_ops = {
    .name = "seed ssm", .layout = seed_layout, .forward = seed_forward, .backward = seed_backward};

itera_train_block *itera_train_seed(itera_params *params, int layer, const itera_train_seed_params *p)
{
    train_seed *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    const uint32_t E = p->E, N = p->N;
    m->block = (itera_train_block){.ops = &seed_ops, .D = p->D, .out_dropout = 1};
    m->p = *p;
    /* Deviations as the original model begins with: 0.02 for projections, 1 for the scan's own matrices. */
    m->in = itera_params_add(params, layer, "ssm_in.weight", p->D, 2 * E, 0, ITERA_INIT_NORMAL, (real)0.02);
    m->conv = itera_params_add(params, layer, "ssm_conv1d.weight", p->taps, E, 0, ITERA_INIT_UNIFORM,
                               1 / real_sqrt((real)p->taps));
    m->conv_bias = itera_params_add(params, layer, "ssm_conv1d.bias", E, 0, 0, ITERA_INIT_UNIFORM,
                                    1 / real_sqrt((real)p->taps));
    m->dt_weight = itera_params_add(params, layer, "ssm_dt.weight", E, E, 0, ITERA_INIT_NORMAL, (real)0.02);
    m->dt_bias = itera_params_add(params, layer, "ssm_dt.bias", E, 0, 0, ITERA_INIT_CONSTANT, 0);
    m->a_log = itera_params_add(params, layer, "ssm_a", N, 0, 0, ITERA_INIT_NORMAL, 1);
    m->B = itera_params_add(params, layer, "ssm_b.weight", E, N, 0, ITERA_INIT_NORMAL, 1);
    m->C = itera_params_add(params, layer, "ssm_c.weight", N, E, 0, ITERA_INIT_NORMAL, 1);
    m->skip = itera_params_add(params, layer, "ssm_d", E, 0, 0, ITERA_INIT_NORMAL, 1);
    m->out = itera_params_add(params, layer, "ssm_out.weight", E, p->D, 0, ITERA_INIT_NORMAL, (real)0.02);
    return &m->block;
}
