#include "blocks/linear.h"

#include <assert.h>

/* ---- Quantizing the input, by tokens ---------------------------------------------------------- */

typedef struct quantizing {
    const itera_kernels *kernels;
    itera_input *input;
} quantizing;

static void quantize_tokens(void *context, itera_team team)
{
    const quantizing *q = context;
    const size_t K = (size_t)q->input->K;
    itera_range tokens = itera_share(team, q->input->T, 1);
    const size_t first = (size_t)tokens.begin * K;
    q->kernels->quantize_act(q->input->blocks + first / ITERA_ACT_BLOCK, q->input->x + first,
                             tokens.end - tokens.begin, q->input->K);
}

void itera_input_prepare(const itera_run *run, itera_input *input, itera_type type)
{
    if (itera_is_float(type) || input->quantized) {
        return;
    }
    quantizing q = {.kernels = run->kernels, .input = input};
    uint64_t work = input->T > 1 ? 4 * (uint64_t)input->T * (uint64_t)input->K : 0;
    itera_parallel_split(itera_pool_for(run, work), input->T, ITERA_LEAST_TOKENS, quantize_tokens, &q);
    input->quantized = true;
}

/* ---- Products, by rows ------------------------------------------------------------------------ */

itera_range itera_linear_share(const itera_run *run, itera_team team, float *y, size_t y_stride,
                               const itera_matrix *w, const itera_input *input)
{
    itera_range rows = itera_share(team, w->rows, ITERA_ROW_GRAIN);
    if (rows.begin < rows.end) {
        run->kernels->matmul[w->type](y, y_stride, w, itera_input_data(input, w->type), input->T, rows.begin,
                                      rows.end);
    }
    return rows;
}

typedef struct product {
    const itera_run *run;
    float *y;
    size_t y_stride;
    const itera_matrix *w;
    const itera_input *input;
} product;

static void multiply(void *context, itera_team team)
{
    const product *p = context;
    itera_linear_share(p->run, team, p->y, p->y_stride, p->w, p->input);
}

void itera_linear(const itera_run *run, float *y, size_t y_stride, const itera_matrix *w, itera_input *input)
{
    assert(w->cols == input->K);
    itera_input_prepare(run, input, w->type);
    product p = {.run = run, .y = y, .y_stride = y_stride, .w = w, .input = input};
    itera_parallel_split(itera_pool_for(run, itera_linear_work(w, input->T)), w->rows, itera_linear_least(input->T),
                         multiply, &p);
}
