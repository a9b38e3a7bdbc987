/*
 * Each allocation of the runtime fails once, in a program that uses all of it:
 * then calls fail, or the run does, and nothing crashes, hangs or leaks.
 */
#include "api/program.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 64, BLOCK = 4 };

static long values[SIZE * SIZE];
static long total;
static bool refused; /* some call was */
static bool registered;

/* A call that may fail, but only so. Returns whether it has not. */
static bool may(enum castell_status status)
{
    if (status == CASTELL_OK)
        return true;
    refused = true;
    if (status != CASTELL_ERR_NO_MEMORY && status != CASTELL_ERR_TASK_FAILED &&
        status != CASTELL_ERR_CANCELLED) {
        printf("# %d: %s\n", (int)status, castell_error_text());
        tap_bail("a call failed in another way than for want of memory");
    }
    return false;
}

/* ---- bodies ---------------------------------------------------------------- */

static int add_body(void *const *buffers, const void *argument)
{
    (void)argument;
    ++*(long *)buffers[0];
    return 0;
}

static int retry_body(void *const *buffers, const void *argument)
{
    (void)argument;
    ++*(long *)buffers[0];
    return castell_task_attempt() < 2;
}

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(long));
}

static void sum(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((long *)into)[i] += ((const long *)from)[i];
}

static const struct castell_reduction plus = {sizeof(long), zero, sum};
static struct castell_kind add_kind = {.name = "add", .body = add_body};
static struct castell_kind needy_kind = {
    .name = "needy", .body = add_body, .constraint = {.memory = 1000}};
static struct castell_kind wide_kind = {
    .name = "wide", .body = add_body, .constraint = {.cores = 2}};
static struct castell_kind retry_kind = {.name = "retry",
                                         .body = retry_body,
                                         .retries = 2,
                                         .on_failure =
                                             CASTELL_CANCEL_SUCCESSORS};
static const struct castell_implementation other = {.name = "other",
                                                    .body = add_body};

static void call(struct castell_kind *kind, struct castell_access access,
                 int priority)
{
    struct castell_submission submission = {.kind = kind,
                                            .accesses = &access,
                                            .accesses_count = 1,
                                            .priority = priority};

    (void)may(castell_task_submit(&submission, NULL));
}

static void reduce(size_t index)
{
    struct castell_access access = {.base = &total,
                                    .size = sizeof(total),
                                    .mode = CASTELL_REDUCTION,
                                    .reduction = &plus};

    (void)index;
    call(&add_kind, access, 0);
}

static int nest_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    for (size_t i = 0; i < 6; i++) {
        call(&add_kind,
             (struct castell_access)ACCESS(INOUT, values[3000 + i % 2]), 0);
        reduce(i);
    }
    (void)may(castell_barrier());
    reduce(0);
    return 0;
}

static struct castell_kind nest_kind = {.name = "nest", .body = nest_body};

/* It names what its children do, for that orders them with others' tasks. */
static void nest(void)
{
    struct castell_access accesses[] = {ACCESS(INOUT, values[3000]),
                                        ACCESS(INOUT, values[3001]),
                                        ACCESS(INOUT, total)};
    struct castell_submission submission = {
        .kind = &nest_kind, .accesses = accesses, .accesses_count = 3};

    (void)may(castell_task_submit(&submission, NULL));
}

/* ---- the program ------------------------------------------------------------- */

static void use_regions(void)
{
    struct castell_access crowd[40];
    struct castell_submission many = {
        .kind = &add_kind, .accesses = crowd, .accesses_count = 40};

    for (size_t i = 0; i < 12; i++) {
        call(&add_kind,
             (struct castell_access){.base = values + i * BLOCK,
                                     .size = BLOCK * sizeof(long),
                                     .rows = BLOCK,
                                     .pitch = SIZE * sizeof(long),
                                     .mode = CASTELL_INOUT},
             0);
        call(&add_kind,
             (struct castell_access)ELEMENTS(INOUT, values + 3 * i,
                                             (size_t)10 + i),
             (int)i % 3);
        call(&add_kind,
             (struct castell_access)ACCESS(COMMUTATIVE, values[i % 4]), 0);
    }
    for (size_t i = 0; i < 40; i++)
        crowd[i] = (struct castell_access)ACCESS(INOUT, values[2000 + 2 * i]);
    (void)may(castell_task_submit(&many, NULL));
}

static void use_memory(void)
{
    for (int i = 0; i < 4; i++) {
        long *block = castell_alloc(i % 2 ? 100 : 1 << 20);

        if (!block) {
            refused = true;
            continue;
        }
        *block = 0;
        call(&add_kind,
             (struct castell_access)ELEMENTS(INOUT, block, (size_t)1), 0);
        castell_free(block);
    }
}

static void use_groups(void)
{
    bool begun = may(castell_group_begin("group"));

    call(&needy_kind, (struct castell_access)ACCESS(INOUT, values[1000]), 0);
    if (castell_executors_count() > 1)
        call(&wide_kind, (struct castell_access)ACCESS(INOUT, values[1001]), 0);
    call(&retry_kind, (struct castell_access)ACCESS(INOUT, values[1002]), 0);
    nest();
    if (begun) {
        NEED(castell_group_end() == CASTELL_OK, "a group has no end");
        (void)may(castell_group_wait("group"));
    }
}

static void run(void)
{
    struct castell_access all = ACCESS(IN, values);
    struct castell_access sums = ACCESS(IN, total);
    struct castell_access file = {
        .base = "file", .is_file = true, .mode = CASTELL_IN};

    if (!registered) /* it is, for ever */
        registered = may(castell_kind_implement("needy", &other));
    use_regions();
    for (size_t i = 0; i < 10; i++)
        reduce(i);
    use_groups();
    use_memory();
    (void)may(castell_wait_on(&sums, 1));
    (void)may(castell_wait_on(&file, 1));
    (void)may(castell_barrier());
    (void)may(castell_wait_on(&all, 1));
    (void)may(castell_delete(&all, 1));
}

/* Returns whether the n-th allocation was reached. */
static bool try_with(uint64_t n, uint32_t cores)
{
    struct castell_options options = {
        .cores = cores, .memory = 2000, .features = "some,other"};
    int result = 1;
    bool pending;

    refused = false;
    total = 0;
    cst_alloc_fail_after(n);
    if (may(castell_start_with(&options))) {
        run();
        result = castell_stop();
    }
    pending = cst_alloc_fail_pending();
    cst_alloc_fail_after(0);
    if (!refused && result == 0 && total != 17)
        tap_bail("a run without failures has a wrong result");
    if (pending && (refused || result != 0))
        tap_bail("a run failed, and no allocation had");
    return !pending;
}

static void test_all(uint32_t cores)
{
    uint64_t n = 1;
    uint64_t failures = 0;

    while (try_with(n, cores)) {
        failures += refused;
        /* Under a sanitizer not each: there are hundreds. */
        n += is_slow() && n > 40 ? 5 : 1;
    }
    ok(failures > 20,
       "each allocation may fail, %u executors: of %llu, %llu are noticed",
       cores, (unsigned long long)n, (unsigned long long)failures);
}

int main(void)
{
    catch_begin();
    test_all(1);
    test_all(2);
    (void)catch_end();
    return tap_done();
}
