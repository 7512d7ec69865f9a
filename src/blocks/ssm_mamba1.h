/* Mamba-1 mixer (Gu & Dao 2023), tensors named as llama.cpp names them. */
#ifndef ITERA_BLOCKS_SSM_MAMBA1_H
#define ITERA_BLOCKS_SSM_MAMBA1_H

#include "blocks/block.h"

typedef struct itera_mamba1_params {
    uint32_t D;       /* model width */
    uint32_t E;       /* inner width */
    uint32_t N;       /* state size */
    uint32_t R;       /* dt rank */
    uint32_t taps;    /* K of the convolution */
    float eps;        /* of the norms below */
    bool dt_b_c_norm; /* FalconMamba: weightless RMSNorm of dt, B and C */
} itera_mamba1_params;

/* Asks for the tensors of layer `layer`; *out lives as long as the model. */
itera_status itera_mamba1_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                const itera_mamba1_params *params);

#endif
