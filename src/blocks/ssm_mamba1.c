#include "blocks/ssm_mamba1.h"

#include "blocks/linear.h"

#include <string.h>

/* Recurrent state: the convolution window [taps-1, E], then the scan state [N, E]. */
typedef struct mamba1 {
    itera_block block;
    itera_mamba1_params p;
    itera_matrix in;        /* [2E, D]: x, then the gate z */
    itera_matrix x;         /* [R + 2N, E]: dt, B, C */
    itera_matrix dt;        /* [E, R] */
    itera_matrix out;       /* [D, E] */
    const float *conv;      /* [taps, E] */
    const float *conv_bias; /* [E] */
    const float *dt_bias;   /* [E] */
    const float *A;         /* [N, E], negative */
    const float *skip;      /* [E] */
} mamba1;

typedef struct buffers {
    float *xz;  /* [T, 2E] */
    float *x;   /* [T, E], later y */
    float *dbc; /* [T, R + 2N] */
    float *low; /* [T, R] */
    float *dt;  /* [T, E] */
    itera_act_block *blocks;
} buffers;

static uint64_t largest(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t m = a > b ? a : b;
    return m > c ? m : c;
}

static buffers layout(const mamba1 *m, itera_arena *scratch, int T)
{
    uint64_t rows = (uint64_t)T;
    buffers b;
    b.xz = itera_arena_floats(scratch, rows * 2 * m->p.E);
    b.x = itera_arena_floats(scratch, rows * m->p.E);
    b.dbc = itera_arena_floats(scratch, rows * (m->p.R + 2 * m->p.N));
    b.low = itera_arena_floats(scratch, rows * m->p.R);
    b.dt = itera_arena_floats(scratch, rows * m->p.E);
    b.blocks = itera_input_take(scratch, rows, largest(m->p.D, m->p.E, m->p.R));
    return b;
}

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const mamba1 *)block, most->scratch, most->T);
}

/* What a phase of forward, split over threads, needs. */
typedef struct phase {
    const mamba1 *m;
    const itera_run *run;
    buffers b;
} phase;

/* x = silu(conv(x)), by channels */
static void convolve(void *context, itera_team team)
{
    const phase *f = context;
    const mamba1 *m = f->m;
    const int E = (int)m->p.E;
    itera_range channels = itera_share(team, E, 16);
    f->run->kernels->conv1d_silu(f->b.x, f->run->state, f->b.xz, (size_t)(2 * E), m->conv, m->conv_bias, f->run->T, E,
                                 (int)m->p.taps, channels.begin, channels.end);
}

/* dt = softplus(dt + bias);  h = exp(dt A) h + dt B x;  y = C h + D x;  y = y * silu(z), by channels */
static void scan(void *context, itera_team team)
{
    const phase *f = context;
    const mamba1 *m = f->m;
    const itera_kernels *k = f->run->kernels;
    const itera_mamba1_params *p = &m->p;
    const int T = f->run->T, E = (int)p->E, N = (int)p->N, R = (int)p->R, W = R + 2 * N;
    float *scan_state = f->run->state + (size_t)(p->taps - 1) * (size_t)E;
    const buffers b = f->b;
    const itera_range channels = itera_share(team, E, 16);
    const size_t first = (size_t)channels.begin, count = (size_t)(channels.end - channels.begin);
    for (int t = 0; t < T; t++) {
        float *dt = b.dt + (size_t)t * E + first;
        k->add(dt, dt, m->dt_bias + first, count);
        k->softplus(dt, dt, count);
    }
    k->scan_mamba1(b.x, scan_state, b.x, b.dbc + R, b.dbc + R + N, (size_t)W, b.dt, m->A, m->skip, T, E, N,
                   channels.begin, channels.end);
    for (int t = 0; t < T; t++) {
        float *row = b.x + (size_t)t * E + first;
        k->silu_mul(row, b.xz + (size_t)t * 2 * E + E + first, row, count);
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const mamba1 *m = (const mamba1 *)block;
    const itera_kernels *k = run->kernels;
    const itera_mamba1_params *p = &m->p;
    const int T = run->T, E = (int)p->E, N = (int)p->N, R = (int)p->R, W = R + 2 * N;
    const uint64_t inner_size = (uint64_t)T * (uint64_t)E;
    phase f = {.m = m, .run = run, .b = layout(m, run->scratch, T)};
    const buffers b = f.b;

    /* [x, z] = W_in u;  x = silu(conv(x)) */
    itera_input u = itera_input_of(x, b.blocks, T, (int)p->D);
    itera_linear(run, b.xz, (size_t)(2 * E), &m->in, &u);
    itera_parallel(itera_pool_for(run, inner_size * 20), convolve, &f);

    /* [dt, B, C] = W_x x */
    itera_input inner = itera_input_of(b.x, b.blocks, T, E);
    itera_linear(run, b.dbc, (size_t)W, &m->x, &inner);
    if (p->dt_b_c_norm) {
        k->rms_norm(b.dbc, b.dbc, NULL, T, R, (size_t)W, p->eps);
        k->rms_norm(b.dbc + R, b.dbc + R, NULL, T, N, (size_t)W, p->eps);
        k->rms_norm(b.dbc + R + N, b.dbc + R + N, NULL, T, N, (size_t)W, p->eps);
    }

    /* dt = W_dt dt */
    for (int t = 0; t < T; t++) {
        memcpy(b.low + (size_t)t * R, b.dbc + (size_t)t * W, (size_t)R * sizeof(float));
    }
    itera_input low = itera_input_of(b.low, b.blocks, T, R);
    itera_linear(run, b.dt, (size_t)E, &m->dt, &low);

    itera_parallel(itera_pool_for(run, inner_size * (uint64_t)(8 * N + 32)), scan, &f);

    /* out = W_out y */
    itera_input gated = itera_input_of(b.x, b.blocks, T, E);
    itera_linear(run, y, (size_t)p->D, &m->out, &gated);
}

static const itera_block_ops ops = {.name = "mamba", .forward = forward, .measure = measure};

itera_status itera_mamba1_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                const itera_mamba1_params *p)
{
    void *memory;
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(mamba1)));
    mamba1 *m = memory;
    m->p = *p;
    uint64_t scan_floats = (uint64_t)p->E * p->N;
    m->block = (itera_block){.ops = &ops,
                             .state_floats = (uint64_t)(p->taps - 1) * p->E + scan_floats,
                             .state_macs = 3 * scan_floats + (uint64_t)p->taps * p->E};
    char name[64];
    ITERA_TRY(itera_build_matrix(builder, &m->in, layer, "ssm_in.weight", 2 * p->E, p->D));
    ITERA_TRY(itera_weights_transposed(builder->weights, &m->conv, itera_layer_name(name, layer, "ssm_conv1d.weight"),
                                       p->E, p->taps, builder->error));
    ITERA_TRY(itera_build_vector(builder, &m->conv_bias, layer, "ssm_conv1d.bias", p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->x, layer, "ssm_x.weight", p->R + 2 * p->N, p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->dt, layer, "ssm_dt.weight", p->E, p->R));
    ITERA_TRY(itera_build_vector(builder, &m->dt_bias, layer, "ssm_dt.bias", p->E));
    ITERA_TRY(itera_weights_transposed(builder->weights, &m->A, itera_layer_name(name, layer, "ssm_a"), p->E, p->N,
                                       builder->error));
    ITERA_TRY(itera_build_vector(builder, &m->skip, layer, "ssm_d", p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->out, layer, "ssm_out.weight", p->D, p->E));
    *out = &m->block;
    return ITERA_OK;
}
