/* What a run is told: a text file of lines `name = value` (# begins a comment), and flags, which come after it and
 * win. */
#ifndef ITERA_NATIVE_TRAIN_SETTINGS_H
#define ITERA_NATIVE_TRAIN_SETTINGS_H

#include "train/trainer.h"

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

/* Of the command line and the files that it names, over the defaults of the architecture. --help prints all settings
 * and ends the program. */
settings read_settings(int argc, char **argv);

#endif
