/*
 * Strings as JSON has them; what things are called, and their colours.
 */
#include "report/json.h"
#include "report/report.h"
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

const char *cst_report_kind(const struct cst_history *history, uint32_t kind)
{
    return kind < history->kinds_count ? history->kinds[kind] : "?";
}

void cst_report_track(const struct cst_history *history, uint32_t track,
                      char name[CST_REPORT_NAME_SIZE])
{
    const struct cst_history_track *which = &history->tracks[track];

    if (which->device != CST_HISTORY_NONE)
        (void)snprintf(name, CST_REPORT_NAME_SIZE, "device %" PRIu32,
                       history->devices[which->device].number);
    else if (which->executor == CST_HISTORY_NONE)
        (void)snprintf(name, CST_REPORT_NAME_SIZE, "thread %" PRIu32,
                       which->number);
    else
        (void)snprintf(name, CST_REPORT_NAME_SIZE, "core %" PRIu32,
                       which->executor);
}

const char *cst_report_request(enum cst_trace_request_state state)
{
    static const char *const words[CST_TRACE_REQUEST_STATES] = {
        [CST_TRACE_REQUEST_SAID] = "said",
        [CST_TRACE_REQUEST_ASKED] = "asked",
        [CST_TRACE_REQUEST_PENDING] = "waits",
        [CST_TRACE_REQUEST_STARTED] = "started",
        [CST_TRACE_REQUEST_CAME] = "came",
        [CST_TRACE_REQUEST_LEAVES] = "leaves",
        [CST_TRACE_REQUEST_CANCELLED] = "cancelled",
        [CST_TRACE_REQUEST_SUSPENDED] = "suspended",
        [CST_TRACE_REQUEST_RESUMED] = "resumed",
        [CST_TRACE_REQUEST_REFUSED] = "refused",
        [CST_TRACE_REQUEST_ENDED] = "over",
    };

    return words[state];
}

const char *cst_report_class(const struct cst_history *history, uint32_t class)
{
    return class < history->classes_count ? history->classes[class] : "?";
}

/* Those of Okabe and Ito, which people with any colour vision tell apart. */
const char *cst_report_colour(uint32_t kind)
{
    static const char *const colours[] = {"#56B4E9", "#E69F00", "#009E73",
                                          "#F0E442", "#0072B2", "#D55E00",
                                          "#CC79A7", "#999999"};

    return colours[kind % (sizeof(colours) / sizeof(colours[0]))];
}

bool cst_report_is_dark(uint32_t kind)
{
    return kind % 8 == 4 || kind % 8 == 5 || kind % 8 == 2;
}
