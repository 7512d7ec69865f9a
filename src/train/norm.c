#include "train/norm.h"

#include <stdio.h>
#include <string.h>

void itera_sum_parts(real *to, const real *partial, size_t n, size_t stride)
{
    for (int part = 0; part < ITERA_PARTS; part++) {
        real_add(to, partial + (size_t)part * stride, n);
    }
}

void itera_train_norm_make(itera_train_norm *norm, itera_params *params, int layer, const char *name,
                           uint32_t D, real eps, bool layer_norm)
{
    char tensor[64];
    *norm = (itera_train_norm){.D = D, .eps = eps, .layer_norm = layer_norm};
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    norm->weight = itera_params_add(params, layer, tensor, D, 0, 0, ITERA_INIT_CONSTANT, 1);
    if (layer_norm) {
        snprintf(tensor, sizeof tensor, "%s.bias", name);
        norm->bias = itera_params_add(params, layer, tensor, D, 0, 0, ITERA_INIT_CONSTANT, 0);
    }
}

void itera_train_norm_layout(itera_train_norm *norm, itera_arena *saved, itera_arena *scratch, size_t R)
{
    norm->stats = itera_take_reals(saved, R * 2);
    norm->partial = itera_take_reals(scratch, (size_t)ITERA_PARTS * 2 * norm->D);
}

static void norm_measure(const itera_train_norm *norm, real *stats, const real *x)
{
    const size_t D = norm->D;
    real mean = 0, squares = 0;
    if (norm->layer_norm) {
        ITERA_SUM(mean)
        for (size_t i = 0; i < D; i++) {
            mean += x[i];
        }
        mean /= (real)D;
    }
    ITERA_SUM(squares)
    for (size_t i = 0; i < D; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    stats[0] = mean;
    stats[1] = 1 / real_sqrt(squares / (real)D + norm->eps);
}

void itera_train_norm_forward(itera_train_norm *norm, const itera_params *params, real *u, void *operand,
                              const real *x, size_t R)
{
    const size_t D = norm->D;
    const real *w = params->value + norm->weight;
    const real *b = norm->layer_norm ? params->value + norm->bias : NULL;
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real buffer[ITERA_MAX_ROW];
        real *row = u != NULL ? u + r * D : buffer;
        const real *from = x + r * D;
        norm_measure(norm, norm->stats + 2 * r, from);
        const real mean = norm->stats[2 * r], inverse = norm->stats[2 * r + 1];
        for (size_t i = 0; i < D; i++) {
            row[i] = (from[i] - mean) * inverse * w[i];
        }
        if (b != NULL) {
            real_add(row, b, D);
        }
        itera_operand_store(operand, r * D, row, D);
    }
}

/* With g = du w and x^ the normalized row: dx = (g - mean(g) - x^ mean(g x^)) / deviation, the first mean
 * only where the forward pass took one off. */
void itera_train_norm_backward(itera_train_norm *norm, const itera_params *params, real *dx, const real *du,
                               const real *x, size_t R)
{
    const size_t D = norm->D;
    const real *w = params->value + norm->weight;
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        real *dw = norm->partial + (size_t)part * 2 * D, *db = dw + D;
        memset(dw, 0, 2 * D * sizeof(real));
        for (size_t r = itera_part_begin(R, part); r < itera_part_begin(R, part + 1); r++) {
            const real *restrict d = du + r * D, *restrict from = x + r * D;
            real *restrict to = dx + r * D;
            const real mean = norm->stats[2 * r], inverse = norm->stats[2 * r + 1];
            real along = 0, sum = 0;
            ITERA_SUM(along, sum)
            for (size_t i = 0; i < D; i++) {
                real hat = (from[i] - mean) * inverse, g = d[i] * w[i];
                along += g * hat;
                sum += g;
            }
            along /= (real)D;
            sum = norm->layer_norm ? sum / (real)D : 0;
            ITERA_VECTOR
            for (size_t i = 0; i < D; i++) {
                real hat = (from[i] - mean) * inverse;
                to[i] += (d[i] * w[i] - sum - hat * along) * inverse;
                dw[i] += d[i] * hat;
                db[i] += d[i];
            }
        }
    }
    itera_sum_parts(params->grad + norm->weight, norm->partial, D, 2 * D);
    if (norm->layer_norm) {
        itera_sum_parts(params->grad + norm->bias, norm->partial + D, D, 2 * D);
    }
}

/* v = y silu(z) and 1 / sqrt(mean v^2 + eps) of one group */
static real gated_measure(real *restrict v, const real *restrict y, const real *restrict z, size_t n,
                          real eps)
{
    real squares = 0;
    ITERA_SUM(squares)
    for (size_t i = 0; i < n; i++) {
        v[i] = y[i] * real_silu(z[i]);
        squares += v[i] * v[i];
    }
    return 1 / real_sqrt(squares / (real)n + eps);
}

void itera_gated_norm_forward(void *out, const real *y, const real *z, size_t z_stride, const real *w,
                              size_t R, uint32_t E, uint32_t G, real eps)
{
    const size_t n = E / G;
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real v[ITERA_MAX_ROW];
        for (size_t g = 0; g < E; g += n) {
            real inverse = gated_measure(v + g, y + r * E + g, z + r * z_stride + g, n, eps);
            for (size_t i = g; i < g + n; i++) {
                v[i] *= inverse * w[i];
            }
        }
        itera_operand_store(out, r * E, v, E);
    }
}

void itera_gated_norm_backward(real *d, void *dz, size_t dz_stride, real *dw, real *partial, const real *y,
                               const real *z, size_t z_stride, const real *w, size_t R, uint32_t E,
                               uint32_t G, real eps)
{
    const size_t n = E / G;
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        real *sums = partial + (size_t)part * E;
        memset(sums, 0, E * sizeof(real));
        for (size_t r = itera_part_begin(R, part); r < itera_part_begin(R, part + 1); r++) {
            real v[ITERA_MAX_ROW], to_z[ITERA_MAX_ROW];
            for (size_t g = 0; g < E; g += n) {
                const real *restrict yr = y + r * E, *restrict zr = z + r * z_stride;
                real *restrict dr = d + r * E;
                const real inverse = gated_measure(v + g, yr + g, zr + g, n, eps);
                real along = 0;
                ITERA_SUM(along)
                for (size_t i = g; i < g + n; i++) {
                    along += dr[i] * w[i] * v[i];
                }
                along *= inverse * inverse / (real)n;
                ITERA_VECTOR
                for (size_t i = g; i < g + n; i++) {
                    real dv = (dr[i] * w[i] - v[i] * along) * inverse;
                    real s = real_sigmoid(zr[i]);
                    sums[i] += dr[i] * v[i] * inverse;
                    to_z[i] = dv * yr[i] * s * (1 + zr[i] * (1 - s));
                    dr[i] = dv * zr[i] * s;
                }
            }
            itera_operand_store(dz, r * dz_stride, to_z, E);
        }
    }
    itera_sum_parts(dw, partial, E, E);
}
