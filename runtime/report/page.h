/*
 * page.h - the parts of the page.
 *
 * Private to report.
 */
#ifndef CST_REPORT_PAGE_H
#define CST_REPORT_PAGE_H

#include "history/history.h"

#include <stdio.h>

/* page.html, made into page_lines.c; NULL at the end. */
extern const char *const cst_page_lines[];

enum { CST_PAGE_LONG_MAX = 64 };

struct cst_page_track {
    uint32_t track;
    size_t count; /* of spans */
    /* Of those with others within, the longest, in order of beginning: where
       to begin to look for what was there at some time. */
    uint32_t longest[CST_PAGE_LONG_MAX];
    size_t long_count;
};

/* What is drawn, as bytes; of more than can be drawn short ones together. */
struct cst_page_spans {
    uint8_t *bytes;
    size_t bytes_count;
    size_t bytes_max;
    size_t count; /* of all tracks */
    struct cst_page_track *tracks;
    size_t tracks_count;
    uint64_t *prefixes; /* of numbers of tasks */
    size_t prefixes_count;
    size_t prefixes_max;
};

CASTELL_MUST_CHECK enum castell_status
cst_page_spans_create(const struct cst_history *history,
                      struct cst_page_spans *spans);
void cst_page_spans_release(struct cst_page_spans *spans);

/* In base 64. */
void cst_page_spans_write(const struct cst_page_spans *spans, FILE *to);

#endif
