/* The files of a run: those it reads are mapped; those it writes take their names only when they are whole. Whatever
 * goes wrong ends the program. */
#ifndef ITERA_NATIVE_TRAIN_FILES_H
#define ITERA_NATIVE_TRAIN_FILES_H

#include <stdio.h>

#include "gguf/gguf.h"
#include "native/train/settings.h"

typedef struct mapping {
    const uint8_t *bytes;
    size_t n;
} mapping;

mapping map_file(const char *path);
/* A stream of tokens, as wide as the settings or the vocabulary say. */
itera_tokens map_tokens(const settings *s, const char *path);
/* The header of a mapped GGUF file; the caller frees. */
itera_gguf *read_header(mapping file, const char *path);

void save_checkpoint(const settings *s, const itera_trainer *trainer);
/* Where there is none, the trainer stays at its beginning. */
void load_checkpoint(const settings *s, itera_trainer *trainer);
/* The model as GGUF, with the tokenizer of `vocabulary` (or NULL). */
void save_model(const settings *s, const itera_trainer *trainer, const itera_gguf *vocabulary, const char *path);

/* The log, CSV. One of a run that goes on loses what was logged after the checkpoint at `step`. */
FILE *open_log(const char *path, uint64_t step);
void log_step(FILE *log, const itera_trainer *trainer, const itera_trainer_report *r, double tokens_per_second);
void log_evaluation(FILE *log, const itera_trainer *trainer, double nats_per_token);

#endif
