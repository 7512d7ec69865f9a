/* A bump allocator over one block, and its dry run.
 *
 * An arena without memory (base NULL) only counts: code that lays out its buffers with
 * itera_arena_take is run once to learn the size and again to get the pointers, so the two can never
 * disagree. Counting uses 64 bits on every machine, so an absurd size is noticed, not wrapped. */
#ifndef ITERA_BASE_ARENA_H
#define ITERA_BASE_ARENA_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ITERA_ARENA_ALIGN 64 /* a cache line, and a multiple of every vector width in use */

typedef struct itera_arena {
    uint8_t *base;     /* NULL while measuring */
    uint64_t used;     /* bytes taken so far */
    uint64_t capacity; /* bytes behind base; ignored while measuring */
} itera_arena;

/* Bytes of the block behind an arena that has only counted: with room to align its base. */
static inline uint64_t itera_arena_block_bytes(const itera_arena *counted)
{
    return counted->used > UINT64_MAX / 2 ? UINT64_MAX / 2 : counted->used + ITERA_ARENA_ALIGN;
}

/* An empty arena over such a block, whatever its alignment. */
static inline itera_arena itera_arena_over(uint8_t *block, uint64_t block_bytes)
{
    const uint64_t skip = (ITERA_ARENA_ALIGN - (uintptr_t)block % ITERA_ARENA_ALIGN) % ITERA_ARENA_ALIGN;
    return (itera_arena){.base = block + skip, .capacity = block_bytes - skip};
}

/* Takes count * size bytes, aligned to ITERA_ARENA_ALIGN. Returns NULL while measuring. Saturates instead of
 * overflowing: a total of UINT64_MAX means "more than any machine has". */
static inline void *itera_arena_take(itera_arena *arena, uint64_t count, uint64_t size)
{
    uint64_t bytes = (size != 0 && count > (UINT64_MAX / 2) / size) ? UINT64_MAX / 2 : count * size;
    bytes = (bytes + (ITERA_ARENA_ALIGN - 1)) & ~(uint64_t)(ITERA_ARENA_ALIGN - 1);
    uint64_t start = arena->used;
    arena->used = bytes > UINT64_MAX - start ? UINT64_MAX : start + bytes;
    if (arena->base == NULL) {
        return NULL;
    }
    assert(arena->used <= arena->capacity);
    return arena->base + start;
}

static inline float *itera_arena_floats(itera_arena *arena, uint64_t count)
{
    return itera_arena_take(arena, count, sizeof(float));
}

#endif
