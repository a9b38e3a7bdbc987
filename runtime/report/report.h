/*
 * report.h - a run's history, as people and other programs want to see it.
 *
 * Layer: report. May include base, trace and history.
 *
 * Owner: the caller; one thread. Each writer writes to streams that are open:
 * errors of writing are theirs, see ferror(). What fails otherwise fails with
 * CASTELL_ERR_NO_MEMORY only.
 */
#ifndef CST_REPORT_REPORT_H
#define CST_REPORT_REPORT_H

#include "history/history.h"

#include <stdio.h>

/* What Chrome's and Perfetto's viewers read: the Trace Event Format. */
CASTELL_MUST_CHECK enum castell_status
cst_report_chrome(const struct cst_history *history, FILE *to);

/* All that is known, one JSON object. */
void cst_report_json(const struct cst_history *history, FILE *to);

/* Four files: a line for each attempt of each task; for each transfer; for what
   each device did; for each node that was asked for. */
void cst_report_csv(const struct cst_history *history, FILE *const *files);

/* The graph for Graphviz, the critical path marked. */
CASTELL_MUST_CHECK enum castell_status
cst_report_dot(const struct cst_history *history, FILE *to);

/* The three files of a Paraver trace; `pcf` names what `prv` has, `row` who. */
CASTELL_MUST_CHECK enum castell_status
cst_report_paraver(const struct cst_history *history, FILE *prv, FILE *pcf,
                   FILE *row);

/* One page with everything in it. */
CASTELL_MUST_CHECK enum castell_status
cst_report_page(const struct cst_history *history, FILE *to);

/*
 * Say why a task (its number) or the tasks of a kind (its name) ran when and
 * where they did. Fails with CASTELL_ERR_INVALID when there is no such one.
 */
CASTELL_MUST_CHECK enum castell_status
cst_report_explain(const struct cst_history *history, const char *what,
                   FILE *to);

/* The name of a kind, or "?". */
const char *cst_report_kind(const struct cst_history *history, uint32_t kind);

/* What it is filled with, "#0072B2"; and is text on that to be white? */
const char *cst_report_colour(uint32_t kind);
bool cst_report_is_dark(uint32_t kind);

/* What has become of a node that was asked for: "asked", "came". */
const char *cst_report_request(enum cst_trace_request_state state);
/* Its class, or "?". */
const char *cst_report_class(const struct cst_history *history, uint32_t class);

/* "core 3", "device 0", "thread 5". */
enum { CST_REPORT_NAME_SIZE = 48 };
void cst_report_track(const struct cst_history *history, uint32_t track,
                      char name[CST_REPORT_NAME_SIZE]);

#endif
