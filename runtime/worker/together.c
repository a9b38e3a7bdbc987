/*
 * Run the body of a task in processes on several nodes.
 */
#include "base/memory.h"
#include "files/files.h"
#include "gang/gang.h"
#include "worker/worker_internal.h"

#include <stdio.h>

enum { HOW_SIZE = 256 };

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

/* A gang of processes of the run: the task's own body, as any. */
struct leading {
    struct cst_self *self;
    struct cst_task *task;
    bool has_failed;
    char how[HOW_SIZE]; /* it did */
};

/* NOLINTBEGIN(readability-non-const-parameter): others say why not */
static castell_body *find_here(void *context, const char *name, uint32_t choice,
                               char *why, size_t why_size)
{
    const struct leading *leading = context;

    (void)name;
    (void)why;
    (void)why_size;
    return leading->task->kind->choices[choice].body;
}
/* NOLINTEND(readability-non-const-parameter) */

static int run_here(void *context, castell_body *body, void *const *buffers,
                    const void *argument)
{
    struct leading *leading = context;

    (void)body;
    (void)argument; /* the same */
    leading->has_failed =
        !cst_run_body(leading->self, leading->task, (void **)(uintptr_t)buffers,
                      leading->how, sizeof(leading->how));
    return leading->has_failed;
}

void cst_gang_hide_run(bool begins)
{
    struct cst_self *self = cst_self();

    self->run = begins ? 0 : cst_worker_run_number(self->worker);
}

bool cst_run_in_gang(struct cst_self *self, struct cst_task *task,
                     void *const *buffers, char *how, size_t how_size)
{
    uint32_t count = task->accesses_count;
    struct leading leading = {.self = self, .task = task};
    const struct cst_gang_body body = {find_here, run_here, &leading};
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
        .body = &body,
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
    if (leading.has_failed)
        (void)snprintf(how, how_size, "%s", leading.how);
    cst_free(described);
    return good;
}
