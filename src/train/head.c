#include "train/head.h"

#include <string.h>

enum { HEAD_PIECE = 512 }; /* rows: logits of 4096 tokens then take 8 MB */

void itera_train_head_layout(itera_train_head *head, itera_arena *scratch, size_t R)
{
    const size_t rows = R < HEAD_PIECE ? R : HEAD_PIECE;
    head->logits = itera_take_reals(scratch, rows * head->V);
    head->dlogits = itera_take_operand(scratch, rows * head->V);
}

void itera_train_embed(const itera_train_head *head, const itera_train_run *run, real *x,
                       const int32_t *tokens)
{
    const size_t D = head->D, T = (size_t)run->T, R = (size_t)run->B * T;
    const real *value = run->params->value;
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        memcpy(x + r * D, value + head->embedding + (size_t)tokens[r] * D, D * sizeof(real));
        if (head->P > 0) {
            real_add(x + r * D, value + head->positions + r % T * D, D);
        }
    }
}

void itera_train_embed_backward(const itera_train_head *head, const itera_train_run *run, const real *dx,
                                const int32_t *tokens)
{
    const size_t D = head->D, T = (size_t)run->T, R = (size_t)run->B * T;
    real *grad = run->params->grad;
    /* Tokens repeat, so tasks share out the columns and every sum keeps the order of the rows. */
    ITERA_PARALLEL
    for (int part = 0; part < ITERA_PARTS; part++) {
        const size_t begin = itera_part_begin(D, part), n = itera_part_begin(D, part + 1) - begin;
        for (size_t r = 0; r < R; r++) {
            real_add(grad + head->embedding + (size_t)tokens[r] * D + begin, dx + r * D + begin, n);
            if (head->P > 0) {
                real_add(grad + head->positions + r % T * D + begin, dx + r * D + begin, n);
            }
        }
    }
}

/* row becomes `scale` times softmax(row). Returns ln of the sum of exponentials. */
static real head_softmax(real *restrict row, size_t V, real scale)
{
    real most = row[0], sum = 0;
    ITERA_MAX(most)
    for (size_t v = 0; v < V; v++) {
        most = row[v] > most ? row[v] : most;
    }
    ITERA_SUM(sum)
    for (size_t v = 0; v < V; v++) {
        row[v] = real_exp(row[v] - most);
        sum += row[v];
    }
    const real share = scale / sum;
    for (size_t v = 0; v < V; v++) {
        row[v] *= share;
    }
    return real_log(sum) + most;
}

/* Returns -ln p of the target; row i of the logits becomes the gradient of `weight` times the loss. The teachers'
 * logits, if any, become probabilities. */
static real head_row(const itera_train_head *head, size_t i, int32_t target, real weight,
                     const itera_train_lesson *lesson)
{
    const size_t V = head->V;
    const real share = lesson != NULL ? lesson->share : 0;
    real *restrict row = head->logits + i * V;
    if (target < 0) {
        memset(row, 0, V * sizeof(real));
        return 0;
    }
    const real at_target = row[target];
    const real all = head_softmax(row, V, weight);
    row[target] -= weight * (1 - share);
    for (int k = 0; lesson != NULL && k < lesson->n; k++) {
        real *restrict taught = lesson->teachers[k].head->logits + i * V;
        head_softmax(taught, V, weight * share / (real)lesson->n);
        for (size_t v = 0; v < V; v++) {
            row[v] -= taught[v];
        }
    }
    return all - at_target;
}

void itera_train_loss(itera_train_head *head, const itera_train_run *run, real *nll, real *du, const void *u,
                      const int32_t *targets, real weight, const itera_train_lesson *lesson)
{
    const size_t V = head->V, D = head->D, R = (size_t)run->B * (size_t)run->T;
    const void *embedding = itera_weight(run->params, head->embedding);
    for (size_t r = 0; r < R; r += HEAD_PIECE) {
        const size_t rows = R - r < HEAD_PIECE ? R - r : HEAD_PIECE;
        const void *piece = itera_operand_at(u, r * D);
        itera_linear_forward(head->logits, piece, embedding, rows, V, D);
        for (int k = 0; lesson != NULL && k < lesson->n; k++) {
            const itera_train_teacher *teacher = &lesson->teachers[k];
            const itera_train_head *its = teacher->head;
            itera_linear_forward(its->logits, itera_operand_at(teacher->u, r * its->D),
                                 itera_weight(teacher->params, its->embedding), rows, V, its->D);
        }
        ITERA_PARALLEL
        for (size_t i = 0; i < rows; i++) {
            nll[r + i] = head_row(head, i, targets[r + i], weight, lesson);
            if (du != NULL) {
                itera_operand_store(head->dlogits, i * V, head->logits + i * V, V);
            }
        }
        if (du != NULL) {
            itera_linear_backward(du + r * D, head->dlogits, embedding, rows, V, D);
            itera_linear_gradient(run->params->grad + head->embedding, head->dlogits, piece, rows, V, D);
        }
    }
}

void itera_train_logits(const itera_train_head *head, const itera_train_run *run, real *logits, const void *u)
{
    itera_linear_forward(logits, u, itera_weight(run->params, head->embedding),
                         (size_t)run->B * (size_t)run->T, head->V, head->D);
}
