/* Look-up of names: an array sorted by length, then by bytes. Sorted rather than hashed, because a hostile
 * file can choose names that collide under any fixed hash and so make it quadratic. */
#ifndef ITERA_GGUF_NAMES_H
#define ITERA_GGUF_NAMES_H

#include "gguf/gguf.h"

typedef struct itera_gguf_name {
    itera_gguf_string text;
    size_t position; /* of the kv or tensor, in file order */
} itera_gguf_name;

/* Sorts the names. Returns one that occurs twice, or NULL when all differ. */
const itera_gguf_name *itera_gguf_names_sort(itera_gguf_name *names, size_t count);

/* The entry with this text, or NULL. The names are sorted. */
const itera_gguf_name *itera_gguf_names_find(const itera_gguf_name *names, size_t count, const char *text);

#endif
