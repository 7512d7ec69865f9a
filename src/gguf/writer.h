/* GGUF v3 header builder, in memory. Metadata and tensors are added in the order in which they shall stand in
 * the file; the caller then writes the header and each tensor's bytes at its offset.
 *
 * Every limit of the reader holds here too, so what was written can be read. Alignment is always 32. */
#ifndef ITERA_GGUF_WRITER_H
#define ITERA_GGUF_WRITER_H

#include "gguf/gguf.h"

typedef struct itera_gguf_writer itera_gguf_writer;

/* Makes an empty writer. Returns NULL when out of memory. */
itera_gguf_writer *itera_gguf_writer_create(void);
void itera_gguf_writer_free(itera_gguf_writer *writer); /* NULL is allowed */

/* Adds a metadata entry; everything is copied. `type` is ITERA_GGUF_ARRAY for an array, and then
 * `element_type` tells of what and `count` how many; for a scalar they are `type` and 1. `data` [n] is the
 * value as GGUF encodes it, just what itera_gguf_kv has as value and value_bytes: little-endian numbers; a
 * string is u64 length and bytes; an array is its elements, without the head.
 * ITERA_ERR_ARGUMENT: the key is there already, `data` does not have the size that type and count ask for, or
 * the key is general.alignment with another value than 32. ITERA_ERR_CORRUPT: beyond a limit of the reader.
 * ITERA_ERR_MEMORY. After a failure the writer is as it was before. */
itera_status itera_gguf_writer_add(itera_gguf_writer *writer, const char *key, size_t key_length,
                                   uint32_t type, uint32_t element_type, uint64_t count, const uint8_t *data,
                                   size_t n, itera_error *error);

/* Adds a tensor. dims: [n_dims], fastest first; type: a GGUF type id that itera_type_lookup knows.
 * Failures as above; ITERA_ERR_UNSUPPORTED for an unknown type. */
itera_status itera_gguf_writer_tensor(itera_gguf_writer *writer, const char *name, size_t name_length,
                                      uint32_t n_dims, const uint64_t *dims, uint32_t type,
                                      itera_error *error);

/* Builds the whole header, padded with zeros to the data section, and points *out to it. Returns its length
 * in bytes, or 0 when out of memory or beyond the reader's limit on headers. It belongs to the writer and is
 * valid until the next call that changes it; more may be added and the header built again. */
size_t itera_gguf_writer_header(itera_gguf_writer *writer, const uint8_t **out);

/* Where tensor `index`, in the order of adding, begins: bytes from the start of the data section, which is
 * the end of the header. For index = number of tensors: where the next one would begin. UINT64_MAX beyond. */
uint64_t itera_gguf_writer_tensor_offset(const itera_gguf_writer *writer, size_t index);

#endif
