/* Both ends of a model, which share one matrix: the embedding, and the output head with its loss. */
#ifndef ITERA_TRAIN_HEAD_H
#define ITERA_TRAIN_HEAD_H

#include "train/block.h"

typedef struct itera_train_head {
    uint32_t V, D;
    size_t embedding; /* [V, D] */
    size_t positions; /* [P, D], where P > 0 */
    uint32_t P;
    /* scratch, for pieces of rows: logits of all tokens at once would not fit any cache */
    real *logits;  /* [piece, V] */
    void *dlogits; /* operand [piece, V] */
} itera_train_head;

void itera_train_head_layout(itera_train_head *head, itera_arena *scratch, size_t R);

/* x [R, D] = Emb[token] + Pos[t] */
void itera_train_embed(const itera_train_head *head, const itera_train_run *run, real *x,
                       const int32_t *tokens);
void itera_train_embed_backward(const itera_train_head *head, const itera_train_run *run, const real *dx,
                                const int32_t *tokens);

/* Other models whose predictions are learnt as well (distillation, Hinton et al. 2015): of several, the mean of their
 * probabilities. */
typedef struct itera_train_teacher {
    itera_train_head *head; /* of as many tokens; its scratch is used */
    const itera_params *params;
    const void *u; /* operand [R, D of the teacher]: the same batch after its last norm */
} itera_train_teacher;

typedef struct itera_train_lesson {
    const itera_train_teacher *teachers;
    int n;
    real share; /* of the loss: (1 - share) nll + share (cross entropy with the teachers' distribution) */
} itera_train_lesson;

/* nll [R] = -ln softmax(Emb u)[target], 0 where the target is negative. With `du` [R, D]: also the gradient
 * of `weight` times the sum, towards u and the embedding; with a `lesson` (NULL: none) of the loss it says. */
void itera_train_loss(itera_train_head *head, const itera_train_run *run, real *nll, real *du, const void *u,
                      const int32_t *targets, real weight, const itera_train_lesson *lesson);
/* [R, V] logits, for tests. */
void itera_train_logits(const itera_train_head *head, const itera_train_run *run, real *logits,
                        const void *u);

#endif
