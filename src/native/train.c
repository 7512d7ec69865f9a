/* itera-train: trains a model and writes it as GGUF.
 *
 *   itera-train [CONFIG] [--name value]...
 *
 * CONFIG is a text file of lines `name = value` (# begins a comment); flags come after it and win. The run
 * keeps OUT.ckpt beside the model, from which --resume goes on bit for bit, and OUT.csv, a line a log entry;
 * with --patience also OUT.best, the model of the best evaluation. SIGINT and SIGTERM end it after the step
 * at hand, with a checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "native/train/die.h"
#include "native/train/files.h"
#include "native/train/settings.h"
#include "train/gguf_file.h"

/* ---- What a run begins with ------------------------------------------------------------------- */

/* The file whose tokenizer the model takes: it says how many tokens there are, and which of them bound documents. */
static itera_gguf *take_vocabulary(settings *s)
{
    uint32_t id;
    itera_gguf *vocabulary = read_header(map_file(s->vocab_from), s->vocab_from);
    const itera_gguf_kv *tokens = itera_gguf_find(vocabulary, "tokenizer.ggml.tokens");
    s->model.V = tokens != NULL ? (uint32_t)tokens->count : s->model.V;
    if (s->eos < 0 && itera_gguf_get_u32(vocabulary, "tokenizer.ggml.eos_token_id", &id)) {
        s->eos = (int32_t)id;
    }
    if (s->bos < 0 && itera_gguf_get_u32(vocabulary, "tokenizer.ggml.bos_token_id", &id)) {
        s->bos = (int32_t)id;
    }
    return vocabulary;
}

static itera_train_model *call_teacher(const settings *s, const char *path)
{
    itera_error error = {""};
    itera_train_config config;
    itera_train_model *teacher;
    mapping file = map_file(path);
    itera_gguf *header = read_header(file, path);
    must(itera_train_config_read(&config, header, &error), &error);
    must(itera_train_model_create(&teacher, &config, &error), &error);
    must(itera_train_import(teacher, header, file.bytes, file.n, &error), &error);
    must(itera_train_model_reserve(teacher, s->run.B, s->run.T, &error), &error);
    itera_gguf_free(header);
    return teacher;
}

static void call_teachers(const settings *s, itera_train_model *model)
{
    itera_error error = {""};
    itera_train_model *teachers[ITERA_MAX_TEACHERS + 1]; /* one too many is for the model to refuse */
    int n = 0;
    char *list = strdup(s->teacher);
    for (char *path = list, *end; path != NULL && n <= ITERA_MAX_TEACHERS; path = end) {
        end = strchr(path, ',');
        if (end != NULL) {
            *end++ = '\0';
        }
        teachers[n++] = call_teacher(s, path);
    }
    free(list);
    must(itera_train_model_teach(model, teachers, n, s->teacher_share, &error), &error);
}

static itera_trainer *prepare(const settings *s)
{
    itera_error error = {""};
    itera_train_model *model;
    itera_trainer *trainer;
    const itera_tokens data = map_tokens(s, s->data);
    must(itera_train_model_create(&model, &s->model, &error), &error);
    must(itera_trainer_create(&trainer, model, &s->run, &data, &error), &error);
    if (s->init != NULL) {
        mapping file = map_file(s->init);
        itera_gguf *header = read_header(file, s->init);
        must(itera_train_import(model, header, file.bytes, file.n, &error), &error);
        itera_gguf_free(header);
    }
    if (s->teacher != NULL) {
        call_teachers(s, model);
    }
    if (s->resume) {
        load_checkpoint(s, trainer);
    }
    return trainer;
}

