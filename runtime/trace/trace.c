#include "trace/trace.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "trace/file.h"
#include "trace/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DRAIN_MS = 50, EXECUTORS_MAX = CST_TRACE_NO_EXECUTOR - 1 };

/* A name for a kind, on its way to the file. */
struct kind_name {
    struct kind_name *next;
    uint32_t kind;
    char name[];
};

struct cst_trace {
    uint64_t serial; /* Immutable; no two traces of the process have the same */
    uint32_t executors_count;
    int wake; /* an eventfd: a ring fills up, or the trace ends */
    pthread_t thread;
    struct cst_trace_file file; /* Owner: the thread, else who opens, closes */
    atomic_bool stopping;
    _Atomic(struct cst_trace_ring *) rings; /* only ever added to */
    atomic_uint_fast64_t discarded;         /* records that found no ring, or
                                               no place in the file */
    /* Guarded by: lock */
    uint32_t tracks_count;   /* the executors', then those of other threads */
    struct kind_name *names; /* the latest first */
    struct cst_trace *next;  /* in open_traces */
};

/* Which ring this thread writes to, and of which trace it is. */
struct seat {
    uint64_t serial;
    struct cst_trace_ring *ring; /* NULL: there was no memory for one */
};

static _Thread_local struct seat seat
    __attribute__((tls_model("initial-exec")));

/* Rings, tracks and names: rarely taken, never for an event. */
static struct cst_lock lock;
static struct cst_trace *open_traces; /* Guarded by: lock */
static uint64_t last_serial;          /* Guarded by: lock */
static pthread_key_t leaving;         /* calls leave() when a thread ends */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A thread ends: another may have its ring, if that is still there. */
static void leave(void *argument) CST_UNCHECKED
{
    cst_lock_take(&lock);
    for (struct cst_trace *trace = open_traces; trace; trace = trace->next)
        if (trace->serial == seat.serial && seat.ring)
            seat.ring->taken = false;
    cst_lock_drop(&lock);
    seat.serial = 0;
}

static void init_once(void)
{
    int error = pthread_key_create(&leaving, leave);

    CST_ASSERT(error == 0);
    cst_lock_init(&lock, CST_RANK_TRACE, "trace");
}

/* ---- Rings ----------------------------------------------------------- */

/* A ring that no thread has: of a thread that ended, or a new one. */
static struct cst_trace_ring *find_ring_locked(struct cst_trace *trace,
                                               uint16_t executor)
    CST_HOLDS(&lock)
{
    struct cst_trace_ring *first =
        atomic_load_explicit(&trace->rings, memory_order_relaxed);
    struct cst_trace_ring *ring;
    uint32_t track = executor;

    for (ring = first; ring; ring = ring->next)
        if (!ring->taken && ring->executor == executor)
            return ring;
    if (track == CST_TRACE_NO_EXECUTOR)
        track = trace->tracks_count;
    if (track > UINT16_MAX)
        return NULL;
    ring = cst_trace_ring_create((uint16_t)track, executor);
    if (!ring)
        return NULL;
    if (executor == CST_TRACE_NO_EXECUTOR)
        trace->tracks_count++;
    ring->next = first;
    atomic_store_explicit(&trace->rings, ring, memory_order_release);
    return ring;
}

static void take_ring(struct cst_trace *trace, uint16_t executor) CST_UNCHECKED
{
    struct cst_trace_ring *ring;

    cst_lock_take(&lock);
    if (seat.serial == trace->serial && seat.ring)
        seat.ring->taken = false;
    ring = find_ring_locked(trace, executor);
    if (ring)
        ring->taken = true;
    cst_lock_drop(&lock);
    seat.serial = trace->serial;
    seat.ring = ring;
    /* Any value but NULL: leave() looks at the seat itself. */
    (void)pthread_setspecific(leaving, &seat);
}

void cst_trace_thread(struct cst_trace *trace, uint32_t executor)
{
    CST_ASSERT(executor < trace->executors_count);
    take_ring(trace, (uint16_t)executor);
}

