#include "castell.h"
#include "castell_cuda.h"
#include "castell_opencl.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 8 };

static int double_body(void *const *buffers, const void *argument)
{
    long *x = buffers[0];
    int by = *(const int *)argument;

    for (int i = 0; i < COUNT; i++)
        x[i] = x[i] * by;
    return 0;
}

static struct castell_kind double_kind = {.name = "double",
                                          .body = double_body};

static enum castell_status submit(struct castell_kind *kind, void *x,
                                  enum castell_mode mode,
                                  struct castell_task *ret_task)
{
    int by = 2;
    struct castell_access access = {
        .base = x, .size = COUNT * sizeof(long), .mode = mode};
    struct castell_submission submission = {
        .kind = kind,
        .accesses = &access,
        .accesses_count = 1,
        .argument = &by,
        .argument_size = sizeof(by),
    };

    return castell_task_submit(&submission, ret_task);
}

static void test_task(void)
{
    long x[COUNT] = {1, 2, 3, 4, 5, 6, 7, 8};

    ok(submit(&double_kind, x, CASTELL_INOUT, NULL) == CASTELL_ERR_INVALID,
       "a task before castell_start() is refused");
    ok(castell_start_with(NULL) == CASTELL_OK, "it starts");
    ok(castell_start_with(NULL) == CASTELL_ERR_INVALID, "once");
    ok(submit(&double_kind, x, CASTELL_INOUT, NULL) == CASTELL_OK && x[7] == 16,
       "a task runs at once");
    ok(submit(&double_kind, NULL, CASTELL_INOUT, NULL) == CASTELL_ERR_INVALID,
       "NULL is refused");
    ok(strstr(castell_error_text(), "double") != NULL,
       "the text names the task");
    ok(castell_stop() == 0, "it stops");
}

static int attempts_seen;

/* Fails until the third attempt, after spoiling its data. */
static int fail_twice_body(void *const *buffers, const void *argument)
{
    long *x = buffers[0];

    (void)argument;
    attempts_seen = (int)castell_task_attempt();
    x[0] += 1;
    return castell_task_attempt() < 3;
}

static void test_retry(void)
{
    struct castell_kind kind = {
        .name = "fail_twice", .body = fail_twice_body, .retries = 2};
    struct castell_kind impatient = {
        .name = "impatient", .body = fail_twice_body, .retries = 1};
    long x[COUNT] = {41};
    struct castell_counters counters;

    castell_start(NULL, NULL);
    ok(submit(&kind, x, CASTELL_INOUT, NULL) == CASTELL_OK &&
           attempts_seen == 3 && x[0] == 42,
       "each attempt starts from the same data");
    ok(submit(&impatient, x, CASTELL_INOUT, NULL) == CASTELL_OK,
       "submitting what fails succeeds");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED, "the run has failed");
    ok(submit(&kind, x, CASTELL_INOUT, NULL) == CASTELL_ERR_TASK_FAILED,
       "nothing starts any more");
    castell_counters(&counters);
    ok(counters.failed == 1 && counters.retried == 3, "counters say so");
    ok(castell_stop() == 1, "main returns 1");
}

static int fail_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 1;
}

static void test_policies(void)
{
    struct castell_kind cancel = {.name = "cancel",
                                  .body = fail_body,
                                  .on_failure = CASTELL_CANCEL_SUCCESSORS};
    struct castell_kind ignore = {
        .name = "ignore", .body = fail_body, .on_failure = CASTELL_IGNORE};
    long x[COUNT] = {1}, y[COUNT] = {1};
    struct castell_access read = {.base = &x[1], .size = 8};
    struct castell_task task = {0};

    castell_start(NULL, NULL);
    ok(submit(&ignore, y, CASTELL_OUT, &task) == CASTELL_OK &&
           castell_barrier() == CASTELL_OK,
       "ignore: as if it had succeeded");
    ok(castell_task_wait(task) == CASTELL_ERR_TASK_FAILED,
       "but to who waits for the task");
    ok(submit(&cancel, x, CASTELL_OUT, &task) == CASTELL_OK &&
           castell_wait_on(&read, 1) == CASTELL_ERR_CANCELLED &&
           castell_task_wait(task) == CASTELL_ERR_TASK_FAILED,
       "what a failed task was to write cannot be waited for");
    ok(submit(&double_kind, x, CASTELL_INOUT, &task) == CASTELL_OK &&
           x[0] == 1 && castell_task_wait(task) == CASTELL_ERR_CANCELLED,
       "its reader is cancelled");
    ok(submit(&double_kind, x, CASTELL_OUT, &task) == CASTELL_OK && x[0] == 2 &&
           castell_wait_on(&read, 1) == CASTELL_OK,
       "until somebody overwrites it");
    ok(castell_stop() == 0, "the run did not fail");
}

static void int_zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(int));
}

static void int_add(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((int *)into)[i] += ((const int *)from)[i];
}

static int set_body(void *const *buffers, const void *argument)
{
    int *x = buffers[0];

    (void)argument;
    x[0] = 3;
    x[4] += 5;
    return 0;
}