/* ---- The run ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void evaluate(const settings *s, itera_trainer *trainer, const itera_tokens *heldout, size_t limit,
                     FILE *csv, const itera_gguf *vocabulary, bool *stop)
{
    bool best;
    itera_trainer_score score = itera_trainer_evaluate(trainer, heldout, limit);
    const double nats = score.nll / (double)(score.tokens ? score.tokens : 1);
    *stop = itera_trainer_judge(trainer, nats, &best);
    printf("step %llu: held-out %.5f nats a token over %zu tokens", (unsigned long long)trainer->step, nats,
           score.tokens);
    if (s->heldout_bytes > 0 && limit == 0) {
        printf(", %.5f bits per byte", score.nll / (s->heldout_bytes * 0.69314718055994531));
    }
    printf("%s\n", best ? " (best)" : "");
    fflush(stdout);
    log_evaluation(csv, trainer, nats);
    if (best && s->run.patience > 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s.best", s->out);
        save_model(s, trainer, vocabulary, path);
    }
}

static void report(const itera_trainer *trainer, const itera_trainer_report *r, double rate, FILE *csv)
{
    const uint64_t left = trainer->options.steps - trainer->step;
    const double tokens = (double)trainer->options.B * trainer->options.T * trainer->options.pieces;
    const double seconds = (double)left * tokens / rate;
    printf("step %llu/%llu  loss %.4f  router %.3f  norm %.2f  lr %.2e  %.0f tokens/s  %d:%02d:%02d left\n",
           (unsigned long long)trainer->step, (unsigned long long)trainer->options.steps, r->loss,
           r->router_loss, r->norm, r->rate, rate, (int)(seconds / 3600), (int)(seconds / 60) % 60,
           (int)seconds % 60);
    fflush(stdout);
    log_step(csv, trainer, r, rate);
}

static void train(const settings *s, itera_trainer *trainer, const itera_tokens *heldout, FILE *csv,
                  const itera_gguf *vocabulary)
{
    const double start = now();
    const double tokens = (double)s->run.B * s->run.T * s->run.pieces;
    double marked = start;
    uint64_t marked_step = trainer->step;
    bool stop = false;
    const uint64_t last = s->until > 0 && s->until < s->run.steps ? s->until : s->run.steps;
    while (trainer->step < last && !stop && !interrupted) {
        itera_trainer_report r = itera_trainer_step(trainer);
        if (!(r.loss < 1e30)) {
            die("the loss is no longer a number", "try a lower --lr or a longer --warmup");
        }
        if ((s->log_every > 0 && trainer->step % s->log_every == 0) || trainer->step == last) {
            report(trainer, &r, (double)(trainer->step - marked_step) * tokens / (now() - marked), csv);
            marked = now();
            marked_step = trainer->step;
        }
        if (heldout != NULL && s->eval_every > 0 && trainer->step % s->eval_every == 0 &&
            trainer->step < last) {
            double paused = now();
            evaluate(s, trainer, heldout, s->eval_limit, csv, vocabulary, &stop);
            marked += now() - paused;
        }
        if (s->save_every > 0 && trainer->step % s->save_every == 0) {
            save_checkpoint(s, trainer);
        }
        stop = stop || (s->minutes > 0 && now() - start > 60 * s->minutes);
    }
}

/* Threads that wait for each other by spinning ruin a machine that does anything else. OpenMP reads its
 * setting before main begins, so the program starts itself once more with it. */
static void wait_politely(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") == NULL && setenv("OMP_WAIT_POLICY", "passive", 1) == 0) {
        execv("/proc/self/exe", argv);
    }
}

int main(int argc, char **argv)
{
    wait_politely(argv);
    settings s = read_settings(argc, argv);
    const char *products =
        itera_gemm_setup(strcmp(s.precision, "f32") == 0 ? ITERA_PRECISION_F32 : ITERA_PRECISION_BEST);
    itera_gguf *vocabulary = s.vocab_from != NULL ? take_vocabulary(&s) : NULL;
    itera_trainer *trainer = prepare(&s);
    itera_tokens heldout = {0};
    if (s.heldout != NULL) {
        itera_error error = {""};
        heldout = map_tokens(&s, s.heldout);
        must(itera_tokens_check(&heldout, s.model.V, 1, &error), &error);
    }
    FILE *csv = open_log(s.csv, trainer->step);
    printf("%s: %zu parameters, products by %s, %d threads, %llu MB of activations; %zu tokens of text, step "
           "%llu\n",
           s.arch, itera_params_count(&trainer->model->params), products, itera_threads(),
           (unsigned long long)(trainer->model->memory_bytes >> 20), trainer->data.n,
           (unsigned long long)trainer->step);
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    train(&s, trainer, s.heldout != NULL ? &heldout : NULL, csv, vocabulary);
    save_checkpoint(&s, trainer);
    if (s.heldout != NULL && !interrupted) {
        bool stop;
        evaluate(&s, trainer, &heldout, 0, csv, vocabulary, &stop);
    }
    save_model(&s, trainer, vocabulary, s.out);
    fclose(csv);
    for (int k = 0; k < trainer->model->n_teachers; k++) {
        itera_train_model_free(trainer->model->teachers[k]);
    }
    itera_trainer_free(trainer);
    itera_gguf_free(vocabulary);
    return 0;
}
