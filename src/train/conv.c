#include "train/conv.h"

#include <string.h>

#include "train/norm.h"

enum { CONV_MAX_TAPS = 8 };

/* [taps, C] from the file's [C, taps], so that loops over channels are dense. */
static void conv_turn(real *turned, const real *w, size_t C, size_t taps)
{
    for (size_t c = 0; c < C; c++) {
        for (size_t j = 0; j < taps; j++) {
            turned[j * C + c] = w[c * taps + j];
        }
    }
}

/* Row t before silu. */
static void conv_row(real *restrict sum, const real *x, const real *w, const real *restrict b, int t,
                     const itera_conv_shape *s)
{
    memcpy(sum, b, s->C * sizeof(real));
    for (int j = 0; j < (int)s->taps; j++) {
        int from = t - (int)s->taps + 1 + j;
        if (from >= 0) {
            const real *restrict row = x + (size_t)from * s->x_stride, *restrict wj = w + (size_t)j * s->C;
            for (size_t c = 0; c < s->C; c++) {
                sum[c] += wj[c] * row[c];
            }
        }
    }
}

void itera_conv_silu_forward(real *y, const real *x, const real *w, const real *b, const itera_conv_shape *s)
{
    const size_t C = s->C;
    real turned[CONV_MAX_TAPS * ITERA_MAX_ROW];
    conv_turn(turned, w, C, s->taps);
    ITERA_PARALLEL
    for (int i = 0; i < s->B * s->T; i++) {
        real *restrict row = y + (size_t)i * C;
        conv_row(row, x + (size_t)(i - i % s->T) * s->x_stride, turned, b, i % s->T, s);
        for (size_t c = 0; c < C; c++) {
            row[c] = real_silu(row[c]);
        }
    }
}

/* d row t *= silu'(sum_t); then this row's share of dw and db */
static void conv_unsilu(real *restrict d, real *restrict dw, real *restrict db, const real *x, const real *w,
                        const real *b, int t, const itera_conv_shape *s)
{
    const size_t C = s->C;
    real sum[ITERA_MAX_ROW];
    conv_row(sum, x, w, b, t, s);
    for (size_t c = 0; c < C; c++) {
        d[c] *= real_silu_slope(sum[c]);
        db[c] += d[c];
    }
    for (int j = 0; j < (int)s->taps; j++) {
        int from = t - (int)s->taps + 1 + j;
        if (from >= 0) {
            const real *restrict row = x + (size_t)from * s->x_stride;
            real *restrict to = dw + (size_t)j * C;
            for (size_t c = 0; c < C; c++) {
                to[c] += d[c] * row[c];
            }
        }
    }
}

void itera_conv_silu_backward(real *d, void *dx, size_t dx_stride, real *dw, real *db, real *partial,
                              const real *x, const real *w, const real *b, const itera_conv_shape *s)
{
    const size_t C = s->C, taps = s->taps;
    real turned[CONV_MAX_TAPS * ITERA_MAX_ROW];
    conv_turn(turned, w, C, taps);
    ITERA_PARALLEL
    for (int i = 0; i < s->B; i++) {
        real *sums = partial + (size_t)i * (taps + 1) * C;
        real *rows = d + (size_t)i * (size_t)s->T * C;
        const real *input = x + (size_t)i * (size_t)s->T * s->x_stride;
        memset(sums, 0, (taps + 1) * C * sizeof(real));
        for (int t = 0; t < s->T + (int)taps - 1; t++) {
            if (t < s->T) {
                conv_unsilu(rows + (size_t)t * C, sums, sums + taps * C, input, turned, b, t, s);
            }
            /* Row `done` of x was last read by row t of the output. */
            int done = t - (int)taps + 1;
            if (done < 0) {
                continue;
            }
            real sum[ITERA_MAX_ROW];
            memset(sum, 0, C * sizeof(real));
            for (int j = 0; j < (int)taps; j++) {
                int reader = done + (int)taps - 1 - j; /* which saw this row under weight j */
                if (reader < s->T) {
                    const real *restrict from = rows + (size_t)reader * C, *restrict wj =
                                                                               turned + (size_t)j * C;
                    for (size_t c = 0; c < C; c++) {
                        sum[c] += wj[c] * from[c];
                    }
                }
            }
            itera_operand_store(dx, ((size_t)i * (size_t)s->T + (size_t)done) * dx_stride, sum, C);
        }
    }
    for (int i = 0; i < s->B; i++) {
        const real *sums = partial + (size_t)i * (taps + 1) * C;
        for (size_t c = 0; c < C; c++) {
            for (size_t j = 0; j < taps; j++) {
                dw[c * taps + j] += sums[j * C + c];
            }
            db[c] += sums[taps * C + c];
        }
    }
}
