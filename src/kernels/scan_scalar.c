/* State-space scans, reference. */
#include "kernels/math_scalar.h"
#include "kernels/scan_steps.h"
#include "kernels/variants.h"

void itera_scan_mamba2_scalar(float *y, float *state, float *scale, const float *x, const float *B,
                              const float *C, size_t stride, const float *dt, const float *A,
                              const float *Dskip, int T, int H, int P, int N, int G, int head_begin,
                              int head_end)
{
    for (int h = head_begin; h < head_end; h++) {
        float *head_state = state + (size_t)h * (size_t)N * (size_t)P;
        size_t group = (size_t)(h / (H / G)) * (size_t)N;
        for (int t = 0; t < T; t++) {
            const float *xt = x + (size_t)t * stride + (size_t)h * (size_t)P;
            const float *Bt = B + (size_t)t * stride + group;
            const float *Ct = C + (size_t)t * stride + group;
            float *yt = y + ((size_t)t * (size_t)H + (size_t)h) * (size_t)P;
            itera_scan_step step = itera_scan_next(&scale[h], dt[(size_t)t * (size_t)H + (size_t)h], A[h]);
            for (int p = 0; p < P; p++) {
                float input = step.in * xt[p];
                float sum = 0.0f;
                for (int n = 0; n < N; n++) {
                    float *s = head_state + (size_t)n * (size_t)P + p;
                    *s = *s * step.factor + Bt[n] * input;
                    sum = sum + Ct[n] * *s;
                }
                yt[p] = step.out * sum + Dskip[h] * xt[p];
            }
        }
    }
}

void itera_scan_mamba1_scalar(float *y, float *state, const float *x, const float *B, const float *C,
                              size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T,
                              int E, int N, int e_begin, int e_end)
{
    for (int t = 0; t < T; t++) {
        const float *Bt = B + (size_t)t * bc_stride, *Ct = C + (size_t)t * bc_stride;
        for (int e = e_begin; e < e_end; e++) {
            size_t at = (size_t)t * (size_t)E + (size_t)e;
            float step = dt[at] * ITERA_LOG2_E, input = dt[at] * x[at];
            float sum = 0.0f;
            for (int n = 0; n < N; n++) {
                size_t ne = (size_t)n * (size_t)E + (size_t)e;
                state[ne] = state[ne] * itera_decay1(step * A[ne]) + Bt[n] * input;
                sum = sum + Ct[n] * state[ne];
            }
            y[at] = sum + Dskip[e] * x[at];
        }
    }
}
