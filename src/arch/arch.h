/* The architectures, one file each. To add one: write its file, declare its entry here, list it in arch.c. */
#ifndef ITERA_ARCH_ARCH_H
#define ITERA_ARCH_ARCH_H

#include "arch/graph.h"

typedef struct itera_arch {
    const char *name; /* general.architecture */
    /* Reads the hyperparameters and asks for all tensors. */
    itera_status (*build)(const itera_builder *builder, itera_graph *graph);
} itera_arch;

extern const itera_arch itera_arch_itera_lite;
extern const itera_arch itera_arch_mamba;
extern const itera_arch itera_arch_mamba2;
extern const itera_arch itera_arch_granitehybrid;

/* The entry for the file's general.architecture; ITERA_ERR_UNSUPPORTED names it and lists what there is. */
itera_status itera_arch_of(const itera_gguf *gguf, const itera_arch **out, itera_error *error);

#endif
