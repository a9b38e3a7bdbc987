/*
 * What the trace tells of devices is what the depot has counted: each copy once,
 * when it was over, and all by the end; also of one that is lost, and of copies
 * that nobody has looked for.
 */
#include "base/clock.h"
#include "depot/depot.h"
#include "fake_device.h"
#include "harness/tap.h"
#include "history/history.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <string.h>

enum { BYTES = 256, ROUNDS = 40, TASK = 5 };

static const struct cst_device_ops *const drivers[] = {&fake_ops, NULL};

static unsigned char memory[2][BYTES];
static char directory[WORLD_PATH_SIZE];

static struct cst_depot_use use_of(int which, bool reads, bool writes)
{
    return (struct cst_depot_use){
        .region = {(uintptr_t)memory[which], BYTES, 1, BYTES},
        .reads = reads,
        .writes = writes,
    };
}

/* One task of a device, and what it does there. */
static void run(struct cst_depot *depot, uint32_t number, int which,
                bool writes)
{
    struct cst_depot_device *device = cst_depot_at(depot, number);
    struct cst_depot_use use = use_of(which, true, writes);
    struct cst_depot_told told;
    void *event = NULL;

    if (cst_depot_acquire(depot, device, &use, 1) != CASTELL_OK)
        return;
    cst_depot_run_begin(depot, device, CST_DEVICE_RUN, &told);
    cst_depot_run_end(depot, device, CST_DEVICE_RUN, &told);
    if (device->ops->record(device->handle, CST_DEVICE_RUN, &event) ==
        CASTELL_OK) {
        (void)device->ops->event_wait(device->handle, event);
        device->ops->event_destroy(device->handle, event);
    }
    cst_depot_run_over(depot, device, &told, TASK, 0);
    cst_depot_release(depot, device, &use, 1, CST_DEPOT_DONE);
}

/* Between devices, back, and to them, also where there is no room. */
static int work(struct cst_depot *depot)
{
    struct cst_region region = {(uintptr_t)memory[0], BYTES, 1, BYTES};

    int back = 0;

    for (int i = 0; i < ROUNDS; i++) {
        run(depot, (uint32_t)(i / 3 % 2), i % 2, i % 4 == 0);
        if (i % 5 == 4)
            back += cst_depot_to_main(depot, &region, true, i % 2 == 0) ==
                    CASTELL_OK;
    }
    return back;
}

static void see(const struct cst_history *history,
                const struct cst_depot_counters *counted, const char *name)
{
    const uint64_t counts[] = {counted->in, counted->out, counted->peer};
    const uint64_t sizes[] = {counted->in_bytes, counted->out_bytes,
                              counted->peer_bytes};
    uint64_t seen[3] = {0}, bytes[3] = {0};
    bool sound = true;

    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];

        seen[copy->way]++;
        bytes[copy->way] += copy->bytes;
        sound = sound && copy->end_ns >= copy->begin_ns &&
                copy->end_ns <= history->total_ns &&
                (copy->base == (uintptr_t)memory[0] ||
                 copy->base == (uintptr_t)memory[1]);
        for (size_t j = 0; j < i; j++) {
            const struct cst_history_copy *before = &history->copies[j];

            if (before->device == copy->device &&
                (before->way == CST_HISTORY_TO_MAIN) ==
                    (copy->way == CST_HISTORY_TO_MAIN))
                sound = sound && (copy->begin_ns + 2000 >= before->end_ns ||
                                  before->begin_ns + 2000 >= copy->end_ns);
        }
    }
    ok(memcmp(counts, seen, sizeof(counts)) == 0 &&
           memcmp(sizes, bytes, sizeof(sizes)) == 0,
       "%s: %d copies to, %d from, %d between devices, and their bytes", name,
       (int)seen[0], (int)seen[1], (int)seen[2]);
    ok(sound, "%s: one after the other in each queue", name);
    ok(history->kernels_count == counted->kernels,
       "%s: as many kernels as were counted", name);
    ok(history->nodes[0].has_depot &&
           history->nodes[0].depot.in == counted->in &&
           history->nodes[0].depot.out_bytes == counted->out_bytes &&
           history->nodes[0].depot.kernels == counted->kernels,
       "%s: and the counts are there", name);
}

static void test(const char *name, uint64_t room, uint32_t lost_after)
{
    const struct cst_depot_options options = {.drivers = drivers,
                                              .memory = room};
    const struct cst_trace_node node = {0, 1, 1 << 20, 0};
    struct cst_depot_counters counted;
    struct cst_history *history = NULL;
    struct cst_depot *depot = NULL;
    uint64_t most = 0;
    int back;
    struct cst_trace *trace = NULL;

    world_open(directory);
    fake_begin(room + lost_after);
    must(cst_trace_open(directory, 3, &trace) == CASTELL_OK, "a trace");
    must(cst_depot_open(&options, &depot) == CASTELL_OK, "a depot");
    cst_trace_node(trace, &node, "run");
    cst_depot_trace(depot, trace);
    fake_lose_after(cst_depot_at(depot, 1)->handle, lost_after);
    back = work(depot);
    cst_depot_tell_all(depot);
    cst_depot_counters(depot, &counted);
    cst_depot_close(depot);
    cst_trace_close(trace);
    ok(fake_blocks() == 0,
       "%s: nothing is left in devices, main() got what "
       "it wanted %d times",
       name, back);
    must(cst_history_open(directory, &history) == CASTELL_OK, "a history");
    see(history, &counted, name);
    for (size_t i = 0; i < history->memory_count; i++)
        if (history->memory[i].device != CST_HISTORY_NONE)
            most = history->memory[i].bytes > most ? history->memory[i].bytes
                                                   : most;
    ok(history->devices_count == FAKE_DEVICES && most >= BYTES && most <= room,
       "%s: their memory is told", name);
    cst_history_close(history);
    world_close(directory);
}

int main(void)
{
    test("room for all", 4096, 0);
    test("room for one", BYTES, 0);
    test("one is lost", 4096, 60);
    return tap_done();
}
