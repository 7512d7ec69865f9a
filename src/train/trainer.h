/* A run: model, data, optimizer, schedule, and the checkpoint that holds all of it. */
#ifndef ITERA_TRAIN_TRAINER_H
#define ITERA_TRAIN_TRAINER_H

#include "train/data.h"
#include "train/model.h"
#include "train/muon.h"
#include "train/optimizer.h"

typedef struct itera_trainer_options {
    int B, T;        /* sequences of a piece, and their tokens */
    int pieces;      /* of which gradients are gathered for one step */
    uint64_t steps;  /* of the whole run: where the rate reaches its end */
    uint64_t warmup; /* steps of linear growth */
    double rate;     /* at the top */
    double rate_end; /* at the end of the cosine, as a share of `rate` */
    double decay, beta1, beta2;
    bool muon;       /* moves the matrices of layers; AdamW the rest */
    double clip; /* gradients longer than this are scaled to it; 0: off */
    uint64_t seed;
    uint64_t patience; /* evaluations without a better one before the run stops; 0: never */
} itera_trainer_options;

itera_trainer_options itera_trainer_options_default(void);

typedef struct itera_trainer {
    itera_train_model *model;
    itera_trainer_options options;
    itera_tokens data;
    itera_adamw adamw;
    itera_muon muon;           /* its momentum lies in AdamW's first moments */
    int32_t *inputs, *targets; /* [B T] */
    /* where the run is; all of it in the checkpoint */
    uint64_t step, sample;
    double best;    /* nats a token of the best evaluation so far; infinite before */
    uint64_t stale; /* evaluations since */
} itera_trainer;

/* Takes the model in every case. `data` stays the caller's. Fills the parameters from the seed. */
itera_status itera_trainer_create(itera_trainer **out, itera_train_model *model,
                                  const itera_trainer_options *options, const itera_tokens *data,
                                  itera_error *error);
void itera_trainer_free(itera_trainer *trainer); /* NULL is allowed */

typedef struct itera_trainer_report {
    double loss;        /* nats a token */
    double router_loss; /* a layer's mean would be 1 (switch) or 0 (seed) when perfectly even; the sum here */
    double norm;        /* of the gradient before clipping */
    double rate;
} itera_trainer_report;

itera_trainer_report itera_trainer_step(itera_trainer *trainer);
double itera_trainer_rate(const itera_trainer *trainer, uint64_t step);

typedef struct itera_trainer_score {
    double nll; /* sum, nats */
    size_t tokens;
} itera_trainer_score;

/* Held-out tokens, by documents, at most `limit` sequences (0: all). */
itera_trainer_score itera_trainer_evaluate(itera_trainer *trainer, const itera_tokens *held_out,
                                           size_t limit);
/* Records an evaluation; true when the run should stop for want of progress. */
bool itera_trainer_judge(itera_trainer *trainer, double nats_per_token, bool *is_best);

/* Checkpoints go through these, so that the core opens no files. Both return false on failure. */
typedef bool (*itera_sink)(void *owner, const void *bytes, size_t n);
typedef bool (*itera_source)(void *owner, void *bytes, size_t n);
itera_status itera_trainer_save(const itera_trainer *trainer, itera_sink sink, void *owner,
                                itera_error *error);
/* The trainer must have been made with the same model and batch; ITERA_ERR_SNAPSHOT otherwise. Steps, rates
 * and the like may change between runs. After a failure the trainer can only be freed. */
itera_status itera_trainer_load(itera_trainer *trainer, itera_source source, void *owner, itera_error *error);

#endif
