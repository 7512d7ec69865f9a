#include "train/scan.h"

#include <string.h>

/* One group of heads of one sequence: its part of every array, and scratch. Heads of a group share B and C,
 * so products with them run over all Eg = heads P channels of the group at once; states are [N, Eg]. */
typedef struct scan_task {
    const itera_scan_shape *shape;
    size_t stride;       /* between rows of xbc */
    size_t E, Eg, heads; /* all channels; channels and heads of the group */
    const real *x, *Bm, *Cm, *dt, *A, *skip;
    /* scratch */
    real *pair;    /* [Q, Q] C_t . B_j */
    real *mix;     /* [Q, Q] the pairs weighted, of one head */
    real *d_mix;   /* [Q, Q] */
    real *d_pair;  /* [Q, Q] */
    real *wide;    /* [Q, Eg] */
    real *wide2;   /* [Q, Eg] */
    real *s, *ds;  /* [heads, Q] */
    real *d_state; /* [N, Eg] */
    real *states;  /* [chunks + 1, N, Eg] before each chunk; forward uses only the first */
} scan_task;

static size_t scan_chunks(const itera_scan_shape *shape)
{
    return ((size_t)shape->T + (size_t)shape->chunk - 1) / (size_t)shape->chunk;
}

size_t itera_scan_scratch(const itera_scan_shape *p)
{
    const size_t Q = (size_t)p->chunk, heads = p->H / p->G, Eg = heads * p->P;
    return 4 * Q * Q + 2 * Q * Eg + 2 * heads * Q + (scan_chunks(p) + 2) * p->N * Eg;
}

static scan_task scan_begin(const itera_scan_shape *p, int index, const real *xbc, const real *dt,
                            const real *A, const real *skip, real *scratch)
{
    const size_t b = (size_t)index / p->G, g = (size_t)index % p->G, Q = (size_t)p->chunk;
    scan_task k = {.shape = p, .heads = p->H / p->G};
    k.E = (size_t)p->H * p->P;
    k.Eg = k.heads * p->P;
    k.stride = k.E + 2 * (size_t)p->G * p->N;
    k.x = xbc + b * (size_t)p->T * k.stride + g * k.Eg;
    k.Bm = xbc + b * (size_t)p->T * k.stride + k.E + g * p->N;
    k.Cm = k.Bm + (size_t)p->G * p->N;
    k.dt = dt + b * (size_t)p->T * p->H + g * k.heads;
    k.A = A + g * k.heads;
    k.skip = skip + g * k.heads;
    k.pair = scratch + (size_t)itera_thread() * itera_scan_scratch(p);
    k.mix = k.pair + Q * Q;
    k.d_mix = k.mix + Q * Q;
    k.d_pair = k.d_mix + Q * Q;
    k.wide = k.d_pair + Q * Q;
    k.wide2 = k.wide + Q * k.Eg;
    k.s = k.wide2 + Q * k.Eg;
    k.ds = k.s + k.heads * Q;
    k.d_state = k.ds + k.heads * Q;
    k.states = k.d_state + p->N * k.Eg;
    return k;
}

/* s_t of all heads for the q steps from row `t0`. */
static void scan_sums(const scan_task *k, size_t t0, size_t q)
{
    for (size_t h = 0; h < k->heads; h++) {
        real *s = k->s + h * (size_t)k->shape->chunk, sum = 0;
        for (size_t t = 0; t < q; t++) {
            sum += k->dt[(t0 + t) * k->shape->H + h] * k->A[h];
            s[t] = sum;
        }
    }
}

