#include "runtime/ranking.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define BLOCK 64
#define LANES 4 /* maxima that run side by side, so that a compiler makes a vector of them */

uint32_t itera_ranking_blocks(uint32_t V)
{
    return V / BLOCK + (V % BLOCK != 0);
}

static uint32_t block_end(const itera_ranking *r, uint32_t block)
{
    return r->V - block * BLOCK < BLOCK ? r->V : (block + 1) * BLOCK;
}

/* What is taken is -infinity and not NaN, because a compiler may make this the relaxed maximum, which says nothing of
 * NaN. */
static float best_of_block(const itera_ranking *r, uint32_t block)
{
    float best[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        best[lane] = -INFINITY;
    }
    uint32_t i = block * BLOCK;
    const uint32_t end = block_end(r, block);
    for (; end - i >= LANES; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            best[lane] = r->logits[i + lane] > best[lane] ? r->logits[i + lane] : best[lane];
        }
    }
    for (; i < end; i++) {
        best[0] = r->logits[i] > best[0] ? r->logits[i] : best[0];
    }
    for (int lane = 1; lane < LANES; lane++) {
        best[0] = best[lane] > best[0] ? best[lane] : best[0];
    }
    return best[0];
}

static bool better(itera_ranked_block a, itera_ranked_block b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.block < b.block);
}

static void sift_down(itera_ranked_block *heap, size_t n, size_t i)
{
    itera_ranked_block moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(heap[child + 1], heap[child])) {
            child++;
        }
        if (!better(heap[child], moving)) {
            break;
        }
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

void itera_ranking_build(itera_ranking *r)
{
    const uint32_t blocks = itera_ranking_blocks(r->V);
    for (uint32_t block = 0; block < blocks; block++) {
        r->heap[block] = (itera_ranked_block){.logit = best_of_block(r, block), .block = block};
    }
    for (size_t i = blocks / 2; i-- > 0;) {
        sift_down(r->heap, blocks, i);
    }
}

itera_candidate itera_ranking_best(const itera_ranking *r)
{
    const itera_ranked_block best = r->heap[0];
    uint32_t token = best.block * BLOCK;
    for (const uint32_t end = block_end(r, best.block); token + 1 < end && r->logits[token] != best.logit;) {
        token++;
    }
    return (itera_candidate){.logit = best.logit, .token = (int32_t)token};
}

itera_candidate itera_ranking_take(itera_ranking *r)
{
    const itera_candidate best = itera_ranking_best(r);
    r->logits[best.token] = -INFINITY;
    r->heap[0].logit = best_of_block(r, r->heap[0].block);
    sift_down(r->heap, itera_ranking_blocks(r->V), 0);
    return best;
}
