/*
 * Copies of host memory that is not pinned go to GPUs that are none by way of
 * pinned pieces, whatever their shape; what is copied often is pinned itself. Any
 * call of the driver may fail meanwhile: then what comes is right, or is told not
 * to be, and nothing is left.
 */
#include "base/pages.h"
#include "castell_cuda.h"
#include "device/cuda_internal.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SIZE = 4096,
    MIN = 64,
    PIECE = 50,
    PARTS = 7, /* of a MiB, in whole runs */
    SHAPES = 400,
    MIB = 1 << 20,
    REFUSED = 1,
    OUT_OF_MEMORY = 2,
    HANGS_S = 300,
};

static const struct cst_device_ops *const ops = &cst_device_cuda;

static uint32_t draw(uint32_t below)
{
    static uint64_t state = 3;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* ---- One device ---------------------------------------------------------- */

struct device {
    void *driver;
    void *handle;
    void *memory;
};

static struct device open_device(void)
{
    struct device device = {0};
    uint32_t count = 0;

    must(ops->discover(&device.driver, &count) == CASTELL_OK &&
             ops->open(device.driver, 0, &device.handle) == CASTELL_OK &&
             ops->allocate(device.handle, SIZE, &device.memory) == CASTELL_OK,
         "a device: %s", castell_error_text());
    return device;
}

static bool shut(struct device *device)
{
    fake_cuda_fail(NULL, 0, 0, 0);
    ops->free(device->handle, device->memory);
    ops->close(device->handle);
    ops->release(device->driver);
    return fake_cuda_left() == 0 && fake_cuda_depth() == 0 &&
           fake_cuda_misuses() == 0;
}

static unsigned char from[SIZE];
static unsigned char to[SIZE];

/* In and out in the same shape, and no byte beside it changes. */
static enum castell_status copy_both(const struct device *device,
                                     const struct cst_device_rows *shape)
{
    struct cst_device_rows rows = *shape;
    enum castell_status status;

    rows.memory = device->memory;
    rows.host = from;
    memset(to, 0, sizeof(to));
    status = ops->copy_in(device->handle, &rows);
    if (status == CASTELL_OK)
        status = ops->finish(device->handle, CST_DEVICE_IN);
    rows.host = to;
    if (status == CASTELL_OK)
        status = ops->copy_out(device->handle, &rows);
    if (status == CASTELL_OK)
        status = ops->finish(device->handle, CST_DEVICE_OUT);
    return status;
}

static bool is_copied(const struct cst_device_rows *rows)
{
    size_t pitch = rows->rows == 1 ? rows->size : rows->host_pitch;

    for (size_t i = 0; i < SIZE; i++) {
        bool inside = i / pitch < rows->rows && i % pitch < rows->size;

        if (to[i] != (inside ? from[i] : 0))
            return false;
    }
    return true;
}

static struct cst_device_rows draw_shape(void)
{
    struct cst_device_rows rows = {
        .rows = 1 + draw(20), .size = 1 + draw(180), .offset = draw(100)};

    if (draw(3) == 0) {
        rows.rows = 1;
        rows.size = 1 + draw(SIZE / 2);
    }
    rows.host_pitch = rows.size + draw(2) * draw(20);
    rows.memory_pitch = rows.size + draw(3) / 2 * draw(20);
    return rows;
}

static void test_shapes(void)
{
    struct device device = open_device();
    int wrong = 0;
    int large = 0;
    int before = fake_cuda_copies(false);

    for (int i = 0; i < SIZE; i++)
        from[i] = (unsigned char)(1 + i % 251);
    for (int i = 0; i < SHAPES; i++) {
        struct cst_device_rows rows = draw_shape();

        large += rows.rows * rows.size >= MIN;
        wrong += copy_both(&device, &rows) != CASTELL_OK || !is_copied(&rows);
    }
    ok(wrong == 0, "of %d shapes %d are copied wrong", SHAPES, wrong);
    ok(fake_cuda_copies(false) - before == 2 * (SHAPES - large),
       "the driver sees pageable memory of the %d small ones only",
       SHAPES - large);
    ok(shut(&device), "nothing is left");
}

/* Many that are under way at the same time come in their order. */
static void test_order(void)
{
    struct device device = open_device();
    struct cst_device_rows rows = {
        .memory = device.memory, .size = SIZE / 8, .rows = 1};
    void *event = NULL;
    bool over = true;

    memset(to, 0, sizeof(to));
    for (int i = 0; i < 24; i++) {
        rows.host = from + i * 100;
        must(ops->copy_in(device.handle, &rows) == CASTELL_OK, "a copy in");
    }
    must(ops->record(device.handle, CST_DEVICE_IN, &event) == CASTELL_OK &&
             ops->event_query(device.handle, event, &over) == CASTELL_OK,
         "an event");
    ok(!over, "nobody waits for copies in");
    must(ops->queue_wait(device.handle, CST_DEVICE_OUT, event) == CASTELL_OK,
         "out waits for in");
    ops->event_destroy(device.handle, event);
    for (int i = 0; i < 8; i++) {
        rows.host = to + i * SIZE / 8;
        must(ops->copy_out(device.handle, &rows) == CASTELL_OK, "a copy out");
    }
    ok(to[0] == 0, "nor for copies out");
    must(ops->finish(device.handle, CST_DEVICE_OUT) == CASTELL_OK, "all");
    for (int i = 0; i < 8; i++)
        ok(memcmp(to + i * SIZE / 8, from + 2300, SIZE / 8) == 0,
           "the last copy in is what comes out");
    ok(shut(&device), "nothing is left");
}

/* What is pinned by the program itself is copied as it is. */
static void test_programs_own(void)
{
    struct device device = open_device();
    struct cst_cuda_device *inside = device.handle;
    const struct cst_device_rows rows = {.size = SIZE / 2, .rows = 1};
    int before;

    must(ops->enter(inside) == CASTELL_OK &&
             inside->cuda->cuMemHostRegister_v2(from, SIZE, 1) == 0 &&
             inside->cuda->cuMemHostRegister_v2(to, SIZE, 1) == 0,
         "the program pins");
    before = fake_cuda_copies(true);
    ok(copy_both(&device, &rows) == CASTELL_OK && is_copied(&rows) &&
           fake_cuda_copies(true) - before == 2,
       "one copy each way");
    must(inside->cuda->cuMemHostUnregister(from) == 0 &&
             inside->cuda->cuMemHostUnregister(to) == 0,
         "it unpins");
    before = fake_cuda_copies(true);
    ok(copy_both(&device, &rows) == CASTELL_OK && is_copied(&rows) &&
           fake_cuda_copies(true) - before > 2,
       "then in pieces");
    (void)ops->leave(inside);
    ok(shut(&device), "nothing is left");
}

/* ---- What fails ---------------------------------------------------------- */

static void fail_all(int code)
{
    static const char *const calls[] = {
        "cuMemHostAlloc",       "cuStreamCreate",       "cuEventCreate",
        "cuStreamWaitEvent",    "cuLaunchHostFunc",     "cuEventRecord",
        "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpy2DAsync_v2",
        "cuStreamSynchronize",  "cuPointerGetAttribute"};
    int right = 0;
    int told = 0;
    int wrong = 0;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (int after = 0; after < 40; after += 1 + after / 8) {
            struct device device = open_device();
            const struct cst_device_rows rows = {
                .rows = 9, .size = 90, .host_pitch = 100, .memory_pitch = 95};
            enum castell_status status = CASTELL_OK;

            fake_cuda_fail(calls[i], code, after, 1);
            for (int round = 0; round < 2 && status == CASTELL_OK; round++) {
                status = copy_both(&device, &rows);
                wrong += status == CASTELL_OK && !is_copied(&rows);
            }
            right += status == CASTELL_OK;
            told += status != CASTELL_OK;
            wrong += !shut(&device);
        }
    ok(wrong == 0 && right > 50 && told > 0,
       "failing with %d: %d are right, %d say that they are not, %d are wrong",
       code, right, told, wrong);
}

static void test_fallback(void)
{
    struct device device = open_device();
    const struct cst_device_rows rows = {.size = SIZE / 2, .rows = 1};
    int before = fake_cuda_copies(false);

    fake_cuda_fail("cuMemHostAlloc", OUT_OF_MEMORY, 0, 1);
    ok(copy_both(&device, &rows) == CASTELL_OK && is_copied(&rows) &&
           fake_cuda_copies(false) - before == 1,
       "without pinned memory the driver copies");
    before = fake_cuda_copies(false);
    fake_cuda_fail("cuLaunchHostFunc", REFUSED, 3, 1);
    ok(copy_both(&device, &rows) == CASTELL_OK && is_copied(&rows) &&
           fake_cuda_copies(false) - before == 2,
       "so it does when the host's part is refused half way");
    ok(shut(&device), "nothing is left");
}

/* ---- Memory of ours ------------------------------------------------------ */

static int add_one(void *argument)
{
    (*(uint32_t **)argument)[0]++;
    (*(uint32_t **)argument)[MIB / 4 - 1]++;
    free(argument);
    return 0;
}

static int enqueue(void *const *buffers, const void *argument)
{
    void **kept = malloc(sizeof(*kept));

    (void)argument;
    if (!kept)
        return 1;
    *kept = buffers[0];
    return fake_cuda_launch(castell_cuda_stream(), add_one, kept);
}

static struct castell_kind adds = {.name = "adds",
                                   .body = enqueue,
                                   .device = CASTELL_CUDA,
                                   .flags = CASTELL_ASYNC};

/* To a device, and home, so many times. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the task writes there */
static enum castell_status go(uint32_t *words, int times)
{
    const struct castell_access access = {
        .base = words, .size = MIB, .mode = CASTELL_INOUT};
    const struct castell_submission task = {
        .kind = &adds, .accesses = &access, .accesses_count = 1};
    enum castell_status status = CASTELL_OK;

    for (int i = 0; i < times && status == CASTELL_OK; i++) {
        status = castell_task_submit(&task, NULL);
        if (status == CASTELL_OK)
            status = castell_barrier();
    }
    return status;
}

static void start(void)
{
    must(castell_start_with(NULL) == CASTELL_OK, "it starts: %s",
         castell_error_text());
}

enum { BLOCKS = 6, LARGE = 4 };

/* Begins and ends with `registered` bytes pinned, as the program pins nothing. */
static void test_other_memory(size_t registered)
{
    uint32_t *other = calloc(1, MIB);
    int before = fake_cuda_copies(true);

    must(other, "memory");
    ok(go(other, 4) == CASTELL_OK && fake_cuda_registered() == registered,
       "other memory is not pinned");
    ok(fake_cuda_copies(true) - before >= 4 * 2 * PARTS, "it goes in pieces");
    ok(other[0] == 4 && other[MIB / 4 - 1] == 4, "and is right");
    free(other);
}

static void test_free(uint32_t **blocks)
{
    uint32_t *again;

    for (int i = 0; i < BLOCKS / 2; i++)
        castell_free(blocks[i]);
    must(castell_barrier() == CASTELL_OK, "a barrier");
    ok(fake_cuda_registered() == (size_t)(BLOCKS - BLOCKS / 2) * MIB,
       "what was freed is not pinned: %zu", fake_cuda_registered());
    again = castell_alloc(MIB);
    must(again, "memory that was freed");
    memset(again, 0, MIB);
    ok(go(again, 4) == CASTELL_OK && again[0] == 4, "is used again");
}

static void test_run(void)
{
    uint32_t *blocks[BLOCKS];
    int right = 0;
    int before;

    start();
    for (int i = 0; i < BLOCKS; i++) {
        size_t size = i == 0 ? (size_t)LARGE * MIB : MIB;

        blocks[i] = castell_alloc(size);
        must(blocks[i], "memory");
        memset(blocks[i], 0, size);
    }
    ok(go(blocks[1], 1) == CASTELL_OK && fake_cuda_registered() == 0,
       "what was copied once is not pinned");
    for (int i = 1; i < BLOCKS; i++)
        must(go(blocks[i], 3) == CASTELL_OK, "tasks: %s", castell_error_text());
    ok(fake_cuda_registered() == (size_t)(BLOCKS - 1) * MIB,
       "what was copied often is");
    ok(go(blocks[0], 5) == CASTELL_OK &&
           fake_cuda_registered() == (size_t)(BLOCKS - 1 + LARGE) * MIB,
       "all of a block of which a part was");
    before = fake_cuda_copies(true);
    ok(go(blocks[1], 1) == CASTELL_OK && fake_cuda_copies(true) == before + 2,
       "and is copied as it is");
    test_other_memory((size_t)(BLOCKS - 1 + LARGE) * MIB);
    for (int i = 0; i < BLOCKS; i++)
        right += blocks[i][0] == (i < 2 ? 5u : 3u) &&
                 blocks[i][MIB / 4 - 1] == blocks[i][0];
    ok(right == BLOCKS, "all is right");
    test_free(blocks);
    ok(castell_stop() == 0 && fake_cuda_left() == 0 && fake_cuda_misuses() == 0,
       "nothing is left");
}

static void test_no_pinning(const char *call)
{
    uint32_t *words;

    start();
    must((words = castell_alloc(MIB)), "memory");
    memset(words, 0, MIB);
    fake_cuda_fail(call, REFUSED, 0, 1000);
    ok(go(words, 4) == CASTELL_OK && words[0] == 4, "%s fails: all goes on",
       call);
    castell_free(words);
    must(castell_barrier() == CASTELL_OK, "a barrier");
    /* What lies there next is not pinned, but by way of pieces it is right. */
    must((words = castell_alloc(MIB)), "memory");
    memset(words, 0, MIB);
    ok(go(words, 4) == CASTELL_OK && words[0] == 4, "%s fails: and later",
       call);
    fake_cuda_fail(NULL, 0, 0, 0);
    ok(castell_stop() == 0 && fake_cuda_depth() == 0, "%s fails: it ends",
       call);
}

/* A device that is lost has pinned what is freed then. */
static void test_loss(void)
{
    struct device device = open_device();
    struct cst_cuda_device *inside = device.handle;
    char *block = aligned_alloc(4096, MIB);
    struct cst_device_rows rows = {
        .memory = device.memory, .host = block, .size = SIZE, .rows = 1};

    must(block, "memory");
    memset(block, 0, MIB);
    cst_pages_offer(block, MIB);
    for (int i = 0; i < 2 * MIB / SIZE + 1; i++)
        must(ops->copy_in(device.handle, &rows) == CASTELL_OK, "a copy");
    must(fake_cuda_registered() == MIB, "it is pinned");
    must(ops->finish(device.handle, CST_DEVICE_IN) == CASTELL_OK, "its end");
    fake_cuda_fail("cuEventRecord", CST_CU_ILLEGAL_ADDRESS, 0, 1);
    (void)ops->record(device.handle, CST_DEVICE_RUN, &device.memory);
    ok(atomic_load(&inside->lost) != 0, "the device is lost");
    cst_pages_withdraw(block, MIB);
    ok(fake_cuda_registered() == 0, "nevertheless it can be unpinned");
    ops->close(device.handle);
    ops->release(device.driver);
    ok(fake_cuda_left() == 0, "nothing is left");
    free(block);
}

int main(void)
{
    (void)alarm(HANGS_S);
    must(setenv("CASTELL_DEVICES", "cuda", 1) == 0 &&
             setenv("CASTELL_CORES", "1", 1) == 0 &&
             setenv("FAKE_CUDA_DEVICES", "1", 1) == 0,
         "an environment");
    must(castell_kind_declare(&adds) == CASTELL_OK, "a kind");
    cst_pages_limit((size_t)64 * MIB);
    cst_cuda_stage_sizes(MIN, PIECE);
    test_shapes();
    test_order();
    test_programs_own();
    test_fallback();
    fail_all(REFUSED);
    fail_all(OUT_OF_MEMORY);
    fail_all(CST_CU_ILLEGAL_ADDRESS);
    test_loss();
    cst_cuda_stage_sizes(MIN, MIB / PARTS);
    test_run();
    test_no_pinning("cuMemHostRegister_v2");
    test_no_pinning("cuMemHostUnregister");
    return tap_done();
}
