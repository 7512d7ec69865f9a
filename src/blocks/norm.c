#include "blocks/norm.h"

#include "base/format.h"

itera_status itera_norm_build(const itera_builder *builder, itera_norm *norm, const char *name, uint32_t D, float eps,
                              bool layer_norm)
{
    char tensor[80];
    norm->D = (int)D;
    norm->eps = eps;
    itera_format(tensor, sizeof tensor, "%s.weight", name);
    ITERA_TRY(itera_weights_vector(builder->weights, &norm->weight, tensor, D, builder->error));
    if (layer_norm) {
        itera_format(tensor, sizeof tensor, "%s.bias", name);
        ITERA_TRY(itera_weights_vector(builder->weights, &norm->bias, tensor, D, builder->error));
    }
    return ITERA_OK;
}

void itera_norm_apply(const itera_norm *norm, const itera_kernels *kernels, float *y, const float *x, int T)
{
    if (norm->bias != NULL) {
        kernels->layer_norm(y, x, norm->weight, norm->bias, T, norm->D, norm->eps);
    } else {
        kernels->rms_norm(y, x, norm->weight, T, norm->D, (size_t)norm->D, norm->eps);
    }
}
