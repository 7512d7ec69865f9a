/* State-space scans on vectors, a template. */
#include "kernels/scan_steps.h"

/* ---- Mamba-2 ---------------------------------------------------------------------------------- */

#define SCAN_TOKENS 32 /* of a block: what they read and add up to stays in the first-level cache */
#define SCAN_WIDTH 16  /* channels of a tile: four vectors */
#define SCAN_STREAMS 4 /* heads whose states are read side by side for one token */

/* A block of tokens of one head: its steps and, for the channels at hand, what goes in and what comes out. */
typedef struct scan_block {
    itera_scan_step steps[SCAN_TOKENS];
    int run_end[SCAN_TOKENS]; /* the state is multiplied by factor at the first token of a run only */
    int runs, T;
    float in[SCAN_TOKENS * SCAN_WIDTH], sum[SCAN_TOKENS * SCAN_WIDTH]; /* [T, 4 vectors] */
} scan_block;

static void scan_block_begin(scan_block *block, float *scale, const float *dt, size_t H, float A, int T)
{
    block->runs = 0;
    block->T = T;
    for (int t = 0; t < T; t++) {
        block->steps[t] = itera_scan_next(scale, dt[(size_t)t * H], A);
        if (t > 0 && block->steps[t].factor != 1.0f) {
            block->run_end[block->runs++] = t;
        }
    }
    block->run_end[block->runs++] = T;
}

/* `rows` rows of the state, four vectors each, stay in registers while all tokens of the block pass: per token
 * and vector one multiply-add into the state and one out of it. */
ITERA_INLINE void scan_tile(float *state, size_t P, scan_block *block, const float *B, const float *C,
                            size_t stride, int rows)
{
    const float *in = block->in;
    float *sum = block->sum;
    v128_t s[8];
    ITERA_UNROLL
    for (int i = 0; i < rows * 4; i++) {
        s[i] = wasm_v128_load(state + (size_t)(i / 4) * P + (size_t)(4 * (i % 4)));
    }
    for (int run = 0, t = 0; run < block->runs; run++) {
        v128_t factor = wasm_f32x4_splat(block->steps[t].factor);
        ITERA_UNROLL
        for (int i = 0; i < rows * 4; i++) {
            s[i] = wasm_f32x4_mul(s[i], factor);
        }
        for (const int end = block->run_end[run]; t < end; t++) {
            v128_t b[2], c[2];
            ITERA_UNROLL
            for (int n = 0; n < rows; n++) {
                b[n] = wasm_v128_load32_splat(B + n);
                c[n] = wasm_v128_load32_splat(C + n);
            }
            ITERA_UNROLL
            for (int v = 0; v < 4; v++) {
                v128_t input = wasm_v128_load(in + 4 * v), total = wasm_v128_load(sum + 4 * v);
                ITERA_UNROLL
                for (int n = 0; n < rows; n++) {
                    s[n * 4 + v] = ITERA_MADD(b[n], input, s[n * 4 + v]);
                    total = ITERA_MADD(c[n], s[n * 4 + v], total);
                }
                wasm_v128_store(sum + 4 * v, total);
            }
            in += SCAN_WIDTH;
            sum += SCAN_WIDTH;
            B += stride;
            C += stride;
        }
    }
    ITERA_UNROLL
    for (int i = 0; i < rows * 4; i++) {
        wasm_v128_store(state + (size_t)(i / 4) * P + (size_t)(4 * (i % 4)), s[i]);
    }
}

/* Four vectors of channels of one head, the tokens of a block. y, state and x begin at those channels. */
ITERA_INLINE void scan_slice(float *y, size_t y_stride, float *state, const float *x, const float *B,
                             const float *C, size_t stride, scan_block *block, float Dskip, size_t P, int N)
{
    for (int t = 0; t < block->T; t++) {
        v128_t factor = wasm_f32x4_splat(block->steps[t].in);
        for (int v = 0; v < 4; v++) {
            v128_t value = wasm_v128_load(x + (size_t)t * stride + 4 * v);
            wasm_v128_store(block->in + (t * 4 + v) * 4, wasm_f32x4_mul(factor, value));
            wasm_v128_store(block->sum + (t * 4 + v) * 4, wasm_f32x4_splat(0.0f));
        }
    }
    int n = 0;
    for (; n + 2 <= N; n += 2) {
        scan_tile(state + (size_t)n * P, P, block, B + n, C + n, stride, 2);
    }
    if (n < N) {
        scan_tile(state + (size_t)n * P, P, block, B + n, C + n, stride, 1);
    }
    for (int t = 0; t < block->T; t++) {
        v128_t factor = wasm_f32x4_splat(block->steps[t].out), skip = wasm_f32x4_splat(Dskip);
        for (int v = 0; v < 4; v++) {
            v128_t value = wasm_v128_load(x + (size_t)t * stride + 4 * v);
            v128_t sum = wasm_v128_load(block->sum + (t * 4 + v) * 4);
            wasm_v128_store(y + (size_t)t * y_stride + 4 * v, ITERA_MADD(factor, sum, wasm_f32x4_mul(skip, value)));
        }
    }
}

