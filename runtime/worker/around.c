/*
 * Around a body: what it gets for the files that its task names, and what is
 * said of how a child ended.
 */
#include "files/files.h"
#include "worker/worker_internal.h"

#include <stdio.h>
#include <string.h>

bool cst_describe_end(const struct cst_kind *kind,
                      const struct cst_child_result *result, char *how,
                      size_t how_size)
{
    switch (result->outcome) {
    case CST_CHILD_RETURNED:
        if (result->number == 0)
            return true;
        (void)snprintf(how, how_size, "its body returned %d", result->number);
        break;
    case CST_CHILD_SIGNAL:
        (void)snprintf(how, how_size, "signal %d (%s) ended it", result->number,
                       sigdescr_np(result->number));
        break;
    case CST_CHILD_EXITED:
        (void)snprintf(how, how_size, "its body called exit(%d)",
                       result->number);
        break;
    case CST_CHILD_TIMED_OUT:
        (void)snprintf(how, how_size,
                       "it took longer than its timeout of %g ms",
                       (double)kind->timeout_ns / 1e6);
        break;
    case CST_CHILD_DECLINED: /* it is run without a child */
    case CST_CHILD_NOT_STARTED:
        (void)snprintf(how, how_size, "it could not be started: %.300s",
                       castell_error_text());
        break;
    }
    return false;
}

bool cst_run_open_files(struct cst_task *task, void **buffers, char *how,
                        size_t how_size)
{
    if (!(task->flags & CST_TASK_FILES))
        return true;
    cst_file_uses_discard(task->extra->uses, task->accesses_count);
    return cst_file_uses_open(task->extra->uses, task->accesses_count, buffers,
                              how, how_size);
}

bool cst_run_close_files(struct cst_task *task, char *how, size_t how_size)
{
    return !(task->flags & CST_TASK_FILES) ||
           cst_file_uses_close(task->extra->uses, task->accesses_count, how,
                               how_size);
}

void cst_run_settle_files(struct cst_task *task, bool good)
{
    if (!(task->flags & CST_TASK_FILES) || (task->flags & CST_TASK_GUEST))
        return; /* who sent a guest decides what becomes of it */
    if (good || task->kind->on_failure == CASTELL_IGNORE)
        cst_file_uses_keep(task->extra->uses, task->accesses_count);
    cst_file_uses_discard(task->extra->uses, task->accesses_count);
}
