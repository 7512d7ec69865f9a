/* f32 to every tensor type, in the block layout of the file.
 *
 * A block's scale is chosen for the least sum of squared errors, not to reach its largest weight: see
 * quant/search.h. Results depend on the values only, so a file made anywhere has the same bytes. */
#ifndef ITERA_QUANT_QUANTIZE_H
#define ITERA_QUANT_QUANTIZE_H

#include "base/status.h"
#include "quant/types.h"

/* Encodes `n` values, a multiple of the type's block_elements, into `out`: n / block_elements * block_bytes
 * bytes, which may not overlap `in`. F32, F16 and BF16 keep NaN and infinities, as conversions do.
 * ITERA_ERR_CORRUPT: a value cannot be written in this type, either because it is NaN or infinite and the
 * type has scales, or because it is too large for half precision; the detail says which, `out` is undefined.
 * ITERA_ERR_ARGUMENT: n is no multiple. */
itera_status itera_quantize(void *out, itera_type type, const float *in, size_t n, itera_error *error);

#endif
