/*
 * forge.h - traces of runs that never were: each event at a time that the test
 * chooses, on a clock as wrong as it likes.
 *
 * All times are nanoseconds of the run, on the master's clock. The events of a
 * track may be told in any order; those of one moment stay in that order. A test
 * may leave out what a process that died would not have written.
 */
#ifndef CST_TEST_FORGE_H
#define CST_TEST_FORGE_H

#include "castell.h"
#include "trace/format.h"

#include <stdint.h>
#include <stdio.h>

struct forge_group;

struct forge {
    FILE *file;
    struct forge_group *groups; /* events, until it is closed */
    size_t groups_count;
    size_t groups_max;
    double offset; /* what its clock shows more, at 0 */
    double drift;  /* and gains, ns per ns */
};

struct forge_access {
    enum castell_mode mode;
    uint64_t base;
};

/* A node's file in the directory, and a track for each core: its executors. */
struct forge *forge_open(const char *directory, uint32_t number, uint32_t cores,
                         double offset, double drift);
/* It ends well, at that time; UINT64_MAX: it does not. */
void forge_close(struct forge *forge, uint64_t ns);

void forge_event(struct forge *forge, uint32_t track, uint64_t ns,
                 enum cst_trace_event event, uint64_t task, int32_t value);
void forge_kind(struct forge *forge, uint32_t kind, const char *name);

/* main() submits a task of kind 0 with that many accesses of 64 bytes. */
void forge_submit(struct forge *forge, uint64_t ns, uint64_t task,
                  const struct forge_access *accesses, int32_t count);
/* A task runs from then to then, and was ready before. */
void forge_run(struct forge *forge, uint32_t track, uint64_t task,
               uint64_t ready, uint64_t started, uint64_t ended);
/* It starts, and holds that. */
void forge_start(struct forge *forge, uint32_t track, uint64_t ns,
                 uint64_t task, uint64_t memory, int32_t cores);
/* Data came from a node, and what became ready then had waited for that. */
void forge_transfer(struct forge *forge, uint32_t track, uint64_t begin,
                    uint64_t end, uint32_t from, uint64_t bytes);
/* The master answers, after so long, which is `wrong` off the middle. */
void forge_sync(struct forge *forge, uint64_t ns, uint64_t round, double wrong);
void forge_text(struct forge *forge, uint64_t ns, enum cst_trace_event event,
                uint64_t subject, const char *text);
void forge_counters(struct forge *forge,
                    const struct cst_trace_counters *counters);

/* One more track, of the executor with that number. */
void forge_track(struct forge *forge, uint32_t track);

/* A device of the node, and what all of them have done. */
void forge_device(struct forge *forge, uint32_t number, const char *name);
void forge_depot(struct forge *forge, const struct cst_trace_depot *depot);

/* A copy of 64 bytes at 4096, or what a task had a device do: from begin to end,
   and told later. */
struct forge_span {
    uint64_t begin;
    uint64_t end;
    uint64_t told;
};
void forge_lasted(struct forge *forge, uint32_t track, struct forge_span span,
                  enum cst_trace_event what, uint64_t subject, int32_t value);

/* A class of nodes, and what becomes of one that was asked for. */
void forge_class(struct forge *forge, uint32_t class, const char *name);
void forge_request(struct forge *forge, uint64_t ns,
                   struct cst_trace_request request, const char *why);

#endif
