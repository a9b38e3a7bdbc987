/*
 * Whole runs on two GPUs that are none, with memory for a few buffers only, in
 * which what bodies enqueue is done late: random programs of tasks on GPUs, with
 * bodies that wait and that do not, and on cores, give what they give one after
 * another; also when memory is refused now and then.
 */
#include "castell_cuda.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 12, LENGTH = 512, TASKS = 300, PROGRAMS = 30 };

/* What a kernel is to do, when it comes to it. */
struct work {
    const uint32_t *from;
    uint32_t *to;
    uint32_t number;
};

static int on_device;

static void compute(const struct work *work)
{
    for (int i = 0; i < LENGTH; i++)
        work->to[i] = work->to[i] * 3 + work->from[i] + work->number;
}

static int kernel(void *argument)
{
    compute(argument);
    free(argument);
    on_device++;
    return 0;
}

static int enqueue(void *const *buffers, const void *argument)
{
    struct work *work = malloc(sizeof(*work));

    if (!work)
        return 1;
    *work = (struct work){buffers[0], buffers[1], *(const uint32_t *)argument};
    return fake_cuda_launch(castell_cuda_stream(), kernel, work);
}

static int on_core(void *const *buffers, const void *argument)
{
    const struct work work = {buffers[0], buffers[1],
                              *(const uint32_t *)argument};

    compute(&work);
    return 0;
}

static struct castell_kind waits = {
    .name = "waits", .body = enqueue, .device = CASTELL_CUDA};
static struct castell_kind async = {.name = "async",
                                    .body = enqueue,
                                    .device = CASTELL_CUDA,
                                    .flags = CASTELL_ASYNC};
static struct castell_kind core = {.name = "core", .body = on_core};
static struct castell_kind either = {.name = "either", .body = on_core};
static const struct castell_implementation other = {.name = "other",
                                                    .body = enqueue,
                                                    .device = CASTELL_CUDA,
                                                    .flags = CASTELL_ASYNC};

static uint32_t random_below(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

/* NOLINTBEGIN(readability-non-const-parameter): the task writes there */
static void submit(struct castell_kind *kind, const uint32_t *from,
                   uint32_t *to, uint32_t number)
{
    const struct castell_access accesses[] = {
        {.base = from, .size = LENGTH * sizeof(*from), .mode = CASTELL_IN},
        {.base = to, .size = LENGTH * sizeof(*to), .mode = CASTELL_INOUT}};
    const struct castell_submission task = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = 2,
                                            .argument = &number,
                                            .argument_size = sizeof(number)};

    if (castell_task_submit(&task, NULL) != CASTELL_OK)
        tap_bail(castell_error_text());
}
/* NOLINTEND(readability-non-const-parameter) */

/* Returns whether it came to what it should. */
static bool run_program(uint64_t seed)
{
    static struct castell_kind *const kinds[] = {&waits, &async, &core,
                                                 &either};
    static uint32_t data[BUFFERS][LENGTH];
    static uint32_t wanted[BUFFERS][LENGTH];
    uint64_t state = seed;

    memset(data, 0, sizeof(data));
    memset(wanted, 0, sizeof(wanted));
    for (uint32_t i = 0; i < TASKS; i++) {
        uint32_t from = random_below(&state, BUFFERS);
        uint32_t to = (from + 1 + random_below(&state, BUFFERS - 1)) % BUFFERS;
        const struct work work = {wanted[from], wanted[to], i};

        submit(kinds[random_below(&state, 4)], data[from], data[to], i);
        compute(&work);
        if (random_below(&state, 60) == 0 && castell_barrier() != CASTELL_OK)
            return false;
    }
    return castell_barrier() == CASTELL_OK &&
           memcmp(data, wanted, sizeof(data)) == 0;
}

static void run_all(const char *what, const char *call, int code)
{
    int right = 0;

    must(castell_start_with(NULL) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    on_device = 0;
    for (uint64_t i = 0; i < PROGRAMS; i++) {
        fake_cuda_fail(call, code, 3, 2);
        right += run_program(i);
    }
    fake_cuda_fail(NULL, 0, 0, 0);
    ok(right == PROGRAMS, "%s: %d programs are right", what, right);
    ok(on_device > PROGRAMS * TASKS / 3, "%s: %d tasks on GPUs", what,
       on_device);
    ok(castell_stop() == 0, "%s: it ends", what);
    ok(fake_cuda_left() == 0 && fake_cuda_depth() == 0,
       "%s: nothing is left on the devices", what);
}

int main(void)
{
    /* Of each device: eight buffers, of which the runtime takes nine tenths. */
    must(setenv("FAKE_CUDA_MEMORY", "16384", 1) == 0 &&
             setenv("CASTELL_DEVICES", "cuda", 1) == 0,
         "an environment");
    must(castell_kind_implement("either", &other) == CASTELL_OK &&
             castell_kind_declare(&waits) == CASTELL_OK &&
             castell_kind_declare(&async) == CASTELL_OK &&
             castell_kind_declare(&core) == CASTELL_OK &&
             castell_kind_declare(&either) == CASTELL_OK,
         "kinds");
    run_all("in peace", NULL, 0);
    run_all("memory is refused", "cuMemAlloc_v2", 2);
    return tap_done();
}
