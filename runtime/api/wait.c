#include "api/api.h"
#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum castell_status send_signal(struct cst_self *self, uint32_t flags)
{
    struct cst_task *task = cst_api_task(self, 0, 0, -1);
    uint64_t after;

    if (!task)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to wait");
    task->flags = CST_TASK_INTERNAL | CST_TASK_SIGNAL | flags;
    after = cst_task_after(task);
    cst_api_tell(self, task, false);
    cst_api_wait(self, &task->generation, after);
    return CASTELL_OK;
}

enum castell_status cst_api_sync(struct cst_self *self)
{
    return send_signal(self, 0);
}

/*
 * Wait until nothing of the program's is unfinished. Only the ends of tasks are
 * counted, not which: where other threads go on submitting, as many may have
 * ended as there were, and some of the first still be unfinished.
 */
void cst_api_wait_for_all(struct cst_self *self)
{
    struct cst_engine *engine = cst_run()->engine;
    struct cst_task *root = cst_engine_root(engine);
    uint64_t submitted;

    do {
        submitted = cst_engine_submitted(engine);
        cst_api_wait(self, &root->children_finished, submitted);
    } while (submitted != cst_engine_submitted(engine));
}

enum castell_status castell_barrier(void)
{
    enum castell_status status;
    struct cst_self *self;

    status = cst_api_enter("castell_barrier", &self);
    if (status == CASTELL_OK)
        status = cst_api_sync(self);
    if (status != CASTELL_OK)
        return status;
    if (self->task)
        cst_api_wait(self, &self->task->children_finished,
                     self->task->children_submitted +
                         self->task->folds_submitted);
    else
        cst_api_wait_for_all(self);
    status = cst_api_status();
    if (status == CASTELL_OK)
        status = cst_api_to_main(NULL, 0);
    /* On several nodes, what tasks wrote comes home too. */
    if (status == CASTELL_OK && cst_run()->cluster && !self->task)
        status = send_signal(self, CST_TASK_HOME);
    return status == CASTELL_OK ? cst_api_publish(self, NULL, 0) : status;
}

static enum castell_status blame(const struct cst_outcome *outcome)
{
    if (!outcome->label)
        return cst_fail(outcome->status,
                        "a task that was to write what is waited for failed or "
                        "was cancelled");
    return cst_fail(outcome->status,
                    "task %s%s%s%s, which was to write what is waited for, %s",
                    outcome->label, outcome->where ? " (" : "",
                    outcome->where ? outcome->where : "",
                    outcome->where ? ")" : "",
                    outcome->failed ? "has failed" : "was cancelled");
}

/* Regions that overlap cannot be waited for as if each were written. */
static void only_read(struct cst_task *task)
{
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_hold *hold = &cst_task_accesses(task)[i].hold;

        hold->mode = CASTELL_IN;
        hold->epoch = CST_EPOCH_READ;
        hold->writes = false;
    }
}

enum castell_status castell_wait_on(const struct castell_access *regions,
                                    size_t regions_count)
{
    enum castell_mode mode = CASTELL_IN;
    struct cst_outcome outcome = {.status = CASTELL_OK};
    enum castell_status status;
    struct cst_self *self;
    struct cst_task *task;
    uint64_t after;

    status = cst_api_enter("castell_wait_on", &self);
    if (status != CASTELL_OK || regions_count == 0)
        return status;
    if (!regions)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_wait_on() was given NULL regions");
    if (regions_count > CASTELL_ACCESSES_MAX)
        return cst_fail(CASTELL_ERR_LIMIT,
                        "%zu regions to wait on, %u is the most", regions_count,
                        CASTELL_ACCESSES_MAX);
    task = cst_api_task(self, (uint32_t)regions_count, 0, 0);
    if (!task)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to wait");
    /* On several nodes main may write what came home: no task that is older may
       then still have to be sent what was there before. */
    if (cst_run()->cluster && !self->task)
        mode = CASTELL_INOUT;
    for (size_t i = 0; i < regions_count; i++) {
        struct castell_access region = regions[i];

        region.mode = mode;
        status = cst_access_check(&region, i, task);
        if (status != CASTELL_OK) {
            cst_engine_task_discard(cst_run()->engine, self->port, task);
            return status;
        }
    }
    if (mode == CASTELL_INOUT &&
        cst_accesses_disjoint(cst_task_accesses(task), regions_count) !=
            CASTELL_OK)
        only_read(task);
    task->flags = CST_TASK_INTERNAL | CST_TASK_SIGNAL;
    task->extra->outcome = &outcome;
    after = cst_task_after(task);
    cst_api_tell(self, task, false);
    cst_api_wait(self, &task->generation, after);
    status = cst_api_status();
    if (status == CASTELL_OK && outcome.status != CASTELL_OK)
        status = blame(&outcome);
    if (status == CASTELL_OK)
        status = cst_api_to_main(regions, regions_count);
    return status == CASTELL_OK ? cst_api_publish(self, regions, regions_count)
                                : status;
}

/* Is the task the calling body's own, or one above it? */
static bool is_own(const struct cst_self *self, const struct cst_task *slot)
{
    const struct cst_task *task = self->task;

    while (task && task != slot)
        task = task->parent;
    return task != NULL;
}

