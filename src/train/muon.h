/* Muon (Jordan et al. 2024): matrices inside of the layers move by the orthogonal factor of their momentum, found
 * by five Newton-Schulz steps; everything else stays with AdamW. Updates are scaled as Liu et al. 2025 do, so that
 * both share one rate and one decay. */
#ifndef ITERA_TRAIN_MUON_H
#define ITERA_TRAIN_MUON_H

#include "train/params.h"

typedef struct itera_muon {
    struct itera_muon_matrix *matrices;
    size_t n;
    struct itera_muon_scratch *scratch; /* one a thread */
    int threads;
    real momentum, decay;
} itera_muon;

/* Takes the matrices of layers, stacked ones each for itself, but no router, and marks their parameters
 * `orthogonal`. */
itera_status itera_muon_create(itera_muon *muon, itera_params *params, itera_error *error);
void itera_muon_free(itera_muon *muon);

/* One step over what it took, with gradients scaled by `scale` first; `moments` [total] is the momentum. Leaves
 * their gradients zero and operand copies fresh. */
void itera_muon_step(const itera_muon *muon, itera_params *params, real *moments, double rate, double scale);

#endif
