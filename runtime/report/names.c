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
