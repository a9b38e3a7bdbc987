/*
 * Who is told of nodes that were asked for: the user, by sentences and on the
 * line of progress, who watches the run, and the trace.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "grow/grow_internal.h"
#include "trace/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- The user, and the trace ----------------------------------------------------- */

void cst_grow_say(const struct cst_grow *grow, const char *format, ...)
{
    const struct cst_trace_request said = {.state = CST_TRACE_REQUEST_SAID};
    char text[CST_SLURM_TEXT_SIZE + 200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cst_progress_say(text);
    if (grow->trace)
        cst_trace_request(grow->trace, &said, text);
}

void cst_grow_tell(const struct cst_grow *grow, const struct cst_ticket *ticket,
                   enum cst_trace_request_state state, const char *why)
{
    const struct cst_trace_request told = {
        .ticket = ticket->id,
        .state = (uint32_t)state,
        .class = ticket->class,
        .node = ticket->node,
    };

    if (grow->trace)
        cst_trace_request(grow->trace, &told, why);
}

void cst_grow_tell_end(const struct cst_grow *grow)
{
    for (size_t i = 0; i < grow->tickets_count; i++) {
        const struct cst_ticket *ticket = &grow->tickets[i];

        if (ticket->state >= CST_TICKET_HERE)
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_ENDED,
                          "the run ends");
        else if (!ticket->cancelled)
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_CANCELLED,
                          "the run ends");
    }
}

/* ---- Who watches ------------------------------------------------------------------ */

static uint32_t state_of(const struct cst_ticket *ticket)
{
    static const uint32_t states[] = {
        [CST_TICKET_WAITS] = CST_WATCH_WAITS,
        [CST_TICKET_STARTED] = CST_WATCH_STARTED,
        [CST_TICKET_HERE] = CST_WATCH_HERE,
        [CST_TICKET_GONE] = CST_WATCH_ENDS,
    };

    return ticket->cancelled ? CST_WATCH_CANCELLED : states[ticket->state];
}

static void show(const struct cst_grow *grow, const struct cst_ticket *ticket,
                 struct cst_watch_request *request)
{
    memset(request, 0, sizeof(*request));
    request->ticket = ticket->id;
    request->state = state_of(ticket);
    request->node = ticket->node;
    request->age_ns = (uint64_t)(ticket->asked_s * 1e9);
    cst_watch_name(request->class, grow->specs[ticket->class].name);
    cst_watch_name(request->job, ticket->job);
    (void)snprintf(request->reason, sizeof(request->reason), "%s", ticket->why);
    if (ticket->state == CST_TICKET_WAITS)
        (void)snprintf(request->pending, sizeof(request->pending), "%s",
                       ticket->reason);
}

/* Others read it for some microseconds; nobody waits for the thread. */
void cst_grow_show(struct cst_grow *grow) CST_UNCHECKED
{
    cst_lock_take(&grow->lock);
    if (grow->shown_max < grow->tickets_count) {
        struct cst_watch_request *shown =
            cst_realloc(grow->shown, 2 * grow->tickets_count * sizeof(*shown));

        if (shown) {
            grow->shown = shown;
            grow->shown_max = 2 * grow->tickets_count;
        }
    }
    grow->shown_count = 0;
    for (size_t i = 0; i < grow->tickets_count && i < grow->shown_max; i++)
        show(grow, &grow->tickets[i], &grow->shown[grow->shown_count++]);
    cst_lock_drop(&grow->lock);
}

bool cst_grow_look(struct cst_grow *grow,
                   struct cst_watch_picture *picture) CST_UNCHECKED
{
    uint64_t now_ns = cst_clock_ns();
    bool good = true;

    cst_lock_take(&grow->lock);
    for (size_t i = 0; i < grow->shown_count && good; i++) {
        struct cst_watch_request *request = cst_watch_add_request(picture);

        good = request != NULL;
        if (!good)
            break;
        *request = grow->shown[i];
        request->age_ns =
            now_ns > request->age_ns ? now_ns - request->age_ns : 0;
    }
    cst_lock_drop(&grow->lock);
    return good;
}

void cst_grow_progress(struct cst_grow *grow,
                       struct cst_progress_view *view) CST_UNCHECKED
{
    cst_lock_take(&grow->lock);
    for (size_t i = 0; i < grow->shown_count; i++) {
        const struct cst_watch_request *request = &grow->shown[i];

        if (request->state > CST_WATCH_STARTED)
            continue;
        view->asked++;
        if (request->pending[0] && !view->reason[0])
            (void)snprintf(view->reason, sizeof(view->reason), "%.*s",
                           (int)sizeof(view->reason) - 1, request->pending);
    }
    cst_lock_drop(&grow->lock);
}
