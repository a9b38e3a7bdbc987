#include "trace/trace.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "trace/file.h"
#include "trace/notes.h"
#include "trace/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    DRAIN_MS = 50,
    EXECUTORS_MAX = CST_TRACE_NO_EXECUTOR - 1,
    MEMORY_DRAINS = 4, /* between two looks at our own memory */
    STATM_SIZE = 128,
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
    struct cst_trace_notes notes;
    int statm;       /* the system's account of our memory, or -1 */
    uint32_t drains; /* Owner: as of file */
    bool finished;   /* Owner: as of file */
    /* Guarded by: lock */
    uint32_t tracks_count;  /* the executors', then those of other threads */
    struct cst_trace *next; /* in open_traces */
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

void cst_trace_write(struct cst_trace *trace, enum cst_trace_event event,
                     uint64_t task, uint32_t kind, int32_t value)
{
    struct cst_trace_record record = {.ticks = cst_ticks(),
                                      .task = task,
                                      .event = (uint16_t)event,
                                      .kind = cst_trace_kind_number(kind),
                                      .value = value};

    if (__builtin_expect(seat.serial != trace->serial, 0))
        take_ring(trace, CST_TRACE_NO_EXECUTOR);
    if (!seat.ring)
        atomic_fetch_add_explicit(&trace->discarded, 1, memory_order_relaxed);
    else if (cst_trace_ring_put(seat.ring, &record))
        wake(trace);
}

void cst_trace_write_group(struct cst_trace *trace,
                           struct cst_trace_record *records, size_t count)
{
    CST_ASSERT(count > 0 && count <= CST_TRACE_GROUP_MAX);
    records[0].ticks = cst_ticks();
    records[0].kind = cst_trace_kind_number(records[0].kind);
    if (__builtin_expect(seat.serial != trace->serial, 0))
        take_ring(trace, CST_TRACE_NO_EXECUTOR);
    if (!seat.ring)
        atomic_fetch_add_explicit(&trace->discarded, count,
                                  memory_order_relaxed);
    else if (cst_trace_ring_put_group(seat.ring, records, count))
        wake(trace);
}

void cst_trace_started(struct cst_trace *trace, uint64_t task, uint32_t kind,
                       int32_t attempt, const struct castell_constraint *holds)
{
    struct cst_trace_record records[] = {
        {0, task, CST_TRACE_STARTED, cst_trace_kind_number(kind), attempt},
        {holds->memory, holds->storage, CST_TRACE_HOLDS, 0,
         (int32_t)holds->cores}};

    cst_trace_write_group(trace, records, 2);
}

/* ---- Notes ----------------------------------------------------------- */

void cst_trace_note(struct cst_trace *trace, struct cst_trace_chunk chunk,
                    const void *head, size_t head_size, const char *text)
{
    if (!cst_trace_notes_add(&trace->notes, chunk, head, head_size, text))
        atomic_fetch_add_explicit(&trace->discarded, 1, memory_order_relaxed);
}

uint32_t cst_trace_track(const struct cst_trace *trace)
{
    return seat.serial == trace->serial && seat.ring ? seat.ring->track
                                                     : UINT32_MAX;
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

/* Bytes of ours that are in memory; 0: the system does not say. */
static uint64_t resident_size(const struct cst_trace *trace)
{
    char text[STATM_SIZE];
    unsigned long long pages = 0;
    ssize_t size = -1;

    if (trace->statm >= 0)
        size = pread(trace->statm, text, sizeof(text) - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    if (strchr(text, ' '))
        pages = strtoull(strchr(text, ' '), NULL, 10);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look_at_memory(struct cst_trace *trace)
{
    struct cst_trace_chunk chunk = {.type = CST_TRACE_CHUNK_MEMORY};
    struct cst_trace_memory memory = {.ticks = cst_ticks()};

    if (trace->drains++ % MEMORY_DRAINS != 0)
        return;
    memory.resident = resident_size(trace);
    if (memory.resident == 0)
        return;
    chunk.size = sizeof(memory);
    (void)cst_trace_file_add(&trace->file, &chunk, &memory);
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

    cst_trace_notes_drain(&trace->notes, &trace->file);
    cst_trace_file_add_moment(&trace->file, CST_TRACE_CHUNK_CLOCK);
    look_at_memory(trace);
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
    cst_trace_notes_release(&trace->notes);
    if (trace->statm >= 0)
        (void)close(trace->statm);
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
    trace->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    cst_trace_notes_init(&trace->notes);
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

    lost.number = cst_trace_lost(trace);
    (void)cst_trace_file_add(file, &lost, NULL);
    cst_trace_file_add_moment(file, CST_TRACE_CHUNK_END);
    cst_trace_file_finish(file);
    if (lost.number > 0)
        (void)fprintf(stderr,
                      "castell: warning: %" PRIu64 " events are not in the "
                      "trace %s\n",
                      lost.number, file->path);
}

void cst_trace_finish(struct cst_trace *trace)
{
    if (!trace || trace->finished)
        return;
    trace->finished = true;
    atomic_store_explicit(&trace->stopping, true, memory_order_release);
    wake(trace);
    (void)pthread_join(trace->thread, NULL);
    drain(trace);
    finish_file(trace);
}

void cst_trace_close(struct cst_trace *trace)
{
    if (!trace)
        return;
    cst_trace_finish(trace);
    delist(trace);
    destroy(trace);
}
