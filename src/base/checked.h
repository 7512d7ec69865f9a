/* Arithmetic on sizes that a file or a caller chose. Each function returns false, and leaves *out alone,
 * when the exact result does not fit. */
#ifndef ITERA_BASE_CHECKED_H
#define ITERA_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool itera_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) {
        return false;
    }
    *out = a + b;
    return true;
}

static inline bool itera_mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *out = a * b;
    return true;
}

static inline bool itera_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > UINT64_MAX - b) {
        return false;
    }
    *out = a + b;
    return true;
}

static inline bool itera_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b != 0 && a > UINT64_MAX / b) {
        return false;
    }
    *out = a * b;
    return true;
}

/* Rounds `a` up to a multiple of `power`, which is a power of two. */
static inline bool itera_align_u64(uint64_t a, uint64_t power, uint64_t *out)
{
    uint64_t sum;
    if (!itera_add_u64(a, power - 1, &sum)) {
        return false;
    }
    *out = sum & ~(power - 1);
    return true;
}

#endif
