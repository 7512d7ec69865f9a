#define _POSIX_C_SOURCE 200809L
#include "native/train/settings.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native/train/die.h"

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
    {"teacher", TEXT, OWN(teacher),
     "GGUF files of Itera-Lite 2, commas between, whose mean predictions are learnt as well (distillation)"},
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

settings read_settings(int argc, char **argv)
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
    static char checkpoint[4096], csv[4096];
    snprintf(checkpoint, sizeof checkpoint, "%s.ckpt", s.out);
    snprintf(csv, sizeof csv, "%s.csv", s.out);
    s.checkpoint = s.checkpoint != NULL ? s.checkpoint : checkpoint;
    s.csv = s.csv != NULL ? s.csv : csv;
    s.half = strcmp(s.type, "f32") != 0;
    return s;
}
