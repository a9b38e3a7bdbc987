/*
 * cuda.c on a driver without a GPU: what is asked for is done, late; what fails
 * is told in the driver's words, hits whom it should, and leaves nothing behind.
 */
#include "castell_cuda.h"
#include "device/cuda_internal.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE = 4096, ROWS = 5, WIDTH = 24, PITCH = 40 };

static const struct cst_device_ops *const ops = &cst_device_cuda;

/* Open a device of a new driver. */
static void *open_device(void **ret_driver, uint32_t index)
{
    void *device = NULL;
    uint32_t count = 0;

    must(ops->discover(ret_driver, &count) == CASTELL_OK && count == 2,
         "two devices are found");
    must(ops->open(*ret_driver, index, &device) == CASTELL_OK,
         "one is opened: %s", castell_error_text());
    return device;
}

static void shut(void *driver, void *device)
{
    ops->close(device);
    ops->release(driver);
    ok(fake_cuda_left() == 0 && fake_cublas_handles() == 0,
       "nothing is left: %d", fake_cuda_left());
    ok(fake_cuda_depth() == 0, "and no context is current");
}

/* ---- What it is ------------------------------------------------------------ */

static bool refuses(const char *call, int code, const char *words)
{
    void *driver = NULL;
    uint32_t count = 0;
    enum castell_status status;

    fake_cuda_fail(call, code, 0, 1);
    status = ops->discover(&driver, &count);
    fake_cuda_fail(NULL, 0, 0, 0);
    return status == CASTELL_ERR_UNSATISFIABLE &&
           strstr(castell_error_text(), words);
}

static void test_discovery(void)
{
    struct cst_device_info info;
    void *driver = NULL;
    uint32_t count = 7;

    ok(refuses("cuDriverGetVersion", -1, "the driver is for CUDA 10.2"),
       "a driver that is too old: %s", castell_error_text());
    ok(refuses("cuInit", 803, "it does not start"), "one that does not start");
    fake_cuda_fail("cuInit", CST_CU_NO_DEVICE, 0, 1);
    ok(ops->discover(&driver, &count) == CASTELL_OK && count == 0,
       "no device is no failure");
    ops->release(driver);
    fake_cuda_fail(NULL, 0, 0, 0);
    must(ops->discover(&driver, &count) == CASTELL_OK, "a driver");
    ok(ops->describe(driver, 1, &info) == CASTELL_OK &&
           strcmp(info.name, "Fake 1") == 0 &&
           strcmp(info.bus, "0000:3b:00.0") == 0 &&
           strcmp(info.version, "9.0") == 0 && info.memory == 64u << 20 &&
           info.units == 132 && !info.shares_memory,
       "what a device says of itself");
    fake_cuda_fail("cuDeviceTotalMem_v2", 999, 0, 1);
    ok(ops->describe(driver, 0, &info) == CASTELL_ERR_SYSTEM &&
           strstr(castell_error_text(), "999"),
       "one that says nothing");
    fake_cuda_fail("cuDeviceGetPCIBusId", 999, 0, 1);
    ok(ops->describe(driver, 0, &info) == CASTELL_OK && !*info.bus,
       "one on no bus");
    fake_cuda_fail(NULL, 0, 0, 0);
    ops->release(driver);
}

static void test_opening(void)
{
    static const char *const calls[] = {
        "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2",
        "cuStreamCreate"};
    void *driver = NULL;
    void *device = NULL;
    uint32_t count;

    must(ops->discover(&driver, &count) == CASTELL_OK, "a driver");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        fake_cuda_fail(calls[i], CST_CU_OUT_OF_MEMORY, 0, 1);
        ok(ops->open(driver, 0, &device) == CASTELL_ERR_NO_MEMORY &&
               fake_cuda_left() == 0 && fake_cuda_depth() == 0,
           "%s fails: no device, nothing left", calls[i]);
    }
    fake_cuda_fail(NULL, 0, 0, 0);
    ops->release(driver);
}

/* ---- Memory and copies ------------------------------------------------------- */

static void *block(void *device, size_t size)
{
    void *memory = NULL;

    must(ops->allocate(device, size, &memory) == CASTELL_OK, "a block");
    return memory;
}

/* Wait for a queue. */
static void drain(void *device, enum cst_device_queue queue)
{
    void *event = NULL;

    must(ops->record(device, queue, &event) == CASTELL_OK &&
             ops->event_wait(device, event) == CASTELL_OK,
         "a queue drains: %s", castell_error_text());
    ops->event_destroy(device, event);
}

