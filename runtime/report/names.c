#include "report/report.h"

#include <inttypes.h>

const char *cst_report_kind(const struct cst_history *history, uint32_t kind)
{
    return kind < history->kinds_count ? history->kinds[kind] : "?";
}

void cst_report_track(const struct cst_history *history, uint32_t track,
                      char name[CST_REPORT_NAME_SIZE])
{
    const struct cst_history_track *which = &history->tracks[track];

    if (which->executor == CST_HISTORY_NONE)
        (void)snprintf(name, CST_REPORT_NAME_SIZE, "thread %" PRIu32,
                       which->number);
    else
        (void)snprintf(name, CST_REPORT_NAME_SIZE, "core %" PRIu32,
                       which->executor);
}
