/* A 64-bit hash for telling files apart and finding damage. Fast (memory is the limit), the same on every machine,
 * and no defence against somebody who means to forge it.
 *
 * Every step is a bijection of its lane, so any change of a single word changes the result before the final mix,
 * which only folds four lanes into one. */
#ifndef ITERA_BASE_HASH_H
#define ITERA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash of `n` bytes, starting from `seed`: 0, or the hash of what came before. */
uint64_t itera_hash(uint64_t seed, const void *bytes, size_t n);

#endif
