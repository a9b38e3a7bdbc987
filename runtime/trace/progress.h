/*
 * progress.h - one line on the terminal that says how far the run is.
 *
 * Layer: trace. May include base.
 *
 * Shown when standard error is a terminal that can erase a line and we are in
 * its foreground. CASTELL_PROGRESS=0 turns it off; =1 shows it wherever
 * standard error goes. Nothing but carriage return and "erase line" is sent.
 *
 * Threads: one of its own, only while it shows, that asks for the counters ten
 * times a second.
 */
#ifndef CST_TRACE_PROGRESS_H
#define CST_TRACE_PROGRESS_H

#include "castell.h"

#include <stddef.h>
#include <stdint.h>

struct cst_progress;

enum { CST_PROGRESS_REASON_SIZE = 32 };

/* What the line says. */
struct cst_progress_view {
    struct castell_counters counters;
    uint32_t nodes; /* of a run that may have several; else 0 */
    uint32_t asked; /* more that were asked for and have not come */
    char reason[CST_PROGRESS_REASON_SIZE]; /* why one waits; "": not known */
    double tasks_per_second;
    uint64_t elapsed_ns;
};

/* Fills in the counters, the nodes and the reason; called by the thread of this
   room. */
typedef void cst_progress_look(void *owner, struct cst_progress_view *view);

/*
 * Start to show progress, if it is to be shown: else *ret_progress is NULL.
 * owner is kept. Fails with CASTELL_ERR_INVALID (CASTELL_PROGRESS makes no
 * sense), CASTELL_ERR_NO_MEMORY or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_progress_start(cst_progress_look *look, void *owner,
                   struct cst_progress **ret_progress);

/* Clear the line; look() is not called after this. NULL is allowed. */
void cst_progress_stop(struct cst_progress *progress);

/* Any thread: a sentence to the user, on a line of its own, behind "castell: ";
   the line of progress, where there is one, goes on below it. */
void cst_progress_say(const char *text);

/*
 * Write the line, of exactly `width` columns or fewer and all ASCII, to text.
 * Where not all fits the bar goes first, then the last words. Returns text.
 */
const char *cst_progress_format(const struct cst_progress_view *view,
                                size_t width, char *text, size_t text_size);

#endif
