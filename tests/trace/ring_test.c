/*
 * Rules of a ring: records come out in the order they went in, each once; when
 * it is full new ones are lost, and counted, and old ones stay. By hand, then
 * with a writer and a reader that race.
 */
#include "harness/tap.h"
#include "trace/ring.h"

#include <pthread.h>
#include <stdio.h>

enum { RACE_RECORDS = 2000000 };

static bool put(struct cst_trace_ring *ring, uint64_t number)
{
    struct cst_trace_record record = {.task = number};

    return cst_trace_ring_put(ring, &record);
}

static uint64_t lost_of(struct cst_trace_ring *ring)
{
    return atomic_load_explicit(&ring->lost, memory_order_relaxed);
}

/* Take all records out; are they these, and in order? */
static bool take(struct cst_trace_ring *ring, uint64_t first, uint64_t count)
{
    uint64_t next = first;

    for (;;) {
        size_t together;
        const struct cst_trace_record *records =
            cst_trace_ring_peek(ring, &together);

        if (together == 0)
            return next == first + count;
        for (size_t i = 0; i < together; i++)
            if (records[i].task != next++)
                return false;
        cst_trace_ring_drop(ring, together);
    }
}

static void test_by_hand(void)
{
    struct cst_trace_ring *ring = cst_trace_ring_create(3, 7);
    int half_full = 0;
    size_t count;

    must(ring != NULL && ring->track == 3 && ring->executor == 7,
         "a ring is made");
    (void)cst_trace_ring_peek(ring, &count);
    ok(count == 0, "it is empty");
    for (uint64_t i = 0; i < CST_TRACE_RING_RECORDS; i++)
        half_full += put(ring, i);
    ok(half_full == 2, "it tells when it is half full, and full");
    ok(lost_of(ring) == 0, "nothing is lost until it is full");
    (void)put(ring, 1);
    (void)put(ring, 2);
    ok(lost_of(ring) == 2, "then it is, and counted");
    ok(take(ring, 0, CST_TRACE_RING_RECORDS), "the old ones are whole");
    for (uint64_t i = 0; i < 5; i++)
        (void)put(ring, i);
    ok(take(ring, 0, 5) && lost_of(ring) == 2, "and there is room again");
    for (uint64_t i = 0; i < CST_TRACE_RING_RECORDS; i++)
        (void)put(ring, i);
    ok(take(ring, 0, CST_TRACE_RING_RECORDS) && lost_of(ring) == 2,
       "all of it, also around its end");
    cst_trace_ring_destroy(ring);
}

static atomic_bool writer_done;

static void *write_many(void *argument)
{
    for (uint64_t i = 1; i <= RACE_RECORDS; i++)
        (void)put(argument, i);
    atomic_store_explicit(&writer_done, true, memory_order_release);
    return NULL;
}

static void test_race(void)
{
    struct cst_trace_ring *ring = cst_trace_ring_create(0, 0);
    pthread_t writer;
    uint64_t read = 0;
    uint64_t last = 0;
    uint64_t wrong = 0;
    bool done = false;

    must(ring && pthread_create(&writer, NULL, write_many, ring) == 0,
         "a writer runs");
    for (;;) {
        size_t count;
        const struct cst_trace_record *records =
            cst_trace_ring_peek(ring, &count);

        if (count == 0 && done)
            break;
        for (size_t i = 0; i < count; i++) {
            wrong += records[i].task <= last;
            last = records[i].task;
        }
        cst_trace_ring_drop(ring, count);
        read += count;
        done = atomic_load_explicit(&writer_done, memory_order_acquire);
    }
    (void)pthread_join(writer, NULL);
    ok(wrong == 0, "records come out in order");
    ok(read + lost_of(ring) == RACE_RECORDS,
       "each is read or lost: %llu and %llu", (unsigned long long)read,
       (unsigned long long)lost_of(ring));
    cst_trace_ring_destroy(ring);
}

int main(void)
{
    test_by_hand();
    test_race();
    return tap_done();
}