/* wide [q, Eg] = exp(s_q - s_j) dt_j x_j: what each step leaves in the state, but for B. */
static void scan_leave(const scan_task *k, real *wide, size_t t0, size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk;
    for (size_t j = 0; j < q; j++) {
        for (size_t h = 0; h < k->heads; h++) {
            const real *s = k->s + h * Q, *restrict x = k->x + (t0 + j) * k->stride + h * P;
            const real w = real_exp(s[q - 1] - s[j]) * k->dt[(t0 + j) * k->shape->H + h];
            real *restrict to = wide + j * k->Eg + h * P;
            for (size_t p = 0; p < P; p++) {
                to[p] = w * x[p];
            }
        }
    }
}

/* after = exp(s_q) before + B^T wide; `after` may be `before`. */
static void scan_advance(const scan_task *k, real *after, const real *before, const real *wide, size_t t0,
                         size_t q)
{
    const size_t P = k->shape->P, N = k->shape->N, Q = (size_t)k->shape->chunk;
    for (size_t n = 0; n < N; n++) {
        for (size_t h = 0; h < k->heads; h++) {
            const real decay = real_exp(k->s[h * Q + q - 1]);
            for (size_t p = n * k->Eg + h * P; p < n * k->Eg + (h + 1) * P; p++) {
                after[p] = decay * before[p];
            }
        }
    }
    itera_gemm_reals(after, k->Eg, k->Bm + t0 * k->stride, k->stride, wide, k->Eg, N, k->Eg, q,
                     ITERA_A_TURNED | ITERA_ACCUMULATE);
}

static void scan_pairs(const scan_task *k, size_t t0, size_t q)
{
    itera_gemm_reals(k->pair, (size_t)k->shape->chunk, k->Cm + t0 * k->stride, k->stride,
                     k->Bm + t0 * k->stride, k->stride, q, q, k->shape->N, ITERA_B_TURNED);
}

/* mix[t, j] = pair[t, j] exp(s_t - s_j) dt_j for j <= t of one head; dts: its dt, dense */
static void scan_mix(const scan_task *k, size_t h, const real *restrict dts, size_t q)
{
    const size_t Q = (size_t)k->shape->chunk;
    const real *restrict s = k->s + h * Q;
    for (size_t t = 0; t < q; t++) {
        real *restrict to = k->mix + t * Q;
        const real *restrict pair = k->pair + t * Q;
        const real st = s[t];
        ITERA_VECTOR
        for (size_t j = 0; j <= t; j++) {
            to[j] = pair[j] * real_exp(st - s[j]) * dts[j];
        }
        memset(to + t + 1, 0, (q - t - 1) * sizeof(real));
    }
}

enum { SCAN_MAX_CHUNK = 256 };

static void scan_dense_dt(const scan_task *k, real *dts, size_t h, size_t t0, size_t q)
{
    for (size_t t = 0; t < q; t++) {
        dts[t] = k->dt[(t0 + t) * k->shape->H + h];
    }
}

static void scan_forward_chunk(const scan_task *k, real *y, real *state, size_t t0, size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk;
    scan_sums(k, t0, q);
    scan_pairs(k, t0, q);
    if (t0 > 0) { /* C_t^T h_before, of all heads at once */
        itera_gemm_reals(k->wide, k->Eg, k->Cm + t0 * k->stride, k->stride, state, k->Eg, q, k->Eg,
                         k->shape->N, 0);
    } else {
        memset(k->wide, 0, q * k->Eg * sizeof(real));
    }
    for (size_t h = 0; h < k->heads; h++) {
        real dts[SCAN_MAX_CHUNK];
        scan_dense_dt(k, dts, h, t0, q);
        scan_mix(k, h, dts, q);
        for (size_t t = 0; t < q; t++) {
            const real decay = real_exp(k->s[h * Q + t]), skip = k->skip[h];
            const real *restrict through = k->wide + t * k->Eg + h * P;
            const real *restrict x = k->x + (t0 + t) * k->stride + h * P;
            real *restrict to = y + (t0 + t) * k->E + h * P;
            for (size_t p = 0; p < P; p++) {
                to[p] = decay * through[p] + skip * x[p];
            }
        }
        itera_gemm_reals(y + t0 * k->E + h * P, k->E, k->mix, Q, k->x + t0 * k->stride + h * P, k->stride, q,
                         P, q, ITERA_ACCUMULATE);
    }
    scan_leave(k, k->wide, t0, q);
    scan_advance(k, state, state, k->wide, t0, q);
}

