/* GGUF v2/v3 header reader: bounds-checked, incremental, no knowledge of any model.
 *
 * File layout, little endian:
 *   magic "GGUF", version u32, tensor count u64, metadata count u64
 *   metadata: key (string), value type u32, value;  string = length u64 + bytes;
 *             array = element type u32 + count u64 + elements (no nested arrays are accepted)
 *   tensor infos: name (string), dimension count u32, dimensions u64 each (fastest first),
 *             type u32, offset u64 from the start of the data section
 *   padding to general.alignment (default 32), then the data section
 *
 * Every count, length and offset is hostile until checked; limits are named in gguf/format.h. */
#ifndef ITERA_GGUF_GGUF_H
#define ITERA_GGUF_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ITERA_GGUF_MAX_DIMS 4

typedef enum itera_gguf_value_type {
    ITERA_GGUF_U8 = 0, ITERA_GGUF_I8, ITERA_GGUF_U16, ITERA_GGUF_I16, ITERA_GGUF_U32, ITERA_GGUF_I32,
    ITERA_GGUF_F32, ITERA_GGUF_BOOL, ITERA_GGUF_STRING, ITERA_GGUF_ARRAY, ITERA_GGUF_U64, ITERA_GGUF_I64,
    ITERA_GGUF_F64,
} itera_gguf_value_type;

/* Bytes inside the header; not NUL-terminated; valid as long as the reader. */
typedef struct itera_gguf_string {
    const char *data;
    size_t length;
} itera_gguf_string;

typedef struct itera_gguf_kv {
    itera_gguf_string key;
    itera_gguf_value_type type;         /* ITERA_GGUF_ARRAY for arrays */
    itera_gguf_value_type element_type; /* of an array; equals `type` for scalars */
    uint64_t count;                     /* elements of an array; 1 for scalars */
    const uint8_t *value;               /* first byte of the value, or of an array's first element; a string
                                         * begins with its length */
    size_t value_bytes;                 /* bytes of the value or of all elements */
} itera_gguf_kv;

typedef struct itera_gguf_tensor {
    itera_gguf_string name;
    uint32_t n_dims;                    /* 1 to ITERA_GGUF_MAX_DIMS */
    uint64_t dims[ITERA_GGUF_MAX_DIMS]; /* fastest first; 1 beyond n_dims; each at least 1 */
    uint32_t type;                      /* GGUF type id, one that itera_type_lookup knows */
    uint64_t offset;                    /* of the first byte, from the start of the FILE */
    uint64_t bytes;                     /* of the data */
} itera_gguf_tensor;

typedef struct itera_gguf itera_gguf;

/* Makes an empty reader. Returns NULL when out of memory. */
itera_gguf *itera_gguf_create(void);
void itera_gguf_free(itera_gguf *gguf); /* NULL is allowed */

/* Appends `n` bytes of the file, in file order from its first byte; they are copied.
 * ITERA_NEED_MORE: the header goes on. ITERA_OK: the header is complete and was checked as a whole
 * (types known, offsets aligned, tensors in bounds and not overlapping, names unique); bytes past its
 * end were ignored. Any error: the reader can only be freed. Work is linear in the bytes fed, whatever
 * the size of the pieces. */
itera_status itera_gguf_feed(itera_gguf *gguf, const uint8_t *bytes, size_t n, itera_error *error);

/* The rest needs a complete header; before that there are zero entries and everything is absent.
 * An index out of range gives NULL. */
uint32_t itera_gguf_version(const itera_gguf *gguf);
uint64_t itera_gguf_data_offset(const itera_gguf *gguf); /* first byte of the data section, in the file */
uint64_t itera_gguf_file_size(const itera_gguf *gguf);   /* end of the last tensor, or of the header */
size_t itera_gguf_kv_count(const itera_gguf *gguf);
const itera_gguf_kv *itera_gguf_kv_at(const itera_gguf *gguf, size_t index);
/* By name, in logarithmic time; NULL when absent. */
const itera_gguf_kv *itera_gguf_find(const itera_gguf *gguf, const char *key);
size_t itera_gguf_tensor_count(const itera_gguf *gguf);
const itera_gguf_tensor *itera_gguf_tensor_at(const itera_gguf *gguf, size_t index);
const itera_gguf_tensor *itera_gguf_find_tensor(const itera_gguf *gguf, const char *name);

/* Typed look-ups. Return false and leave *out alone when the key is absent, has another kind of type,
 * or does not fit. Integers of any width convert; floats accept F32 and F64. */
bool itera_gguf_get_u32(const itera_gguf *gguf, const char *key, uint32_t *out);
bool itera_gguf_get_f32(const itera_gguf *gguf, const char *key, float *out);
bool itera_gguf_get_bool(const itera_gguf *gguf, const char *key, bool *out);
bool itera_gguf_get_string(const itera_gguf *gguf, const char *key, itera_gguf_string *out);
/* Element `index` of an integer array, or the scalar itself whatever the index when the key holds one. */
bool itera_gguf_get_u32_at(const itera_gguf *gguf, const char *key, size_t index, uint32_t *out);

/* Element `index` of a numeric or bool kv as a double (u64/i64 beyond 2^53 lose precision); NaN for a string
 * or an index out of range. */
double itera_gguf_number(const itera_gguf_kv *kv, size_t index);
/* String `index` of an array of strings (or the string itself, index 0); walks the array, so for short ones.
 * The kv must hold strings and index must be below its count. */
itera_gguf_string itera_gguf_string_at(const itera_gguf_kv *kv, size_t index);
/* Writes the (offset from kv->value, length) pair of each string element to out[2 * count].
 * Does nothing for a kv that holds no strings. */
void itera_gguf_strings(const itera_gguf_kv *kv, uint32_t *out);

#endif
