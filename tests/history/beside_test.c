/*
 * Devices, and nodes that were asked for, are read back as they were, whatever
 * the clock of their node showed; and what makes no sense does no harm.
 */
#include "harness/tap.h"
#include "history/forge.h"
#include "history/history.h"
#include "trace/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MS = 1000000,
    TASK = 7,
    DEVICE_TRACK = 1, /* behind the only core */
    PEER = 1 << 16,   /* from device 1 to device 0 */
    NEAR_NS = 2000,
    SPOILT = 2000,
};

static const double AHEAD = 3e9;
static char directory[WORLD_PATH_SIZE];

static bool near(uint64_t a, uint64_t b)
{
    return a > b ? a - b < NEAR_NS : b - a < NEAR_NS;
}

static void ask(struct forge *forge, uint64_t ns, uint32_t ticket,
                enum cst_trace_request_state state, const char *why)
{
    const struct cst_trace_request request = {
        .ticket = ticket, .state = (uint32_t)state, .class = ticket, .node = 1};

    forge_request(forge, ns, request, why);
}

static void write_master(void)
{
    struct forge *forge = forge_open(directory, 0, 1, 0, 0);

    forge_class(forge, 1, "big");
    ask(forge, 10 * MS, 1, CST_TRACE_REQUEST_ASKED, "work waits");
    ask(forge, 11 * MS, 1, CST_TRACE_REQUEST_PENDING, "Priority");
    ask(forge, 20 * MS, 1, CST_TRACE_REQUEST_STARTED, "");
    ask(forge, 21 * MS, 2, CST_TRACE_REQUEST_ASKED, "more work");
    ask(forge, 22 * MS, 2, CST_TRACE_REQUEST_REFUSED, "no such thing");
    ask(forge, 23 * MS, 0, CST_TRACE_REQUEST_SAID, "a sentence");
    forge_event(forge, 0, 25 * MS, CST_TRACE_NODE_JOINED, 1, 1);
    ask(forge, 26 * MS, 1, CST_TRACE_REQUEST_CAME, "n1");
    ask(forge, 70 * MS, 1, CST_TRACE_REQUEST_LEAVES, "it is idle");
    forge_event(forge, 0, 80 * MS, CST_TRACE_NODE_GONE, 1, 1);
    ask(forge, 81 * MS, 1, CST_TRACE_REQUEST_ENDED, "completed");
    forge_submit(forge, 1 * MS, TASK, NULL, 0);
    forge_close(forge, 100 * MS);
}

static void write_worker(void)
{
    struct forge *forge = forge_open(directory, 1, 1, AHEAD, 1e-5);
    const struct cst_trace_depot depot = {
        .in = 1, .in_bytes = 64, .kernels = 1};

    for (uint64_t i = 1; i < 20; i++)
        forge_sync(forge, i * 4 * MS, 1000, 0);
    forge_track(forge, DEVICE_TRACK);
    forge_device(forge, 0, "a device");
    forge_lasted(forge, DEVICE_TRACK,
                 (struct forge_span){30 * MS, 32 * MS, 40 * MS},
                 CST_TRACE_COPY_IN, 4096, 0);
    forge_event(forge, DEVICE_TRACK, 33 * MS, CST_TRACE_STARTED, TASK, 1);
    forge_lasted(forge, DEVICE_TRACK,
                 (struct forge_span){34 * MS, 38 * MS, 39 * MS},
                 CST_TRACE_KERNEL, TASK, 0);
    forge_event(forge, DEVICE_TRACK, 39 * MS, CST_TRACE_ENDED, TASK, 0);
    /* It says that it ended after it was seen to have. */
    forge_lasted(forge, DEVICE_TRACK,
                 (struct forge_span){50 * MS, 90 * MS, 60 * MS},
                 CST_TRACE_COPY_PEER, 4096, PEER);
    forge_event(forge, DEVICE_TRACK, 61 * MS, CST_TRACE_DEVICE_MEMORY, 512, 0);
    forge_depot(forge, &depot);
    forge_close(forge, 79 * MS);
}