/* One token, `rows` rows of the state, one vector of each. */
ITERA_INLINE void scan_rows_vector(float *state, size_t P, float *sum, const float *in, const v128_t b[2],
                                   const v128_t c[2], v128_t factor, int rows, size_t part)
{
    v128_t input = wasm_v128_load(in), total = wasm_v128_load(sum);
    ITERA_UNROLL
    for (int n = 0; n < rows; n++, state += P) {
        v128_t now = ITERA_MADD(b[n], input, wasm_f32x4_mul(itera_load_part(state, part), factor));
        itera_store_part(state, now, part);
        total = ITERA_MADD(c[n], now, total);
    }
    wasm_v128_store(sum, total);
}

ITERA_INLINE void scan_rows(float *state, size_t P, float *sum, const float *in, const float *B,
                            const float *C, float factor, size_t width, int rows)
{
    v128_t b[2], c[2], factor4 = wasm_f32x4_splat(factor);
    ITERA_UNROLL
    for (int n = 0; n < rows; n++) {
        b[n] = wasm_v128_load32_splat(B + n);
        c[n] = wasm_v128_load32_splat(C + n);
    }
    size_t p = 0;
    for (; p + 4 <= width; p += 4) {
        scan_rows_vector(state + p, P, sum + p, in + p, b, c, factor4, rows, 4);
    }
    if (p < width) {
        scan_rows_vector(state + p, P, sum + p, in + p, b, c, factor4, rows, width - p);
    }
}

/* One token of one head: y and x [P], the state [N, P], B and C [N]. */
typedef struct scan_stream {
    float *y, *state;
    const float *x, *B, *C;
    itera_scan_step step;
    float Dskip;
} scan_stream;

/* One token of up to SCAN_STREAMS heads, the first `channels` of each. The states come from far away, so they are read
 * in the order in which they lie there, two rows of each head in turn (STREAMS of matmul_one.h says why). */
static void scan_token(const scan_stream *heads, int count, size_t P, int N, size_t channels)
{
    enum { WIDTH = 128 };
    float in[SCAN_STREAMS][WIDTH], sum[SCAN_STREAMS][WIDTH];
    for (size_t begin = 0; begin < channels; begin += WIDTH) {
        size_t width = channels - begin < WIDTH ? channels - begin : WIDTH;
        for (int h = 0; h < count; h++) {
            v128_t factor = wasm_f32x4_splat(heads[h].step.in);
            for (size_t p = 0; p < width; p += 4) {
                wasm_v128_store(in[h] + p, wasm_f32x4_mul(factor, itera_load_part(heads[h].x + begin + p, width - p)));
                wasm_v128_store(sum[h] + p, wasm_f32x4_splat(0.0f));
            }
        }
        for (int n = 0; n < N; n += 2) {
            ITERA_KEEP_LOOP
            for (int h = 0; h < count; h++) {
                const scan_stream *head = &heads[h];
                float *rows = head->state + begin + (size_t)n * P;
                if (n + 2 <= N) {
                    scan_rows(rows, P, sum[h], in[h], head->B + n, head->C + n, head->step.factor, width, 2);
                } else {
                    scan_rows(rows, P, sum[h], in[h], head->B + n, head->C + n, head->step.factor, width, 1);
                }
            }
        }
        for (int h = 0; h < count; h++) {
            v128_t out = wasm_f32x4_splat(heads[h].step.out), skip = wasm_f32x4_splat(heads[h].Dskip);
            for (size_t p = 0; p < width; p += 4) {
                v128_t skipped = wasm_f32x4_mul(skip, itera_load_part(heads[h].x + begin + p, width - p));
                itera_store_part(heads[h].y + begin + p, ITERA_MADD(out, wasm_v128_load(sum[h] + p), skipped),
                                 width - p);
            }
        }
    }
}

static void scan_head(float *y, size_t y_stride, float *state, const float *x, const float *B, const float *C,
                      size_t stride, scan_block *block, float Dskip, size_t P, int N)
{
    size_t p = 0;
    for (; p + SCAN_WIDTH <= P; p += SCAN_WIDTH) {
        scan_slice(y + p, y_stride, state + p, x + p, B, C, stride, block, Dskip, P, N);
    }
    for (int t = 0; p < P && t < block->T; t++, y += y_stride, x += stride, B += stride, C += stride) {
        const scan_stream head = {y + p, state + p, x + p, B, C, block->steps[t], Dskip};
        scan_token(&head, 1, P, N, P - p);
    }
}

