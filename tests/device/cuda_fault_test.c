/*
 * Whole runs on GPUs that are none and on which something fails: a kernel, a
 * copy, memory, the device. Bodies on CPUs take over where there are some; else
 * the task fails with its label and the device's words, and its policy applies.
 * Last, each call to the driver fails at each of its first times, and whatever
 * comes of it: the run ends, and is right or says that it is not.
 */
#include "castell_cuda.h"
#include "device/cuda_internal.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFERS = 6,
    LENGTH = 64,
    TASKS = 60,
    REFUSED = 1, /* what calls fail with; the names are CUDA's */
    OUT_OF_MEMORY = 2,
    ILLEGAL_ADDRESS = 700,
    SLOW_US = 500,
    HANGS_S = 120,
};

struct work {
    const uint32_t *from;
    uint32_t *to;
    uint32_t number;
};

static uint32_t data[BUFFERS][LENGTH];
static uint32_t wanted[BUFFERS][LENGTH];
static struct work works[TASKS];
static _Atomic(int) on_device;
static _Atomic(int) on_cores;
static _Atomic(int) faults;   /* so many kernels are still to fail */
static _Atomic(int) refusals; /* bodies */
static int fault;

static void compute(const struct work *work)
{
    for (int i = 0; i < LENGTH; i++)
        work->to[i] = work->to[i] * 3 + work->from[i] + work->number;
}

static int kernel(void *argument)
{
    if (faults > 0) {
        faults--;
        return fault;
    }
    compute(argument);
    on_device++;
    return 0;
}

static int enqueue(void *const *buffers, const void *argument)
{
    uint32_t number = *(const uint32_t *)argument;

    if (refusals > 0) {
        refusals--;
        return 1;
    }
    works[number] = (struct work){buffers[0], buffers[1], number};
    return fake_cuda_launch(castell_cuda_stream(), kernel, &works[number]);
}

static int on_core(void *const *buffers, const void *argument)
{
    const struct work work = {buffers[0], buffers[1],
                              *(const uint32_t *)argument};

    compute(&work);
    on_cores++;
    return 0;
}

/* So slow that a device is the better choice. */
static int slowly(void *const *buffers, const void *argument)
{
    (void)usleep(SLOW_US);
    return on_core(buffers, argument);
}

static struct castell_kind waits = {.name = "waits",
                                    .label = "waits for it",
                                    .body = enqueue,
                                    .device = CASTELL_CUDA};
static struct castell_kind async = {.name = "async",
                                    .body = enqueue,
                                    .device = CASTELL_CUDA,
                                    .flags = CASTELL_ASYNC};
static struct castell_kind ignored = {.name = "ignored",
                                      .body = enqueue,
                                      .device = CASTELL_CUDA,
                                      .on_failure = CASTELL_IGNORE};
static struct castell_kind cancels = {.name = "cancels",
                                      .body = enqueue,
                                      .device = CASTELL_CUDA,
                                      .on_failure = CASTELL_CANCEL_SUCCESSORS,
                                      .flags = CASTELL_ASYNC};
static struct castell_kind again = {
    .name = "again", .body = enqueue, .device = CASTELL_CUDA, .retries = 2};
static struct castell_kind again_async = {.name = "again_async",
                                          .body = enqueue,
                                          .device = CASTELL_CUDA,
                                          .retries = 2,
                                          .flags = CASTELL_ASYNC};
static struct castell_kind core = {.name = "core", .body = on_core};
static struct castell_kind either = {.name = "either", .body = slowly};
static struct castell_kind either_again = {
    .name = "either_again", .body = slowly, .retries = 2};
static const struct castell_implementation by_either = {.name = "by_either",
                                                        .body = enqueue,
                                                        .device = CASTELL_CUDA,
                                                        .flags = CASTELL_ASYNC};
static const struct castell_implementation by_again = {
    .name = "by_again", .body = enqueue, .device = CASTELL_CUDA};

static enum castell_status submit(struct castell_kind *kind, uint32_t from,
                                  uint32_t to, uint32_t number)
{
    const struct castell_access accesses[] = {
        {.base = data[from], .size = sizeof(data[0]), .mode = CASTELL_IN},
        {.base = data[to], .size = sizeof(data[0]), .mode = CASTELL_INOUT}};
    const struct castell_submission task = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = 2,
                                            .argument = &number,
                                            .argument_size = sizeof(number)};
    const struct work work = {wanted[from], wanted[to], number};

    compute(&work);
    return castell_task_submit(&task, NULL);
}

