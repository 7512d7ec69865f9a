/* Mamba-2 hyperparameters, shared by every architecture with such layers. */
#ifndef ITERA_ARCH_MAMBA2_H
#define ITERA_ARCH_MAMBA2_H

#include "arch/arch.h"
#include "blocks/ssm_mamba2.h"

/* Reads <arch>.ssm.* into `p`. */
itera_status itera_mamba2_hparams(const itera_builder *builder, uint32_t D, float eps, itera_mamba2_params *p);

#endif
