/*
 * Run the body of a task: the buffers it gets, its attempts, what becomes of
 * failures.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "body/child.h"
#include "body/reduction.h"
#include "body/save.h"
#include "body/threads.h"
#include "gang/gang.h"
#include "worker/count.h"
#include "worker/worker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS_HERE = 16, TEXT_SIZE = 384 };

/* ---- What to say of a failure ------------------------------------------- */

void cst_run_event(struct cst_self *self, enum cst_trace_event event,
                   const struct cst_task *task, int value)
{
    if (!(task->flags & CST_TASK_INTERNAL))
        cst_trace_event(self->worker->trace, event, task->id, task->kind->id,
                        value);
}

/* It starts; what it holds goes with it. */
void cst_run_started(struct cst_self *self, const struct cst_task *task)
{
    const struct castell_constraint *holds;

    if (!(task->flags & CST_TASK_CONSTRAINED) || !self->worker->trace) {
        cst_run_event(self, CST_TRACE_STARTED, task, (int)task->attempt);
        return;
    }
    holds = &task->extra->constraint;
    cst_trace_started(self->worker->trace, task->id, task->kind->id,
                      (int32_t)task->attempt, holds);
}

/* Why it failed, this time or for good. */
static void say_in_trace(struct cst_self *self, const struct cst_task *task,
                         enum cst_trace_event event, const char *how)
{
    if (self->worker->trace && !(task->flags & CST_TASK_INTERNAL))
        cst_trace_text(self->worker->trace, event, task->id, how);
}

static const char *where_of(const struct cst_task *task)
{
    return task->where ? task->where : task->kind->where;
}

static const char *consequence(const struct cst_kind *kind)
{
    switch (kind->on_failure) {
    case CASTELL_IGNORE:
        return "ignored";
    case CASTELL_CANCEL_SUCCESSORS:
        return "what depends on it is cancelled";
    case CASTELL_FAIL:
        break;
    }
    return "the run ends";
}

void cst_run_report(struct cst_self *self, struct cst_task *task,
                    const char *how)
{
    const char *where = where_of(task);
    char text[TEXT_SIZE];

    if (task->flags & CST_TASK_GUEST) { /* others judge it */
        CST_ASSERT(task->extra);
        say_in_trace(self, task, CST_TRACE_ENDED, how);
        task->extra->how = cst_strdup(how);
        task->flags |= CST_TASK_FAILED;
        return;
    }
    (void)snprintf(text, sizeof(text), "task %s%s%s%s failed: %s%s",
                   task->kind->label, where ? " (" : "", where ? where : "",
                   where ? ")" : "", how,
                   task->attempt > 1 ? ", in each of its attempts" : "");
    (void)fprintf(stderr, "castell: %s; %s\n", text, consequence(task->kind));
    if (task->kind->on_failure == CASTELL_FAIL)
        cst_engine_fail(self->worker->engine, CASTELL_ERR_TASK_FAILED, text);
    task->flags |= CST_TASK_FAILED;
    say_in_trace(self, task, CST_TRACE_FAILED, how);
}

/* ---- One attempt -------------------------------------------------------- */

/* What the task writes; only_read: what has to be put back for a retry. That
   is not what others write at the same time. */
static size_t written_rows(struct cst_task *task, struct cst_rows *rows,
                           bool only_read)
{
    struct cst_access *accesses = cst_task_accesses(task);
    size_t count = 0;

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_hold *hold = &accesses[i].hold;

        if (!hold->writes || hold->epoch == CST_EPOCH_REDUCTION ||
            (only_read &&
             (!hold->reads || hold->epoch == CST_EPOCH_CONCURRENT)) ||
            accesses[i].size == 0)
            continue;
        rows[count++] = (struct cst_rows){accesses[i].base, accesses[i].size,
                                          hold->user, accesses[i].pitch};
    }
    return count;
}

struct attempt {
    struct cst_self *self;
    struct cst_task *task;
    void **buffers;
    struct cst_rows *rows; /* accesses_count + reductions of them */
    char how[TEXT_SIZE];   /* it failed */
};