static void begin(const char *devices, const char *memory)
{
    (void)alarm(HANGS_S);
    must(setenv("FAKE_CUDA_DEVICES", devices, 1) == 0 &&
             setenv("FAKE_CUDA_MEMORY", memory, 1) == 0,
         "an environment");
    must(castell_start_with(NULL) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    memset(data, 0, sizeof(data));
    memset(wanted, 0, sizeof(wanted));
    on_device = on_cores = 0;
    faults = refusals = 0;
    fault = ILLEGAL_ADDRESS;
}

static bool is_right(void)
{
    return memcmp(data, wanted, sizeof(data)) == 0;
}

static bool is_left_clean(void)
{
    fake_cuda_fail(NULL, 0, 0, 0);
    return fake_cuda_left() == 0 && fake_cuda_depth() == 0;
}

/* Does the error text have these words? */
static bool says(const char *words)
{
    if (strstr(castell_error_text(), words))
        return true;
    (void)printf("# it says: %s\n", castell_error_text());
    return false;
}

/* ---- A device is lost ---------------------------------------------------- */

static void test_fault_with_cpu(void)
{
    enum castell_status status = CASTELL_OK;

    begin("2", "1048576");
    faults = 2;
    /* Each has buffers of its own, which main memory has as well. */
    for (uint32_t i = 0; i < BUFFERS / 2 && status == CASTELL_OK; i++)
        status = submit(&either, 2 * i, 2 * i + 1, i);
    ok(status == CASTELL_OK && castell_barrier() == CASTELL_OK,
       "a kernel faults: cores take over: %s", castell_error_text());
    ok(is_right(), "and it is right");
    for (uint32_t i = 0; i < TASKS && status == CASTELL_OK; i++)
        status = submit(&either, i % BUFFERS, (i + 1) % BUFFERS, i);
    ok(status == CASTELL_OK && castell_barrier() == CASTELL_OK && is_right(),
       "so is what comes later");
    ok(castell_stop() == 0, "it ends well");
    ok(is_left_clean(), "nothing is left");
}

static void test_fault_alone(void)
{
    begin("1", "1048576");
    faults = 1;
    must(submit(&waits, 0, 1, 0) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED && says("waits for it") &&
           says("illegal memory access"),
       "without a body on cores it fails, in the device's words");
    ok(submit(&core, 2, 3, 1) == CASTELL_ERR_TASK_FAILED, "which ends the run");
    ok(castell_stop() == 1, "it ends badly");
    ok(is_left_clean(), "nothing is left");
}

static void test_policies(void)
{
    const struct castell_access second = {.base = data[1],
                                          .size = sizeof(data[1])};

    begin("1", "1048576");
    refusals = 1;
    must(submit(&ignored, 0, 1, 0) == CASTELL_OK &&
             castell_barrier() == CASTELL_OK,
         "a task");
    ok(refusals == 0, "what is ignored ends no run");
    refusals = 1;
    must(submit(&cancels, 0, 1, 1) == CASTELL_OK &&
             submit(&core, 1, 2, 2) == CASTELL_OK &&
             submit(&core, 3, 4, 3) == CASTELL_OK &&
             submit(&waits, 3, 5, 4) == CASTELL_OK,
         "tasks");
    ok(castell_wait_on(&second, 1) == CASTELL_ERR_CANCELLED && says("cancels"),
       "what reads what was not written is cancelled");
    ok(castell_barrier() == CASTELL_OK && on_cores == 1 && on_device == 1 &&
           memcmp(data[4], wanted[4], sizeof(data[4])) == 0 &&
           memcmp(data[5], wanted[5], sizeof(data[5])) == 0,
       "all else goes on");
    (void)castell_stop();
    ok(is_left_clean(), "nothing is left");
}

static void test_lost_and_ignored(void)
{
    begin("1", "1048576");
    faults = 1;
    must(submit(&ignored, 0, 1, 0) == CASTELL_OK &&
             castell_barrier() == CASTELL_OK && submit(&core, 2, 3, 1) == 0 &&
             castell_barrier() == CASTELL_OK,
         "a task: %s", castell_error_text());
    ok(on_cores == 1 && memcmp(data[3], wanted[3], sizeof(data[3])) == 0,
       "a device is lost with what is ignored: cores go on");
    ok(submit(&waits, 4, 5, 2) == CASTELL_OK &&
           castell_barrier() == CASTELL_ERR_TASK_FAILED &&
           says("illegal memory access"),
       "what needs a device fails");
    (void)castell_stop();
    ok(is_left_clean(), "nothing is left");
}

static void test_other_device(void)
{
    enum castell_status status = CASTELL_OK;

    begin("2", "1048576");
    faults = 1;
    for (uint32_t i = 0; i < TASKS && status == CASTELL_OK; i++) {
        status = submit(&async, 0, 1 + i % (BUFFERS - 1), i);
        /* So that nothing is only there when it goes. */
        if (i == 0 && status == CASTELL_OK)
            status = castell_barrier();
    }
    ok(status == CASTELL_OK && castell_barrier() == CASTELL_OK && is_right() &&
           on_device == TASKS,
       "another device takes over: %s", castell_error_text());
    ok(castell_stop() == 0 && is_left_clean(), "it ends well");
}

/* What is only in a device is lost with it. */
static void test_dirty(void)
{
    const struct castell_access first = {.base = data[1],
                                         .size = sizeof(data[1])};

    begin("1", "1048576");
    must(submit(&async, 0, 1, 0) == CASTELL_OK &&
             submit(&async, 2, 3, 1) == CASTELL_OK,
         "tasks");
    while (on_device < 2)
        (void)usleep(100);
    faults = 1;
    must(submit(&ignored, 0, 5, 2) == CASTELL_OK, "a task");
    while (faults > 0)
        (void)usleep(100);
    ok(castell_wait_on(&first, 1) < 0 && says("lost"),
       "what was only in a lost device is told to be lost");
    (void)castell_stop();
    ok(is_left_clean(), "nothing is left");
}

/* ---- Retries, memory ----------------------------------------------------- */

static void test_retries(struct castell_kind *kind)
{
    begin("1", "1048576");
    refusals = 2;
    must(submit(kind, 0, 1, 0) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_OK && is_right() && refusals == 0,
       "%s: it is right at the third attempt: %s", kind->name,
       castell_error_text());
    fake_cuda_fail("fake_cuda_launch", REFUSED, 0, 2);
    must(submit(kind, 1, 2, 1) == CASTELL_OK && submit(kind, 2, 1, 2) == 0,
         "tasks");
    ok(castell_barrier() == CASTELL_OK && is_right(),
       "%s: also of what it has written before", kind->name);
    refusals = 3;
    must(submit(kind, 0, 1, 3) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED && says(kind->name),
       "%s: not at the fourth", kind->name);
    ok(castell_stop() == 1 && is_left_clean(), "%s: it ends", kind->name);
}

static void test_memory(void)
{
    begin("2", "1048576");
    fake_cuda_fail("cuMemAlloc_v2", OUT_OF_MEMORY, 0, 1000000);
    for (uint32_t i = 0; i < TASKS; i++)
        must(submit(&either, i % BUFFERS, (i + 1) % BUFFERS, i) == CASTELL_OK,
             "a task");
    ok(castell_barrier() == CASTELL_OK && is_right() && on_cores == TASKS,
       "without memory of devices cores do all");
    must(submit(&waits, 0, 1, 0) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED && says("waits for it") &&
           says("out of memory"),
       "what needs it fails, in the device's words");
    ok(castell_stop() == 1 && is_left_clean(), "it ends");
    (void)setenv("FAKE_CUDA_TAKEN", "1048176", 1); /* by others */
    begin("1", "1048576");
    (void)unsetenv("FAKE_CUDA_TAKEN"); /* one buffer, not two */
    must(submit(&either, 0, 1, 0) == CASTELL_OK && castell_barrier() == 0,
         "a task: %s", castell_error_text());
    ok(on_cores == 1 && is_right(), "what is too large for it runs on a core");
    must(submit(&waits, 0, 1, 1) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED && says("Fake 0") &&
           says("bytes of device memory"),
       "or fails, and says how much it would need");
    ok(castell_stop() == 1 && is_left_clean(), "it ends");
}

/* ---- What can never run -------------------------------------------------- */

static enum castell_status submit_with(struct castell_kind *kind,
                                       enum castell_mode mode, bool own)
{
    const uint32_t number = 0;
    const struct castell_constraint constraint = {.cores = 1};
    const struct castell_access accesses[] = {
        {.base = data[0], .size = sizeof(data[0]), .mode = CASTELL_IN},
        {.base = data[1], .size = sizeof(data[1]), .mode = mode}};
    const struct castell_submission task = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = 2,
                                            .argument = &number,
                                            .argument_size = sizeof(number),
                                            .constraint =
                                                own ? &constraint : NULL,
                                            .where = "here.c:1"};

    return castell_task_submit(&task, NULL);
}