static void wake(struct cst_trace *trace)
{
    uint64_t one = 1;
    ssize_t written = write(trace->wake, &one, sizeof(one));

    (void)written; /* when it is full already the thread wakes anyway */
}

static uint16_t limit_kind(uint32_t kind)
{
    return kind < CST_TRACE_KIND_MAX ? (uint16_t)kind : CST_TRACE_KIND_MAX;
}

void cst_trace_write(struct cst_trace *trace, enum cst_trace_event event,
                     uint64_t task, uint32_t kind, int32_t value)
{
    struct cst_trace_record record = {.ticks = cst_ticks(),
                                      .task = task,
                                      .event = (uint16_t)event,
                                      .kind = limit_kind(kind),
                                      .value = value};

    if (__builtin_expect(seat.serial != trace->serial, 0))
        take_ring(trace, CST_TRACE_NO_EXECUTOR);
    if (!seat.ring)
        atomic_fetch_add_explicit(&trace->discarded, 1, memory_order_relaxed);
    else if (cst_trace_ring_put(seat.ring, &record))
        wake(trace);
}

void cst_trace_kind(struct cst_trace *trace, uint32_t kind,
                    const char *name) CST_UNCHECKED
{
    size_t size = strlen(name) + 1;
    struct kind_name *entry = cst_alloc(sizeof(*entry) + size);

    if (!entry)
        return; /* it shows as "kind 7" */
    entry->kind = limit_kind(kind);
    memcpy(entry->name, name, size);
    cst_lock_take(&lock);
    entry->next = trace->names;
    trace->names = entry;
    cst_lock_drop(&lock);
}

uint64_t cst_trace_lost(struct cst_trace *trace)
{
    struct cst_trace_ring *ring =
        atomic_load_explicit(&trace->rings, memory_order_acquire);
    uint64_t lost =
        atomic_load_explicit(&trace->discarded, memory_order_relaxed);

    for (; ring; ring = ring->next)
        lost += atomic_load_explicit(&ring->lost, memory_order_relaxed);
    return lost;
}

/* ---- The thread that drains them ------------------------------------- */

static void drain_names(struct cst_trace *trace) CST_UNCHECKED
{
    struct kind_name *name;

    cst_lock_take(&lock);
    name = trace->names;
    trace->names = NULL;
    cst_lock_drop(&lock);
    while (name) {
        struct kind_name *next = name->next;

        cst_trace_file_add_text(&trace->file, CST_TRACE_CHUNK_KIND, name->kind,
                                name->name);
        cst_free(name);
        name = next;
    }
}

static void drain_ring(struct cst_trace *trace, struct cst_trace_ring *ring)
{
    /* What comes in meanwhile can wait for the next round. */
    for (int part = 0; part < 2; part++) {
        struct cst_trace_chunk chunk = {.type = CST_TRACE_CHUNK_EVENTS,
                                        .track = ring->track};
        size_t count;
        const struct cst_trace_record *records =
            cst_trace_ring_peek(ring, &count);

        if (count == 0)
            return;
        chunk.size = (uint32_t)(count * sizeof(*records));
        if (!cst_trace_file_add(&trace->file, &chunk, records))
            atomic_fetch_add_explicit(&trace->discarded, count,
                                      memory_order_relaxed);
        cst_trace_ring_drop(ring, count);
    }
}

static void drain(struct cst_trace *trace)
{
    struct cst_trace_ring *ring =
        atomic_load_explicit(&trace->rings, memory_order_acquire);

    drain_names(trace);
    cst_trace_file_add_moment(&trace->file, CST_TRACE_CHUNK_CLOCK);
    for (; ring; ring = ring->next) {
        if (!ring->announced) {
            struct cst_trace_chunk chunk = {.type = CST_TRACE_CHUNK_TRACK,
                                            .track = ring->track,
                                            .number = ring->executor};

            (void)cst_trace_file_add(&trace->file, &chunk, NULL);
            ring->announced = true;
        }
        drain_ring(trace, ring);
    }
}

