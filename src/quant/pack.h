/* Packed (4-row interleaved) layouts of every type, and the conversions to and from them.
 * kernels/kernels.h says how a matrix is made of groups. */
#ifndef ITERA_QUANT_PACK_H
#define ITERA_QUANT_PACK_H

#include "quant/types.h"

/* Bytes of one packed group of 4 rows of `cols` columns. cols is a multiple of the type's block_elements. */
uint64_t itera_pack_group_bytes(itera_type type, uint32_t cols);

/* Packs 4 rows. rows[i] points to row i in file layout, or is NULL for a padding row of zeros.
 * out: itera_pack_group_bytes(type, cols) bytes, 4-byte aligned; it may not alias the rows. */
void itera_pack_group(void *out, itera_type type, uint32_t cols, const void *const rows[4]);

/* Expands row `lane` (0..3) of a packed group to out [cols] f32: bit for bit what dequantize gives for
 * the file-layout row. Used for embedding look-ups. */
void itera_unpack_row(float *out, itera_type type, uint32_t cols, const void *group, int lane);

#endif
