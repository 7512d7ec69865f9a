/* What the machine allows, measured beside the engines: peers.mjs compiles this with relaxed SIMD and times it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))

/* Independent sums, as many as x86 has registers for beside the operands. */
#define SUMS 12

static v128_t total(const v128_t *sum, int n)
{
    v128_t all = sum[0];
    for (int i = 1; i < n; i++) {
        all = wasm_i32x4_add(all, sum[i]);
    }
    return all;
}

EXPORT(dot_products_each) int dot_products_each(void) { return SUMS * 16; }

/* `times` steps of 8-bit dot products whose operands never leave the registers. */
EXPORT(dot) int dot(int times)
{
    v128_t x[2] = {wasm_i8x16_splat((int8_t)times), wasm_i8x16_splat(3)}, w = wasm_i8x16_splat(5), sum[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sum[i] = wasm_i32x4_splat(i);
    }
    for (int t = 0; t < times; t++) {
        for (int i = 0; i < SUMS; i++) {
            sum[i] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x[i % 2], w, sum[i]);
        }
    }
    return wasm_i32x4_extract_lane(total(sum, SUMS), 0);
}

static const uint8_t *data;
static size_t bytes;

/* More than any cache holds, written once so that the pages exist. Its size, 0 without memory. */
EXPORT(bytes_prepare) double bytes_prepare(int megabytes)
{
    if (data == NULL) {
        bytes = (size_t)megabytes << 20;
        uint8_t *block = aligned_alloc(64, bytes);
        if (block == NULL) {
            return 0;
        }
        memset(block, 1, bytes);
        data = block;
    }
    return (double)bytes;
}

/* Reads all of it `times` times. */
EXPORT(read) int read_all(int times)
{
    v128_t sum[8];
    for (int i = 0; i < 8; i++) {
        sum[i] = wasm_i32x4_splat(i);
    }
    for (int t = 0; t < times; t++) {
        for (size_t at = 0; at < bytes; at += 128) {
            for (size_t i = 0; i < 8; i++) {
                sum[i] = wasm_i32x4_add(sum[i], wasm_v128_load(data + at + 16 * i));
            }
        }
    }
    return wasm_i32x4_extract_lane(total(sum, 8), 0);
}