void ITERA_NAME(scan_mamba2)(float *y, float *state, float *scale, const float *x, const float *B,
                             const float *C, size_t stride, const float *dt, const float *A,
                             const float *Dskip, int T, int H, int P, int N, int G, int head_begin,
                             int head_end)
{
    const size_t width = (size_t)P, y_stride = (size_t)H * width;
    if (T == 1) {
        scan_stream heads[SCAN_STREAMS];
        int count = 0;
        for (int h = head_begin; h < head_end; h++) {
            const size_t group = (size_t)(h / (H / G)) * (size_t)N, channel = (size_t)h * width;
            heads[count++] = (scan_stream){.y = y + channel,
                                           .state = state + channel * (size_t)N,
                                           .x = x + channel,
                                           .B = B + group,
                                           .C = C + group,
                                           .step = itera_scan_next(&scale[h], dt[h], A[h]),
                                           .Dskip = Dskip[h]};
            if (count == SCAN_STREAMS || h + 1 == head_end) {
                scan_token(heads, count, width, N, width);
                count = 0;
            }
        }
        return;
    }
    for (int h = head_begin; h < head_end; h++) {
        float *head_state = state + (size_t)h * (size_t)N * width;
        const size_t group = (size_t)(h / (H / G)) * (size_t)N, channel = (size_t)h * width;
        for (int t = 0; t < T; t += SCAN_TOKENS) {
            const size_t row = (size_t)t * stride;
            scan_block block;
            scan_block_begin(&block, &scale[h], dt + (size_t)t * (size_t)H + h, (size_t)H, A[h],
                             T - t < SCAN_TOKENS ? T - t : SCAN_TOKENS);
            scan_head(y + (size_t)t * y_stride + channel, y_stride, head_state, x + row + channel, B + row + group,
                      C + row + group, stride, &block, Dskip[h], width, N);
        }
    }
}

/* ---- Mamba-1 ---------------------------------------------------------------------------------- */

/* One vector of the state: decays, takes its input, adds to the sum. */
ITERA_INLINE v128_t scan_decay(v128_t state, v128_t step, v128_t A, v128_t b, v128_t input)
{
    v128_t decay = itera_decay4(wasm_f32x4_mul(step, A));
    return ITERA_MADD(b, input, wasm_f32x4_mul(state, decay));
}

#define SCAN_CHANNELS 2048 /* of one token at once: the longer the runs of a row, the faster they come from memory */
_Static_assert(SCAN_CHANNELS >= SCAN_TOKENS * SCAN_WIDTH, "scan_channels holds either");

/* What a block of tokens brings to the channels at hand, [T, 4 vectors] each, or what one token brings, [channels]. */
typedef struct scan_channels {
    float step[SCAN_CHANNELS]; /* dt log2 e */
    float in[SCAN_CHANNELS];   /* dt x */
    float sum[SCAN_CHANNELS];
} scan_channels;

ITERA_INLINE void scan_channels_begin(scan_channels *c, size_t at, const float *dt, const float *x, size_t part)
{
    v128_t step = itera_load_part(dt, part);
    wasm_v128_store(c->step + at, wasm_f32x4_mul(step, wasm_f32x4_splat(ITERA_LOG2_E)));
    wasm_v128_store(c->in + at, wasm_f32x4_mul(step, itera_load_part(x, part)));
    wasm_v128_store(c->sum + at, wasm_f32x4_splat(0.0f));
}

ITERA_INLINE void scan_channels_end(float *y, const scan_channels *c, size_t at, const float *Dskip,
                                    const float *x, size_t part)
{
    v128_t sum = wasm_v128_load(c->sum + at);
    itera_store_part(y, ITERA_MADD(itera_load_part(Dskip, part), itera_load_part(x, part), sum), part);
}

