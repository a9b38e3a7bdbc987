/*
 * Tasks that get several GPUs, or a part of one, on three that are none: who has
 * several has them for itself, parts never come to more than the whole, what they
 * give is what they give one after another, and what can never be had is refused.
 */
#include "castell_cuda.h"
#include "castell_device.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEVICES = 3,
    BUFFERS = 10,
    LENGTH = 64,
    TASKS = 200,
    PROGRAMS = 20,
    HALF = 500,
    ALL = 1000, /* of one device: more than any other tasks take */
    ILLEGAL_ADDRESS = 700,
    CORES = 5,
    SLOW_US = 20000,
    HANGS_S = 120,
};

/* What a kernel is to do, when it comes to it: with a part of the words. */
struct work {
    const uint32_t *from;
    uint32_t *to;
    uint32_t number;
    uint32_t first, end;
    int device, share;
};

static uint32_t data[BUFFERS][LENGTH];
static uint32_t wanted[BUFFERS][LENGTH];
static _Atomic(int) users[DEVICES];
static _Atomic(int) wrong;    /* bodies that were not alone, or misled */
static _Atomic(int) overlaps; /* two halves of one device at one time */
static _Atomic(int) pairs;    /* bodies that had two */
static _Atomic(int) on_cores; /* at the moment, with a device each */
static _Atomic(int) arrived;
static _Atomic(bool) may_open;
static int faults;

static void compute(const struct work *work)
{
    for (uint32_t i = work->first; i < work->end; i++)
        work->to[i] = work->to[i] * 3 + work->from[i] + work->number;
}

static int kernel(void *argument)
{
    struct work *work = argument;
    int code = 0;

    users[work->device] -= work->share;
    if (work->first > 0 && faults > 0) {
        faults--;
        code = ILLEGAL_ADDRESS;
    } else {
        compute(work);
    }
    free(work);
    return code;
}

static int enqueue(void *const *buffers, uint32_t number, uint32_t first,
                   uint32_t end, int share)
{
    struct work *work = malloc(sizeof(*work));

    if (!work)
        return 1;
    *work = (struct work){buffers[0], buffers[1], number,
                          first,      end,        castell_device_number(),
                          share};
    return fake_cuda_launch(castell_cuda_stream(), kernel, work);
}

static int on_one(void *const *buffers, const void *argument)
{
    if (castell_device_count() != 1 || castell_device_use(0) != CASTELL_OK ||
        castell_device_use(1) != CASTELL_ERR_INVALID ||
        atomic_fetch_add(&users[castell_device_number()], 1) >= HALF)
        wrong++;
    return enqueue(buffers, *(const uint32_t *)argument, 0, LENGTH, 1);
}

/* Two at a time, and nobody beside them. */
static int on_half(void *const *buffers, const void *argument)
{
    int before = atomic_fetch_add(&users[castell_device_number()], HALF);

    if (castell_device_count() != 1 || (before != 0 && before != HALF))
        wrong++;
    overlaps += before == HALF;
    return enqueue(buffers, *(const uint32_t *)argument, 0, LENGTH, HALF);
}

static int on_two(void *const *buffers, const void *argument)
{
    uint32_t number = *(const uint32_t *)argument;
    const struct CUstream_st *first = castell_cuda_stream();
    int device = castell_device_number();
    int status;

    pairs++;
    if (castell_device_count() != 2 ||
        atomic_fetch_add(&users[device], ALL) != 0)
        wrong++;
    status = enqueue(buffers, number, 0, LENGTH / 2, ALL);
    if (castell_device_use(1) != CASTELL_OK)
        return 1;
    if (castell_device_number() == device || castell_cuda_stream() == first ||
        atomic_fetch_add(&users[castell_device_number()], ALL) != 0)
        wrong++;
    return enqueue(buffers, number, LENGTH / 2, LENGTH, ALL) | status;
}

static int on_core(void *const *buffers, const void *argument)
{
    compute(&(struct work){buffers[0], buffers[1], *(const uint32_t *)argument,
                           0, LENGTH, 0, 0});
    return castell_device_count() != 0 || castell_device_use(0) == CASTELL_OK;
}

/* So slow that devices are the better choice. */
static int slowly(void *const *buffers, const void *argument)
{
    (void)usleep(SLOW_US);
    return on_core(buffers, argument);
}

/* A body on a core that has a device of its own: all three are together, and
   no fourth comes. */
static int holds_one(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    if (++on_cores > DEVICES)
        wrong++;
    arrived++;
    while (arrived < DEVICES)
        (void)sched_yield();
    for (int i = 0; i < 100; i++)
        (void)sched_yield();
    on_cores--;
    return 0;
}

static struct castell_kind one = {.name = "one",
                                  .body = on_one,
                                  .device = CASTELL_CUDA,
                                  .flags = CASTELL_ASYNC};
