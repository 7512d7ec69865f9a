#include "train/muon.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/pages.h"

enum { MUON_ROUNDS = 5, MUON_NARROWEST = 32 };

typedef struct itera_muon_scratch {
    real *x, *product, *square, *cube; /* x and product: a matrix; square, cube: its shorter side squared */
    void *x_operand, *square_operand, *cube_operand;
} itera_muon_scratch;

/* A matrix as it lies in memory: rows [rows, cols]. */
typedef struct itera_muon_matrix {
    size_t offset, rows, cols;
} itera_muon_matrix;

static bool muon_takes(const itera_param *param)
{
    return param->decays && strncmp(param->name, "blk.", 4) == 0 && param->dims[0] >= MUON_NARROWEST &&
           param->dims[1] >= MUON_NARROWEST && strstr(param->name, "gate_inp") == NULL;
}

static size_t muon_shorter(const itera_muon_matrix *x) { return x->rows < x->cols ? x->rows : x->cols; }

static bool muon_list(itera_muon *muon, itera_params *params)
{
    size_t capacity = 0;
    for (size_t j = 0; j < params->n; j++) {
        itera_param *p = &params->list[j];
        p->orthogonal = muon_takes(p);
        const size_t stacked = !p->orthogonal ? 0 : p->n_dims == 3 ? p->dims[2] : 1;
        for (size_t i = 0; i < stacked; i++) {
            itera_muon_matrix *grown =
                itera_memory_grow(muon->matrices, &capacity, muon->n + 1, sizeof *muon->matrices);
            if (grown == NULL) {
                return false;
            }
            muon->matrices = grown;
            const size_t rows = p->dims[1], cols = p->dims[0];
            grown[muon->n++] = (itera_muon_matrix){p->offset + i * rows * cols, rows, cols};
        }
    }
    return true;
}

static bool muon_scratch_create(itera_muon_scratch *s, size_t longest, size_t side)
{
    s->x = itera_pages_alloc(longest * sizeof(real));
    s->product = itera_pages_alloc(longest * sizeof(real));
    s->square = itera_pages_alloc(side * side * sizeof(real));
    s->cube = itera_pages_alloc(side * side * sizeof(real));
    s->x_operand = itera_pages_alloc(longest * itera_operand_bytes());
    s->square_operand = itera_pages_alloc(side * side * itera_operand_bytes());
    s->cube_operand = itera_pages_alloc(side * side * itera_operand_bytes());
    return s->x != NULL && s->product != NULL && s->square != NULL && s->cube != NULL && s->x_operand != NULL &&
           s->square_operand != NULL && s->cube_operand != NULL;
}

itera_status itera_muon_create(itera_muon *muon, itera_params *params, itera_error *error)
{
    *muon = (itera_muon){.threads = itera_threads(), .momentum = (real)0.95, .decay = (real)0.1};
    bool ok = muon_list(muon, params);
    size_t longest = 0, side = 0;
    for (size_t i = 0; ok && i < muon->n; i++) {
        const itera_muon_matrix *x = &muon->matrices[i];
        longest = x->rows * x->cols > longest ? x->rows * x->cols : longest;
        side = muon_shorter(x) > side ? muon_shorter(x) : side;
    }
    muon->scratch = calloc((size_t)muon->threads, sizeof *muon->scratch);
    ok = ok && muon->scratch != NULL;
    for (int i = 0; ok && i < muon->threads; i++) {
        ok = muon_scratch_create(&muon->scratch[i], longest, side);
    }
    if (!ok) {
        itera_muon_free(muon);
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory to orthogonalize %zu matrices", muon->n);
    }
    return ITERA_OK;
}

void itera_muon_free(itera_muon *muon)
{
    for (int i = 0; muon->scratch != NULL && i < muon->threads; i++) {
        itera_muon_scratch *s = &muon->scratch[i];
        free(s->x), free(s->product), free(s->square), free(s->cube);
        free(s->x_operand), free(s->square_operand), free(s->cube_operand);
    }
    free(muon->scratch);
    free(muon->matrices);
    *muon = (itera_muon){0};
}

/* x = a x + (b S + c S S) x with S = x x^T, five times: pulls all singular values of x, at most 1, close to 1.
 * The odd polynomial's coefficients are Jordan's. S stands on the shorter side of the matrix. */
static void muon_orthogonalize(itera_muon_scratch *s, size_t rows, size_t cols)
{
    const real a = (real)3.4445, b = (real)-4.7750, c = (real)2.0315;
    const size_t count = rows * cols, side = rows < cols ? rows : cols;
    real norm = real_sqrt(real_dot(s->x, s->x, count)) + (real)1e-12;
    for (size_t i = 0; i < count; i++) {
        s->x[i] /= norm;
    }
    for (int round = 0; round < MUON_ROUNDS; round++) {
        itera_operand_store(s->x_operand, 0, s->x, count);
        itera_gemm(s->square, side, s->x_operand, cols, s->x_operand, cols, side, side, rows + cols - side,
                   rows <= cols ? ITERA_B_TURNED : ITERA_A_TURNED);
        itera_operand_store(s->square_operand, 0, s->square, side * side);
        itera_gemm(s->cube, side, s->square_operand, side, s->square_operand, side, side, side, side, 0);
        for (size_t i = 0; i < side * side; i++) {
            s->cube[i] = b * s->square[i] + c * s->cube[i];
        }
        itera_operand_store(s->cube_operand, 0, s->cube, side * side);
        if (rows <= cols) {
            itera_gemm(s->product, cols, s->cube_operand, side, s->x_operand, cols, rows, cols, side, 0);
        } else {
            itera_gemm(s->product, cols, s->x_operand, cols, s->cube_operand, side, rows, cols, side, 0);
        }
        for (size_t i = 0; i < count; i++) {
            s->x[i] = a * s->x[i] + s->product[i];
        }
    }
}

static void muon_move(const itera_muon *muon, itera_params *params, real *moments, const itera_muon_matrix *matrix,
                      double rate, double scale)
{
    itera_muon_scratch *s = &muon->scratch[itera_thread()];
    const size_t count = matrix->rows * matrix->cols;
    const size_t longer = matrix->rows > matrix->cols ? matrix->rows : matrix->cols;
    real *restrict p = params->value + matrix->offset, *restrict g = params->grad + matrix->offset;
    real *restrict m = moments + matrix->offset, *restrict x = s->x;
    for (size_t i = 0; i < count; i++) {
        const real d = g[i] * (real)scale;
        m[i] = muon->momentum * m[i] + (1 - muon->momentum) * d;
        x[i] = muon->momentum * m[i] + (1 - muon->momentum) * d; /* Nesterov's look ahead */
        g[i] = 0;
    }
    muon_orthogonalize(s, matrix->rows, matrix->cols);
    /* 0.2 sqrt(longer side): the root mean square that AdamW's updates have. */
    const real step = (real)(rate * 0.2 * sqrt((double)longer)), keep = (real)(1 - rate * (double)muon->decay);
    for (size_t i = 0; i < count; i++) {
        p[i] = keep * p[i] - step * x[i];
    }
    if (params->operand != params->value) {
        itera_operand_store(params->operand, matrix->offset, p, count);
    }
}

void itera_muon_step(const itera_muon *muon, itera_params *params, real *moments, double rate, double scale)
{
    ITERA_PARALLEL_UNEVEN
    for (int i = 0; i < (int)muon->n; i++) {
        muon_move(muon, params, moments, &muon->matrices[i], rate, scale);
    }
}
