#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/checked.h"

static long allocations_left = -1;

void itera_memory_fail_after(long count)
{
    allocations_left = count;
}

/* Whether tests let the next allocation through. */
static bool granted(void)
{
    if (allocations_left == 0) {
        return false;
    }
    if (allocations_left > 0) {
        allocations_left--;
    }
    return true;
}

/* Half of the address space is the most that one block may take: differences of pointers into it stay positive. */
#define LARGEST (SIZE_MAX / 2)

void *itera_memory_alloc(uint64_t bytes)
{
    return bytes <= LARGEST && granted() ? malloc(bytes > 0 ? (size_t)bytes : 1) : NULL;
}

void *itera_memory_zeroed(uint64_t count, size_t element_bytes)
{
    if (element_bytes > 0 && count > LARGEST / element_bytes) {
        return NULL;
    }
    /* calloc, not memset: fresh pages are zero already and stay untouched until they are used. */
    return granted() ? calloc(count > 0 ? (size_t)count : 1, element_bytes) : NULL;
}

void *itera_memory_resize(void *block, uint64_t bytes)
{
    if (bytes > LARGEST || !granted()) {
        return NULL;
    }
    return realloc(block, bytes > 0 ? (size_t)bytes : 1); /* realloc(p, 0) may free p */
}

void *itera_memory_grow(void *array, size_t *capacity, size_t count, size_t element_bytes)
{
    if (count <= *capacity && array != NULL) {
        return array;
    }
    size_t wanted = count > 16 ? count : 16;
    size_t doubled;
    if (itera_mul_size(*capacity, 2, &doubled) && doubled > wanted) {
        wanted = doubled;
    }
    size_t bytes;
    if (!itera_mul_size(wanted, element_bytes, &bytes)) {
        return NULL;
    }
    void *grown = itera_memory_resize(array, bytes);
    if (grown != NULL) {
        *capacity = wanted;
    }
    return grown;
}