static struct castell_kind half = {.name = "half",
                                   .body = on_half,
                                   .constraint = {.gpus = 0.5f},
                                   .device = CASTELL_CUDA};
static struct castell_kind half_async = {.name = "half_async",
                                         .body = on_half,
                                         .constraint = {.gpus = 0.5f},
                                         .device = CASTELL_CUDA,
                                         .flags = CASTELL_ASYNC};
static struct castell_kind two = {.name = "two",
                                  .body = on_two,
                                  .constraint = {.gpus = 2},
                                  .device = CASTELL_CUDA};
static struct castell_kind two_ignored = {.name = "two_ignored",
                                          .body = on_two,
                                          .constraint = {.gpus = 2},
                                          .device = CASTELL_CUDA,
                                          .on_failure = CASTELL_IGNORE};
static struct castell_kind two_async = {.name = "two_async",
                                        .body = on_two,
                                        .constraint = {.gpus = 2},
                                        .device = CASTELL_CUDA,
                                        .flags = CASTELL_ASYNC};
static int opens(void *const *buffers, const void *argument);
static struct castell_kind gate = {.name = "gate", .body = opens};
static struct castell_kind core = {.name = "core", .body = on_core};
static struct castell_kind either = {.name = "either", .body = on_core};
static struct castell_kind slow = {.name = "slow", .body = slowly};
static const struct castell_implementation fast = {.name = "fast",
                                                   .body = on_two,
                                                   .device = CASTELL_CUDA,
                                                   .constraint = {.gpus = 2}};
static const struct castell_implementation other = {.name = "other",
                                                    .body = on_two,
                                                    .device = CASTELL_CUDA,
                                                    .constraint = {.gpus = 2}};
static struct castell_kind holder = {
    .name = "holder", .body = holds_one, .constraint = {.gpus = 1}};

static uint32_t random_below(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

static enum castell_status submit(struct castell_kind *kind, uint32_t from,
                                  uint32_t to, uint32_t number,
                                  const struct castell_constraint *constraint)
{
    const struct castell_access accesses[] = {
        {.base = data[from], .size = sizeof(data[0]), .mode = CASTELL_IN},
        {.base = data[to], .size = sizeof(data[0]), .mode = CASTELL_INOUT}};
    const struct castell_submission task = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = 2,
                                            .argument = &number,
                                            .argument_size = sizeof(number),
                                            .constraint = constraint};
    enum castell_status status = castell_task_submit(&task, NULL);

    if (status == CASTELL_OK)
        compute(
            &(struct work){wanted[from], wanted[to], number, 0, LENGTH, 0, 0});
    return status;
}

static bool is_right(void)
{
    return castell_barrier() == CASTELL_OK &&
           memcmp(data, wanted, sizeof(data)) == 0;
}

static bool run_program(uint64_t seed)
{
    static struct castell_kind *const kinds[] = {
        &one, &half, &two, &two_async, &half_async, &core, &either};
    uint64_t state = seed;

    memset(data, 0, sizeof(data));
    memset(wanted, 0, sizeof(wanted));
    for (uint32_t i = 0; i < TASKS; i++) {
        uint32_t from = random_below(&state, BUFFERS);
        uint32_t to = (from + 1 + random_below(&state, BUFFERS - 1)) % BUFFERS;

        if (submit(kinds[random_below(&state, 7)], from, to, i, NULL) !=
            CASTELL_OK)
            return false;
    }
    return is_right();
}

