#include "api/api.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "body/threads.h"
#include "files/files.h"
#include "sched/declare.h"

#include <string.h>

enum {
    MANY_TASKS = 2048, /* unfinished, before a submitter helps */
    PORT_SHIFT = 36,   /* 9 bits of a thread's port */
    NODE_SHIFT = 46,   /* 16 bits of a node; the highest is for internal ones */
};

/* ---- What every kind of submission shares ------------------------------- */

struct cst_task *cst_api_task(struct cst_self *self, uint32_t accesses_count,
                              size_t argument_size, int64_t leaves)
{
    struct cst_engine *engine = cst_run()->engine;
    struct cst_task *task = cst_engine_task_new(
        engine, self->port, accesses_count, argument_size, leaves);

    if (!task)
        return NULL;
    task->state = CST_TASK_SUBMITTED;
    task->parent = self->task ? self->task : cst_engine_root(engine);
    /* It matters only whether it is 0, 1 or more. */
    task->depth = (uint8_t)(task->parent->depth +
                            (task->parent->depth < UINT8_MAX ? 1 : 0));
    /* Unlike any other in the run: node, thread, number. */
    task->id = ((uint64_t)cst_run()->node << NODE_SHIFT) +
               ((uint64_t)self->port->desk.index << PORT_SHIFT) +
               ++self->port->ids;
    return task;
}

static void count(_Atomic(uint64_t) *counter)
{
    /* Only its thread writes it. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
        memory_order_release);
}

void cst_api_tell(struct cst_self *self, struct cst_task *task, bool counts)
{
    struct cst_desk *desk = &self->port->desk;

    if (counts && !self->task)
        count(&desk->submitted);
    else if (counts)
        self->task->children_submitted++;
    cst_engine_tell(cst_run()->engine, self->port, CST_NEWS_SUBMITTED, task);
}

void cst_api_wait(struct cst_self *self, _Atomic(uint64_t) *word,
                  uint64_t value)
{
    struct cst_wait wait = {word, value};
    struct cst_task *lent;

    if (cst_wait_over(&wait))
        return;
    cst_trace_event(cst_run()->trace, CST_TRACE_WAIT_BEGIN,
                    self->task ? self->task->id : 0,
                    self->task ? self->task->kind->id : 0, 0);
    lent = cst_worker_lend(self);
    cst_worker_wait(self, &wait);
    if (lent)
        cst_worker_regain(self, lent);
    cst_trace_event(cst_run()->trace, CST_TRACE_WAIT_END,
                    self->task ? self->task->id : 0,
                    self->task ? self->task->kind->id : 0, 0);
}

/* The slots of an earlier run are not there any more. */
enum { RUN_BITS = 16, AFTER_BITS = 64 - RUN_BITS };

uint64_t cst_task_handle(uint64_t after)
{
    return cst_run()->number << AFTER_BITS | after;
}

bool cst_task_of_handle(uint64_t handle, uint64_t *ret_after)
{
    *ret_after = handle & ((UINT64_C(1) << AFTER_BITS) - 1);
    return handle == cst_task_handle(*ret_after);
}

uint64_t cst_task_after(const struct cst_task *task)
{
    return (atomic_load_explicit(&task->generation, memory_order_relaxed) |
            CST_TASK_END_MASK) +
           1;
}

/* ---- A task ------------------------------------------------------------- */

/* On several nodes, is it the same on all? */
static enum castell_status check_everywhere(const struct castell_kind *kind)
{
    const struct cst_declared *declared = cst_kinds_declared();

    while (declared && strcmp(declared->name, kind->name) != 0)
        declared = declared->next;
    if (declared)
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_INVALID,
                    "task kind %s is not known on other nodes: declare it with "
                    "castell_kind_declare() before castell_start()",
                    kind->name);
}

static enum castell_status know(struct castell_kind *kind,
                                struct cst_kind **ret_kind)
{
    struct cst_run *run = cst_run();
    enum castell_status status =
        run->cluster ? check_everywhere(kind) : CASTELL_OK;

