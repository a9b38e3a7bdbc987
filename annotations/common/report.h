/*
 * report.h - errors and warnings, in the compiler's style.
 *
 * Layer: common. They are collected, so that those of one file come out in the
 * order of its lines, whatever was looked at first.
 */
#ifndef CST_COMMON_REPORT_H
#define CST_COMMON_REPORT_H

#include "common/source.h"

#include <stdbool.h>
#include <stddef.h>

/* Counted from 1. column 0: the line as a whole. */
struct cst_place {
    const char *file;
    unsigned line;
    unsigned column;
    unsigned width; /* of what is underlined; 0 and 1: the caret alone */
};

struct cst_report_item;

struct cst_report {
    struct cst_memory *memory;
    struct cst_sources *sources;
    bool quiet; /* no warnings */
    unsigned errors;
    struct cst_report_item *items;
    size_t items_count;
};

void cst_report_error(struct cst_report *report, struct cst_place place,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cst_report_warning(struct cst_report *report, struct cst_place place,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* More on the error or warning before it. */
void cst_report_note(struct cst_report *report, struct cst_place place,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Write all that was collected to standard error, and forget it. */
void cst_report_print(struct cst_report *report);

#endif