static void test_never(void)
{
    begin("1", "1048576");
    ok(submit_with(&waits, CASTELL_CONCURRENT, false) == CASTELL_ERR_INVALID &&
           says("waits for it (here.c:1)") && says("a concurrent access") &&
           says("no implementation for CPUs"),
       "no body for devices shares an access");
    ok(submit_with(&either, CASTELL_CONCURRENT, false) == CASTELL_OK &&
           castell_barrier() == CASTELL_OK && on_cores == 1,
       "one for cores does");
    ok(submit_with(&waits, CASTELL_INOUT, true) == CASTELL_OK &&
           castell_barrier() == CASTELL_OK && on_device == 1,
       "a constraint of its own");
    ok(castell_stop() == 0 && is_left_clean(), "it ends");
    begin("0", "1048576");
    ok(submit_with(&waits, CASTELL_INOUT, true) == CASTELL_ERR_UNSATISFIABLE &&
           says("waits for it (here.c:1) needs a device of CUDA"),
       "no constraint of its own gives it a device");
    ok(submit_with(&either, CASTELL_INOUT, true) == CASTELL_OK &&
           castell_barrier() == CASTELL_OK && on_cores == 1,
       "what has a body for cores needs none");
    ok(castell_stop() == 0 && is_left_clean(), "it ends");
}