bool cst_run_body(struct cst_self *self, struct cst_task *task, void **buffers,
                  char *how, size_t how_size)
{
    void *outer = self->escape;
    struct cst_escape escape;
    int result;

    self->escape = &escape;
    if (setjmp(escape.point) == 0) {
        result = task->kind->choices[task->choice].body(
            buffers, cst_task_argument(task));
        if (result != 0)
            (void)snprintf(how, how_size, "its body returned %d", result);
    } else {
        cst_gang_escaped();
        result = -1;
        (void)snprintf(how, how_size, "its body called exit(%d)",
                       escape.exit_status);
    }
    self->escape = outer;
    self->task = task;
    return result == 0;
}

static bool run_here(struct attempt *attempt)
{
    return cst_run_body(attempt->self, attempt->task, attempt->buffers,
                        attempt->how, sizeof(attempt->how));
}

/* For the child, in which this thread has no connection to the run. */
struct inside {
    struct cst_task *task;
    castell_body *body;
    const void *argument;
};

static int body_inside(void *const *buffers, const void *argument)
{
    const struct inside *inside = argument;

    cst_self()->run = 0;
    cst_self()->task = inside->task;
    cst_self()->run = 0; /* it is no thread of the run, even where the child
                            has this one only */
    return inside->body(buffers, inside->argument);
}

static bool run_in_child(struct attempt *attempt)
{
    struct cst_task *task = attempt->task;
    const struct cst_kind *kind = task->kind;
    struct inside inside = {task, kind->choices[task->choice].body,
                            cst_task_argument(task)};
    struct cst_child_request request = {
        .body = body_inside,
        .buffers = attempt->buffers,
        .buffers_count = task->accesses_count,
        .argument = &inside,
        .written = attempt->rows,
        .written_count = written_rows(task, attempt->rows, false),
        .timeout_ns = kind->timeout_ns,
        .cores = castell_task_cores(),
        .label = kind->label,
        .may_decline = !(kind->flags & CASTELL_ISOLATED),
    };
    struct cst_child_result result;

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access *access = &cst_task_accesses(task)[i];

        if (access->hold.epoch == CST_EPOCH_REDUCTION)
            attempt->rows[request.written_count++] =
                (struct cst_rows){attempt->buffers[i], access->size,
                                  access->hold.user, access->pitch};
    }
    cst_child_run(&request, &result);
    if (result.outcome == CST_CHILD_DECLINED) /* it submits tasks */
        return run_here(attempt);
    return cst_describe_end(kind, &result, attempt->how, TEXT_SIZE);
}

/* ---- Private copies ----------------------------------------------------- */

/* A guest's private copy was given to it; it only has to be begun. */
static bool begin_guest_leaves(struct cst_task *task)
{
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access *access = &cst_task_accesses(task)[i];
        const struct castell_reduction *operation =
            task->extra->leaves[i].operation;

        if (access->hold.epoch != CST_EPOCH_REDUCTION)
            continue;
        for (uint32_t row = 0; row < access->hold.user; row++)
            operation->identity((char *)access->base + row * access->pitch,
                                access->size / operation->element_size);
    }
    return true;
}

static bool begin_leaves(struct attempt *attempt)
{
    struct cst_task *task = attempt->task;

    if (task->flags & CST_TASK_GUEST)
        return begin_guest_leaves(task);
    for (uint32_t i = 0; i < task->accesses_count; i++)
        if (cst_task_accesses(task)[i].hold.epoch == CST_EPOCH_REDUCTION &&
            cst_reduction_begin(task->extra->leaves[i].reduction,
                                &attempt->buffers[i]) != CASTELL_OK) {
            (void)snprintf(attempt->how, sizeof(attempt->how),
                           "no memory for its private copy");
            attempt->buffers[i] = NULL;
            return false;
        }
    return true;
}

static void end_leaves(struct attempt *attempt, bool good)
{
    struct cst_task *task = attempt->task;

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_leaf *leaf = &task->extra->leaves[i];

        if (cst_task_accesses(task)[i].hold.epoch != CST_EPOCH_REDUCTION ||
            (task->flags & CST_TASK_GUEST) || !attempt->buffers[i])
            continue;
        if (good)
            cst_reduction_end(leaf->reduction, leaf->leaf, attempt->buffers[i]);
        else
            cst_reduction_drop(leaf->reduction, attempt->buffers[i]);
        attempt->buffers[i] = NULL;
    }
}

/* ---- All attempts ------------------------------------------------------- */

