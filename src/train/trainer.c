#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

itera_trainer_options itera_trainer_options_default(void)
{
    return (itera_trainer_options){.B = 16,
                                   .T = 512,
                                   .pieces = 1,
                                   .steps = 1000,
                                   .warmup = 100,
                                   .rate = 1e-3,
                                   .rate_end = 0.05,
                                   .decay = 0.1,
                                   .beta1 = 0.9,
                                   .beta2 = 0.95,
                                   .clip = 1.0};
}

static itera_status trainer_check(const itera_trainer_options *o, itera_error *error)
{
    if (o->pieces < 1 || o->steps < 1) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "a run needs at least one step of one piece");
    }
    if (!(o->rate >= 0) || !(o->beta1 >= 0 && o->beta1 < 1) || !(o->beta2 >= 0 && o->beta2 < 1)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "rate must not be negative, betas lie in 0 .. 1");
    }
    return ITERA_OK;
}

itera_status itera_trainer_create(itera_trainer **out, itera_train_model *model,
                                  const itera_trainer_options *options, const itera_tokens *data,
                                  itera_error *error)
{
    itera_trainer *trainer = calloc(1, sizeof *trainer);
    *out = NULL;
    if (trainer == NULL) {
        itera_train_model_free(model);
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for a trainer");
    }
    trainer->model = model;
    trainer->options = *options;
    trainer->data = *data;
    trainer->best = INFINITY;
    itera_status status = trainer_check(options, error);
    if (status == ITERA_OK) {
        status = itera_tokens_check(data, model->config.V, options->T, error);
    }
    if (status == ITERA_OK) {
        status = itera_train_model_reserve(model, options->B, options->T, error);
    }
    if (status == ITERA_OK) {
        status = itera_adamw_create(&trainer->adamw, &model->params, error);
    }
    if (status == ITERA_OK && options->muon) {
        status = itera_muon_create(&trainer->muon, &model->params, error);
    }
    if (status == ITERA_OK) {
        const size_t R = (size_t)options->B * (size_t)options->T;
        trainer->inputs = calloc(R, sizeof *trainer->inputs);
        trainer->targets = calloc(R, sizeof *trainer->targets);
        if (trainer->inputs == NULL || trainer->targets == NULL) {
            status = itera_fail(error, ITERA_ERR_MEMORY, "no memory for a batch");
        }
    }
    if (status != ITERA_OK) {
        itera_trainer_free(trainer);
        return status;
    }
    trainer->adamw.beta1 = (real)options->beta1;
    trainer->adamw.beta2 = (real)options->beta2;
    trainer->adamw.decay = trainer->muon.decay = (real)options->decay;
    itera_params_init(&model->params, options->seed);
    *out = trainer;
    return ITERA_OK;
}

void itera_trainer_free(itera_trainer *trainer)
{
    if (trainer == NULL) {
        return;
    }
    itera_muon_free(&trainer->muon);
    itera_adamw_free(&trainer->adamw);
    itera_train_model_free(trainer->model);
    free(trainer->inputs);
    free(trainer->targets);
    free(trainer);
}

/* Linear to the top, then a cosine to the end. */
double itera_trainer_rate(const itera_trainer *trainer, uint64_t step)
{
    const itera_trainer_options *o = &trainer->options;
    if (step < o->warmup) {
        return o->rate * (double)(step + 1) / (double)o->warmup;
    }
    double along = o->steps > o->warmup ? (double)(step - o->warmup) / (double)(o->steps - o->warmup) : 1;
    along = along < 1 ? along : 1;
    return o->rate * (o->rate_end + (1 - o->rate_end) * 0.5 * (1 + cos(3.14159265358979323846 * along)));
}

itera_trainer_report itera_trainer_step(itera_trainer *trainer)
{
    const itera_trainer_options *o = &trainer->options;
    itera_trainer_report report = {.rate = itera_trainer_rate(trainer, trainer->step)};
    for (int piece = 0; piece < o->pieces; piece++) {
        itera_tokens_batch(&trainer->data, o->seed, trainer->sample, o->B, o->T, trainer->inputs,
                           trainer->targets);
        itera_train_result result =
            itera_train_gradient(trainer->model, trainer->inputs, trainer->targets, 1.0 / o->pieces,
                                 itera_hash(o->seed ^ 0x64726f70, trainer->sample));
        trainer->sample += (uint64_t)o->B;
        report.loss += result.nll / (double)result.targets / o->pieces;
        report.router_loss += result.router_loss / o->pieces;
    }
    report.norm = itera_gradient_norm(&trainer->model->params);
    double scale = o->clip > 0 && report.norm > o->clip ? o->clip / report.norm : 1;
    trainer->step++;
    if (o->muon) {
        itera_muon_step(&trainer->muon, &trainer->model->params, trainer->adamw.m, report.rate, scale);
    }
    itera_adamw_step(&trainer->adamw, &trainer->model->params, trainer->step, report.rate, scale);
    return report;
}

