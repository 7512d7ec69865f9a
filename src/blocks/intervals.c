#include "blocks/intervals.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool itera_intervals_add(itera_intervals *set, uint64_t begin, uint64_t end)
{
    if (begin >= end) {
        return true;
    }
    size_t first = 0; /* the first range that touches or follows the new one */
    while (first < set->count && set->ranges[first][1] < begin) {
        first++;
    }
    size_t last = first; /* one past the last range that touches it */
    while (last < set->count && set->ranges[last][0] <= end) {
        begin = set->ranges[last][0] < begin ? set->ranges[last][0] : begin;
        end = set->ranges[last][1] > end ? set->ranges[last][1] : end;
        last++;
    }
    if (first == last) {
        void *ranges = itera_memory_grow(set->ranges, &set->capacity, set->count + 1, sizeof *set->ranges);
        if (ranges == NULL) {
            return false;
        }
        set->ranges = ranges;
    }
    /* One range replaces [first, last): the tail moves by the difference. */
    memmove(set->ranges + first + 1, set->ranges + last, (set->count - last) * sizeof *set->ranges);
    set->count = set->count + 1 - (last - first);
    set->ranges[first][0] = begin;
    set->ranges[first][1] = end;
    return true;
}

bool itera_intervals_cover(const itera_intervals *set, uint64_t bytes)
{
    return set->count == 1 && set->ranges[0][0] == 0 && set->ranges[0][1] == bytes;
}

void itera_intervals_free(itera_intervals *set)
{
    free(set->ranges);
    *set = (itera_intervals){0};
}