void itera_scan_forward(real *y, const real *xbc, const real *dt, const real *A, const real *skip,
                        real *scratch, const itera_scan_shape *p)
{
    ITERA_PARALLEL
    for (int i = 0; i < p->B * (int)p->G; i++) {
        scan_task k = scan_begin(p, i, xbc, dt, A, skip, scratch);
        real *to = y + ((size_t)i / p->G) * (size_t)p->T * k.E + ((size_t)i % p->G) * k.Eg;
        memset(k.states, 0, p->N * k.Eg * sizeof(real));
        for (size_t t0 = 0; t0 < (size_t)p->T; t0 += (size_t)p->chunk) {
            size_t left = (size_t)p->T - t0, q = left < (size_t)p->chunk ? left : (size_t)p->chunk;
            scan_forward_chunk(&k, to, k.states, t0, q);
        }
    }
}

/* What backward writes, for one task. */
typedef struct scan_gradients {
    const real *dy;
    real *dx, *dB, *dC, *ddt; /* rows as in xbc and dt */
    real *dA, *dskip;         /* [heads] */
} scan_gradients;

/* The part of a chunk within itself, of one head: from dy to dx, ddt, ds, and the sum into d_pair. */
static void scan_backward_mix(const scan_task *k, const scan_gradients *g, size_t h, size_t t0, size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk;
    const real *x = k->x + t0 * k->stride + h * P, *dy = g->dy + t0 * k->E + h * P;
    const real *restrict s = k->s + h * Q;
    real *restrict ds = k->ds + h * Q;
    real dts[SCAN_MAX_CHUNK], ddts[SCAN_MAX_CHUNK] = {0};
    scan_dense_dt(k, dts, h, t0, q);
    /* d mix = dy x^T */
    itera_gemm_reals(k->d_mix, Q, dy, k->E, x, k->stride, q, q, P, ITERA_B_TURNED);
    for (size_t t = 0; t < q; t++) {
        const real *restrict pair = k->pair + t * Q, *restrict d = k->d_mix + t * Q;
        real *restrict mix = k->mix + t * Q, *restrict d_pair = k->d_pair + t * Q;
        const real st = s[t];
        real row = 0;
        ITERA_SUM(row)
        for (size_t j = 0; j <= t; j++) {
            real decay = real_exp(st - s[j]), scaled = decay * dts[j];
            real u = d[j] * pair[j] * decay, w = u * dts[j];
            mix[j] = pair[j] * scaled;
            d_pair[j] += d[j] * scaled;
            ddts[j] += u;
            ds[j] -= w;
            row += w;
        }
        ds[t] += row;
        memset(mix + t + 1, 0, (q - t - 1) * sizeof(real));
    }
    /* dx += mix^T dy */
    itera_gemm_reals(g->dx + t0 * k->stride + h * P, k->stride, k->mix, Q, dy, k->E, q, P, q,
                     ITERA_A_TURNED | ITERA_ACCUMULATE);
    for (size_t t = 0; t < q; t++) {
        g->ddt[(t0 + t) * k->shape->H + h] += ddts[t];
    }
}

