/*
 * What a task of a device costs: an empty kernel on data that are there, beside
 * a plain loop of clEnqueueNDRangeKernel() with two in flight, in the same queue.
 *
 *     castell_device [TASKS]
 *
 * Prints both in microseconds, and the ratio.
 */
#include "castell.h"
#include "castell_opencl.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TASKS = 20000, ROUNDS = 5, BUFFERS = 4, BYTES = 4096, DEPTH = 2 };

static const char source[] = "kernel void nothing(global uint *x) { }";

/* OpenCL's own, as <CL/cl.h> has them. */
typedef int enqueue_kernel(struct _cl_command_queue *, struct _cl_kernel *,
                           unsigned, const size_t *, const size_t *,
                           const size_t *, unsigned, void *const *, void **);
typedef int wait_for_events(unsigned, void *const *);
typedef int release_event(void *);
typedef int set_argument(struct _cl_kernel *, unsigned, size_t, const void *);

static uint32_t data[BUFFERS][BYTES / sizeof(uint32_t)];
static uint32_t tasks = TASKS;
static double plain_us;

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *find(const char *name)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW);

    return library ? dlsym(library, name) : NULL;
}

/* In a body, where the queue is. */
static int run_plain(void *const *buffers, const void *argument)
{
    enqueue_kernel *enqueue;
    wait_for_events *wait;
    release_event *release;
    set_argument *set;
    void *const found[] = {find("clEnqueueNDRangeKernel"),
                           find("clWaitForEvents"), find("clReleaseEvent"),
                           find("clSetKernelArg")};
    struct _cl_command_queue *queue = castell_opencl_queue();
    struct _cl_kernel *kernel = castell_opencl_kernel(source, "nothing");
    const size_t one = 1;
    void *events[DEPTH] = {NULL};
    double begin;

    (void)argument;
    if (!kernel || !found[0] || !found[1] || !found[2] || !found[3])
        return 1;
    memcpy(&enqueue, &found[0], sizeof(enqueue));
    memcpy(&wait, &found[1], sizeof(wait));
    memcpy(&release, &found[2], sizeof(release));
    memcpy(&set, &found[3], sizeof(set));
    begin = now_us();
    for (uint32_t i = 0; i < tasks + DEPTH; i++) {
        void **event = &events[i % DEPTH];

        if (*event) {
            if (wait(1, event) != 0 || release(*event) != 0)
                return 1;
            *event = NULL;
        }
        if (i < tasks &&
            (set(kernel, 0, sizeof(void *), &buffers[0]) != 0 ||
             enqueue(queue, kernel, 1, NULL, &one, NULL, 0, NULL, event) != 0))
            return 1;
    }
    plain_us = (now_us() - begin) / tasks;
    return 0;
}

static int run_empty(void *const *buffers, const void *argument)
{
    const struct castell_opencl_argument arguments[] = {
        {sizeof(void *), &buffers[0]}};
    const struct castell_opencl_range range = {1, {1}, {0}};

    (void)argument;
    return castell_opencl_launch(source, "nothing", &range, arguments, 1) < 0;
}

static struct castell_kind plain = {
    .name = "plain", .body = run_plain, .device = CASTELL_OPENCL};
static struct castell_kind empty = {.name = "empty",
                                    .body = run_empty,
                                    .device = CASTELL_OPENCL,
                                    .flags = CASTELL_ASYNC};

static bool submit(struct castell_kind *kind, uint32_t index)
{
    const struct castell_access access = {
        .base = data[index % BUFFERS], .size = BYTES, .mode = CASTELL_INOUT};
    const struct castell_submission submission = {
        .kind = kind, .accesses = &access, .accesses_count = 1};

    return castell_task_submit(&submission, NULL) == CASTELL_OK;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    double plains[ROUNDS];
    double ours[ROUNDS];

    if (argc > 1)
        tasks = (uint32_t)strtoul(argv[1], NULL, 10);
    castell_must(castell_kind_declare(&plain), NULL);
    castell_must(castell_kind_declare(&empty), NULL);
    castell_start(&argc, &argv);
    if (tasks == 0 || !submit(&plain, 0)) {
        (void)printf("device: %s\n", castell_error_text());
        (void)castell_stop();
        return 77;
    }
    for (int round = -1; round < ROUNDS; round++) {
        double begin;

        if (!submit(&plain, 0))
            break;
        castell_must(castell_barrier(), NULL);
        begin = now_us();
        for (uint32_t i = 0; i < tasks; i++)
            if (!submit(&empty, i))
                break;
        castell_must(castell_barrier(), NULL);
        if (round >= 0) {
            plains[round] = plain_us;
            ours[round] = (now_us() - begin) / tasks;
        }
    }
    qsort(plains, ROUNDS, sizeof(plains[0]), compare);
    qsort(ours, ROUNDS, sizeof(ours[0]), compare);
    (void)printf("device: plain loop %.2f us, task %.2f us, ratio %.2f\n",
                 plains[ROUNDS / 2], ours[ROUNDS / 2],
                 ours[ROUNDS / 2] / plains[ROUNDS / 2]);
    return castell_stop();
}