/* A block of tokens, four vectors of channels; each row of the state is in registers while they pass. */
static void scan_channels_block(float *y, float *state, const float *x, const float *B, const float *C,
                                      size_t bc_stride, const float *dt, const float *A, const float *Dskip,
                                      int T, size_t E, int N)
{
    scan_channels c;
    for (int t = 0; t < T; t++) {
        for (int v = 0; v < 4; v++) {
            size_t at = (size_t)t * E + (size_t)(4 * v);
            scan_channels_begin(&c, (size_t)(t * 4 + v) * 4, dt + at, x + at, 4);
        }
    }
    for (int n = 0; n < N; n++, state += E, A += E) {
        v128_t s[4], a[4];
        const float *bt = B + n, *ct = C + n, *step = c.step, *in = c.in;
        float *sum = c.sum;
        ITERA_UNROLL
        for (int v = 0; v < 4; v++) {
            s[v] = wasm_v128_load(state + 4 * v);
            a[v] = wasm_v128_load(A + 4 * v);
        }
        for (int t = 0; t < T; t++, bt += bc_stride, ct += bc_stride) {
            v128_t b4 = wasm_v128_load32_splat(bt), c4 = wasm_v128_load32_splat(ct);
            ITERA_UNROLL
            for (int v = 0; v < 4; v++, step += 4, in += 4, sum += 4) {
                s[v] = scan_decay(s[v], wasm_v128_load(step), a[v], b4, wasm_v128_load(in));
                wasm_v128_store(sum, ITERA_MADD(c4, s[v], wasm_v128_load(sum)));
            }
        }
        ITERA_UNROLL
        for (int v = 0; v < 4; v++) {
            wasm_v128_store(state + 4 * v, s[v]);
        }
    }
    for (int t = 0; t < T; t++) {
        for (int v = 0; v < 4; v++) {
            size_t at = (size_t)t * E + (size_t)(4 * v);
            scan_channels_end(y + at, &c, (size_t)(t * 4 + v) * 4, Dskip + 4 * v, x + at, 4);
        }
    }
}

/* One token, at most SCAN_CHANNELS channels: rows of the state in the order in which they lie. */
static void scan_channels_token(float *y, float *state, const float *x, const float *B, const float *C,
                                const float *dt, const float *A, const float *Dskip, size_t E, int N,
                                size_t width)
{
    scan_channels c;
    for (size_t e = 0; e < width; e += 4) {
        scan_channels_begin(&c, e, dt + e, x + e, width - e);
    }
    for (int n = 0; n < N; n++, state += E, A += E) {
        v128_t b4 = wasm_v128_load32_splat(B + n), c4 = wasm_v128_load32_splat(C + n);
        size_t e = 0;
        for (; e + 4 <= width; e += 4) {
            v128_t s = scan_decay(wasm_v128_load(state + e), wasm_v128_load(c.step + e), wasm_v128_load(A + e), b4,
                                  wasm_v128_load(c.in + e));
            wasm_v128_store(state + e, s);
            wasm_v128_store(c.sum + e, ITERA_MADD(c4, s, wasm_v128_load(c.sum + e)));
        }
        if (e < width) {
            v128_t s = scan_decay(itera_load_part(state + e, width - e), wasm_v128_load(c.step + e),
                                  itera_load_part(A + e, width - e), b4, wasm_v128_load(c.in + e));
            itera_store_part(state + e, s, width - e);
            wasm_v128_store(c.sum + e, ITERA_MADD(c4, s, wasm_v128_load(c.sum + e)));
        }
    }
    for (size_t e = 0; e < width; e += 4) {
        scan_channels_end(y + e, &c, e, Dskip + e, x + e, width - e);
    }
}

void ITERA_NAME(scan_mamba1)(float *y, float *state, const float *x, const float *B, const float *C,
                             size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T,
                             int E, int N, int e_begin, int e_end)
{
    const size_t width = (size_t)E, end = (size_t)e_end, most = SCAN_CHANNELS;
    if (T == 1) {
        for (size_t e = (size_t)e_begin; e < end; e += most) {
            scan_channels_token(y + e, state + e, x + e, B, C, dt + e, A + e, Dskip + e, width, N,
                                end - e < most ? end - e : most);
        }
        return;
    }
    for (int t = 0; t < T; t += SCAN_TOKENS) {
        const int tokens = T - t < SCAN_TOKENS ? T - t : SCAN_TOKENS;
        const float *Bt = B + (size_t)t * bc_stride, *Ct = C + (size_t)t * bc_stride;
        const size_t row = (size_t)t * width;
        size_t e = (size_t)e_begin;
        for (; end - e >= SCAN_WIDTH; e += SCAN_WIDTH) {
            scan_channels_block(y + row + e, state + e, x + row + e, Bt, Ct, bc_stride, dt + row + e, A + e,
                                Dskip + e, tokens, width, N);
        }
        for (int i = 0; e < end && i < tokens; i++) { /* channels left over */
            const size_t at = row + (size_t)i * width + e;
            scan_channels_token(y + at, state + e, x + at, Bt + (size_t)i * bc_stride, Ct + (size_t)i * bc_stride,
                                dt + at, A + e, Dskip + e, width, N, end - e);
        }
    }
}

#undef SCAN_TOKENS
#undef SCAN_WIDTH
#undef SCAN_STREAMS
#undef SCAN_CHANNELS
