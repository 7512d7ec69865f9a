/* The inside of a reader, shared by the files of this folder only. */
#ifndef ITERA_GGUF_READER_H
#define ITERA_GGUF_READER_H

#include "gguf/gguf.h"
#include "gguf/names.h"

/* A step of the parser: gets the `need` bytes it waited for, and says through expect() what comes next. */
typedef itera_status itera_gguf_step(itera_gguf *gguf, const uint8_t *bytes, itera_error *error);

/* The header moves while it grows, so records remember positions; the pointers that callers see are filled
 * in once it is complete. */
typedef struct itera_gguf_kv_record {
    itera_gguf_kv kv;
    size_t key_at, value_at;
} itera_gguf_kv_record;

typedef struct itera_gguf_tensor_record {
    itera_gguf_tensor tensor; /* offset counts from the data section until the header is complete */
    size_t name_at;
} itera_gguf_tensor_record;

struct itera_gguf {
    uint8_t *header; /* bytes of the file so far */
    size_t header_bytes, header_capacity;

    size_t at;             /* parse position; header_bytes - at bytes are unread */
    size_t need;           /* bytes that `step` waits for */
    itera_gguf_step *step; /* NULL once the header is complete */
    bool failed;
    uint64_t strings_left; /* of the array that is being read */

    uint32_t version;
    uint64_t kvs_declared, tensors_declared;
    itera_gguf_kv_record *kvs;
    size_t kv_count, kv_capacity;
    itera_gguf_tensor_record *tensors;
    size_t tensor_count, tensor_capacity;

    itera_gguf_name *kv_names, *tensor_names; /* sorted */
    uint64_t data_offset, file_size;
};

/* Checks the header as a whole once its last tensor info was read, and makes it ready for look-ups. */
itera_status itera_gguf_finish(itera_gguf *gguf, itera_error *error);

#endif
