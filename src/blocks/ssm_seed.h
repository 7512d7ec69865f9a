/* The seed model's mixer: one shared step size and one state vector h [N] for all channels. */
#ifndef ITERA_BLOCKS_SSM_SEED_H
#define ITERA_BLOCKS_SSM_SEED_H

#include "blocks/block.h"

typedef struct itera_seed_params {
    uint32_t D;    /* model width */
    uint32_t E;    /* inner width */
    uint32_t N;    /* state size */
    uint32_t taps; /* K of the convolution */
} itera_seed_params;

/* Asks for the tensors of layer `layer`; *out lives as long as the model. */
itera_status itera_seed_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                              const itera_seed_params *params);

#endif
