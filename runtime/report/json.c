#include "report/json.h"

#include "trace/utf8.h"

#include <inttypes.h>

void cst_report_json_string(FILE *file, const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;

    (void)fputc('"', file);
    while (size > 0) {
        size_t length = cst_trace_utf8_length(at, size);

        if (length == 0) {
            (void)fputs(CST_TRACE_UTF8_BAD, file);
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            (void)fprintf(file, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7f || *at == '<') {
            (void)fprintf(file, "\\u%04x", *at);
        } else {
            (void)fwrite(at, 1, length, file);
        }
        at += length;
        size -= length;
    }
    (void)fputc('"', file);
}

void cst_report_json_us(FILE *file, uint64_t ns)
{
    (void)fprintf(file, "%" PRIu64 ".%03" PRIu64, ns / 1000, ns % 1000);
}
