/* Memory that JavaScript asks for, the variant of this module, and what the last failure was. */
#include <stdlib.h>

#include "exports.h"
#include "kernels/kernels.h"

itera_error wasm_last_error;
static itera_status last_status;

int32_t wasm_report(itera_status status)
{
    if (status < 0) {
        last_status = status;
    }
    return (int32_t)status;
}

EXPORT(itera_alloc) void *wasm_alloc(uint32_t bytes)
{
    return malloc(bytes ? bytes : 1);
}

EXPORT(itera_free) void wasm_free(void *memory)
{
    free(memory);
}

EXPORT(itera_variant) int32_t wasm_variant(void)
{
    return (int32_t)itera_kernels_best();
}

EXPORT(itera_error_text) const char *wasm_error_text(void)
{
    return wasm_last_error.text;
}

EXPORT(itera_last_status) int32_t wasm_last_status(void)
{
    return (int32_t)last_status;
}

EXPORT(itera_status_code) const char *wasm_status_code(int32_t status)
{
    return itera_status_code((itera_status)status);
}
