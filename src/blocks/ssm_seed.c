#include "blocks/ssm_seed.h"

#include "blocks/linear.h"

/* Recurrent state: the convolution window [taps-1, E], then h [N]. */
typedef struct seed {
    itera_block block;
    itera_seed_params p;
    itera_matrix in;        /* [2E, D]: a, then the gate g */
    itera_matrix dt;        /* [E, E] */
    itera_matrix B;         /* [N, E] */
    itera_matrix C;         /* [E, N] */
    itera_matrix out;       /* [D, E] */
    const float *conv;      /* [taps, E] */
    const float *conv_bias; /* [E] */
    const float *dt_bias;   /* [E] */
    const float *A;         /* [N], negative */
    const float *skip;      /* [E] */
} seed;

typedef struct buffers {
    float *ag;    /* [T, 2E] */
    float *a;     /* [T, E] */
    float *dt;    /* [T, E] */
    float *h;     /* [T, N]: B a, then the state after each step */
    float *decay; /* [N] */
    float *y;     /* [T, E] */
    itera_act_block *blocks;
} buffers;

static buffers layout(const seed *m, itera_arena *scratch, int T)
{
    uint64_t rows = (uint64_t)T;
    buffers b;
    b.ag = itera_arena_floats(scratch, rows * 2 * m->p.E);
    b.a = itera_arena_floats(scratch, rows * m->p.E);
    b.dt = itera_arena_floats(scratch, rows * m->p.E);
    b.h = itera_arena_floats(scratch, rows * m->p.N);
    b.decay = itera_arena_floats(scratch, m->p.N);
    b.y = itera_arena_floats(scratch, rows * m->p.E);
    uint64_t widest = m->p.D > m->p.E ? m->p.D : m->p.E;
    b.blocks = itera_input_take(scratch, rows, widest > m->p.N ? widest : m->p.N);
    return b;
}

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const seed *)block, most->scratch, most->T);
}

static float mean(const float *x, int n)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum / (float)n;
}

/* What a phase of forward, split over threads, needs. */
typedef struct phase {
    const seed *m;
    const itera_run *run;
    buffers b;
} phase;

/* a = silu(conv(a)), by channels */
static void convolve(void *context, itera_team team)
{
    const phase *f = context;
    const seed *m = f->m;
    const int E = (int)m->p.E;
    itera_range channels = itera_share(team, E, 16);
    f->run->kernels->conv1d_silu(f->b.a, f->run->state, f->b.ag, (size_t)(2 * E), m->conv, m->conv_bias, f->run->T, E,
                                 (int)m->p.taps, channels.begin, channels.end);
}

/* dt[t, 0] = mean over channels of softplus(dt + b_dt), by tokens */
static void average_steps(void *context, itera_team team)
{
    const phase *f = context;
    const int E = (int)f->m->p.E;
    itera_range tokens = itera_share(team, f->run->T, 1);
    for (int t = tokens.begin; t < tokens.end; t++) {
        float *dt = f->b.dt + (size_t)t * E;
        f->run->kernels->add(dt, dt, f->m->dt_bias, (size_t)E);
        f->run->kernels->softplus(dt, dt, (size_t)E);
        dt[0] = mean(dt, E);
    }
}

