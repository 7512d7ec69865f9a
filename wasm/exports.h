/* The boundary between C and JavaScript: a flat ABI of 32-bit integers, pointers and doubles. Every exports*.c holds
 * the exports of one subject.
 *
 * Conventions. A status is 0 (done), 1 (more to come) or negative. A function that makes an object returns 0 on
 * failure. After a failure itera_last_status and itera_error_text tell what happened; they belong to the instance,
 * which runs one call at a time. Sizes and offsets that may pass 2^32 travel as doubles. */
#ifndef ITERA_WASM_EXPORTS_H
#define ITERA_WASM_EXPORTS_H

#include <stdint.h>

#include "base/status.h"

#define EXPORT(name) __attribute__((used, export_name(#name)))

#define LARGEST_OFFSET 9007199254740992.0 /* 2^53: every whole double below is exact */

/* The text of the last failure, for the call at hand to fill. */
extern itera_error wasm_last_error;

/* Remembers a failure; passes the status on. */
int32_t wasm_report(itera_status status);

#endif