enum castell_status castell_task_wait(struct castell_task task)
{
    struct cst_task *slot = task.slot;
    enum castell_status status;
    struct cst_self *self;
    uint64_t generation;
    uint64_t after;

    status = cst_api_enter("castell_task_wait", &self);
    if (status != CASTELL_OK)
        return status;
    if (!slot)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_task_wait() was given no task");
    if (!cst_task_of_handle(task.id, &after))
        return cst_api_status(); /* of a run that has ended */
    if (is_own(self, slot) && cst_task_after(slot) == after)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_task_wait(): the calling task would wait for "
                        "itself");
    cst_api_wait(self, &slot->generation, after);
    generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
    status = cst_api_status();
    if (status == CASTELL_OK)
        status = cst_api_to_main(NULL, 0);
    if (status != CASTELL_OK || generation - after > CST_TASK_END_MASK ||
        (generation & CST_TASK_END_MASK) == CST_TASK_ENDED)
        return status;
    if ((generation & CST_TASK_END_MASK) == CST_TASK_ENDED_CANCELLED)
        return cst_fail(CASTELL_ERR_CANCELLED, "the task was cancelled");
    return cst_fail(CASTELL_ERR_TASK_FAILED, "the task has failed%s",
                    (generation & CST_TASK_END_MASK) == CST_TASK_ENDED_IGNORED
                        ? ", which is ignored"
                        : "");
}

void castell_must(enum castell_status status, const char *where)
{
    if (status == CASTELL_OK)
        return;
    (void)fflush(stdout);
    (void)fprintf(stderr, "castell: %s%s%s\n", where ? where : "",
                  where ? ": " : "", castell_error_text());
    exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe) */
}

/* ---- Groups ------------------------------------------------------------- */

static enum castell_status find_group(const char *call, const char *name,
                                      bool make, struct cst_group **ret_group)
{
    size_t length = name ? strlen(name) : 0;
    struct cst_group *group;
    struct cst_self *self;
    enum castell_status status = cst_api_enter(call, &self);

    if (status != CASTELL_OK)
        return status;
    if (length == 0 || length >= CASTELL_NAME_SIZE_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was given a name of %zu characters; 1 to %d are "
                        "allowed",
                        call, length, CASTELL_NAME_SIZE_MAX - 1);
    group = cst_engine_group(cst_run()->engine, name, make);
    if (!group)
        return make ? cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for group %s",
                               name)
                    : cst_fail(CASTELL_ERR_INVALID,
                               "%s(): no task has been in a group \"%s\"", call,
                               name);
    *ret_group = group;
    return CASTELL_OK;
}

enum castell_status castell_group_begin(const char *name)
{
    struct cst_frame *frame;
    struct cst_group *group;
    enum castell_status status =
        find_group("castell_group_begin", name, true, &group);

    if (status != CASTELL_OK)
        return status;
    frame = cst_alloc(sizeof(*frame));
    if (!frame)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for group %s", name);
    frame->outer = cst_self()->frames;
    frame->group = cst_self()->group;
    frame->task = cst_self()->task;
    cst_self()->frames = frame;
    cst_self()->group = group;
    return CASTELL_OK;
}

enum castell_status castell_group_end(void)
{
    struct cst_frame *frame;
    enum castell_status status;
    struct cst_self *self;

    status = cst_api_enter("castell_group_end", &self);
    if (status != CASTELL_OK)
        return status;
    /* The frames of the bodies below are not the caller's. */
    frame = self->frames;
    if (!frame || frame->task != self->task)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_group_end() without castell_group_begin()");
    self->frames = frame->outer;
    self->group = frame->group;
    cst_free(frame);
    return CASTELL_OK;
}

/* Is the calling body, or one above it, in the group? */
static bool is_inside(const struct cst_self *self,
                      const struct cst_group *group)
{
    for (const struct cst_task *task = self->task; task; task = task->parent)
        if (task->group == group)
            return true;
    return false;
}

enum castell_status castell_group_wait(const char *name)
{
    struct cst_self *self = cst_self();
    struct cst_group *group;
    enum castell_status status =
        find_group("castell_group_wait", name, false, &group);

    if (status != CASTELL_OK)
        return status;
    for (struct cst_group *older = group; older; older = older->older)
        if (is_inside(self, older))
            return cst_fail(CASTELL_ERR_INVALID,
                            "castell_group_wait(): the calling task is in "
                            "group %s, and would wait for itself",
                            name);
    status = cst_api_sync(self);
    if (status != CASTELL_OK)
        return status;
    /* Others may add to it meanwhile: see castell_barrier(). */
    for (; group; group = group->older) {
        uint64_t submitted;

        do {
            submitted = atomic_load(&group->submitted);
            cst_api_wait(self, &group->finished, submitted);
        } while (submitted != atomic_load(&group->submitted));
    }
    status = cst_api_status();
    return status == CASTELL_OK ? cst_api_to_main(NULL, 0) : status;
}

enum castell_status castell_group_cancel(const char *name)
{
    struct cst_group *group;
    enum castell_status status =
        find_group("castell_group_cancel", name, false, &group);

    if (status == CASTELL_OK)
        cst_engine_group_cancel(cst_run()->engine, group);
    return status;
}
