/*
 * Where there is one number of threads for the whole process, each body finds
 * its own number there, from its start to its end: none of another number runs
 * beside it, be it deferred or not, on whatever thread, before or after a wait.
 */
#include "api/counts.h"
#include "api/program.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static atomic_int wrong;
static atomic_int ran;

/* Is the number what the calling body has? Look for a while. */
static void look(uint32_t cores)
{
    for (int i = 0; i < 6; i++) {
        if (counts_now() != (int)cores)
            atomic_fetch_add(&wrong, 1);
        if (i % 3 == 0 && !counts_compute())
            atomic_fetch_add(&wrong, 1);
        pass_time();
    }
    if (counts_now() != (int)cores)
        atomic_fetch_add(&wrong, 1);
}

/* What a body does: children of either kind, and a wait. */
struct plan {
    uint32_t cores;
    uint32_t below[4]; /* cores of the generations below; 0: no more */
    uint64_t memory;
    bool undeferred; /* so are the children */
};

static int plan_body(void *const *buffers, const void *argument);
/* Two kinds, for what is simple goes another way. */
static struct castell_kind simple_kind = {.name = "simple", .body = plan_body};
static struct castell_kind wide_kind = {
    .name = "wide", .body = plan_body, .constraint = {.cores = 2}};

static void plan_submit(const struct plan *plan, bool undeferred)
{
    struct castell_constraint constraint = {.cores = plan->cores,
                                            .memory = plan->memory};
    struct castell_submission submission = {
        .kind = plan->cores > 1 ? &wide_kind : &simple_kind,
        .argument = plan,
        .argument_size = sizeof(*plan),
        .constraint = plan->cores > 2 || plan->memory > 0 ? &constraint : NULL,
        .undeferred = undeferred,
    };

    GO(castell_task_submit(&submission, NULL));
}

static int plan_body(void *const *buffers, const void *argument)
{
    struct plan plan;
    uint32_t cores;

    (void)buffers;
    memcpy(&plan, argument, sizeof(plan));
    cores = castell_task_cores();
    atomic_fetch_add(&ran, 1);
    if (cores != plan.cores)
        atomic_fetch_add(&wrong, 1);
    look(cores);
    if (plan.below[0] > 0) {
        struct plan child = plan;

        child.cores = plan.below[0];
        memmove(&child.below[0], &child.below[1],
                sizeof(child.below) - sizeof(child.below[0]));
        child.below[3] = 0;
        plan_submit(&child, plan.undeferred);
        look(cores);
        plan_submit(&child, !plan.undeferred);
        look(cores);
        GO(castell_barrier());
        look(cores);
    }
    return 0;
}

static void begin(uint32_t executors)
{
    GO(castell_start_with(
        &(struct castell_options){.cores = executors, .memory = 100}));
    atomic_store(&wrong, 0);
    atomic_store(&ran, 0);
}

static void end(int wanted, const char *name, uint32_t executors)
{
    GO(castell_barrier());
    ok(atomic_load(&wrong) == 0 && atomic_load(&ran) == wanted,
       "%s, %u executors: %d of %d bodies, %d times another number", name,
       executors, atomic_load(&ran), wanted, atomic_load(&wrong));
    stop();
}

static void test_flat(uint32_t executors)
{
    enum { TASKS = 300 };

    begin(executors);
    for (uint32_t i = 0; i < TASKS; i++) {
        uint32_t cores = 1 + i * 7 % 5 % 3;

        plan_submit(&(struct plan){.cores = cores > executors ? 1 : cores,
                                   .memory = i % 7 == 0 ? 40 : 0},
                    false);
        if (i % 64 == 63) /* main away, and waiting */
            GO(castell_barrier());
    }
    end(TASKS, "bodies of 1 to 3", executors);
}

/* Undeferred ones, of one core too, run on no executor. */
static void *submit_undeferred(void *argument)
{
    const struct plan *plan = argument;

    for (int i = 0; i < 60; i++) {
        plan_submit(plan, true);
        plan_submit(&(struct plan){.cores = 1 + (uint32_t)i % 2}, false);
    }
    return NULL;
}

static void test_undeferred(uint32_t executors)
{
    struct plan narrow = {.cores = 1};
    struct plan wide = {.cores = 2};
    pthread_t thread;

    begin(executors);
    NEED(pthread_create(&thread, NULL, submit_undeferred, &narrow) == 0,
         "no thread");
    (void)submit_undeferred(&wide);
    (void)pthread_join(thread, NULL);
    (void)submit_undeferred(&narrow);
    end(3 * 2 * 60, "undeferred ones of two threads", executors);
}

static void test_nested(uint32_t executors, struct plan plan, const char *name)
{
    int wanted = 1;

    for (int i = 0, level = 1; i < 4 && plan.below[i] > 0; i++) {
        level *= 2;
        wanted += level;
    }
    begin(executors);
    for (int i = 0; i < 4; i++) {
        plan_submit(&plan, false);
        plan_submit(&plan, true);
    }
    end(8 * wanted, name, executors);
}

static void test_nests(uint32_t executors)
{
    test_nested(executors, (struct plan){.cores = 2, .below = {1, 1}},
                "narrow ones below wide ones");
    test_nested(executors,
                (struct plan){.cores = 2, .below = {1, 1}, .undeferred = true},
                "narrow ones below wide ones, most of them undeferred");
    test_nested(executors, (struct plan){.cores = 1, .below = {2, 1, 2}},
                "wide ones below narrow ones");
    test_nested(
        executors,
        (struct plan){.cores = 1, .below = {2, 1, 2}, .undeferred = true},
        "wide ones below narrow ones, most of them undeferred");
    test_nested(executors,
                (struct plan){.cores = 1, .below = {2, 1}, .memory = 60},
                "such that need memory");
}

int main(void)
{
    const char *why;

    if (!counts_load(&why)) {
        tap_skip("OpenBLAS on its own threads", why);
        return tap_done();
    }
    test_flat(2);
    test_flat(3);
    test_flat(5);
    test_undeferred(2);
    test_undeferred(3);
    test_nests(2);
    test_nests(3);
    return tap_done();
}