static void set_buffers(struct cst_task *task, void **buffers)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++)
        buffers[i] = accesses[i].hold.epoch == CST_EPOCH_REDUCTION &&
                             !(task->flags & CST_TASK_GUEST)
                         ? NULL
                         : accesses[i].base;
}

static bool attempt_once(struct attempt *attempt)
{
    struct cst_task *task = attempt->task;
    bool reduces = (task->flags & CST_TASK_REDUCES) != 0;
    bool isolated = (task->kind->flags & CASTELL_ISOLATED) ||
                    ((task->flags & CST_TASK_SUSPECT) &&
                     !(task->kind->flags & CASTELL_REPLICATED));
    bool good;

    cst_run_started(attempt->self, task);
    good = cst_run_open_files(task, attempt->buffers, attempt->how,
                              sizeof(attempt->how)) &&
           (!reduces || begin_leaves(attempt));
    if (good && task->kind->choices[task->choice].device == CASTELL_MPI)
        good = cst_run_in_gang(attempt->self, task, attempt->buffers,
                               attempt->how, sizeof(attempt->how));
    else if (good)
        good = isolated ? run_in_child(attempt) : run_here(attempt);
    good =
        good && cst_run_close_files(task, attempt->how, sizeof(attempt->how));
    if (reduces)
        end_leaves(attempt, good);
    cst_run_event(attempt->self, CST_TRACE_ENDED, task, good ? 0 : 1);
    return good;
}

void cst_run_retried(struct cst_self *self, const struct cst_task *task,
                     const char *how)
{
    cst_run_event(self, CST_TRACE_RETRIED, task, (int)task->attempt - 1);
    say_in_trace(self, task, CST_TRACE_RETRIED, how);
    cst_engine_count_retry(self->worker->engine);
}

/* Run with retries; what the task reads and writes is put back before each. */
static bool attempt_all(struct attempt *attempt)
{
    struct cst_task *task = attempt->task;
    const struct cst_kind *kind = task->kind;
    struct cst_save *save = NULL;
    bool good = false;

    if (task->flags & CST_TASK_GUEST) /* its others may be elsewhere */
        return attempt_once(attempt);
    if (kind->retries > 0 && !(kind->flags & CASTELL_ISOLATED)) {
        size_t count = written_rows(task, attempt->rows, true);

        if (count > 0 &&
            cst_save_create(attempt->rows, count, &save) != CASTELL_OK) {
            (void)snprintf(attempt->how, sizeof(attempt->how),
                           "no memory to keep its data for a retry");
            return false;
        }
    }
    while (!good && task->attempt <= kind->retries) {
        if (task->attempt++ > 0) {
            cst_run_retried(attempt->self, task, attempt->how);
            if (save)
                cst_save_restore(save);
        }
        good = attempt_once(attempt);
    }
    cst_save_destroy(save);
    return good;
}

static void run_carefully(struct cst_self *self, struct cst_task *task)
{
    size_t count = task->accesses_count;
    struct attempt attempt = {.self = self, .task = task};
    uint64_t begin = cst_clock_ns();
    bool good = false;

    attempt.buffers = cst_zalloc((count + 1) * sizeof(*attempt.buffers));
    attempt.rows = cst_zalloc((count + 1) * sizeof(*attempt.rows));
    if (!(task->flags & CST_TASK_GUEST))
        task->attempt = 0;
    if (attempt.buffers && attempt.rows) {
        set_buffers(task, attempt.buffers);
        good = attempt_all(&attempt);
        cst_run_settle_files(task, good);
    } else {
        (void)snprintf(attempt.how, sizeof(attempt.how),
                       "no memory for its buffers");
    }
    if (task->extra)
        task->extra->duration_ns = good ? cst_clock_ns() - begin : 0;
    if (!good)
        cst_run_report(self, task, attempt.how);
    cst_free(attempt.buffers);
    cst_free(attempt.rows);
}

static void end(struct cst_self *self, struct cst_task *task)
{
    if ((task->flags & (CST_TASK_GATHERS | CST_TASK_ADMITTED)) ==
        (CST_TASK_GATHERS | CST_TASK_ADMITTED)) {
        /* Before others may run: the number may be the whole process's. */
        cst_threads_use(1, true);
        cst_claim_end(self, &task->extra->claim);
    }
    cst_engine_tell(self->worker->engine, self->port, CST_NEWS_DONE, task);
}