static void test_copies(void *device)
{
    char host[ROWS * PITCH];
    char back[ROWS * PITCH];
    void *memory = block(device, SIZE);
    struct cst_device_rows rows = {.memory = memory,
                                   .offset = 64,
                                   .memory_pitch = WIDTH,
                                   .host_pitch = PITCH,
                                   .size = WIDTH,
                                   .rows = ROWS};
    bool same = true;

    for (int i = 0; i < ROWS * PITCH; i++)
        host[i] = (char)i;
    rows.host = host;
    ok(ops->copy_in(device, &rows) == CASTELL_OK, "rows are copied in");
    drain(device, CST_DEVICE_IN);
    memset(back, 0, sizeof(back));
    rows.host = back;
    ok(ops->copy_out(device, &rows) == CASTELL_OK && back[1] == 0,
       "and out, later");
    drain(device, CST_DEVICE_OUT);
    for (int i = 0; i < ROWS * PITCH; i++)
        same = same && back[i] == (i % PITCH < WIDTH ? (char)i : 0);
    ok(same, "each to its place, and nothing between them");
    rows.rows = 1;
    rows.size = 7;
    rows.offset += WIDTH;
    memset(back, 0, sizeof(back));
    ok(ops->copy_out(device, &rows) == CASTELL_OK, "a part of one row");
    drain(device, CST_DEVICE_OUT);
    ok(memcmp(back, host + PITCH, 7) == 0 && back[7] == 0, "is that part");
    rows.host = host;
    ok(ops->copy_in(device, &rows) == CASTELL_OK, "and in again");
    drain(device, CST_DEVICE_IN);
    ops->free(device, memory);
}

static void test_peers(void *driver, void *device)
{
    static const char text[] = "from peer to peer";
    char back[sizeof(text)] = "";
    void *other = NULL;
    void *here = block(device, SIZE);
    void *there;
    struct cst_device_rows rows = {
        .host = (void *)(uintptr_t)text, .size = sizeof(text), .rows = 1};

    must(ops->open(driver, 0, &other) == CASTELL_OK, "the other device");
    there = block(other, SIZE);
    rows.memory = there;
    must(ops->copy_in(other, &rows) == CASTELL_OK, "something in it");
    drain(other, CST_DEVICE_IN);
    ok(ops->copy_peer(device, here, other, there, sizeof(text)) == CASTELL_OK &&
           ops->copy_peer(device, here, other, there, sizeof(text)) ==
               CASTELL_OK,
       "from device to device: %s", castell_error_text());
    drain(device, CST_DEVICE_IN);
    rows.memory = here;
    rows.host = back;
    must(ops->copy_out(device, &rows) == CASTELL_OK, "and home");
    drain(device, CST_DEVICE_OUT);
    ok(strcmp(back, text) == 0, "it has come there");
    ops->free(other, there);
    ops->free(device, here);
    ops->close(other);
}

/* ---- Order --------------------------------------------------------------------- */

static int count_up(void *argument)
{
    ++*(int *)argument;
    return 0;
}

static void test_order(void *device)
{
    struct cst_cuda_device *inside = device;
    void *first = NULL;
    void *second = NULL;
    bool over = true;
    int count = 0;

    must(fake_cuda_launch(inside->streams[CST_DEVICE_RUN], count_up, &count) !=
             0,
         "outside of a body no context is current");
    must(ops->enter(device) == CASTELL_OK, "a body begins");
    must(fake_cuda_launch(inside->streams[CST_DEVICE_RUN], count_up, &count) ==
             0,
         "it enqueues");
    ok(ops->leave(device) == CASTELL_OK && count == 0, "it ends before that");
    must(ops->record(device, CST_DEVICE_RUN, &first) == CASTELL_OK, "an event");
    ok(ops->event_query(device, first, &over) == CASTELL_OK && !over,
       "it is not over");
    must(ops->queue_wait(device, CST_DEVICE_OUT, first) == CASTELL_OK &&
             ops->record(device, CST_DEVICE_OUT, &second) == CASTELL_OK,
         "another queue waits for it");
    ok(ops->event_wait(device, second) == CASTELL_OK && count == 1,
       "and is done after it");
    ok(ops->event_query(device, first, &over) == CASTELL_OK && over,
       "which is over");
    ok(ops->event_elapsed_ns(device, first, second) == 250000, "times differ");
    ops->event_destroy(device, first);
    ops->event_destroy(device, second);
    must(ops->enter(device) == CASTELL_OK &&
             fake_cuda_launch(inside->streams[CST_DEVICE_RUN], count_up,
                              &count) == 0,
         "once more");
    ok(ops->finish(device, CST_DEVICE_RUN) == CASTELL_OK && count == 2,
       "and waited for");
    (void)ops->leave(device);
}

