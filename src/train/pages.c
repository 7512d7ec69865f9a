#ifdef __linux__
#define _DEFAULT_SOURCE /* madvise */
#endif
#include "train/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { PAGES_HUGE = 2 << 20 };

void *itera_pages_alloc(size_t bytes)
{
    const size_t unit = bytes >= PAGES_HUGE ? PAGES_HUGE : 64;
    if (bytes > SIZE_MAX - unit) {
        return NULL;
    }
    const size_t whole = (bytes + unit) / unit * unit;
    void *block = aligned_alloc(unit, whole);
    if (block == NULL) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (unit == PAGES_HUGE) {
        madvise(block, whole, MADV_HUGEPAGE); /* a wish: refused, pages stay small */
    }
#endif
    memset(block, 0, whole);
    return block;
}
