/* How the trainer's program ends when it cannot go on. */
#ifndef ITERA_NATIVE_TRAIN_DIE_H
#define ITERA_NATIVE_TRAIN_DIE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

static inline void die(const char *what, const char *detail)
{
    fprintf(stderr, "itera-train: %s%s%s\n", what, detail[0] ? ": " : "", detail);
    exit(1);
}

static inline void must(itera_status status, const itera_error *error)
{
    if (status < 0) {
        die(itera_status_code(status), error->text);
    }
}

#endif
