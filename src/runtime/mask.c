#include <math.h>

#include "itera.h"

void itera_mask_logits(float *logits, uint32_t vocabulary, const uint32_t *mask)
{
    for (uint32_t first = 0; first < vocabulary; first += 32) {
        const uint32_t allowed = mask[first / 32];
        if (allowed == UINT32_MAX) {
            continue; /* most words of a permissive grammar */
        }
        const uint32_t end = vocabulary - first < 32 ? vocabulary : first + 32;
        for (uint32_t i = first; i < end; i++) {
            if ((allowed >> (i - first) & 1) == 0) {
                logits[i] = -INFINITY;
            }
        }
    }
}
