#include "api/api.h"
#include "body/child.h"
#include "body/container.h"
#include "body/execute.h"
#include "gang/gang.h"

#include <stdlib.h>
#include <string.h>

static struct cst_task *current(void)
{
    return cst_self()->task;
}

uint32_t castell_task_cores(void)
{
    const struct cst_task *task = current();
    uint32_t cores, attempt;

    if (cst_gang_inside(&cores, &attempt))
        return cores;

    return task && task->extra && task->extra->constraint.cores > 1
               ? task->extra->constraint.cores
               : 1;
}

uint32_t castell_executor(void)
{
    const struct cst_self *self = cst_self();

    return self->seat ? self->seat->desk.index : 0;
}

uint32_t castell_executors_count(void)
{
    return cst_run() ? cst_run()->limits.cores : 1;
}

void castell_mpi_comm(void *ret_comm)
{
    castell_must(cst_gang_comm(ret_comm), NULL);
}

uint32_t castell_task_attempt(void)
{
    uint32_t cores, attempt;

    if (cst_gang_inside(&cores, &attempt))
        return attempt;
    return current() ? current()->attempt : 0;
}

void castell_counters(struct castell_counters *ret_counters)
{
    memset(ret_counters, 0, sizeof(*ret_counters));
    if (cst_run())
        cst_engine_counters(cst_run()->engine, ret_counters);
}

void castell_mark(const char *text)
{
    const struct cst_run *run = cst_run();

    if (run && run->trace && text && !cst_child_inside())
        cst_trace_text(run->trace, CST_TRACE_MARK,
                       current() ? current()->id : 0, text);
}

int castell_execute(const char *const *argv, const char *in_path,
                    const char *out_path, const char *err_path)
{
    return cst_execute(argv, in_path, out_path, err_path);
}

int castell_execute_in(const char *image, const char *const *argv,
                       const char *const *paths, const char *in_path,
                       const char *out_path, const char *err_path)
{
    return cst_execute_in(image, argv, paths, in_path, out_path, err_path);
}

/*
 * castellcc, and the flags of castell.pc, have the linker send calls of exit()
 * here, so that a body that calls it fails as a task and ends nothing else.
 */
_Noreturn __attribute__((visibility("default"))) void __wrap_exit(int status);

_Noreturn void __wrap_exit(int status)
{
    cst_worker_exit(status);
    exit(status); /* NOLINT(concurrency-mt-unsafe) */
}
