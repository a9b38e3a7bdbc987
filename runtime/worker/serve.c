/*
 * What a thread does that has nothing else to do: take tasks and run them, look
 * for more, and sleep when there are none.
 */
#include "base/clock.h"
#include "base/thread.h"
#include "body/threads.h"
#include "worker/worker_internal.h"

#include <sched.h>
#include <string.h>

enum { HELP_TASKS = 64 }; /* run by a submitter at a time */

static __thread uint64_t yielded_ns; /* when a look began last */

/* A task, without disturbing anybody unless `look`. */
static struct cst_task *find(struct cst_self *self, bool look)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = &self->seat->desk;
    struct cst_task *task = cst_desk_take(desk);

    if (task || !look)
        return task;
    if (cst_engine_has_mail(engine) || cst_engine_has_news(engine) ||
        cst_engine_is_due(engine)) {
        cst_engine_poke(engine, self->port);
        task = cst_desk_take(desk);
    }
    return task ? task : cst_engine_steal(engine, self->seat);
}

static bool has_work(const struct cst_worker *worker)
{
    for (uint32_t i = 0; i < worker->executors; i++)
        if (cst_desk_work_count(&cst_engine_port_at(worker->engine, i)->desk) >
            0)
            return true;
    return false;
}

void cst_serve_sleep(struct cst_self *self, const struct cst_wait *wait,
                     bool works)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = self->seat ? &self->seat->desk : &self->port->desk;

    cst_engine_count_asleep(engine, 1);
    cst_desk_doze(desk, wait);
    if (cst_wait_over(wait) || cst_engine_has_news(engine) ||
        atomic_load(&desk->claim) || (works && has_work(self->worker)))
        cst_desk_rouse(desk);
    else if (works)
        cst_engine_sleep(engine, self->port, desk);
    else
        cst_engine_sleep_deaf(engine, desk);
    cst_engine_count_asleep(engine, -1);
}

/*
 * Who was away for long may have had to wake another process, which the system
 * then likes to put on the core of who woke it, as it puts us on that of who
 * woke us: who has nothing to do at once lets the other have it, rather than
 * when it has waited for a while. More often it would only cost time.
 */
static bool yields_early(const struct cst_engine *engine)
{
    uint64_t now = cst_clock_ns();
    bool yields = cst_engine_is_many(engine) && now - yielded_ns > CST_AWAY_NS;

    yielded_ns = now;
    return yields;
}

static bool is_to_yield(const struct cst_engine *engine, uint32_t round)
{
    return round % CST_YIELD_EVERY == 0 || (round == 1 && yields_early(engine));
}

/* Look for a task until there is one, or the wait is over: then NULL. */
static struct cst_task *look(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = &self->seat->desk;
    struct cst_task *task;
    uint32_t round = 0;

    atomic_store_explicit(&desk->hungry, true, memory_order_relaxed);
    cst_trace_event(self->worker->trace, CST_TRACE_IDLE_BEGIN, 0, 0, 0);
    cst_engine_count_idle(engine, 1);
    cst_engine_want(engine, self->port);
    while (!(task = find(self, round % CST_LOOK_EVERY == 0 ||
                                   cst_engine_has_mail(engine)))) {
        if (cst_wait_over(wait) ||
            atomic_load_explicit(&desk->claim, memory_order_acquire))
            break;
        if (++round < CST_ROUNDS_MAX) {
            if (is_to_yield(engine, round))
                (void)sched_yield();
            cst_pause();
            continue;
        }
        cst_serve_sleep(self, wait, true);
        round = 0;
    }
    cst_engine_count_idle(engine, -1);
    cst_trace_event(self->worker->trace, CST_TRACE_IDLE_END, 0, 0, 0);
    atomic_store_explicit(&desk->hungry, false, memory_order_relaxed);
    return task;
}

static void serve(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_desk *desk = &self->seat->desk;

    while (!cst_wait_over(wait)) {
        struct cst_claim *claim =
            atomic_load_explicit(&desk->claim, memory_order_acquire);
        struct cst_task *task;

        if (claim) {
            cst_claim_attend(self, claim);
            continue;
        }
        task = cst_desk_take(desk);
        if (!task)
            task = look(self, wait);
        if (task)
            cst_worker_run(self, task);
    }
}

/* Run what others have more of than they can soon do. */
static void help(struct cst_self *self)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = &self->seat->desk;

    for (int i = 0; i < HELP_TASKS && !atomic_load(&desk->claim); i++) {
        struct cst_task *task = cst_engine_steal_spare(engine, self->seat);

        if (!task)
            return;
        cst_worker_run(self, task);
    }
}

/* Serve until the wait is over; without one, help. */
static void serve_or_help(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_task *below = self->task;
    struct cst_frame *frames = self->frames;
    struct cst_escape escape;
    void *outer = self->escape;

    self->escape = &escape;
    if (setjmp(escape.point) != 0)
        cst_run_exited(cst_self(), escape.task, escape.exit_status, below,
                       frames);
    /* Nothing here changed since setjmp() but through self. */
    if (wait)
        serve(cst_self(), wait);
    else
        help(cst_self());
    self->escape = outer;
}

void cst_serve(struct cst_self *self, const struct cst_wait *wait)
{
    serve_or_help(self, wait);
}

void cst_worker_help(struct cst_self *self)
{
    if (self->seat || !cst_seat_try(self, CST_HELPS))
        return;
    serve_or_help(self, NULL);
    cst_seat_leave(self);
}

/* ---- Waiting in a body or in main --------------------------------------- */

struct deputy {
    struct cst_self self;
    const struct cst_wait *wait;
};

/* The stack is nearly used up by bodies that wait on top of one another: a
   thread with a new one goes on in this one's place. */
static void *deputise(void *argument)
{
    const struct deputy *deputy = argument;
    struct cst_self *self = cst_self();

    *self = deputy->self;
    self->stack_low = cst_worker_stack_low();
    cst_threads_use(1, true);
    cst_serve(self, deputy->wait);
    memset(self, 0, sizeof(*self));
    return NULL;
}

static bool wait_by_deputy(struct cst_self *self, const struct cst_wait *wait)
{
    struct deputy deputy = {*self, wait};
    pthread_t thread;

    if (cst_thread_start("castell-deputy", deputise, &deputy, &thread) !=
        CASTELL_OK)
        return false;
    (void)pthread_join(thread, NULL);
    return true;
}

void cst_worker_wait(struct cst_self *self, const struct cst_wait *wait)
{
    bool sits = self->seat == NULL;
    char here;

    if (cst_wait_over(wait) || (sits && !cst_seat_take(self, wait)))
        return;
    if (&here >= self->stack_low || !wait_by_deputy(self, wait))
        cst_serve(self, wait);
    if (sits) {
        cst_seat_leave(self);
        cst_topo_unbind(self->worker->topo);
    }
}