static void test_reduction(void)
{
    static const struct castell_reduction add = {
        .element_size = sizeof(int), .identity = int_zero, .combine = int_add};
    struct castell_kind kind = {.name = "set", .body = set_body};
    int x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct castell_access access = {.base = x,
                                    .size = 2 * sizeof(int),
                                    .rows = 2,
                                    .pitch = 4 * sizeof(int),
                                    .mode = CASTELL_REDUCTION,
                                    .reduction = &add};
    struct castell_submission submission = {
        .kind = &kind, .accesses = &access, .accesses_count = 1};

    castell_start(NULL, NULL);
    ok(castell_task_submit(&submission, NULL) == CASTELL_OK && x[0] == 4 &&
           x[1] == 2 && x[4] == 10 && x[5] == 6,
       "a reduction works on a private copy, then is combined");
    (void)castell_stop();
}

static void test_overlap(void)
{
    double x[4][4] = {{0}};
    struct castell_kind kind = {.name = "set", .body = set_body};
    struct castell_access blocks[2] = {
        {.base = &x[0][0], .size = 16, .rows = 4, .pitch = 32},
        {.base = &x[1][2], .size = 16, .rows = 2, .pitch = 32},
    };
    struct castell_submission submission = {
        .kind = &kind, .accesses = blocks, .accesses_count = 2};

    blocks[0].mode = blocks[1].mode = CASTELL_INOUT;
    castell_start(NULL, NULL);
    ok(castell_task_submit(&submission, NULL) == CASTELL_OK,
       "blocks side by side do not overlap");
    blocks[1].base = &x[1][1];
    ok(castell_task_submit(&submission, NULL) == CASTELL_ERR_INVALID,
       "blocks that share a column do");
    blocks[0].mode = blocks[1].mode = CASTELL_IN;
    ok(castell_task_submit(&submission, NULL) == CASTELL_OK,
       "which readers may");
    (void)castell_stop();
}

static void test_implementation(void)
{
    static const struct castell_implementation implementation = {
        .name = "double_fast", .body = double_body};
    struct castell_kind kind = {.name = "abstract"};
    long x[COUNT] = {1};

    castell_start(NULL, NULL);
    ok(submit(&kind, x, CASTELL_INOUT, NULL) == CASTELL_ERR_INVALID,
       "a kind without a body is refused");
    ok(castell_kind_implement("abstract", &implementation) == CASTELL_OK &&
           submit(&kind, x, CASTELL_INOUT, NULL) == CASTELL_OK && x[0] == 2,
       "an implementation is its body");
    (void)castell_stop();
}

static void test_groups(void)
{
    castell_start(NULL, NULL);
    ok(castell_group_wait("step") == CASTELL_ERR_INVALID, "no such group");
    ok(castell_group_begin("step") == CASTELL_OK &&
           castell_group_end() == CASTELL_OK &&
           castell_group_wait("step") == CASTELL_OK &&
           castell_group_cancel("step") == CASTELL_OK,
       "a group is waited for");
    ok(castell_group_end() == CASTELL_ERR_INVALID, "ends match begins");
    (void)castell_stop();
}

static void test_execute(void)
{
    const char *const sort[] = {"sort", "-n", NULL};
    const char *const sh[] = {"sh", "-c", "kill -9 $$", NULL};
    const char *const none[] = {"/nonexistent/program", NULL};
    char in[] = "/tmp/castell-seq-XXXXXX", out[sizeof(in) + 4];
    int file = mkstemp(in);
    char line[16] = "";
    FILE *stream;

    must(file >= 0 && dprintf(file, "20\n3\n") == 5, "a file to read");
    (void)snprintf(out, sizeof(out), "%s.out", in);
    ok(castell_execute(sort, in, out, NULL) == 0, "a program runs");
    stream = fopen(out, "r");
    ok(stream && fgets(line, sizeof(line), stream) && !strcmp(line, "3\n"),
       "with its streams bound to files");
    ok(castell_execute(sh, NULL, NULL, NULL) == 128 + 9, "a signal is told");
    ok(castell_execute(none, NULL, NULL, NULL) == 127,
       "what cannot be started too");
    if (stream)
        (void)fclose(stream);
    (void)remove(in);
    (void)remove(out);
}

/* What bodies for devices call is there, and does nothing. */
static void test_devices(void)
{
    const struct castell_opencl_range range = {1, {1}, {0}};

    ok(castell_device_number() == -1 && castell_device_count() == 0 &&
           castell_device_use(0) == CASTELL_ERR_INVALID &&
           castell_device_pitch(0) == 0 && !castell_cuda_stream() &&
           !castell_cublas() && !castell_cusolver(),
       "no device of CUDA");
    ok(castell_opencl_launch("", "none", &range, NULL, 0) ==
               CASTELL_ERR_INVALID &&
           !castell_opencl_kernel("", "none") && !castell_opencl_queue() &&
           !castell_opencl_context() && !castell_opencl_device(),
       "nor of OpenCL");
}

int main(void)
{
    test_task();
    test_retry();
    test_policies();
    test_reduction();
    test_overlap();
    test_implementation();
    test_groups();
    test_execute();
    test_devices();
    ok(strcmp(castell_version(), "0.1.0") == 0, "it tells its version");
    return tap_done();
}
