#include "blocks/linear.h"

#include <assert.h>

void itera_linear(const itera_run *run, float *y, size_t y_stride, const itera_matrix *w, itera_input *input)
{
    const void *x = input->x;
    assert(w->cols == input->K);
    if (!itera_is_float(w->type)) {
        if (!input->quantized) {
            run->kernels->quantize_act(input->blocks, input->x, input->T, input->K);
            input->quantized = true;
        }
        x = input->blocks;
    }
    run->kernels->matmul[w->type](y, y_stride, w, x, input->T, 0, w->rows);
}
