/*
 * format.h - a file of events.
 *
 * Private to trace, but the file outlives the run: README.md describes it.
 * A header, then chunks: a struct cst_trace_chunk and as many bytes as it says.
 * All in the byte order and alignment of the machine that wrote it, which
 * `version` tells. A file may end anywhere: a run may die.
 */
#ifndef CST_TRACE_FORMAT_H
#define CST_TRACE_FORMAT_H

#include <stdint.h>

#define CST_TRACE_MAGIC "castell"

enum { CST_TRACE_VERSION = 1, CST_TRACE_MAGIC_SIZE = 8 };

enum { CST_TRACE_NO_EXECUTOR = UINT16_MAX };

struct cst_trace_header {
    char magic[CST_TRACE_MAGIC_SIZE];
    uint32_t version;
    uint32_t record_size;
    uint64_t process;
};

enum cst_trace_chunk_type {
    CST_TRACE_CHUNK_HOST = 1, /* its name, not terminated */
    CST_TRACE_CHUNK_CLOCK,    /* struct cst_trace_moment */
    CST_TRACE_CHUNK_TRACK,    /* track; number: its executor, or NO_EXECUTOR */
    CST_TRACE_CHUNK_KIND,     /* number: the kind; its name, not terminated */
    CST_TRACE_CHUNK_EVENTS,   /* track; records in the order of time */
    CST_TRACE_CHUNK_LOST,     /* number: events lost, of all tracks */
    CST_TRACE_CHUNK_END,      /* struct cst_trace_moment; the trace is whole */
};

struct cst_trace_chunk {
    uint16_t type;
    uint16_t track;
    uint32_t size; /* of what follows */
    uint64_t number;
};

/* The same moment on three clocks. */
struct cst_trace_moment {
    uint64_t ticks;
    uint64_t ns;   /* of cst_clock_ns() */
    uint64_t wall; /* nanoseconds since 1970 */
};

struct cst_trace_record {
    uint64_t ticks;
    uint64_t task;
    uint16_t event; /* enum cst_trace_event */
    uint16_t kind;
    int32_t value;
};

_Static_assert(sizeof(struct cst_trace_record) == 24, "the format of files");
_Static_assert(sizeof(struct cst_trace_chunk) == 16, "the format of files");
_Static_assert(sizeof(struct cst_trace_header) == 24, "the format of files");

#endif