static void *drain_until_stopped(void *argument)
{
    struct cst_trace *trace = argument;
    struct pollfd woken = {.fd = trace->wake, .events = POLLIN};

    while (!atomic_load_explicit(&trace->stopping, memory_order_acquire)) {
        uint64_t times;

        if (poll(&woken, 1, DRAIN_MS) > 0) {
            ssize_t length = read(trace->wake, &times, sizeof(times));

            (void)length; /* it is nonblocking, and only resets it */
        }
        drain(trace);
    }
    return NULL;
}

/* ---- Opening and closing --------------------------------------------- */

static void enlist(struct cst_trace *trace) CST_UNCHECKED
{
    cst_lock_take(&lock);
    trace->serial = ++last_serial;
    trace->next = open_traces;
    open_traces = trace;
    cst_lock_drop(&lock);
}

static void delist(struct cst_trace *trace) CST_UNCHECKED
{
    struct cst_trace **at;

    cst_lock_take(&lock);
    for (at = &open_traces; *at != trace; at = &(*at)->next)
        continue;
    *at = trace->next;
    cst_lock_drop(&lock);
}

static void destroy(struct cst_trace *trace)
{
    struct cst_trace_ring *ring = atomic_load(&trace->rings);

    while (ring) {
        struct cst_trace_ring *next = ring->next;

        cst_trace_ring_destroy(ring);
        ring = next;
    }
    while (trace->names) {
        struct kind_name *next = trace->names->next;

        cst_free(trace->names);
        trace->names = next;
    }
    if (trace->wake >= 0)
        (void)close(trace->wake);
    cst_trace_file_close(&trace->file);
    cst_free(trace);
}

static enum castell_status start(struct cst_trace *trace, const char *directory)
{
    enum castell_status status =
        cst_trace_file_open(directory, trace->serial, &trace->file);

    if (status < 0)
        return status;
    trace->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (trace->wake < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no eventfd for the trace: %s",
                        cst_reason(errno));
    return cst_thread_start("castell-trace", drain_until_stopped, trace,
                            &trace->thread);
}

enum castell_status cst_trace_open(const char *directory,
                                   uint32_t executors_count,
                                   struct cst_trace **ret_trace)
{
    struct cst_trace *trace;
    enum castell_status status;

    (void)pthread_once(&once, init_once);
    if (executors_count > EXECUTORS_MAX)
        return cst_fail(CASTELL_ERR_LIMIT, "a trace has %d executors at most",
                        EXECUTORS_MAX);
    trace = cst_zalloc(sizeof(*trace));
    if (!trace)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a trace");
    trace->executors_count = executors_count;
    trace->tracks_count = executors_count;
    trace->wake = -1;
    trace->file.descriptor = -1;
    enlist(trace);
    status = start(trace, directory);
    if (status < 0) {
        delist(trace);
        destroy(trace);
        return status;
    }
    *ret_trace = trace;
    return CASTELL_OK;
}

static void finish_file(struct cst_trace *trace)
{
    struct cst_trace_file *file = &trace->file;
    struct cst_trace_chunk lost = {.type = CST_TRACE_CHUNK_LOST};
    char *events_path = file->path;
    char *json_path = file->json_path;

    lost.number = cst_trace_lost(trace);
    (void)cst_trace_file_add(file, &lost, NULL);
    cst_trace_file_add_moment(file, CST_TRACE_CHUNK_END);
    cst_trace_file_finish(file);
    if (lost.number > 0)
        (void)fprintf(stderr,
                      "castell: warning: %" PRIu64 " events are not in the "
                      "trace %s\n",
                      lost.number, events_path);
    if (!file->broken && cst_trace_convert(events_path, json_path) < 0)
        (void)fprintf(stderr, "castell: warning: no %s: %s\n", json_path,
                      castell_error_text());
}

void cst_trace_close(struct cst_trace *trace)
{
    if (!trace)
        return;
    atomic_store_explicit(&trace->stopping, true, memory_order_release);
    wake(trace);
    (void)pthread_join(trace->thread, NULL);
    drain(trace);
    delist(trace);
    finish_file(trace);
    destroy(trace);
}
