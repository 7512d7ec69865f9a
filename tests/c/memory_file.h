/* A file in memory, to be written and read through the callbacks that the trainer takes. */
#ifndef ITERA_TESTS_MEMORY_FILE_H
#define ITERA_TESTS_MEMORY_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* All zero at first. Its owner frees the bytes. */
typedef struct memory_file {
    uint8_t *bytes;
    size_t n, capacity, at; /* at: where reading goes on */
} memory_file;

static inline bool memory_file_write(void *owner, const void *bytes, size_t n)
{
    memory_file *file = owner;
    if (file->n + n > file->capacity) {
        file->capacity = 2 * (file->n + n);
        file->bytes = realloc(file->bytes, file->capacity);
    }
    memcpy(file->bytes + file->n, bytes, n);
    file->n += n;
    return true;
}

static inline bool memory_file_read(void *owner, void *bytes, size_t n)
{
    memory_file *file = owner;
    if (n > file->n - file->at) {
        return false;
    }
    memcpy(bytes, file->bytes + file->at, n);
    file->at += n;
    return true;
}

#endif
