/* itera-train: trains a model and writes it as GGUF.
 *
 *   itera-train [CONFIG] [--name value]...
 *
 * CONFIG is a text file of lines `name = value` (# begins a comment); flags come after it and win. The run
 * keeps OUT.ckpt beside the model, from which --resume goes on bit for bit, and OUT.csv, a line a log entry;
 * with --patience also OUT.best, the model of the best evaluation. SIGINT and SIGTERM end it after the step
 * at hand, with a checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "train/gguf_file.h"

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "itera-train: %s%s%s\n", what, detail[0] ? ": " : "", detail);
    exit(1);
}

static void must(itera_status status, const itera_error *error)
{
    if (status < 0) {
        die(itera_status_code(status), error->text);
    }
}

/* ---- Settings --------------------------------------------------------------------------------- */

typedef struct settings {
    itera_train_config model;
    itera_trainer_options run;
    const char *arch, *data, *heldout, *vocab_from, *out, *checkpoint, *csv, *init, *teacher, *name, *precision, *type;
    double heldout_bytes, minutes;
    float teacher_share;
    uint64_t eval_every, eval_limit, save_every, log_every, until;
    int32_t bos, eos;
    uint32_t token_bytes; /* 2 or 4; 0: by the vocabulary */
    bool resume, half;
} settings;

typedef enum kind { TEXT, NUMBER, REAL32, COUNT32, COUNT64, INT32, FLAG } kind;

typedef struct setting {
    const char *name;
    kind kind;
    size_t at;
    const char *help;
} setting;

#define MODEL(field) offsetof(settings, model.field)
#define RUN(field) offsetof(settings, run.field)
#define OWN(field) offsetof(settings, field)
static const setting SETTINGS[] = {
    {"arch", TEXT, OWN(arch), "itera2 (default), itera-lite or transformer"},
    {"data", TEXT, OWN(data), "training tokens, u16 or u32 little-endian"},
    {"heldout", TEXT, OWN(heldout), "tokens to evaluate on"},
    {"heldout-bytes", NUMBER, OWN(heldout_bytes), "bytes of text in them, for bits per byte"},
    {"token-bytes", COUNT32, OWN(token_bytes), "2 or 4 (default: 2 up to 65536 tokens)"},
    {"vocab-from", TEXT, OWN(vocab_from),
     "GGUF file whose tokenizer the model takes, and the vocabulary's size"},
    {"bos", INT32, OWN(bos), "token that opens a document (default: the file's)"},
    {"eos", INT32, OWN(eos), "token that closes one"},
    {"out", TEXT, OWN(out), "model to write (.gguf)"},
    {"checkpoint", TEXT, OWN(checkpoint), "default OUT.ckpt"},
    {"csv", TEXT, OWN(csv), "default OUT.csv"},
    {"resume", FLAG, OWN(resume), "go on from the checkpoint, where there is one"},
    {"init", TEXT, OWN(init), "GGUF file to begin from (continued training)"},
    {"teacher", TEXT, OWN(teacher), "GGUF files of Itera-Lite 2, commas between, whose mean predictions are learnt as well (distillation)"},
    {"teacher-share", REAL32, OWN(teacher_share), "of the loss that is the teachers' (0.5)"},
    {"name", TEXT, OWN(name), "general.name in the file"},
    {"type", TEXT, OWN(type), "f16 (default) or f32"},
    {"precision", TEXT, OWN(precision), "of products: best (default) or f32"},
    {"vocabulary", COUNT32, MODEL(V), "tokens, where no --vocab-from says it"},
    {"width", COUNT32, MODEL(D), ""},
    {"layers", COUNT32, MODEL(L), ""},
    {"inner", COUNT32, MODEL(E), "width of the scan"},
    {"state", COUNT32, MODEL(N), ""},
    {"heads", COUNT32, MODEL(heads), "of the scan, or of attention"},
    {"groups", COUNT32, MODEL(groups), ""},
    {"taps", COUNT32, MODEL(taps), "of the convolution"},
    {"chunk", COUNT32, MODEL(chunk), "steps that the scan takes at once"},
    {"experts", COUNT32, MODEL(experts), "0: dense"},
    {"used", COUNT32, MODEL(used), "experts that a token visits"},
    {"expert-width", COUNT32, MODEL(F), "or that of dense layers"},
    {"shared-width", COUNT32, MODEL(shared_F), "of a shared expert; 0: none"},
    {"positions", COUNT32, MODEL(P), "learned positions (itera-lite, transformer)"},
    {"dropout", REAL32, MODEL(dropout), ""},
    {"router-weight", REAL32, MODEL(router_weight), ""},
    {"seq", COUNT32, RUN(T), "tokens of a sequence"},
    {"batch", COUNT32, RUN(B), "sequences of a piece"},
    {"pieces", COUNT32, RUN(pieces), "pieces of a step (gradient accumulation)"},
    {"steps", COUNT64, RUN(steps), ""},
    {"warmup", COUNT64, RUN(warmup), "steps"},
    {"lr", NUMBER, RUN(rate), "learning rate at the top"},
    {"lr-end", NUMBER, RUN(rate_end), "at the end, as a share of it"},
    {"decay", NUMBER, RUN(decay), "weight decay, of matrices"},
    {"beta1", NUMBER, RUN(beta1), ""},
    {"beta2", NUMBER, RUN(beta2), ""},
    {"muon", FLAG, RUN(muon), "matrices of layers move by Muon, the rest by AdamW"},
    {"clip", NUMBER, RUN(clip), "longest gradient; 0: any"},
    {"seed", COUNT64, RUN(seed), ""},
    {"patience", COUNT64, RUN(patience), "evaluations without progress before the run stops; 0: never"},
    {"eval-every", COUNT64, OWN(eval_every), "steps"},
    {"eval-limit", COUNT64, OWN(eval_limit),
     "sequences of an evaluation on the way (0: all); the last has all"},
    {"save-every", COUNT64, OWN(save_every), "steps between checkpoints"},
    {"log-every", COUNT64, OWN(log_every), "steps"},
    {"until", COUNT64, OWN(until), "step to stop at, though the rate is planned for --steps; 0: none"},
    {"minutes", NUMBER, OWN(minutes), "stop after so long, with a checkpoint; 0: never"},
};
enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

