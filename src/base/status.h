/* Status codes shared by every layer, and the error detail that travels with them.
 *
 * Functions that can fail return itera_status. Zero is success, positive values are success with
 * more to do, negative values are failures. A failing function also fills the caller's itera_error
 * (when it passed one) with a sentence that names the offending thing. */
#ifndef ITERA_BASE_STATUS_H
#define ITERA_BASE_STATUS_H

#include "base/format.h"

typedef enum itera_status {
    ITERA_OK = 0,
    ITERA_NEED_MORE = 1,         /* input ends before the item does: feed more bytes and call again */
    ITERA_ERR_ARGUMENT = -1,     /* the caller broke the contract of the function */
    ITERA_ERR_MEMORY = -2,       /* an allocation failed; nothing was leaked */
    ITERA_ERR_NOT_GGUF = -3,     /* the magic or the version is not GGUF 3 (or 2) */
    ITERA_ERR_CORRUPT = -4,      /* the file contradicts itself or exceeds a named limit */
    ITERA_ERR_UNSUPPORTED = -5,  /* well formed, but an architecture, type or option we do not have */
    ITERA_ERR_INCOMPLETE = -6,   /* the file ended before all of its tensors arrived */
    ITERA_ERR_CONTEXT_FULL = -7, /* no room for more tokens in this session; its state is unchanged */
    ITERA_ERR_TOKEN = -8,        /* a token id outside the vocabulary */
    ITERA_ERR_SNAPSHOT = -9,     /* a snapshot of another model, or a damaged one */
} itera_status;

/* Human-readable detail of a failure: one sentence, no newline, always NUL-terminated. */
typedef struct itera_error {
    char text[256];
} itera_error;

/* A short stable identifier of a status, such as "corrupt"; JavaScript uses it as the error code. */
const char *itera_status_code(itera_status status);

/* Formats the detail (base/format.h) into `error`, which may be NULL, and returns `status`. */
ITERA_PRINTF(3, 4)
itera_status itera_fail(itera_error *error, itera_status status, const char *format, ...);

/* Forwards a failure to the caller. */
#define ITERA_TRY(expression)                          \
    do {                                               \
        itera_status itera_try_status = (expression);  \
        if (itera_try_status < 0) {                    \
            return itera_try_status;                   \
        }                                              \
    } while (0)

#endif
