/*
 * top.h - runs of this user on this machine, looked at while they go on: found,
 * asked, and shown to people and to machines.
 *
 * Layer: top. May include base, trace, watch and report. Not in the library: for
 * the program castell.
 *
 * Threads: one.
 */
#ifndef CST_TOP_TOP_H
#define CST_TOP_TOP_H

#include "castell.h"
#include "watch/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- 1. Runs ---------------------------------------------------------------- */

struct cst_top_run {
    char program[CST_WATCH_NAME_MAX];
    long process;
    char path[CST_WATCH_PATH_MAX]; /* of its socket */
};

struct cst_top_runs {
    struct cst_top_run *list; /* by process */
    size_t count;
};

/* Find all. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_top_find(struct cst_top_runs *ret_runs);
void cst_top_runs_release(struct cst_top_runs *runs);

/*
 * The run that is meant by the name of a program, the number of its main process,
 * or "PROGRAM.NUMBER"; NULL: the only one that there is. Fails with
 * CASTELL_ERR_INVALID; the text says which runs there are.
 */
CASTELL_MUST_CHECK enum castell_status
cst_top_choose(const char *name, struct cst_top_run *ret_run);

/*
 * Ask a run, or order something; *ret_picture is for CST_WATCH_LOOK, and to be
 * released, else NULL. Fails with CASTELL_ERR_NODE_LOST when the run is over,
 * with CASTELL_ERR_INVALID when it refuses (the text is its sentence), and with
 * CASTELL_ERR_SYSTEM when it does not answer.
 */
CASTELL_MUST_CHECK enum castell_status
cst_top_ask(const struct cst_top_run *run, enum cst_watch_order order,
            const char *text, struct cst_watch_picture *ret_picture);

/* ---- 2. Pictures ------------------------------------------------------------ */

/* Write it as one JSON object. */
void cst_top_json(const struct cst_watch_picture *picture, FILE *to);

/* How to write for people. */
struct cst_top_style {
    size_t columns;
    size_t lines; /* 0: any number */
    bool colour;
    bool exact; /* the terminal knows all colours, not 256 */
    bool utf8;
};

/*
 * Write a picture as lines of text. `before` is an earlier one of the run, for
 * what has happened since; NULL: there is none.
 */
void cst_top_write(const struct cst_watch_picture *picture,
                   const struct cst_watch_picture *before,
                   const struct cst_top_style *style, FILE *to);

/* ---- 3. The terminal -------------------------------------------------------- */

struct cst_top_options {
    uint64_t interval_ns;
    bool once;
};

/*
 * Show the run until it ends, or until q or an interrupt. Where the standard
 * output is no terminal pictures are written one after the other. Returns the
 * exit status; says why it is not 0.
 */
int cst_top_show(const struct cst_top_run *run,
                 const struct cst_top_options *options);

#endif
