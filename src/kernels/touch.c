#include "kernels/variants.h"

void itera_touch(const void *from, size_t bytes)
{
    int any = 0;
    ITERA_KEEP_LOOP
    for (size_t i = 0; i < bytes; i += 64) {
        any |= ((const uint8_t *)from)[i];
    }
    volatile int kept = any; /* or the loads would be dropped */
    (void)kept;
}
