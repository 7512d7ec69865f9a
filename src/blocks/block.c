#include "blocks/block.h"

#include "base/format.h"

#define NAME_BYTES 64

const char *itera_layer_name(char *name, uint32_t layer, const char *suffix)
{
    itera_format(name, NAME_BYTES, "blk.%u.%s", (unsigned)layer, suffix);
    return name;
}

itera_status itera_build_matrix(const itera_builder *builder, itera_matrix *out, uint32_t layer, const char *suffix,
                                uint32_t rows, uint32_t cols)
{
    char name[NAME_BYTES];
    return itera_weights_matrix(builder->weights, out, itera_layer_name(name, layer, suffix), rows, cols,
                                builder->error);
}

itera_status itera_build_vector(const itera_builder *builder, const float **out, uint32_t layer, const char *suffix,
                                uint64_t n)
{
    char name[NAME_BYTES];
    return itera_weights_vector(builder->weights, out, itera_layer_name(name, layer, suffix), n, builder->error);
}

itera_status itera_build_alloc(const itera_builder *builder, void **out, size_t bytes)
{
    *out = builder->alloc(builder->owner, bytes);
    if (*out == NULL) {
        return itera_fail(builder->error, ITERA_ERR_MEMORY, "out of memory while building the model");
    }
    return ITERA_OK;
}
