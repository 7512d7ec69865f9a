#include "arch/arch.h"

#include <string.h>

#include "base/format.h"

static const itera_arch *const ARCHITECTURES[] = {
    &itera_arch_itera_lite,
    &itera_arch_mamba,
    &itera_arch_mamba2,
    &itera_arch_granitehybrid,
};

#define COUNT (sizeof ARCHITECTURES / sizeof ARCHITECTURES[0])

itera_status itera_arch_of(const itera_gguf *gguf, const itera_arch **out, itera_error *error)
{
    itera_gguf_string name;
    if (!itera_gguf_get_string(gguf, "general.architecture", &name)) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the file does not name its architecture (general.architecture)");
    }
    char supported[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const char *candidate = ARCHITECTURES[i]->name;
        if (strlen(candidate) == name.length && memcmp(candidate, name.data, name.length) == 0) {
            *out = ARCHITECTURES[i];
            return ITERA_OK;
        }
        if (used < sizeof supported) {
            used += (size_t)itera_format(supported + used, sizeof supported - used, "%s%s", i ? ", " : "", candidate);
        }
    }
    return itera_fail(error, ITERA_ERR_UNSUPPORTED, "architecture '%.*s' is not supported; supported are %s",
                      (int)(name.length < 40 ? name.length : 40), name.data, supported);
}
