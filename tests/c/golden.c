#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t *golden_read(const char *path, size_t *bytes)
{
    char full[512];
    snprintf(full, sizeof full, "tests/golden/%s", path);
    FILE *file = fopen(full, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot open %s (run the tests from the top of the repository)\n", full);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*bytes ? *bytes : 1);
    if (data == NULL || fread(data, 1, *bytes, file) != *bytes) {
        fprintf(stderr, "cannot read %s\n", full);
        exit(2);
    }
    fclose(file);
    return data;
}

static itera_status push_all(itera_model *model, const uint8_t *file, size_t bytes, golden_order order, size_t piece,
                             itera_error *error)
{
    itera_status status = ITERA_NEED_MORE;
    size_t count = (bytes + piece - 1) / piece;
    for (size_t i = 0; i < count && status >= 0; i++) {
        size_t at = (order == GOLDEN_BACKWARDS ? count - 1 - i : i) * piece;
        size_t n = bytes - at < piece ? bytes - at : piece;
        status = itera_model_push(model, at, file + at, n, error);
    }
    return status;
}

itera_model *golden_model(const char *path, itera_variant variant, golden_order order, size_t piece)
{
    itera_error error = {""};
    size_t bytes;
    uint8_t *file = golden_read(path, &bytes);
    itera_gguf *gguf = itera_gguf_create();
    itera_model *model = NULL;
    itera_status status = itera_gguf_feed(gguf, file, bytes, &error);
    if (status != ITERA_OK) {
        itera_gguf_free(gguf);
    } else {
        status = itera_model_create(&model, gguf, variant, &error);
    }
    if (status == ITERA_OK) {
        status = push_all(model, file, bytes, order, order == GOLDEN_WHOLE ? bytes : piece, &error);
    }
    free(file);
    if (status != ITERA_OK) {
        printf("  %s: %s: %s\n", path, itera_status_code(status), error.text);
        itera_model_free(model);
        return NULL;
    }
    return model;
}

double golden_rms(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return sqrt(sum / (double)n);
}

double golden_deviation(const float *a, size_t n)
{
    double mean = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        mean += a[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        sum += (a[i] - mean) * (a[i] - mean);
    }
    return sqrt(sum / (double)n);
}

double golden_largest(const float *a, const float *b, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - b[i]);
        most = difference > most || difference != difference ? difference : most;
    }
    return most;
}
