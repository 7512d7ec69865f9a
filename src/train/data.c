#include "train/data.h"

#include "base/bytes.h"
#include "train/random.h"

int32_t itera_tokens_at(const itera_tokens *tokens, size_t index)
{
    return tokens->wide ? (int32_t)itera_load_u32(tokens->bytes + 4 * index)
                        : (int32_t)itera_load_u16(tokens->bytes + 2 * index);
}

itera_status itera_tokens_check(const itera_tokens *tokens, uint32_t vocabulary, int T, itera_error *error)
{
    if (T < 1 || tokens->n < (size_t)T + 2) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "%zu tokens are too few for sequences of %d", tokens->n,
                          T);
    }
    for (size_t i = 0; i < tokens->n; i++) {
        if ((uint32_t)itera_tokens_at(tokens, i) >= vocabulary) {
            return itera_fail(error, ITERA_ERR_TOKEN, "token %zu is %d, outside a vocabulary of %u", i,
                              (int)itera_tokens_at(tokens, i), vocabulary);
        }
    }
    return ITERA_OK;
}

size_t itera_tokens_windows(const itera_tokens *tokens, int T)
{
    size_t windows = (tokens->n - 1) / (size_t)T;
    return windows > 1 ? windows - 1 : 1; /* the random offset takes the place of one */
}

/* A permutation of 0 .. n - 1 by four Feistel rounds over the next even power of two, walked until it is
 * inside. */
static uint64_t data_shuffle(uint64_t i, uint64_t n, uint64_t key)
{
    unsigned half = 1;
    while (((uint64_t)1 << (2 * half)) < n) {
        half++;
    }
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (itera_hash(key + round, right) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

static size_t data_window(const itera_tokens *tokens, uint64_t seed, uint64_t sample, int T)
{
    const uint64_t windows = itera_tokens_windows(tokens, T), epoch = sample / windows;
    const uint64_t key = itera_hash(seed, epoch);
    const size_t last = tokens->n - 1 - (size_t)T; /* the last start whose targets are all there */
    size_t slack = last - (windows - 1) * (size_t)T;
    slack = slack < (size_t)T ? slack : (size_t)T;
    size_t start = (size_t)data_shuffle(sample % windows, windows, key) * (size_t)T +
                   (size_t)(itera_hash(key, 1) % (slack + 1));
    for (size_t back = 0; tokens->separator >= 0 && back <= (size_t)T / 2 && back <= start; back++) {
        if (itera_tokens_at(tokens, start - back) == tokens->separator) {
            return start - back;
        }
    }
    return start;
}

void itera_tokens_batch(const itera_tokens *tokens, uint64_t seed, uint64_t first, int B, int T,
                        int32_t *inputs, int32_t *targets)
{
    for (int b = 0; b < B; b++) {
        size_t start = data_window(tokens, seed, first + (uint64_t)b, T);
        for (int t = 0; t < T; t++) {
            inputs[b * T + t] = itera_tokens_at(tokens, start + (size_t)t);
            targets[b * T + t] = itera_tokens_at(tokens, start + (size_t)t + 1);
        }
    }
}

bool itera_tokens_documents(const itera_tokens *tokens, size_t *at, int B, int T, int32_t *inputs,
                            int32_t *targets)
{
    if (*at + 1 >= tokens->n) {
        return false;
    }
    for (int b = 0; b < B; b++) {
        bool open = *at + 1 < tokens->n;
        for (int t = 0; t < T; t++) {
            inputs[b * T + t] = 0;
            targets[b * T + t] = -1;
            if (open) {
                inputs[b * T + t] = itera_tokens_at(tokens, *at);
                targets[b * T + t] = itera_tokens_at(tokens, *at + 1);
                ++*at;
                /* What ends a document is predicted, be it EOS or the next one's BOS; a BOS after EOS is
                 * given. */
                if (targets[b * T + t] == tokens->end || targets[b * T + t] == tokens->separator) {
                    open = false;
                    *at += *at + 1 < tokens->n && itera_tokens_at(tokens, *at + 1) == tokens->separator;
                }
                open = open && *at + 1 < tokens->n;
            }
        }
    }
    return true;
}