static void begin(const char *devices)
{
    const struct castell_options options = {.cores = CORES};

    (void)alarm(HANGS_S);
    must(setenv("FAKE_CUDA_DEVICES", devices, 1) == 0, "an environment");
    must(castell_start_with(&options) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    memset(data, 0, sizeof(data));
    memset(wanted, 0, sizeof(wanted));
    for (int i = 0; i < DEVICES; i++)
        users[i] = 0;
    pairs = overlaps = wrong = faults = 0;
}

static void end(int status, const char *what)
{
    ok(castell_stop() == status, "%s: it ends", what);
    ok(fake_cuda_left() == 0 && fake_cuda_depth() == 0,
       "%s: nothing is left on the devices", what);
}

static bool says(const char *words)
{
    if (strstr(castell_error_text(), words))
        return true;
    (void)printf("# it says: %s\n", castell_error_text());
    return false;
}

/* ---- Tests --------------------------------------------------------------- */

static void test_programs(const char *devices)
{
    int right = 0;

    begin(devices);
    for (uint64_t i = 0; i < PROGRAMS; i++)
        right += run_program(i);
    ok(right == PROGRAMS, "of %s: %d programs are right", devices, right);
    ok(wrong == 0,
       "of %s: who has two has them alone, and halves are two: %d not", devices,
       wrong);
    ok(pairs > PROGRAMS * TASKS / 5, "%d bodies had two", pairs);
    end(0, devices);
}

static int opens(void *const *buffers, const void *argument)
{
    while (!may_open)
        (void)sched_yield();
    return on_core(buffers, argument);
}

/* All are ready at once. */
static void test_halves(void)
{
    begin("1");
    may_open = false;
    must(submit(&gate, 0, 1, 1, NULL) == CASTELL_OK, "a gate");
    for (uint32_t i = 2; i < BUFFERS; i++)
        must(submit(i % 2 ? &half : &half_async, 1, i, i, NULL) == CASTELL_OK,
             "a half");
    may_open = true;
    ok(is_right() && wrong == 0, "halves are right, and never three: %d wrong",
       wrong);
    ok(overlaps > 0, "%d had another beside them", overlaps);
    end(0, "halves");
}

static void test_refused(void)
{
    begin("3");
    ok(submit(&two, 0, 1, 1, &(struct castell_constraint){.gpus = 4}) ==
               CASTELL_ERR_UNSATISFIABLE &&
           says("task two needs gpus=4; the nearest node, ") &&
           says(", has gpus=3"),
       "more than there are is refused at once");
    ok(submit(&two, 0, 1, 1, &(struct castell_constraint){.gpus = 1.5f}) ==
               CASTELL_ERR_INVALID &&
           says("task two needs gpus=1.5: write how many"),
       "so is one and a half");
    ok(submit(&core, 0, 1, 1, &(struct castell_constraint){.gpus = -1}) ==
               CASTELL_ERR_INVALID &&
           says("gpus=-1"),
       "and less than none");
    ok(submit(&two, 0, 1, 1, &(struct castell_constraint){.gpus = 2}) ==
               CASTELL_OK &&
           is_right() && pairs == 1 && wrong == 0,
       "what there is is given");
    end(0, "refused");
}

static void test_lost(void)
{
    begin("3");
    faults = 1;
    must(submit(&two, 0, 1, 1, NULL) == CASTELL_OK, "a task");
    ok(is_right() && pairs == 2, "when one of two is lost others do it again");
    for (int i = 0; i < DEVICES; i++)
        users[i] = 0;
    faults = 1;
    must(submit(&two_ignored, 2, 3, 2, NULL) == CASTELL_OK &&
             castell_barrier() == CASTELL_OK && faults == 0,
         "a task whose failure is ignored: %s", castell_error_text());
    must(submit(&two, 4, 5, 3, NULL) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED &&
           says("no device is left for it"),
       "when too few are left it fails");
    end(1, "lost");
}

static void test_lost_with_cpu(void)
{
    begin("2");
    faults = 1;
    /* Each body is tried a few times. */
    for (uint32_t i = 0; i < 20 && faults > 0; i++)
        must(submit(&slow, 0, 1, i, NULL) == CASTELL_OK && is_right(),
             "a task: %s", castell_error_text());
    must(submit(&slow, 0, 1, 1, NULL) == CASTELL_OK &&
             submit(&one, 1, 2, 1, NULL) == CASTELL_OK,
         "more");
    ok(faults == 0 && is_right(), "cores take over where there are");
    end(0, "lost with cores");
}

static void test_held_by_cores(void)
{
    const struct castell_submission task = {.kind = &holder};

    begin("3");
    arrived = 0;
    for (int i = 0; i < 5 * DEVICES; i++)
        must(castell_task_submit(&task, NULL) == CASTELL_OK, "a task");
    ok(castell_barrier() == CASTELL_OK && wrong == 0,
       "bodies on cores hold devices too: %d at one time had none", wrong);
    end(0, "on cores");
}

int main(void)
{
    must(setenv("CASTELL_DEVICES", "cuda", 1) == 0, "an environment");
    must(castell_kind_implement("either", &other) == CASTELL_OK &&
             castell_kind_implement("slow", &fast) == CASTELL_OK &&
             castell_kind_declare(&slow) == CASTELL_OK &&
             castell_kind_declare(&one) == CASTELL_OK &&
             castell_kind_declare(&two) == CASTELL_OK &&
             castell_kind_declare(&half) == CASTELL_OK &&
             castell_kind_declare(&half_async) == CASTELL_OK &&
             castell_kind_declare(&two_ignored) == CASTELL_OK &&
             castell_kind_declare(&two_async) == CASTELL_OK &&
             castell_kind_declare(&gate) == CASTELL_OK &&
             castell_kind_declare(&core) == CASTELL_OK &&
             castell_kind_declare(&either) == CASTELL_OK &&
             castell_kind_declare(&holder) == CASTELL_OK,
         "kinds");
    test_programs("3");
    test_programs("2");
    test_halves();
    test_refused();
    test_lost();
    test_lost_with_cpu();
    test_held_by_cores();
    return tap_done();
}
