/*
 * What devices, and nodes that were asked for, had to do with a task.
 */
#include "report/explain.h"

#include <inttypes.h>

static bool reads(const struct cst_history *history, uint32_t index,
                  uint64_t base)
{
    const struct cst_history_task *task = &history->tasks[index];

    for (uint32_t i = 0; i < task->accesses_count; i++)
        if (history->accesses[task->accesses + i].region.base == base)
            return true;
    return false;
}

void cst_explain_device(const struct cst_explanation *why, uint32_t index,
                        const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = why->history;
    uint32_t device = history->tracks[attempt->track].device;
    uint64_t copied = 0, bytes = 0;
    char time[CST_SAY_SIZE], size[CST_SAY_SIZE];

    if (device == CST_HISTORY_NONE)
        return;
    (void)fprintf(why->to, "It ran on device %" PRIu32 " (%s)",
                  history->devices[device].number,
                  history->devices[device].name);
    for (size_t i = 0; i < history->kernels_count; i++)
        if (history->kernels[i].task == index &&
            history->kernels[i].device == device &&
            history->kernels[i].end_ns <= attempt->ended_ns)
            (void)fprintf(why->to, ", whose kernels for it took %s",
                          cst_explain_time(history->kernels[i].end_ns -
                                               history->kernels[i].begin_ns,
                                           time));
    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];

        if (copy->device != device || copy->way == CST_HISTORY_TO_MAIN ||
            copy->begin_ns >= attempt->started_ns ||
            !reads(history, index, copy->base) ||
            attempt->ready_ns == CST_HISTORY_NEVER ||
            copy->end_ns < attempt->ready_ns)
            continue;
        copied++;
        bytes += copy->bytes;
    }
    (void)fputs(".\n", why->to);
    if (copied > 0)
        (void)fprintf(why->to,
                      "After it was ready, %s that it names went to that "
                      "device first, in %" PRIu64 " cop%s.\n",
                      cst_say_bytes((double)bytes, size), copied,
                      copied == 1 ? "y" : "ies");
}

void cst_explain_asked(const struct cst_explanation *why,
                       const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = why->history;
    uint32_t node = history->tracks[attempt->track].node;
    char time[CST_SAY_SIZE], took[CST_SAY_SIZE];

    for (size_t i = 0; i < history->notices_count; i++) {
        const struct cst_history_notice *notice = &history->notices[i];
        const struct cst_history_request *request =
            notice->request == CST_HISTORY_NONE
                ? NULL
                : &history->requests[notice->request];

        if (!request || request->node != node ||
            notice->state != CST_TRACE_REQUEST_ASKED ||
            request->came_ns == CST_HISTORY_NEVER)
            continue;
        (void)fprintf(
            why->to,
            "Its node, of class %s, was asked for %s after the run "
            "began, for %s; it came %s later.\n",
            cst_report_class(history, request->class),
            cst_explain_time(request->asked_ns, time), notice->text,
            cst_explain_time(request->came_ns - request->asked_ns, took));
    }
}
