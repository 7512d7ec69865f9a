/* A set of bytes that arrived, as sorted disjoint ranges. Downloads come mostly in order, so it stays tiny. */
#ifndef ITERA_BLOCKS_INTERVALS_H
#define ITERA_BLOCKS_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct itera_intervals {
    uint64_t (*ranges)[2]; /* [begin, end), ascending, never touching each other */
    size_t count, capacity;
} itera_intervals;

/* Adds [begin, end), which may overlap what is there. Returns false when out of memory. */
bool itera_intervals_add(itera_intervals *set, uint64_t begin, uint64_t end);
/* Whether the set is exactly [0, bytes). */
bool itera_intervals_cover(const itera_intervals *set, uint64_t bytes);
/* Frees the memory and leaves the set empty. */
void itera_intervals_free(itera_intervals *set);

#endif
