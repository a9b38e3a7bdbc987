/*
 * Run the body of a task in processes on several nodes.
 */
#include "base/memory.h"
#include "files/files.h"
#include "gang/gang.h"
#include "worker/worker_internal.h"

#include <stdio.h>

static bool is_file(const struct cst_task *task, uint32_t access)
{
    return (task->flags & CST_TASK_FILES) && task->extra->uses[access].path;
}

static struct cst_gang_buffer describe(const struct cst_access *access,
                                       void *base, bool is_file)
{
    bool reduces = access->hold.epoch == CST_EPOCH_REDUCTION;

    return (struct cst_gang_buffer){
        .base = base,
        .size = access->size,
        .rows = access->hold.user,
        .pitch = access->pitch,
        .reads = access->hold.reads || reduces,
        .writes = access->hold.writes || reduces,
        .is_file = is_file,
    };
}

bool cst_run_in_gang(const struct cst_self *self, struct cst_task *task,
                     void *const *buffers, char *how, size_t how_size)
{
    uint32_t count = task->accesses_count;
    struct cst_gang_buffer *described =
        cst_zalloc((count + 1) * sizeof(*described));
    struct cst_gang_request request = {
        .kind = task->kind->name,
        .choice = task->choice,
        .attempt = task->attempt,
        .cores = castell_task_cores(),
        .buffers = described,
        .buffers_count = count,
        .argument = cst_task_argument(task),
        .argument_size = task->argument_size,
        .timeout_ns = task->kind->timeout_ns,
        .crew = task->extra->crew,
        .topo = self->worker->topo,
    };
    bool good;

    if (!described) {
        (void)snprintf(how, how_size, "no memory for its buffers");
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        described[i] =
            describe(&cst_task_accesses(task)[i], buffers[i], is_file(task, i));
    good = cst_gang_run(&request, how, how_size);
    cst_free(described);
    return good;
}