/* The part through the state that came into the chunk: wide = C h_before, wide2 becomes exp(s_t) dy. */
static void scan_backward_entry(const scan_task *k, const scan_gradients *g, const real *before, size_t t0,
                                size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk, N = k->shape->N;
    itera_gemm_reals(k->wide, k->Eg, k->Cm + t0 * k->stride, k->stride, before, k->Eg, q, k->Eg, N, 0);
    for (size_t t = 0; t < q; t++) {
        for (size_t h = 0; h < k->heads; h++) {
            const real *dy = g->dy + (t0 + t) * k->E + h * P;
            real *restrict to = k->wide2 + t * k->Eg + h * P;
            const real decay = real_exp(k->s[h * Q + t]);
            for (size_t p = 0; p < P; p++) {
                to[p] = decay * dy[p];
            }
            k->ds[h * Q + t] += real_dot(to, k->wide + t * k->Eg + h * P, P);
        }
    }
    /* dC = wide2 h_before^T */
    itera_gemm_reals(g->dC + t0 * k->stride, k->stride, k->wide2, k->Eg, before, k->Eg, q, N, k->Eg,
                     ITERA_B_TURNED | ITERA_ACCUMULATE);
}

/* The part through the state that left the chunk, whose gradient is d_state. */
static void scan_backward_exit(const scan_task *k, const scan_gradients *g, const real *before, size_t t0,
                               size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk, N = k->shape->N;
    /* reach_j = B_j^T d_state */
    itera_gemm_reals(k->wide, k->Eg, k->Bm + t0 * k->stride, k->stride, k->d_state, k->Eg, q, k->Eg, N, 0);
    for (size_t j = 0; j < q; j++) {
        for (size_t h = 0; h < k->heads; h++) {
            const real *x = k->x + (t0 + j) * k->stride + h * P, *restrict reach =
                                                                     k->wide + j * k->Eg + h * P;
            real *restrict dx = g->dx + (t0 + j) * k->stride + h * P, *s = k->s + h * Q, *ds = k->ds + h * Q;
            const real decay = real_exp(s[q - 1] - s[j]), dt = k->dt[(t0 + j) * k->shape->H + h];
            const real w = decay * dt, dw = real_dot(x, reach, P);
            for (size_t p = 0; p < P; p++) {
                dx[p] += w * reach[p];
            }
            g->ddt[(t0 + j) * k->shape->H + h] += dw * decay;
            ds[j] -= dw * w;
            ds[q - 1] += dw * w;
        }
    }
    /* dB = wide d_state^T with wide what each step leaves */
    scan_leave(k, k->wide, t0, q);
    itera_gemm_reals(g->dB + t0 * k->stride, k->stride, k->wide, k->Eg, k->d_state, k->Eg, q, N, k->Eg,
                     ITERA_B_TURNED | ITERA_ACCUMULATE);
    /* d s_q through exp(s_q) h_before, and d_state of the chunk before */
    for (size_t n = 0; n < N; n++) {
        for (size_t h = 0; h < k->heads; h++) {
            real *restrict d = k->d_state + n * k->Eg + h * P;
            const real decay = real_exp(k->s[h * Q + q - 1]);
            k->ds[h * Q + q - 1] += decay * real_dot(d, before + n * k->Eg + h * P, P);
            for (size_t p = 0; p < P; p++) {
                d[p] *= decay;
            }
        }
    }
}

static void scan_clear_rows(real *rows, size_t stride, size_t count, size_t n)
{
    for (size_t r = 0; r < count; r++) {
        memset(rows + r * stride, 0, n * sizeof(real));
    }
}