static void usage(void)
{
    printf("itera-train [CONFIG] [--name value]...\n");
    for (int i = 0; i < SETTING_COUNT; i++) {
        printf("  --%-15s %s\n", SETTINGS[i].name, SETTINGS[i].help);
    }
    exit(0);
}

static void set(settings *s, const char *name, const char *value)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(SETTINGS[i].name, name) != 0) {
            continue;
        }
        char *field = (char *)s + SETTINGS[i].at, *rest = "";
        switch (SETTINGS[i].kind) {
        case TEXT: *(const char **)(void *)field = strdup(value); break;
        case NUMBER: *(double *)(void *)field = strtod(value, &rest); break;
        case REAL32: *(float *)(void *)field = strtof(value, &rest); break;
        case COUNT32: *(uint32_t *)(void *)field = (uint32_t)strtoul(value, &rest, 10); break;
        case COUNT64: *(uint64_t *)(void *)field = strtoull(value, &rest, 10); break;
        case INT32: *(int32_t *)(void *)field = (int32_t)strtol(value, &rest, 10); break;
        case FLAG: *(bool *)field = strcmp(value, "no") != 0 && strcmp(value, "0") != 0; break;
        }
        if (*rest != '\0') {
            die("not a number", value);
        }
        return;
    }
    die("no such setting (--help lists them)", name);
}

static bool is_flag(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(SETTINGS[i].name, name) == 0) {
            return SETTINGS[i].kind == FLAG;
        }
    }
    return false;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    return text;
}