static void run_simply(struct cst_self *self, struct cst_task *task)
{
    void *buffers[BUFFERS_HERE];
    struct cst_access *accesses = cst_task_accesses(task);
    uint64_t begin = task->extra ? cst_clock_ns() : 0;
    int result;

    for (uint32_t i = 0; i < task->accesses_count; i++)
        buffers[i] = accesses[i].base;
    if (!(task->flags & CST_TASK_GUEST))
        task->attempt = 1;
    cst_run_started(self, task);
    result = task->kind->choices[0].body(buffers, cst_task_argument(task));
    cst_run_event(self, CST_TRACE_ENDED, task, result);
    if (task->extra)
        task->extra->duration_ns = cst_clock_ns() - begin;
    if (__builtin_expect(result != 0, 0)) {
        char how[TEXT_SIZE];

        (void)snprintf(how, sizeof(how), "its body returned %d", result);
        cst_run_report(self, task, how);
    }
}

bool cst_run_is_off(struct cst_self *self, const struct cst_task *task)
{
    return cst_task_is_off(task) ||
           (cst_engine_status(self->worker->engine, NULL) != CASTELL_OK &&
            !(task->flags & CST_TASK_INTERNAL));
}

/* What is in force around a body. */
struct around {
    struct cst_task *task;
    struct cst_group *group;
    struct cst_frame *frames;
    uint64_t begin_ns; /* of the body; 0: its time is not taken */
};

static void leave_body(struct cst_self *self, const struct cst_task *task,
                       const struct around *around)
{
    cst_count_ended(self, task, around->begin_ns);
    cst_count_running(self, (uint32_t)-1, around->task);
    if (__builtin_expect(self->frames != around->frames, 0))
        cst_worker_drop_frames(self, around->frames);
    self->group = around->group;
    self->task = around->task;
}

/* Get what devices have of its data; false: it has failed. */
static bool bring_data(struct cst_self *self, struct cst_task *task)
{
    char how[TEXT_SIZE];

    if (__builtin_expect(!cst_engine_depot(self->worker->engine), 1) ||
        cst_hands_to_main(self, task, how, sizeof(how)))
        return true;
    task->attempt += task->attempt == 0;
    cst_run_report(self, task, how);
    return false;
}

void cst_worker_run(struct cst_self *self, struct cst_task *task)
{
    /* What it submits is in the groups that it begins itself. */
    struct around around = {self->task, self->group, self->frames, 0};

    if (cst_run_is_off(self, task)) {
        task->flags |= CST_TASK_CANCELLED;
        end(self, task);
        return;
    }
    self->task = task;
    self->group = NULL;
    cst_count_running(self, 1, task);
    around.begin_ns = cst_count_started(self, task);
    if (!bring_data(self, task)) {
        leave_body(self, task, &around);
        end(self, task);
        return;
    }
    /* Where exit() lands under a simple body is in cst_serve(). */
    if (task->kind->simple && task->accesses_count <= BUFFERS_HERE &&
        !(task->flags & (CST_TASK_REDUCES | CST_TASK_INLINE | CST_TASK_GATHERS |
                         CST_TASK_SUSPECT | CST_TASK_FILES)))
        run_simply(self, task);
    else
        run_carefully(self, task);
    leave_body(self, task, &around);
    end(self, task);
}

void cst_run_exited(struct cst_self *self, struct cst_task *task, int status,
                    struct cst_task *below, struct cst_frame *frames)
{
    const struct around around = {below, NULL, frames, 0};
    char how[TEXT_SIZE];

    cst_gang_escaped();
    (void)snprintf(how, sizeof(how), "its body called exit(%d)", status);
    cst_run_event(self, CST_TRACE_ENDED, task, 1);
    leave_body(self, task, &around);
    cst_run_report(self, task, how);
    end(self, task);
}

void cst_worker_exit(int status)
{
    struct cst_self *self = cst_self();
    struct cst_escape *escape = self->escape;

    if (!self->task || !escape || cst_child_inside())
        return;
    escape->exit_status = status;
    escape->task = self->task;
    longjmp(escape->point, 1); /* NOLINT(cert-err52-cpp) */
}
