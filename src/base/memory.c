#include "base/memory.h"

#include <stdlib.h>

#include "base/checked.h"

static long allocations_left = -1;

void itera_memory_fail_after(long count)
{
    allocations_left = count;
}

void *itera_memory_resize(void *block, size_t bytes)
{
    if (allocations_left == 0) {
        return NULL;
    }
    if (allocations_left > 0) {
        allocations_left--;
    }
    return realloc(block, bytes > 0 ? bytes : 1); /* realloc(p, 0) may free p */
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
