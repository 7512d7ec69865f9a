/* Text from a format, as snprintf makes it, but in wasm of strings and integers only: numbers with a fraction would
 * take 5 kB of each module. */
#ifndef ITERA_BASE_FORMAT_H
#define ITERA_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__)
#define ITERA_PRINTF(which, first) __attribute__((format(printf, which, first)))
#else
#define ITERA_PRINTF(which, first)
#endif

/* Writes at most `bytes` of text with its final zero; returns the length that it would have in full, or a negative
 * number on failure. */
ITERA_PRINTF(3, 4) int itera_format(char *text, size_t bytes, const char *format, ...);
ITERA_PRINTF(3, 0) int itera_vformat(char *text, size_t bytes, const char *format, va_list arguments);

#endif
