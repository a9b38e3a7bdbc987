/*
 * beside DIR: traces of a run that never was, for the page: two nodes with two
 * devices each, whose copies and kernels fill some time; nodes that were asked
 * for and came, left, were refused, cancelled, or wait to the end.
 */
#include "history/forge.h"

#include <stdio.h>

enum {
    MS = 1000000,
    TASKS = 40,
    TASK_MS = 10,
    CORES = 2,
    DEVICES = 2,
    REQUESTS = 5,
    END_MS = 600,
};

static void ask(struct forge *forge, uint64_t ms, uint32_t ticket,
                enum cst_trace_request_state state, const char *why)
{
    const struct cst_trace_request request = {.ticket = ticket,
                                              .state = (uint32_t)state,
                                              .class = ticket % 2,
                                              .node = 1};

    forge_request(forge, ms * MS, request, why);
}

static void grow(struct forge *forge)
{
    forge_class(forge, 0, "plain");
    forge_class(forge, 1, "gpu");
    for (uint32_t i = 1; i <= REQUESTS; i++) {
        ask(forge, 20, i, CST_TRACE_REQUEST_ASKED, "12 tasks wait <there>");
        ask(forge, 25, i, CST_TRACE_REQUEST_PENDING, "Priority");
    }
    ask(forge, 80, 1, CST_TRACE_REQUEST_STARTED, "n1");
    ask(forge, 100, 1, CST_TRACE_REQUEST_CAME, "n1");
    forge_event(forge, 0, 100 * MS, CST_TRACE_NODE_JOINED, 1, CORES);
    ask(forge, 60, 2, CST_TRACE_REQUEST_REFUSED, "Invalid feature");
    ask(forge, 90, 3, CST_TRACE_REQUEST_CANCELLED, "it is not needed");
    ask(forge, 110, 3, CST_TRACE_REQUEST_ENDED, "cancelled");
    ask(forge, 120, 4, CST_TRACE_REQUEST_STARTED, "n2");
    ask(forge, 400, 0, CST_TRACE_REQUEST_SAID, "no more of class plain");
    ask(forge, 500, 1, CST_TRACE_REQUEST_LEAVES, "it is idle");
    forge_event(forge, 0, 520 * MS, CST_TRACE_NODE_GONE, 1, 1);
    ask(forge, 530, 1, CST_TRACE_REQUEST_ENDED, "completed");
}

/* The i-th of a device: its data come, it runs, they go back. */
static void run(struct forge *forge, uint32_t device, uint64_t begin,
                uint64_t task)
{
    uint32_t track = CORES + device;
    uint64_t at = begin * MS;
    uint64_t end = at + (uint64_t)TASK_MS * MS;

    forge_lasted(forge, track, (struct forge_span){at, at + MS, at + 2 * MS},
                 CST_TRACE_COPY_IN, 4096, (int32_t)device);
    forge_event(forge, track, at + 2 * MS, CST_TRACE_STARTED, task, 1);
    forge_lasted(forge, track, (struct forge_span){at + 3 * MS, end - MS, end},
                 CST_TRACE_KERNEL, task, (int32_t)device);
    forge_event(forge, track, end, CST_TRACE_ENDED, task, 0);
    forge_lasted(forge, track, (struct forge_span){end, end + MS, end + MS},
                 CST_TRACE_COPY_OUT, 4096, (int32_t)device);
    if (task % 4 == 0)
        forge_lasted(forge, track,
                     (struct forge_span){end + MS, end + 2 * MS, end + 2 * MS},
                     CST_TRACE_COPY_PEER, 4096,
                     (int32_t)(device | (1 - device) << 16));
}

static void node(const char *directory, uint32_t number)
{
    struct forge *forge = forge_open(directory, number, CORES, 0, 0);
    uint64_t first = number * (uint64_t)TASKS + 1;

    if (number == 0) {
        grow(forge);
        for (uint64_t task = 1; task <= (uint64_t)2 * TASKS; task++)
            forge_submit(forge, MS, task, NULL, 0);
    }
    for (uint32_t device = 0; device < DEVICES; device++) {
        forge_track(forge, CORES + device);
        forge_device(forge, device, "Model \"T\" <1>");
        forge_event(forge, CORES + device, 110 * MS, CST_TRACE_DEVICE_MEMORY,
                    100000 * (device + 1), (int32_t)device);
        for (uint64_t i = device; i < TASKS; i += DEVICES)
            run(forge, device, 120 + 8 * i, first + i);
    }
    forge_close(forge,
                number == 0 ? (uint64_t)END_MS * MS : (uint64_t)519 * MS);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    node(argv[1], 0);
    node(argv[1], 1);
    return 0;
}