    if (status == CASTELL_OK)
        status = cst_kinds_know(cst_engine_kinds(run->engine), kind, ret_kind);
    if (status == CASTELL_OK && run->trace)
        cst_trace_kind(run->trace, (*ret_kind)->id, (*ret_kind)->label);
    return status;
}

static enum castell_status known_kind(struct castell_kind *kind,
                                      struct cst_kind **ret_kind)
{
    struct cst_kind *known;

    if (!kind)
        return cst_fail(CASTELL_ERR_INVALID, "a submission without a kind");
    known = __atomic_load_n(&kind->known, __ATOMIC_ACQUIRE);
    if (__builtin_expect(known != NULL, 1)) {
        *ret_kind = known;
        return CASTELL_OK;
    }
    if (!kind->name || !*kind->name)
        return cst_fail(CASTELL_ERR_INVALID, "a task kind without a name");
    if (kind->body && !cst_api_is_built(kind->device))
        return cst_fail(CASTELL_ERR_INVALID,
                        "the body of task kind %s is for a device that is not "
                        "in this build",
                        kind->name);
    if ((kind->flags & ~(uint32_t)(CASTELL_ISOLATED | CASTELL_REPLICATED |
                                   CASTELL_DISTRIBUTED | CASTELL_ASYNC)) ||
        (unsigned)kind->on_failure > CASTELL_CANCEL_SUCCESSORS)
        return cst_fail(CASTELL_ERR_INVALID,
                        "task kind %s has flags or a failure policy that do "
                        "not exist",
                        kind->name);
    return know(kind, ret_kind);
}

static bool needs_extra(const struct cst_kind *kind,
                        const struct castell_submission *from)
{
    return !kind->simple || from->constraint || from->deadline_ns > 0 ||
           from->cost > 0;
}

static void fill_extra(struct cst_task *task,
                       const struct castell_submission *from)
{
    struct cst_task_extra *extra = task->extra;
    struct cst_access *accesses = cst_task_accesses(task);

    if (from->deadline_ns > 0)
        extra->deadline_ns = cst_clock_ns() + from->deadline_ns;
    if (from->constraint) {
        extra->constraint = *from->constraint;
        if (extra->constraint.cores == 0)
            extra->constraint.cores = 1;
        extra->has_constraint = true;
    }
    extra->cost = from->cost;
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        extra->size += accesses[i].size * accesses[i].hold.user;
        if (task->flags & CST_TASK_REDUCES)
            extra->leaves[i].operation = from->accesses[i].reduction;
    }
}

static enum castell_status fill_accesses(struct cst_task *task,
                                         const struct castell_submission *from)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (size_t i = 0; i < from->accesses_count; i++) {
        enum castell_status status =
            cst_access_check(&from->accesses[i], i, task);

        if (status != CASTELL_OK)
            return status;
        switch (from->accesses[i].mode) {
        case CASTELL_COMMUTATIVE:
            task->flags |= CST_TASK_EXCLUSIVE;
            break;
        case CASTELL_REDUCTION:
            task->flags |= CST_TASK_REDUCES;
            break;
        case CASTELL_IN_DELETE:
            task->flags |= CST_TASK_DELETES;
            break;
        case CASTELL_IN:
        case CASTELL_OUT:
        case CASTELL_INOUT:
        case CASTELL_CONCURRENT:
            break;
        }
    }
    return cst_accesses_disjoint(accesses, from->accesses_count);
}

static bool has_file(const struct castell_submission *from)
{
    for (size_t i = 0; i < from->accesses_count; i++)
        if (from->accesses[i].is_file)
            return true;
    return false;
}

/* Room for what is known of its files. */
static bool add_uses(struct cst_task *task)
{
    task->extra->uses =
        cst_zalloc(task->accesses_count * sizeof(*task->extra->uses));
    if (task->extra->uses)
        task->flags |= CST_TASK_FILES;
    return task->extra->uses != NULL;
}