static void scan_backward_chunk(const scan_task *k, const scan_gradients *g, const real *before, size_t t0,
                                size_t q)
{
    const size_t P = k->shape->P, Q = (size_t)k->shape->chunk, N = k->shape->N, H = k->shape->H;
    scan_sums(k, t0, q);
    scan_pairs(k, t0, q);
    memset(k->ds, 0, k->heads * Q * sizeof(real));
    memset(k->d_pair, 0, Q * Q * sizeof(real));
    scan_clear_rows(g->dB + t0 * k->stride, k->stride, q, N);
    scan_clear_rows(g->dC + t0 * k->stride, k->stride, q, N);
    scan_clear_rows(g->ddt + t0 * H, H, q, k->heads);
    for (size_t t = 0; t < q; t++) { /* dx = skip dy */
        for (size_t h = 0; h < k->heads; h++) {
            const real *restrict x = k->x + (t0 + t) * k->stride + h * P;
            const real *restrict dy = g->dy + (t0 + t) * k->E + h * P;
            real *restrict dx = g->dx + (t0 + t) * k->stride + h * P;
            for (size_t p = 0; p < P; p++) {
                dx[p] = k->skip[h] * dy[p];
            }
            g->dskip[h] += real_dot(x, dy, P);
        }
    }
    for (size_t h = 0; h < k->heads; h++) {
        scan_backward_mix(k, g, h, t0, q);
    }
    itera_gemm_reals(g->dC + t0 * k->stride, k->stride, k->d_pair, Q, k->Bm + t0 * k->stride, k->stride, q, N,
                     q, ITERA_ACCUMULATE);
    itera_gemm_reals(g->dB + t0 * k->stride, k->stride, k->d_pair, Q, k->Cm + t0 * k->stride, k->stride, q, N,
                     q, ITERA_A_TURNED | ITERA_ACCUMULATE);
    if (t0 + q < (size_t)k->shape->T) {
        scan_backward_exit(k, g, before, t0, q);
    }
    if (t0 > 0) {
        scan_backward_entry(k, g, before, t0, q);
        /* d_state += C^T wide2 */
        itera_gemm_reals(k->d_state, k->Eg, k->Cm + t0 * k->stride, k->stride, k->wide2, k->Eg, N, k->Eg, q,
                         ITERA_A_TURNED | ITERA_ACCUMULATE);
    }
    /* s_t sums dt A up to t, so dt_j A feels ds of j and all later steps. */
    for (size_t h = 0; h < k->heads; h++) {
        real sum = 0;
        for (size_t t = q; t-- > 0;) {
            sum += k->ds[h * Q + t];
            g->ddt[(t0 + t) * H + h] += sum * k->A[h];
            g->dA[h] += sum * k->dt[(t0 + t) * H + h];
        }
    }
}

void itera_scan_backward(real *dxbc, real *ddt, real *dA, real *dskip, const real *dy, const real *xbc,
                         const real *dt, const real *A, const real *skip, real *scratch,
                         const itera_scan_shape *p)
{
    memset(dA, 0, (size_t)p->B * p->H * sizeof(real));
    memset(dskip, 0, (size_t)p->B * p->H * sizeof(real));
    ITERA_PARALLEL
    for (int i = 0; i < p->B * (int)p->G; i++) {
        scan_task k = scan_begin(p, i, xbc, dt, A, skip, scratch);
        const size_t b = (size_t)i / p->G, group = (size_t)i % p->G, Q = (size_t)p->chunk,
                     chunks = scan_chunks(p);
        const size_t state = p->N * k.Eg;
        scan_gradients g = {.dy = dy + b * (size_t)p->T * k.E + group * k.Eg,
                            .dx = dxbc + (k.x - xbc),
                            .dB = dxbc + (k.Bm - xbc),
                            .dC = dxbc + (k.Cm - xbc),
                            .ddt = ddt + (k.dt - dt),
                            .dA = dA + b * p->H + group * k.heads,
                            .dskip = dskip + b * p->H + group * k.heads};
        memset(k.states, 0, state * sizeof(real));
        for (size_t c = 0; c + 1 < chunks; c++) {
            scan_sums(&k, c * Q, Q);
            scan_leave(&k, k.wide, c * Q, Q);
            scan_advance(&k, k.states + (c + 1) * state, k.states + c * state, k.wide, c * Q, Q);
        }
        memset(k.d_state, 0, state * sizeof(real));
        for (size_t c = chunks; c-- > 0;) {
            size_t left = (size_t)p->T - c * Q, q = left < Q ? left : Q;
            scan_backward_chunk(&k, &g, k.states + c * state, c * Q, q);
        }
    }
}
