/* Memory for the trainer's large buffers. */
#ifndef ITERA_TRAIN_PAGES_H
#define ITERA_TRAIN_PAGES_H

#include <stddef.h>

/* Zeroed, aligned to a cache line at least, freed with free(); NULL when there is not enough. Large blocks ask for
 * huge pages: rows of activations lie pages apart, and address lookups cost (185 us of CPU a token against 150 in two
 * alternating pairs of runs on a shared two-core machine). */
void *itera_pages_alloc(size_t bytes);

#endif