static void test_devices(const struct cst_history *history)
{
    const struct cst_history_copy *copy = history->copies;
    const struct cst_history_kernel *kernel = history->kernels;

    must(history->copies_count == 2 && history->kernels_count == 1 &&
             history->devices_count == 2,
         "copies, a kernel and devices are there");
    ok(strcmp(history->devices[copy[0].device].name, "a device") == 0 &&
           history->devices[copy[0].device].node == 1,
       "a device has its name, and its node");
    ok(near(copy[0].begin_ns, 30 * MS) && near(copy[0].end_ns, 32 * MS),
       "a copy was when it was, not when it was told");
    ok(copy[0].bytes == 64 && copy[0].base == 4096 &&
           copy[0].way == CST_HISTORY_TO_DEVICE &&
           copy[0].from == CST_HISTORY_NONE,
       "from main memory to the device");
    ok(near(copy[1].begin_ns, 50 * MS) && near(copy[1].end_ns, 60 * MS),
       "one that was seen to be over was over");
    ok(copy[1].way == CST_HISTORY_BETWEEN &&
           history->devices[copy[1].from].number == 1,
       "it came from the other device");
    ok(near(kernel->begin_ns, 34 * MS) && near(kernel->end_ns, 38 * MS) &&
           history->tasks[kernel->task].id == TASK,
       "a kernel was its task's");
    ok(history->tracks[history->attempts[0].track].device == kernel->device,
       "the task ran on the device's track");
    ok(history->nodes[1].has_depot && history->nodes[1].depot.in == 1 &&
           !history->nodes[0].has_depot,
       "its node has counted");
    ok(history->memory_count == 1 && history->memory[0].bytes == 512 &&
           history->memory[0].device == kernel->device,
       "the memory is the device's");
}

static void test_requests(const struct cst_history *history)
{
    const struct cst_history_request *request = history->requests;

    must(history->requests_count == 2, "there are two requests");
    ok(near(request[0].asked_ns, 10 * MS) &&
           near(request[0].started_ns, 20 * MS) &&
           near(request[0].came_ns, 26 * MS) &&
           near(request[0].leaves_ns, 70 * MS) &&
           near(request[0].over_ns, 81 * MS),
       "one came and went");
    ok(history->nodes[request[0].node].number == 1 &&
           request[0].state == CST_TRACE_REQUEST_ENDED,
       "as node 1");
    ok(request[0].class == 1 && strcmp(history->classes[1], "big") == 0 &&
           request[1].class == CST_HISTORY_NONE,
       "its class has a name, the other's has none");
    ok(request[1].state == CST_TRACE_REQUEST_REFUSED &&
           request[1].came_ns == CST_HISTORY_NEVER,
       "the other was refused");
    ok(strcmp(history->nodes[1].why, "it is idle") == 0,
       "why the node left is known");
    ok(history->notices_count == 9 &&
           strcmp(history->notices[1].text, "Priority") == 0 &&
           history->notices[5].request == CST_HISTORY_NONE,
       "all that was said is there");
}

/* Any bytes are a trace. */
static void test_spoilt(void)
{
    size_t size, bad = 0;
    char *bytes = world_read(world_path(directory, "events-n0-1.bin"), &size);

    srand(1);
    for (int i = 0; i < SPOILT; i++) {
        struct cst_history *history = NULL;
        size_t at = (size_t)rand() % size;
        char was = bytes[at];

        bytes[at] = (char)rand();
        world_write(world_path(directory, "events-n0-1.bin"), bytes, size);
        bytes[at] = was;
        if (cst_history_open(directory, &history) != CASTELL_OK)
            continue;
        for (size_t j = 0; j < history->requests_count; j++)
            bad += (history->requests[j].class != CST_HISTORY_NONE &&
                    history->requests[j].class >= history->classes_count) ||
                   (history->requests[j].node != CST_HISTORY_NONE &&
                    history->requests[j].node >= history->nodes_count);
        cst_history_close(history);
    }
    ok(bad == 0, "what was spoilt is read, or refused, without harm");
    free(bytes);
}

int main(void)
{
    struct cst_history *history = NULL;

    world_open(directory);
    write_master();
    write_worker();
    must(cst_history_open(directory, &history) == CASTELL_OK, "a history");
    test_devices(history);
    test_requests(history);
    cst_history_close(history);
    test_spoilt();
    world_close(directory);
    return tap_done();
}