/* ---- Everything, everywhere ---------------------------------------------- */

struct sum {
    int runs, right, told, on_device;
};

static void run_program(struct sum *sum, const char *call, int code, int after)
{
    static struct castell_kind *const kinds[] = {&either, &core, &either_again,
                                                 &again, &async};
    uint32_t count = after % 2 ? 5 : 3; /* only what has a body for cores */
    enum castell_status status = CASTELL_OK;
    bool left;
    int ended;

    begin("2", "2048");
    fake_cuda_fail(call, code, after, 1);
    for (uint32_t i = 0; i < TASKS && status == CASTELL_OK; i++) {
        status = submit(kinds[i * 7 / 3 % count], (i * 5 + 1) % BUFFERS,
                        (i * 5 + 2 + i % (BUFFERS - 1)) % BUFFERS, i);
        if (i % 25 == 24 && status == CASTELL_OK)
            status = castell_barrier();
    }
    if (status == CASTELL_OK)
        status = castell_barrier();
    sum->runs++;
    sum->right += status == CASTELL_OK && is_right();
    sum->told += status != CASTELL_OK;
    sum->on_device += on_device;
    ended = castell_stop();
    left = is_left_clean();
    if ((status == CASTELL_OK) == (ended == 0) && left &&
        (status != CASTELL_OK || is_right()))
        return;
    sum->runs = -1000000;
    ok(false, "%s fails with %d after %d: status %d, end %d, %s, %s", call,
       code, after, (int)status, ended, is_right() ? "right" : "wrong",
       left ? "clean" : "not clean");
}

/* Copies go in pieces, or not. */
static void test_all(int code, bool staged)
{
    static const char *const calls[] = {
        "cuCtxPushCurrent_v2",  "cuMemAlloc_v2",        "cuMemFree_v2",
        "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyPeerAsync",
        "cuStreamSynchronize",  "cuStreamWaitEvent",    "cuEventCreate",
        "cuEventRecord",        "cuEventQuery",         "cuEventSynchronize",
        "fake_cuda_launch",     "cuLaunchHostFunc",     "cuMemHostAlloc"};
    struct sum sum = {0, 0, 0, 0};

    cst_cuda_stage_sizes(staged ? sizeof(data[0]) : 0,
                         staged ? sizeof(data[0]) / 3 : 0);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (int after = 0; after < 24; after += 1 + after / 4)
            run_program(&sum, calls[i], code, after);
    ok(sum.right + sum.told == sum.runs && sum.right > sum.runs / 3,
       "failing with %d, of %d runs %d are right, %d say that they are not",
       code, sum.runs, sum.right, sum.told);
    ok(sum.on_device > sum.runs * TASKS / 5, "%d tasks ran on devices",
       sum.on_device);
}

int main(void)
{
    must(setenv("CASTELL_DEVICES", "cuda", 1) == 0 &&
             setenv("CASTELL_CORES", "2", 1) == 0,
         "an environment");
    must(castell_kind_implement("either", &by_either) == CASTELL_OK &&
             castell_kind_implement("either_again", &by_again) == CASTELL_OK,
         "implementations");
    test_fault_with_cpu();
    test_fault_alone();
    test_policies();
    test_lost_and_ignored();
    test_other_device();
    test_dirty();
    test_retries(&again);
    test_retries(&again_async);
    test_memory();
    test_never();
    test_all(REFUSED, false);
    test_all(OUT_OF_MEMORY, false);
    test_all(ILLEGAL_ADDRESS, false);
    test_all(REFUSED, true);
    test_all(ILLEGAL_ADDRESS, true);
    return tap_done();
}
