/* Random numbers as functions of a key and a counter: nothing to store, nothing to resume. */
#ifndef ITERA_TRAIN_RANDOM_H
#define ITERA_TRAIN_RANDOM_H

#include <math.h>
#include <stdint.h>

/* Steele, Lea, Flood 2014 (SplitMix64): the counter times an odd constant, then two rounds of mixing. */
static inline uint64_t itera_hash(uint64_t key, uint64_t counter)
{
    uint64_t z = key + (counter + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In (0, 1): never 0, so that its logarithm is finite. */
static inline double itera_uniform(uint64_t key, uint64_t counter)
{
    return ((double)(itera_hash(key, counter) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller 1958. */
static inline double itera_normal(uint64_t key, uint64_t counter)
{
    double radius = sqrt(-2.0 * log(itera_uniform(key, 2 * counter)));
    return radius * cos(6.283185307179586 * itera_uniform(key, 2 * counter + 1));
}

#endif
