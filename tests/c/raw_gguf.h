/* GGUF files laid down byte by byte, right or wrong: the tests of the reader must not rest on the writer. */
#ifndef ITERA_TESTS_RAW_GGUF_H
#define ITERA_TESTS_RAW_GGUF_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "gguf/gguf.h"

typedef struct raw_file {
    uint8_t bytes[1 << 16];
    size_t n;
} raw_file;

static inline void raw_put(raw_file *file, const void *bytes, size_t n)
{
    assert(n <= sizeof file->bytes - file->n);
    memcpy(file->bytes + file->n, bytes, n);
    file->n += n;
}

static inline void raw_u8(raw_file *file, uint8_t value)
{
    raw_put(file, &value, 1);
}

static inline void raw_u32(raw_file *file, uint32_t value)
{
    raw_put(file, &value, 4);
}

static inline void raw_u64(raw_file *file, uint64_t value)
{
    raw_put(file, &value, 8);
}

static inline void raw_string(raw_file *file, const char *text)
{
    raw_u64(file, strlen(text));
    raw_put(file, text, strlen(text));
}

static inline void raw_begin(raw_file *file, uint64_t tensors, uint64_t kvs)
{
    file->n = 0;
    raw_put(file, "GGUF", 4);
    raw_u32(file, 3);
    raw_u64(file, tensors);
    raw_u64(file, kvs);
}

/* A key and the type of its value, which the caller puts next. */
static inline void raw_key(raw_file *file, const char *key, uint32_t type)
{
    raw_string(file, key);
    raw_u32(file, type);
}

static inline void raw_array(raw_file *file, const char *key, uint32_t element_type, uint64_t count)
{
    raw_key(file, key, ITERA_GGUF_ARRAY);
    raw_u32(file, element_type);
    raw_u64(file, count);
}

static inline void raw_tensor(raw_file *file, const char *name, uint32_t n_dims, const uint64_t *dims,
                              uint32_t type, uint64_t offset)
{
    raw_string(file, name);
    raw_u32(file, n_dims);
    raw_put(file, dims, n_dims * sizeof *dims);
    raw_u32(file, type);
    raw_u64(file, offset);
}

#endif
