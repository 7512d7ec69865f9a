/* Mamba-2 mixer (Dao & Gu 2024), tensors named as llama.cpp names them. */
#ifndef ITERA_BLOCKS_SSM_MAMBA2_H
#define ITERA_BLOCKS_SSM_MAMBA2_H

#include "blocks/block.h"

typedef struct itera_mamba2_params {
    uint32_t D;      /* model width */
    uint32_t E;      /* inner width, a multiple of heads and of groups */
    uint32_t N;      /* state size */
    uint32_t heads;  /* H */
    uint32_t groups; /* G, divides H */
    uint32_t taps;   /* K of the convolution */
    float eps;       /* of the gated norm */
} itera_mamba2_params;

/* Asks for the tensors of layer `layer`; *out lives as long as the model. */
itera_status itera_mamba2_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                const itera_mamba2_params *params);

#endif