/* y = (y + D a) * silu(g), by tokens */
static void gate(void *context, itera_team team)
{
    const phase *f = context;
    const int E = (int)f->m->p.E;
    itera_range tokens = itera_share(team, f->run->T, 1);
    for (int t = tokens.begin; t < tokens.end; t++) {
        float *row = f->b.y + (size_t)t * E;
        const float *a = f->b.a + (size_t)t * E;
        for (int e = 0; e < E; e++) {
            row[e] += f->m->skip[e] * a[e];
        }
        f->run->kernels->silu_mul(row, f->b.ag + (size_t)t * 2 * E + E, row, (size_t)E);
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const seed *m = (const seed *)block;
    const itera_kernels *k = run->kernels;
    const itera_seed_params *p = &m->p;
    const int T = run->T, E = (int)p->E, N = (int)p->N;
    const uint64_t inner_size = (uint64_t)T * (uint64_t)E;
    float *h = run->state + (size_t)(p->taps - 1) * (size_t)E;
    phase f = {.m = m, .run = run, .b = layout(m, run->scratch, T)};
    const buffers b = f.b;

    /* [a, g] = W_in u;  a = silu(conv(a)) */
    itera_input u = itera_input_of(x, b.blocks, T, (int)p->D);
    itera_linear(run, b.ag, (size_t)(2 * E), &m->in, &u);
    itera_parallel(itera_pool_for(run, inner_size * 20), convolve, &f);

    /* dt = mean over channels of softplus(W_dt a + b_dt) */
    itera_input inner = itera_input_of(b.a, b.blocks, T, E);
    itera_linear(run, b.dt, (size_t)E, &m->dt, &inner);
    itera_parallel(T > 1 ? itera_pool_for(run, inner_size * 20) : NULL, average_steps, &f);

    /* h = exp(dt A) h + dt (B a) */
    itera_linear(run, b.h, (size_t)N, &m->B, &inner);
    for (int t = 0; t < T; t++) {
        float dt = b.dt[(size_t)t * E];
        float *row = b.h + (size_t)t * N;
        k->scale(b.decay, m->A, dt, (size_t)N);
        k->exp(b.decay, b.decay, (size_t)N);
        for (int n = 0; n < N; n++) {
            h[n] = b.decay[n] * h[n] + dt * row[n];
            row[n] = h[n];
        }
    }

    /* y = C h + D a;  out = W_out (y * silu(g)) */
    itera_input states = itera_input_of(b.h, b.blocks, T, N);
    itera_linear(run, b.y, (size_t)E, &m->C, &states);
    itera_parallel(T > 1 ? itera_pool_for(run, inner_size * 20) : NULL, gate, &f);
    itera_input gated = itera_input_of(b.y, b.blocks, T, E);
    itera_linear(run, y, (size_t)p->D, &m->out, &gated);
}

static const itera_block_ops ops = {.name = "seed ssm", .forward = forward, .measure = measure};

itera_status itera_seed_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                              const itera_seed_params *p)
{
    void *memory;
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(seed)));
    seed *m = memory;
    m->p = *p;
    m->block = (itera_block){.ops = &ops,
                             .state_floats = (uint64_t)(p->taps - 1) * p->E + p->N,
                             .state_macs = 2 * (uint64_t)p->N + (uint64_t)p->taps * p->E};
    char name[64];
    ITERA_TRY(itera_build_matrix(builder, &m->in, layer, "ssm_in.weight", 2 * p->E, p->D));
    ITERA_TRY(itera_weights_transposed(builder->weights, &m->conv, itera_layer_name(name, layer, "ssm_conv1d.weight"),
                                       p->E, p->taps, builder->error));
    ITERA_TRY(itera_build_vector(builder, &m->conv_bias, layer, "ssm_conv1d.bias", p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->dt, layer, "ssm_dt.weight", p->E, p->E));
    ITERA_TRY(itera_build_vector(builder, &m->dt_bias, layer, "ssm_dt.bias", p->E));
    ITERA_TRY(itera_build_vector(builder, &m->A, layer, "ssm_a", p->N));
    ITERA_TRY(itera_build_matrix(builder, &m->B, layer, "ssm_b.weight", p->N, p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->C, layer, "ssm_c.weight", p->E, p->N));
    ITERA_TRY(itera_build_vector(builder, &m->skip, layer, "ssm_d", p->E));
    ITERA_TRY(itera_build_matrix(builder, &m->out, layer, "ssm_out.weight", p->D, p->E));
    *out = &m->block;
    return ITERA_OK;
}
