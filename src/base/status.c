#include "base/status.h"

#include <stdarg.h>

const char *itera_status_code(itera_status status)
{
    switch (status) {
    case ITERA_OK: return "ok";
    case ITERA_NEED_MORE: return "need-more";
    case ITERA_ERR_ARGUMENT: return "argument";
    case ITERA_ERR_MEMORY: return "memory";
    case ITERA_ERR_NOT_GGUF: return "not-gguf";
    case ITERA_ERR_CORRUPT: return "corrupt";
    case ITERA_ERR_UNSUPPORTED: return "unsupported";
    case ITERA_ERR_INCOMPLETE: return "incomplete";
    case ITERA_ERR_CONTEXT_FULL: return "context-full";
    case ITERA_ERR_TOKEN: return "token";
    case ITERA_ERR_SNAPSHOT: return "snapshot";
    }
    return "unknown";
}

itera_status itera_fail(itera_error *error, itera_status status, const char *format, ...)
{
    if (error == NULL) {
        return status;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = itera_vformat(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        error->text[0] = '\0';
    }
    /* Names out of files end up here. Printable ASCII only: no control sequence reaches a terminal, and
     * truncation cannot leave half a UTF-8 character. */
    for (char *c = error->text; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            *c = '?';
        }
    }
    return status;
}