struct look {
    int *count;
    int seen;
};

static int look(void *argument)
{
    struct look *at = argument;

    at->seen = *at->count;
    return 0;
}

/* Who waits for an event waits for what was recorded when it was told to, also
 * when the event is used again at once. */
static void test_events_again(void *device)
{
    enum { ROUNDS = 200 };
    struct cst_cuda_device *inside = device;
    int count = 0;
    struct look at = {&count, 0};
    int early = 0;

    must(ops->enter(device) == CASTELL_OK, "a body");
    for (int i = 1; i <= ROUNDS; i++) {
        void *first = NULL;
        void *second = NULL;

        must(fake_cuda_launch(inside->streams[CST_DEVICE_RUN], count_up,
                              &count) == 0 &&
                 ops->record(device, CST_DEVICE_RUN, &first) == CASTELL_OK &&
                 ops->queue_wait(device, CST_DEVICE_OUT, first) == CASTELL_OK,
             "a kernel, and a queue that waits for it");
        ops->event_destroy(device, first);
        must(ops->record(device, CST_DEVICE_IN, &second) == CASTELL_OK &&
                 second == first,
             "its event, used again");
        must(fake_cuda_launch(inside->streams[CST_DEVICE_OUT], look, &at) ==
                     0 &&
                 ops->finish(device, CST_DEVICE_OUT) == CASTELL_OK,
             "what comes behind");
        early += at.seen != i;
        ops->event_destroy(device, second);
    }
    (void)ops->leave(device);
    ok(early == 0, "%d of %d waits ended before what they were for", early,
       ROUNDS);
}

/* ---- In a body ------------------------------------------------------------------ */

static void test_handles(void *device)
{
    struct cst_device_here here = {.ops = ops, .now = {device, 0}};
    struct cst_cuda_device *inside = device;

    ok(!castell_cuda_stream() && !castell_cublas() &&
           strstr(castell_error_text(), "no body of device(cuda)"),
       "outside of a body there is nothing");
    cst_device_set_here(&here);
    must(ops->enter(device) == CASTELL_OK, "a body");
    ok(castell_cuda_stream() == inside->streams[CST_DEVICE_RUN], "its stream");
    fake_cuda_fail("cublasCreate_v2", 3, 0, 1);
    ok(!castell_cublas() && strstr(castell_error_text(), "its status is 3"),
       "cuBLAS may fail: %s", castell_error_text());
    fake_cuda_fail("cublasSetStream_v2", 1, 0, 1);
    ok(!castell_cublas(), "and half way");
    fake_cuda_fail(NULL, 0, 0, 0);
    ok(castell_cublas() && castell_cublas() == castell_cublas() &&
           fake_cublas_handles() == 1,
       "else there is one of it");
    ok(!castell_cusolver() && strstr(castell_error_text(), "its status is 7"),
       "cuSOLVER that cannot start: %s", castell_error_text());
    (void)ops->leave(device);
    cst_device_set_here(NULL);
}

static void test_room(void *device)
{
    uint64_t before = 0;
    uint64_t after = 0;
    void *memory;

    (void)setenv("FAKE_CUDA_TAKEN", "1048576", 1);
    ok(ops->unused(device, &before) == CASTELL_OK && before == 63u << 20,
       "what others have is not free");
    memory = block(device, SIZE);
    ok(ops->unused(device, &after) == CASTELL_OK && after == before - SIZE,
       "nor is what we have");
    ops->free(device, memory);
    fake_cuda_fail("cuMemGetInfo_v2", 1, 0, 1);
    ok(ops->unused(device, &after) == CASTELL_ERR_SYSTEM, "it need not say");
    fake_cuda_fail(NULL, 0, 0, 0);
    (void)unsetenv("FAKE_CUDA_TAKEN");
}

/* ---- What fails ------------------------------------------------------------------- */

static void test_refusals(void *device)
{
    void *memory = NULL;
    void *event = NULL;
    void *taken[8];
    int count = 0;

    ok(ops->allocate(device, (size_t)1 << 40, &memory) ==
               CASTELL_ERR_NO_MEMORY &&
           !memory && strstr(castell_error_text(), "CUDA_ERROR_OUT_OF_MEMORY"),
       "no memory: %s", castell_error_text());
    fake_cuda_fail("cuEventRecord", 1, 0, 1);
    ok(ops->record(device, CST_DEVICE_RUN, &event) == CASTELL_ERR_SYSTEM &&
           !event,
       "no event");
    fake_cuda_fail("cuEventCreate", 1, 0, 9);
    while (count < 8 &&
           ops->record(device, CST_DEVICE_RUN, &taken[count]) == CASTELL_OK)
        count++;
    ok(count < 8 && strstr(castell_error_text(), "an event"),
       "and none to be made but the %d that are kept", count);
    while (count > 0)
        ops->event_destroy(device, taken[--count]);
}

