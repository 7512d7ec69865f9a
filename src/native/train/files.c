#define _POSIX_C_SOURCE 200809L
#include "native/train/files.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native/train/die.h"
#include "train/gguf_file.h"

/* ---- Reading ---------------------------------------------------------------------------------- */

mapping map_file(const char *path)
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

itera_tokens map_tokens(const settings *s, const char *path)
{
    mapping file = map_file(path);
    const uint32_t width = s->token_bytes ? s->token_bytes : s->model.V <= 65536 ? 2 : 4;
    return (itera_tokens){
        .bytes = file.bytes, .n = file.n / width, .wide = width == 4, .separator = s->bos, .end = s->eos};
}

itera_gguf *read_header(mapping file, const char *path)
{
    itera_error error = {""};
    itera_gguf *gguf = itera_gguf_create();
    if (gguf == NULL || itera_gguf_feed(gguf, file.bytes, file.n, &error) != ITERA_OK) {
        die(path, error.text);
    }
    return gguf;
}

/* ---- Replacing -------------------------------------------------------------------------------- */

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

/* ---- Checkpoints and models ------------------------------------------------------------------- */

static bool sink(void *owner, const void *bytes, size_t n) { return fwrite(bytes, 1, n, owner) == n; }
static bool source(void *owner, void *bytes, size_t n) { return fread(bytes, 1, n, owner) == n; }

void save_checkpoint(const settings *s, const itera_trainer *trainer)
{
    itera_error error = {""};
    replacement r = replace_begin(s->checkpoint);
    must(itera_trainer_save(trainer, sink, r.file, &error), &error);
    replace_end(&r);
}

void load_checkpoint(const settings *s, itera_trainer *trainer)
{
    itera_error error = {""};
    FILE *file = fopen(s->checkpoint, "rb");
    if (file != NULL) {
        must(itera_trainer_load(trainer, source, file, &error), &error);
        fclose(file);
    }
}

void save_model(const settings *s, const itera_trainer *trainer, const itera_gguf *vocabulary, const char *path)
{
    itera_error error = {""};
    itera_export_options options = {.name = s->name, .vocabulary = vocabulary, .half = s->half};
    replacement r = replace_begin(path);
    must(itera_train_export(trainer->model, &options, sink, r.file, &error), &error);
    replace_end(&r);
}

/* ---- The log ---------------------------------------------------------------------------------- */

FILE *open_log(const char *path, uint64_t step)
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

void log_step(FILE *log, const itera_trainer *trainer, const itera_trainer_report *r, double tokens_per_second)
{
    const double tokens = (double)trainer->options.B * trainer->options.T * trainer->options.pieces;
    fprintf(log, "%llu,train,%.6f,%.5f,%.5f,%.6e,%.0f,%.0f\n", (unsigned long long)trainer->step, r->loss,
            r->router_loss, r->norm, r->rate, (double)trainer->step * tokens, tokens_per_second);
    fflush(log);
}

void log_evaluation(FILE *log, const itera_trainer *trainer, double nats_per_token)
{
    fprintf(log, "%llu,eval,%.6f,,,,,\n", (unsigned long long)trainer->step, nats_per_token);
}
