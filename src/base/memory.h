/* One door for allocations whose failure must be survived, so that tests can close it. */
#ifndef ITERA_BASE_MEMORY_H
#define ITERA_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* A new block, its content undefined, or zeros; NULL on failure. Sizes are 64 bits on every machine, so that the
 * product of a hostile file's numbers is refused, not truncated. Zero bytes make a block of one. */
void *itera_memory_alloc(uint64_t bytes);
void *itera_memory_zeroed(uint64_t count, size_t element_bytes);

/* As realloc: NULL on failure, and the old block stays valid. Blocks are freed with free(). */
void *itera_memory_resize(void *block, uint64_t bytes);

/* Makes room for `count` elements in a growing array, at least doubling its capacity so that appending
 * stays linear. Returns the array, perhaps moved, and updates *capacity (in elements); or NULL when out of
 * memory, and then nothing has changed. */
void *itera_memory_grow(void *array, size_t *capacity, size_t count, size_t element_bytes);

/* For tests: the next `count` allocations succeed and all later ones fail; negative: no limit. */
void itera_memory_fail_after(long count);

#endif