/* `arch` decides the defaults of all other settings, so it is read first, on a round of its own. */
static void read_config(settings *s, const char *path, bool only_arch)
{
    FILE *file = fopen(path, "r");
    char line[1024];
    if (file == NULL) {
        die("cannot open", path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "#")] = '\0';
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            if (!only_arch || strcmp(trim(line), "arch") == 0) {
                set(s, trim(line), trim(equals + 1));
            }
        } else if (*trim(line) != '\0') {
            die("a line of the configuration has no '='", trim(line));
        }
    }
    fclose(file);
}

static void read_arguments(settings *s, int argc, char **argv, bool only_arch)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage();
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            read_config(s, argv[i], only_arch);
            continue;
        }
        const char *name = argv[i] + 2;
        const char *value = is_flag(name) ? "yes" : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) {
            die("a value is missing after", argv[i]);
        }
        if (!only_arch || strcmp(name, "arch") == 0) {
            set(s, name, value);
        }
    }
}

static settings read_settings(int argc, char **argv)
{
    settings s = {.arch = "itera2", .precision = "best", .type = "f16", .bos = -1, .eos = -1, .teacher_share = 0.5f};
    read_arguments(&s, argc, argv, true);
    itera_train_arch arch = strcmp(s.arch, "itera2") == 0        ? ITERA_TRAIN_ITERA2
                            : strcmp(s.arch, "itera-lite") == 0  ? ITERA_TRAIN_ITERA_LITE
                            : strcmp(s.arch, "transformer") == 0 ? ITERA_TRAIN_TRANSFORMER
                                                                 : (die("no such architecture", s.arch), 0);
    s.model = itera_train_config_default(arch);
    s.run = itera_trainer_options_default();
    s.run.T = s.model.P > 0 ? (int)s.model.P : s.run.T;
    s.eval_every = 500, s.eval_limit = 256, s.save_every = 500, s.log_every = 10;
    read_arguments(&s, argc, argv, false);
    if (s.data == NULL || s.out == NULL) {
        die("--data and --out are needed (--help lists all settings)", "");
    }
    return s;
}

/* ---- Files ------------------------------------------------------------------------------------ */

typedef struct mapping {
    const uint8_t *bytes;
    size_t n;
} mapping;

static mapping map_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size == 0) {
        die("cannot read", path);
    }
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED) {
        die("cannot map", path);
    }
    return (mapping){bytes, (size_t)info.st_size};
}

static itera_tokens map_tokens(const settings *s, const char *path)
{
    mapping file = map_file(path);
    const uint32_t width = s->token_bytes ? s->token_bytes : s->model.V <= 65536 ? 2 : 4;
    return (itera_tokens){
        .bytes = file.bytes, .n = file.n / width, .wide = width == 4, .separator = s->bos, .end = s->eos};
}

static bool sink(void *owner, const void *bytes, size_t n) { return fwrite(bytes, 1, n, owner) == n; }
static bool source(void *owner, void *bytes, size_t n) { return fread(bytes, 1, n, owner) == n; }

/* A file under another name until it is whole and on the disk: a crash leaves the old one. */
typedef struct replacement {
    FILE *file;
    char temporary[4200];
    const char *path;
} replacement;

static replacement replace_begin(const char *path)
{
    replacement r = {.path = path};
    snprintf(r.temporary, sizeof r.temporary, "%s.new", path);
    r.file = fopen(r.temporary, "wb");
    if (r.file == NULL) {
        die("cannot write", r.temporary);
    }
    return r;
}

static void replace_end(replacement *r)
{
    if (fflush(r->file) != 0 || fsync(fileno(r->file)) != 0 || fclose(r->file) != 0 ||
        rename(r->temporary, r->path) != 0) {
        die("cannot write", r->path);
    }
}

static void save_checkpoint(const settings *s, const itera_trainer *trainer)
{
    itera_error error = {""};
    replacement r = replace_begin(s->checkpoint);
    must(itera_trainer_save(trainer, sink, r.file, &error), &error);
    replace_end(&r);
}

