/*
 * unit_internal.h - what the files that make a unit share.
 *
 * Layer: read.
 */
#ifndef CST_READ_UNIT_INTERNAL_H
#define CST_READ_UNIT_INTERNAL_H

#include "read/unit.h"

/* What a line of the preprocessor's output is. */
enum cst_line_kind {
    CST_LINE_CODE = 0,
    CST_LINE_MARKER,    /* # 12 "file.c" 2 */
    CST_LINE_DIRECTIVE, /* #define, #undef */
    CST_LINE_PRAGMA,    /* #pragma castell */
};

/* A walk over the lines of the preprocessor's output. */
struct cst_walk {
    struct cst_unit *unit;
    const char *at; /* the next line */
    /* The line that cst_walk_next() came to: */
    const char *start;
    size_t size; /* without its end */
    enum cst_line_kind kind;
    const char *file;
    unsigned line;
    bool system;
    /* For the line after: */
    const char *next_file;
    unsigned next_line;
    bool next_system;
    bool returns; /* a marker: the file that was included is over */
};

struct cst_walk cst_walk_start(struct cst_unit *unit);
bool cst_walk_next(struct cst_walk *walk);

/* Does this directive define, or take away, this macro? */
bool cst_walk_is_about(const struct cst_walk *walk, const char *macro,
                       bool *ret_defines);

/* Give the sites their tokens, with macros expanded, and parse them. */
void cst_macros_expand(struct cst_unit *unit, struct cst_tokens *tokens,
                       cst_unit_expand *expand, void *owner);

/* Make unit->text and the runs. */
void cst_unit_build(struct cst_unit *unit);

#endif
