/*
 * page.h - the parts of the page.
 *
 * Private to report.
 */
#ifndef CST_REPORT_PAGE_H
#define CST_REPORT_PAGE_H

#include "history/history.h"
#include "measure/measure.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The page's files, made into page_lines.c; NULL at the end. */
extern const char *const cst_page_lines[];

/* The page, with a graph of that many tasks at most, or of their kinds. */
CASTELL_MUST_CHECK enum castell_status
cst_page_write(const struct cst_history *history, size_t tasks_max, FILE *to);

/* Numbers of 7 bits a byte, the low ones first; in the page as base 64. */
struct cst_page_bytes {
    uint8_t *at;
    size_t count;
    size_t max;
};
bool cst_page_put(struct cst_page_bytes *bytes, uint64_t number);
/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ... */
bool cst_page_put_signed(struct cst_page_bytes *bytes, int64_t number);
void cst_page_write_bytes(const struct cst_page_bytes *bytes, FILE *to);

/* The high halves of the numbers of tasks, each once. */
struct cst_page_prefixes {
    uint64_t *at;
    size_t count;
    size_t max;
};

/* A task's number: its prefix, and the difference to the low half of the one
   before, which *before keeps. */
bool cst_page_put_task(struct cst_page_bytes *bytes,
                       struct cst_page_prefixes *prefixes, uint64_t id,
                       int64_t *before);

/* The number of a kind in the page: those without come last. */
static inline uint32_t cst_page_kind(const struct cst_history *history,
                                     uint32_t kind)
{
    return kind < history->kinds_count ? kind : (uint32_t)history->kinds_count;
}

/* ---- spans.c: bodies and waits over time ----------------------------------- */

enum { CST_PAGE_LONG_MAX = 64 };

/* Of a device: what its tasks' bodies are is a track of the run, and then. */
enum cst_page_row {
    CST_PAGE_BODIES = 0,
    CST_PAGE_KERNELS,
    CST_PAGE_IN,
    CST_PAGE_OUT,
    CST_PAGE_ROWS,
};

struct cst_page_track {
    uint32_t track;  /* or NONE: it is the row of a device */
    uint32_t device; /* whose, or NONE */
    enum cst_page_row row;
    size_t count; /* of spans */
    /* Of those with others within, the longest, in order of beginning: where
       to begin to look for what was there at some time. */
    uint32_t longest[CST_PAGE_LONG_MAX];
    size_t long_count;
};

/* What is drawn, as bytes; of more than can be drawn short ones together. */
struct cst_page_spans {
    struct cst_page_bytes bytes;
    size_t count; /* of all tracks */
    struct cst_page_track *tracks;
    size_t tracks_count;
};

CASTELL_MUST_CHECK enum castell_status
cst_page_spans_create(const struct cst_history *history,
                      struct cst_page_prefixes *prefixes,
                      struct cst_page_spans *ret_spans);
void cst_page_spans_release(struct cst_page_spans *spans);

/* ---- graph.c: what follows what -------------------------------------------- */

struct cst_page_graph {
    struct cst_page_bytes bytes;
    size_t tasks; /* 0: there are none, or of too many kinds for a page */
    size_t edges;
    uint32_t depths; /* how deep the deepest is, + 1 */
    uint32_t merged; /* so many depths are one, and what is of a kind there;
                        0: each task is by itself */
};

CASTELL_MUST_CHECK enum castell_status
cst_page_graph_create(const struct cst_measure *measure,
                      struct cst_page_prefixes *prefixes, size_t tasks_max,
                      struct cst_page_graph *ret_graph);
void cst_page_graph_release(struct cst_page_graph *graph);

#endif