/* What is replicated runs on each node by itself, and main() says so. */
static enum castell_status
check_replicated(const struct cst_self *self, const struct cst_kind *kind,
                 const struct castell_submission *from)
{
    const struct castell_constraint *constraint =
        from->constraint ? from->constraint : &kind->choices[0].constraint;
    const char *why = NULL;

    if (cst_api_reduces(from))
        why = "has a reduction";
    else if (constraint->nodes > 1)
        why = "asks for several nodes";
    else if (self->task && cst_run()->cluster)
        why = "is submitted by another task: only main() may";
    if (!why)
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_INVALID, "%s: task %s is replicated and %s",
                    from->where ? from->where : "a submission", kind->label,
                    why);
}

static enum castell_status make(struct cst_self *self, struct cst_kind *kind,
                                const struct castell_submission *from,
                                struct cst_task **ret_task)
{
    enum castell_status status;
    struct cst_task *task;
    int64_t leaves = -1;
    bool is_inline = from->undeferred ||
                     (self->task && (self->task->flags & CST_TASK_FINAL));
    bool outside = is_inline && !self->seat && !cst_threads_may_mix(1, 2);

    if (outside || needs_extra(kind, from) || has_file(from))
        leaves = 0;
    if (cst_api_reduces(from))
        leaves = (int64_t)from->accesses_count;
    task = cst_api_task(self, (uint32_t)from->accesses_count,
                        from->argument_size, leaves);
    if (!task)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a task %s",
                        kind->label);
    if (!has_file(from) || add_uses(task))
        status = fill_accesses(task, from);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for its files");
    if (status != CASTELL_OK) {
        cst_engine_task_discard(cst_run()->engine, self->port, task);
        return status;
    }
    task->kind = kind;
    task->where = from->where;
    task->priority = from->priority;
    task->group = self->group;
    task->argument_size = (uint32_t)from->argument_size;
    if (from->argument_size > 0)
        memcpy(cst_task_argument(task), from->argument, from->argument_size);
    if (task->extra) {
        fill_extra(task, from);
        task->extra->outside = outside;
    }
    if (from->priority != 0 || from->deadline_ns > 0)
        task->flags |= CST_TASK_ORDERED;
    if (from->final || (task->parent->flags & CST_TASK_FINAL))
        task->flags |= CST_TASK_FINAL;
    if (is_inline)
        task->flags |= CST_TASK_INLINE;
    *ret_task = task;
    return CASTELL_OK;
}

/* On several nodes, or on a device, an undeferred task is waited for. */
static void run_elsewhere(struct cst_self *self, struct cst_task *task)
{
    uint64_t after = cst_task_after(task);

    task->flags &= ~(uint32_t)CST_TASK_INLINE;
    cst_api_tell(self, task, true);
    cst_api_wait(self, &task->generation, after);
    (void)!cst_api_to_main(NULL, 0); /* who reads what is lost is told */
}

/* Run an undeferred task here, as soon as it may, and see it end. */
static void run_inline(struct cst_self *self, struct cst_task *task)
{
    uint64_t go = atomic_load_explicit(&task->go, memory_order_relaxed) + 1;
    uint64_t after = cst_task_after(task);

    cst_api_tell(self, task, true);
    cst_api_wait(self, &task->go, go);
    cst_worker_run_inline(self, task);
    cst_api_wait(self, &task->generation, after);
}

/* Too much is unfinished: help until there is room again. */
static void make_room(struct cst_self *self)
{
    struct cst_engine *engine = cst_run()->engine;
    struct cst_task *root = cst_engine_root(engine);

    /* Tasks and their data are still in the caches. */
    if (cst_engine_unfinished(engine) > MANY_TASKS)
        cst_worker_help(self);
    while (!cst_engine_has_room(engine, self->port)) {
        uint64_t finished = atomic_load(&root->children_finished);

        if (finished == cst_engine_submitted(engine))
            return;
        cst_api_wait(self, &root->children_finished, finished + 1);
    }
}