static void save_model(const settings *s, const itera_trainer *trainer, const itera_gguf *vocabulary,
                       const char *path)
{
    itera_error error = {""};
    itera_export_options options = {.name = s->name, .vocabulary = vocabulary, .half = s->half};
    replacement r = replace_begin(path);
    must(itera_train_export(trainer->model, &options, sink, r.file, &error), &error);
    replace_end(&r);
}

static itera_gguf *read_header(mapping file, const char *path)
{
    itera_error error = {""};
    itera_gguf *gguf = itera_gguf_create();
    if (gguf == NULL || itera_gguf_feed(gguf, file.bytes, file.n, &error) != ITERA_OK) {
        die(path, error.text);
    }
    return gguf;
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
    fprintf(csv, "%llu,eval,%.6f,,,,,\n", (unsigned long long)trainer->step, nats);
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
    fprintf(csv, "%llu,train,%.6f,%.5f,%.5f,%.6e,%.0f,%.0f\n", (unsigned long long)trainer->step, r->loss,
            r->router_loss, r->norm, r->rate, (double)trainer->step * tokens, rate);
    fflush(csv);
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
        if (trainer->step % s->log_every == 0 || trainer->step == last) {
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

/* The log of a run that goes on, without what was logged after the checkpoint. */
static FILE *open_log(const char *path, uint64_t step)
{
    const char *head = "step,kind,nats_per_token,router_loss,gradient_norm,rate,tokens,tokens_per_second\n";
    FILE *old = step > 0 ? fopen(path, "r") : NULL;
    replacement r = replace_begin(path);
    char line[512];
    fputs(head, r.file);
    while (old != NULL && fgets(line, sizeof line, old) != NULL) {
        if (isdigit((unsigned char)line[0]) && strtoull(line, NULL, 10) <= step) {
            fputs(line, r.file);
        }
    }
    if (old != NULL) {
        fclose(old);
    }
    replace_end(&r);
    FILE *log = fopen(path, "a");
    if (log == NULL) {
        die("cannot write", path);
    }
    return log;
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

static itera_trainer *prepare(settings *s)
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
    FILE *file = s->resume ? fopen(s->checkpoint, "rb") : NULL;
    if (file != NULL) {
        must(itera_trainer_load(trainer, source, file, &error), &error);
        fclose(file);
    }
    return trainer;
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
    itera_gguf *vocabulary = NULL;
    char checkpoint[4096], csv_path[4096];
    const char *products =
        itera_gemm_setup(strcmp(s.precision, "f32") == 0 ? ITERA_PRECISION_F32 : ITERA_PRECISION_BEST);
    if (s.vocab_from != NULL) {
        const itera_gguf_kv *tokens;
        uint32_t id;
        vocabulary = read_header(map_file(s.vocab_from), s.vocab_from);
        tokens = itera_gguf_find(vocabulary, "tokenizer.ggml.tokens");
        s.model.V = tokens != NULL ? (uint32_t)tokens->count : s.model.V;
        s.eos = s.eos < 0 && itera_gguf_get_u32(vocabulary, "tokenizer.ggml.eos_token_id", &id) ? (int32_t)id
                                                                                                : s.eos;
        s.bos = s.bos < 0 && itera_gguf_get_u32(vocabulary, "tokenizer.ggml.bos_token_id", &id) ? (int32_t)id
                                                                                                : s.bos;
    }
    s.half = strcmp(s.type, "f32") != 0;
    snprintf(checkpoint, sizeof checkpoint, "%s.ckpt", s.out);
    snprintf(csv_path, sizeof csv_path, "%s.csv", s.out);
    s.checkpoint = s.checkpoint != NULL ? s.checkpoint : checkpoint;

    itera_trainer *trainer = prepare(&s);
    itera_tokens heldout = {0};
    if (s.heldout != NULL) {
        itera_error error = {""};
        heldout = map_tokens(&s, s.heldout);
        must(itera_tokens_check(&heldout, s.model.V, 1, &error), &error);
    }
    FILE *csv = open_log(s.csv != NULL ? s.csv : csv_path, trainer->step);
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