/* A wait that fails with what no kernel does: who knows what has been done. */
static void test_doubt(void *device)
{
    void *memory = block(device, SIZE);

    fake_cuda_fail("cuStreamSynchronize", 1, 0, 1);
    ok(ops->finish(device, CST_DEVICE_RUN) == CASTELL_ERR_NODE_LOST &&
           ops->finish(device, CST_DEVICE_RUN) == CASTELL_ERR_NODE_LOST,
       "a wait that cannot be believed loses the device");
    fake_cuda_fail(NULL, 0, 0, 0);
    ops->free(device, memory);
}

/* It is broken then: nobody could find out what in its queues is over. */
static void test_broken(void *device)
{
    fake_cuda_fail("cuCtxPushCurrent_v2", 1, 0, 1);
    ok(ops->enter(device) == CASTELL_ERR_NODE_LOST &&
           ops->enter(device) == CASTELL_ERR_NODE_LOST &&
           fake_cuda_depth() == 0,
       "a context that cannot be made current is lost");
    fake_cuda_fail(NULL, 0, 0, 0);
}

static int fault(void *argument)
{
    (void)argument;
    return CST_CU_ILLEGAL_ADDRESS;
}

/* Every call that can: each fails as one of a lost device. */
static bool all_fail(void *device, void *memory, void *event)
{
    struct cst_device_rows rows = {
        .memory = memory, .host = &rows, .size = 8, .rows = 1};
    void *made = NULL;
    uint64_t size = 0;
    bool over;

    return ops->allocate(device, 8, &made) == CASTELL_ERR_NODE_LOST &&
           ops->unused(device, &size) == CASTELL_ERR_NODE_LOST &&
           ops->copy_in(device, &rows) == CASTELL_ERR_NODE_LOST &&
           ops->copy_out(device, &rows) == CASTELL_ERR_NODE_LOST &&
           ops->copy_peer(device, memory, device, memory, 8) ==
               CASTELL_ERR_NODE_LOST &&
           ops->record(device, CST_DEVICE_RUN, &made) ==
               CASTELL_ERR_NODE_LOST &&
           ops->queue_wait(device, CST_DEVICE_IN, event) ==
               CASTELL_ERR_NODE_LOST &&
           ops->event_query(device, event, &over) == CASTELL_ERR_NODE_LOST &&
           ops->event_wait(device, event) == CASTELL_ERR_NODE_LOST &&
           ops->event_elapsed_ns(device, event, event) == 0 &&
           ops->enter(device) == CASTELL_ERR_NODE_LOST &&
           ops->finish(device, CST_DEVICE_RUN) == CASTELL_ERR_NODE_LOST;
}

static void test_loss(void *device)
{
    struct cst_cuda_device *inside = device;
    void *memory = block(device, SIZE);
    void *event = NULL;

    must(ops->enter(device) == CASTELL_OK &&
             fake_cuda_launch(inside->streams[CST_DEVICE_RUN], fault, NULL) ==
                 0,
         "a kernel that writes where it must not");
    (void)ops->leave(device);
    must(ops->record(device, CST_DEVICE_RUN, &event) == CASTELL_OK, "an event");
    ok(ops->event_wait(device, event) == CASTELL_ERR_NODE_LOST &&
           strstr(castell_error_text(), "illegal memory access"),
       "it loses the device: %s", castell_error_text());
    ok(all_fail(device, memory, event), "every call says so");
    ops->free(device, memory);
    ops->event_destroy(device, event);
    ok(fake_cuda_depth() == 0, "these still return");
}

int main(void)
{
    void *driver = NULL;
    void *device;

    test_discovery();
    test_opening();
    device = open_device(&driver, 1);
    test_copies(device);
    test_peers(driver, device);
    test_order(device);
    test_events_again(device);
    test_handles(device);
    test_room(device);
    test_refusals(device);
    shut(driver, device);
    device = open_device(&driver, 0);
    test_doubt(device);
    shut(driver, device); /* its memory could be given back */
    device = open_device(&driver, 0);
    test_broken(device);
    shut(driver, device);
    device = open_device(&driver, 0);
    test_loss(device);
    ops->close(device);
    ops->release(driver);
    return tap_done();
}