static enum castell_status check_counts(const struct castell_submission *from)
{
    if (!from)
        return cst_fail(CASTELL_ERR_INVALID, "there is no submission: NULL");
    if (from->accesses_count > CASTELL_ACCESSES_MAX)
        return cst_fail(CASTELL_ERR_LIMIT,
                        "a task has %zu accesses, %u is the most",
                        from->accesses_count, CASTELL_ACCESSES_MAX);
    if (from->argument_size > CASTELL_ARGUMENT_SIZE_MAX)
        return cst_fail(CASTELL_ERR_LIMIT,
                        "a task has an argument of %zu bytes, %u is the most",
                        from->argument_size, CASTELL_ARGUMENT_SIZE_MAX);
    if ((from->accesses_count > 0 && !from->accesses) ||
        (from->argument_size > 0 && !from->argument))
        return cst_fail(CASTELL_ERR_INVALID,
                        "a submission counts accesses or an argument that are "
                        "NULL");
    return CASTELL_OK;
}

static void send(struct cst_self *self, struct cst_task *task)
{
    if ((task->flags & CST_TASK_INLINE) &&
        ((cst_run()->cluster && !self->task) ||
         !cst_engine_may_inline(task->kind)))
        run_elsewhere(self, task);
    else if (task->flags & CST_TASK_INLINE)
        run_inline(self, task);
    else
        cst_api_tell(self, task, true);
}

enum castell_status
castell_task_submit(const struct castell_submission *submission,
                    struct castell_task *ret_task)
{
    enum castell_status status;
    struct cst_self *self;
    struct castell_access *memory = NULL;
    struct castell_submission parts;
    struct cst_kind *kind = NULL;
    struct cst_task *task = NULL;

    status = cst_api_enter("castell_task_submit", &self);
    if (status != CASTELL_OK)
        return status;
    status = cst_api_status();
    if (status == CASTELL_OK)
        status = check_counts(submission);
    if (status == CASTELL_OK)
        status = known_kind(submission->kind, &kind);
    if (status == CASTELL_OK && (!kind->simple || submission->constraint))
        status = cst_api_check_possible(kind, submission);
    if (status == CASTELL_OK && (kind->flags & CASTELL_REPLICATED))
        status = check_replicated(self, kind, submission);
    if (status != CASTELL_OK)
        return status;
    if (!self->task && cst_run()->cluster)
        cst_engine_expect(cst_run()->engine, self->port);
    if (!self->task && cst_engine_may_lack_room(cst_run()->engine, self->port))
        make_room(self);
    if (!self->task && cst_run()->cluster && cst_api_reduces(submission))
        status = cst_api_split(submission, &parts, &memory);
    if (status == CASTELL_OK)
        status = make(self, kind, memory ? &parts : submission, &task);
    if (status == CASTELL_OK && memory)
        cst_api_mark_parts(submission, task);
    cst_free(memory);
    if (status != CASTELL_OK)
        return status;
    if (ret_task) {
        ret_task->slot = task;
        ret_task->id = cst_task_handle(cst_task_after(task));
    }
    if (task->group)
        atomic_fetch_add_explicit(&task->group->submitted, 1,
                                  memory_order_relaxed);
    count(&self->port->desk.submitted_all);
    cst_tally_add(&self->port->tallies[cst_tally_index(task)].submitted, 1);
    send(self, task);
    return CASTELL_OK;
}

enum castell_status castell_kind_declare(struct castell_kind *kind)
{
    if (!kind || !kind->name || !*kind->name)
        return cst_fail(CASTELL_ERR_INVALID, "a task kind without a name");
    return cst_kinds_declare(kind);
}

enum castell_status
castell_kind_implement(const char *kind_name,
                       const struct castell_implementation *implementation)
{
    struct cst_run *run = cst_run();

    if (!kind_name || !implementation || !implementation->body)
        return cst_fail(CASTELL_ERR_INVALID,
                        "an implementation of %s without a body",
                        kind_name ? kind_name : "no task");
    if (!cst_api_is_built(implementation->device) ||
        implementation->device == CASTELL_MPI)
        return cst_fail(CASTELL_ERR_INVALID,
                        "implementation %s of task %s is for a device that is "
                        "not in this build",
                        implementation->name ? implementation->name : "?",
                        kind_name);
    return cst_kinds_implement(run ? cst_engine_kinds(run->engine) : NULL,
                               kind_name, implementation);
}
