/* The best of many logits, one after another, without a sort: a max-heap of blocks of tokens. One pass over the logits
 * builds it, and each token that is really wanted costs a look through its block. */
#ifndef ITERA_RUNTIME_RANKING_H
#define ITERA_RUNTIME_RANKING_H

#include <stdint.h>

typedef struct itera_candidate {
    float logit;
    int32_t token;
} itera_candidate;

/* A block in the running, by its best logit. */
typedef struct itera_ranked_block {
    float logit;
    uint32_t block;
} itera_ranked_block;

typedef struct itera_ranking {
    uint32_t V;
    float *logits;            /* [V] no NaN; -infinity: never to be chosen, or taken */
    itera_ranked_block *heap; /* [itera_ranking_blocks(V)] */
} itera_ranking;

/* Blocks of V tokens. */
uint32_t itera_ranking_blocks(uint32_t V);
/* Ranks the logits as they are now. */
void itera_ranking_build(itera_ranking *ranking);
/* The best token that is left; of equals the lower, so that greedy is the same everywhere. */
itera_candidate itera_ranking_best(const itera_ranking *ranking);
/* Takes it out of the logits. Where none is left, its logit is -infinity. */
itera_candidate itera_ranking_take(itera_ranking *ranking);

#endif
