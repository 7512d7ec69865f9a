#include "base/format.h"

#include <stdio.h>

#ifdef __EMSCRIPTEN__
/* Emscripten's own, in no header. */
int vsniprintf(char *text, size_t bytes, const char *format, va_list arguments);
#define PRINT vsniprintf
#else
#define PRINT vsnprintf
#endif

int itera_vformat(char *text, size_t bytes, const char *format, va_list arguments)
{
    return PRINT(text, bytes, format, arguments);
}

int itera_format(char *text, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = itera_vformat(text, bytes, format, arguments);
    va_end(arguments);
    return length;
}
