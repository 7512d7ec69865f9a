#include "train/optimizer.h"

#include <stdlib.h>

#include "train/pages.h"

itera_status itera_adamw_create(itera_adamw *adamw, const itera_params *params, itera_error *error)
{
    *adamw = (itera_adamw){.beta1 = (real)0.9, .beta2 = (real)0.95, .eps = (real)1e-8, .decay = (real)0.1};
    adamw->m = itera_pages_alloc(params->total * sizeof(real));
    adamw->v = itera_pages_alloc(params->total * sizeof(real));
    if (adamw->m == NULL || adamw->v == NULL) {
        itera_adamw_free(adamw);
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for the moments of %zu parameters",
                          params->total);
    }
    return ITERA_OK;
}

void itera_adamw_free(itera_adamw *adamw)
{
    free(adamw->m);
    free(adamw->v);
    adamw->m = adamw->v = NULL;
}

double itera_gradient_norm(const itera_params *params)
{
    double sums[ITERA_PARTS], total = 0;
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        const size_t end = itera_part_begin(params->total, part + 1);
        double sum = 0;
        /* Short real sums inside a double one: as fast as reals, and as exact as the norm needs. */
        for (size_t i = itera_part_begin(params->total, part); i < end; i += 4096) {
            const real *g = params->grad + i;
            sum += (double)real_dot(g, g, end - i < 4096 ? end - i : 4096);
        }
        sums[part] = sum;
    }
    for (int part = 0; part < ITERA_PARTS; part++) {
        total += sums[part];
    }
    return sqrt(total);
}

typedef struct adamw_rates {
    real beta1, beta2, eps, rate1, root2, keep, scale;
} adamw_rates;

/* p = keep p - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) */
static void adamw_range(const itera_adamw *adamw, itera_params *params, size_t begin, size_t end,
                        const adamw_rates *rates)
{
    const adamw_rates r = *rates;
    for (size_t i = begin; i < end; i += 1024) {
        const size_t n = end - i < 1024 ? end - i : 1024;
        real *restrict p = params->value + i, *restrict g = params->grad + i;
        real *restrict m = adamw->m + i, *restrict v = adamw->v + i;
        ITERA_VECTOR
        for (size_t j = 0; j < n; j++) {
            const real d = g[j] * r.scale;
            m[j] = r.beta1 * m[j] + (1 - r.beta1) * d;
            v[j] = r.beta2 * v[j] + (1 - r.beta2) * d * d;
            p[j] = r.keep * p[j] - r.rate1 * m[j] / (real_sqrt(v[j]) * r.root2 + r.eps);
            g[j] = 0;
        }
        if (params->operand != params->value) {
            itera_operand_store(params->operand, i, p, n);
        }
    }
}

void itera_adamw_step(itera_adamw *adamw, itera_params *params, uint64_t count, double rate, double scale)
{
    adamw_rates rates = {
        .beta1 = adamw->beta1, .beta2 = adamw->beta2, .eps = adamw->eps, .scale = (real)scale};
    rates.rate1 = (real)(rate / (1 - pow((double)adamw->beta1, (double)count)));
    rates.root2 = (real)(1 / sqrt(1 - pow((double)adamw->beta2, (double)count)));
    for (size_t j = 0; j < params->n; j++) {
        const itera_param *p = &params->list[j];
        if (p->orthogonal) {
            continue;
        }
        rates.keep = p->decays ? (real)(1 - rate * (double)adamw->decay) : 1;
        if (p->count < 65536) { /* not worth waking threads for */
            adamw_range(adamw, params, p->offset, p->offset + p->count, &rates);
            continue;
        }
        ITERA_PARALLEL
        for (int part = 0; part < ITERA_PARTS; part++) {
            adamw_range(adamw, params, p->offset + itera_part_begin(p->count, part),
                        p->offset + itera_part_begin(p->count, part + 1), &rates);
        }
    }
}
