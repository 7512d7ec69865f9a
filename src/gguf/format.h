/* What the reader and the writer share: limits, sizes of values, and the check of one tensor's shape. */
#ifndef ITERA_GGUF_FORMAT_H
#define ITERA_GGUF_FORMAT_H

#include "gguf/gguf.h"

/* Limits. A file is refused as corrupt at the first count or length beyond one of them, before anything
 * is allocated for it. */
enum {
    ITERA_GGUF_DEFAULT_ALIGNMENT = 32,      /* the format's own default */
    ITERA_GGUF_MAX_ALIGNMENT = 65536,       /* the largest page of any machine we know; files use 32 */
    ITERA_GGUF_MAX_KVS = 65536,             /* files hold under a hundred; bounds the records to a few MB */
    ITERA_GGUF_MAX_TENSORS = 65536,         /* the largest models hold some thousands */
    ITERA_GGUF_MAX_KEY_BYTES = 65535,       /* the format's own limit */
    ITERA_GGUF_MAX_NAME_BYTES = 255,        /* llama.cpp refuses names of 64 bytes; room for its forks */
    ITERA_GGUF_MAX_STRING_BYTES = 64 << 20, /* a whole tokenizer.json (some 30 MB) may be one string */
    ITERA_GGUF_MAX_ARRAY_COUNT = 1 << 24,   /* vocabularies and merges stay under a million */
    ITERA_GGUF_MAX_HEADER_BYTES = 256 << 20 /* large vocabularies make headers of 10 to 20 MB */
};
#define ITERA_GGUF_MAX_DIM ((uint64_t)INT32_MAX)         /* kernels index rows and columns with 32 bits */
#define ITERA_GGUF_MAX_FILE_BYTES ((uint64_t)1 << 53)    /* offsets reach JavaScript as doubles, exactly */

/* Bytes of one value of a fixed-size type; 0 for strings, arrays and ids that mean nothing. */
size_t itera_gguf_value_bytes(uint32_t value_type);

/* printf arguments for "%.*s" that show at most the beginning of a name out of a file. */
#define ITERA_GGUF_SHOWN(string) ((string).length < 64 ? (int)(string).length : 64), (string).data

/* The length of a key or of a tensor's name: at least 1, at most `limit`. `what` says which, in the error. */
itera_status itera_gguf_check_name_length(const char *what, uint64_t length, uint64_t limit,
                                          itera_error *error);

/* Whole strings at `bytes`: ITERA_OK when exactly `count` of them fill the `n` bytes. For encoded values that
 * did not come through the reader. */
itera_status itera_gguf_check_strings(const uint8_t *bytes, size_t n, uint64_t count, itera_error *error);

/* Looks at name, n_dims, dims and type, which are hostile; fills dims beyond n_dims with 1, and `bytes`.
 * ITERA_ERR_UNSUPPORTED names an unknown type and lists the known ones. */
itera_status itera_gguf_measure_tensor(itera_gguf_tensor *tensor, itera_error *error);

#endif
