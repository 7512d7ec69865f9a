#include "base/hash.h"

#include "base/bytes.h"

#define LANES 4
#define STRIPE (LANES * 8)

/* Odd, with no pattern in their bits: the fractions of the golden ratio and of the square roots of 2, 3 and 5. */
#define MULTIPLIER 0x9e3779b97f4a7c15u
static const uint64_t starts[LANES] = {0x9e3779b97f4a7c15u, 0x6a09e667f3bcc909u, 0xbb67ae8584caa73bu,
                                       0x3c6ef372fe94f82bu};

/* The rotation brings the top bits down, where the multiplication spreads them: else two flipped signs could
 * cancel each other. */
static uint64_t absorb(uint64_t lane, uint64_t word)
{
    lane ^= word;
    return ((lane << 29) | (lane >> 35)) * MULTIPLIER;
}

static uint64_t finish(uint64_t h)
{
    h = (h ^ (h >> 32)) * MULTIPLIER;
    h = (h ^ (h >> 29)) * MULTIPLIER;
    return h ^ (h >> 32);
}

uint64_t itera_hash(uint64_t seed, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint64_t lanes[LANES];
    size_t left = n;
    for (int i = 0; i < LANES; i++) {
        lanes[i] = starts[i] ^ seed;
    }
    for (; left >= STRIPE; at += STRIPE, left -= STRIPE) {
        for (int i = 0; i < LANES; i++) {
            lanes[i] = absorb(lanes[i], itera_load_u64(at + 8 * i));
        }
    }
    uint8_t rest[STRIPE] = {0};
    if (left > 0) {
        memcpy(rest, at, left);
    }
    uint64_t h = finish(seed) ^ (uint64_t)n;
    for (int i = 0; i < LANES; i++) {
        h = finish(absorb(h, absorb(lanes[i], itera_load_u64(rest + 8 * i))));
    }
    return h;
}
