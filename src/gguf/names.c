#include "gguf/names.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const itera_gguf_string *a = &((const itera_gguf_name *)left)->text;
    const itera_gguf_string *b = &((const itera_gguf_name *)right)->text;
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    return memcmp(a->data, b->data, a->length);
}

const itera_gguf_name *itera_gguf_names_sort(itera_gguf_name *names, size_t count)
{
    if (count < 2) {
        return NULL;
    }
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 1; i < count; i++) {
        if (compare(&names[i - 1], &names[i]) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

const itera_gguf_name *itera_gguf_names_find(const itera_gguf_name *names, size_t count, const char *text)
{
    itera_gguf_name wanted = {{text, strlen(text)}, 0};
    return count == 0 ? NULL : bsearch(&wanted, names, count, sizeof *names, compare);
}