itera_trainer_score itera_trainer_evaluate(itera_trainer *trainer, const itera_tokens *held_out, size_t limit)
{
    const itera_trainer_options *o = &trainer->options;
    itera_trainer_score score = {0};
    size_t at = 0, sequences = 0;
    while ((limit == 0 || sequences < limit) &&
           itera_tokens_documents(held_out, &at, o->B, o->T, trainer->inputs, trainer->targets)) {
        itera_train_result result = itera_train_evaluate(trainer->model, trainer->inputs, trainer->targets);
        score.nll += result.nll;
        score.tokens += result.targets;
        sequences += (size_t)o->B;
    }
    return score;
}

bool itera_trainer_judge(itera_trainer *trainer, double nats_per_token, bool *is_best)
{
    *is_best = nats_per_token < trainer->best;
    trainer->stale = *is_best ? 0 : trainer->stale + 1;
    trainer->best = *is_best ? nats_per_token : trainer->best;
    return trainer->options.patience > 0 && trainer->stale >= trainer->options.patience;
}

/* ---- Checkpoints ------------------------------------------------------------------------------ */

/* File: this header, then values, first and second moments, each [total] as they lie in memory. */
typedef struct trainer_header {
    char magic[8];
    uint64_t real_bytes, total, B, T, pieces, seed; /* what must agree */
    uint64_t step, sample, stale;
    double best;
    itera_train_config config;
} trainer_header;

static trainer_header trainer_describe(const itera_trainer *trainer)
{
    trainer_header h;
    memset(&h, 0, sizeof h); /* padding is written and compared */
    memcpy(h.magic, "ITERACK1", 8);
    h.real_bytes = sizeof(real);
    h.total = trainer->model->params.total;
    h.B = (uint64_t)trainer->options.B;
    h.T = (uint64_t)trainer->options.T;
    h.pieces = (uint64_t)trainer->options.pieces;
    h.seed = trainer->options.seed;
    h.step = trainer->step;
    h.sample = trainer->sample;
    h.stale = trainer->stale;
    h.best = trainer->best;
    h.config = trainer->model->config;
    return h;
}

itera_status itera_trainer_save(const itera_trainer *trainer, itera_sink sink, void *owner,
                                itera_error *error)
{
    const trainer_header header = trainer_describe(trainer);
    const size_t bytes = trainer->model->params.total * sizeof(real);
    if (!sink(owner, &header, sizeof header) || !sink(owner, trainer->model->params.value, bytes) ||
        !sink(owner, trainer->adamw.m, bytes) || !sink(owner, trainer->adamw.v, bytes)) {
        return itera_fail(error, ITERA_ERR_INCOMPLETE, "the checkpoint could not be written");
    }
    return ITERA_OK;
}

itera_status itera_trainer_load(itera_trainer *trainer, itera_source source, void *owner, itera_error *error)
{
    trainer_header mine = trainer_describe(trainer), header;
    if (!source(owner, &header, sizeof header) ||
        memcmp(header.magic, mine.magic, sizeof header.magic) != 0) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "this is not a checkpoint");
    }
    /* Of the model, dropout and the routers' weight may change between runs; shapes may not. */
    mine.step = header.step, mine.sample = header.sample, mine.stale = header.stale, mine.best = header.best;
    mine.config.dropout = header.config.dropout, mine.config.router_weight = header.config.router_weight;
    mine.config.chunk = header.config.chunk;
    if (memcmp(&mine, &header, sizeof header) != 0) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the checkpoint is of another model, batch or seed");
    }
    const size_t bytes = trainer->model->params.total * sizeof(real);
    if (!source(owner, trainer->model->params.value, bytes) || !source(owner, trainer->adamw.m, bytes) ||
        !source(owner, trainer->adamw.v, bytes)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the checkpoint ends too early");
    }
    trainer->step = header.step;
    trainer->sample = header.sample;
    trainer->stale = header.stale;
    trainer->best = header.best;
    itera_params_refresh(&trainer->model->params);
    return ITERA_OK;
}
