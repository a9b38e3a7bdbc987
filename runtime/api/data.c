#include "api/api.h"
#include "base/fail.h"

#include <stdio.h>

void *castell_alloc(size_t size)
{
    struct cst_self *self;
    void *block;

    if (cst_api_enter("castell_alloc", &self) != CASTELL_OK ||
        cst_arena_alloc(cst_run()->arena, size, &block) != CASTELL_OK)
        return NULL;
    return block;
}

void cst_api_release_block(void *memory)
{
    cst_arena_release(cst_run()->arena, memory);
}

static int release_block(void *const *buffers, const void *argument)
{
    (void)argument;
    cst_api_release_block(buffers[0]);
    return 0;
}

/* The task that frees a block runs when all that name it have ended. */
static const struct cst_kind free_kind = {
    .name = "free",
    .label = "free",
    .simple = true,
    .is_own = true,
    .choices_count = 1,
    .choices = {{.body = release_block, .name = "free"}},
};

/* Other nodes may still want what lies there; but not when main has waited for
   all tasks. Until then at least nobody moves it. */
static void free_on_several(void *memory, size_t size)
{
    const struct castell_access all = {.base = memory, .size = size};
    char text[256];

    /* What it says, should no task have named it, is not for the caller. */
    (void)snprintf(text, sizeof(text), "%s", castell_error_text());
    if (castell_delete(&all, 1) != CASTELL_OK)
        cst_fail_text("%s", text);
    cst_cluster_free(cst_run()->cluster, memory, size);
}

void castell_free(void *memory)
{
    struct cst_access *access;
    struct cst_self *self;
    struct cst_task *task;
    size_t size;

    if (!memory)
        return;
    castell_must(cst_api_enter("castell_free", &self), NULL);
    castell_must(cst_arena_retire(cst_run()->arena, memory, &size), NULL);
    if (cst_run()->cluster && cst_cluster_self(cst_run()->cluster) == 0) {
        free_on_several(memory, size);
        return;
    }
    task = cst_api_task(self, 1, 0, -1);
    if (!task)
        return; /* its memory is lost, and nothing else */
    access = cst_task_accesses(task);
    access->base = memory;
    access->size = size;
    access->pitch = size;
    access->hold.user = 1;
    access->hold.epoch = CST_EPOCH_WRITE;
    access->hold.mode = CASTELL_OUT;
    access->hold.writes = true;
    task->flags = CST_TASK_INTERNAL;
    task->kind = (struct cst_kind *)(uintptr_t)&free_kind;
    cst_api_tell(self, task, true);
}

enum castell_status castell_delete(const struct castell_access *regions,
                                   size_t regions_count)
{
    struct cst_outcome outcome = {.status = CASTELL_OK};
    enum castell_status status;
    struct cst_self *self;
    struct cst_task *task;
    uint64_t after;

    status = cst_api_enter("castell_delete", &self);
    if (status != CASTELL_OK || regions_count == 0)
        return status;
    if (!regions)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_delete() was given NULL regions");
    if (regions_count > CASTELL_ACCESSES_MAX)
        return cst_fail(CASTELL_ERR_LIMIT,
                        "%zu regions to delete, %u is the most", regions_count,
                        CASTELL_ACCESSES_MAX);
    task = cst_api_task(self, (uint32_t)regions_count, 0, 0);
    if (!task)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to delete");
    for (size_t i = 0; i < regions_count; i++) {
        struct castell_access region = regions[i];

        region.mode = CASTELL_IN_DELETE;
        status = cst_access_check(&region, i, task);
        if (status != CASTELL_OK) {
            cst_engine_task_discard(cst_run()->engine, self->port, task);
            return status;
        }
    }
    task->flags = CST_TASK_INTERNAL | CST_TASK_SIGNAL | CST_TASK_DELETES;
    task->extra->outcome = &outcome;
    after = cst_task_after(task);
    cst_api_tell(self, task, false);
    cst_api_wait(self, &task->generation, after);
    cst_api_forget(regions, regions_count);
    if (outcome.status != CASTELL_OK)
        return cst_fail(outcome.status,
                        "castell_delete() was given a region that no "
                        "task has named");
    return CASTELL_OK;
}
