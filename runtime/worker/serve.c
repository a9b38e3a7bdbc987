/*
 * What a thread does that has nothing else to do: take tasks and run them, look
 * for more, and sleep when there are none.
 */
#include "base/fail.h"
#include "device/threads.h"
#include "worker/worker_internal.h"

#include <string.h>

enum {
    LOOK_EVERY = 32,    /* rounds of waiting before others' desks are read */
    ROUNDS_MAX = 20000, /* before it sleeps: some 100 us */
};

static bool serves(const struct cst_self *self)
{
    return self->port->desk.index < self->worker->executors;
}

/* A task, without disturbing anybody unless `look`. */
static struct cst_task *find(struct cst_self *self, bool look)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_task *task = cst_desk_take(&self->port->desk);

    if (task || !look)
        return task;
    if (cst_engine_has_news(engine)) {
        cst_engine_poke(engine, self->port);
        task = cst_desk_take(&self->port->desk);
    }
    return task ? task : cst_engine_steal(engine, self->port);
}

/* Is there anything that a thread must not sleep for? */
static bool must_stay(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;

    if (cst_wait_over(wait) || cst_engine_has_news(engine) ||
        atomic_load(&self->port->desk.claim))
        return true;
    for (uint32_t i = 0; i < self->worker->executors; i++)
        if (cst_desk_work_count(&cst_engine_port_at(engine, i)->desk) > 0)
            return true;
    return false;
}

static void sleep_a_while(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = &self->port->desk;

    cst_engine_count_asleep(engine, 1);
    cst_desk_doze(desk, wait);
    if (must_stay(self, wait))
        cst_desk_rouse(desk);
    else
        cst_desk_sleep(desk);
    cst_engine_count_asleep(engine, -1);
}

/* Look for a task until there is one, or the wait is over: then NULL. */
static struct cst_task *look(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *desk = &self->port->desk;
    struct cst_task *task;
    uint32_t round = 0;

    atomic_store_explicit(&desk->hungry, true, memory_order_relaxed);
    cst_trace_event(self->worker->trace, CST_TRACE_IDLE_BEGIN, 0, 0, 0);
    cst_engine_count_idle(engine, 1);
    cst_engine_poke(engine, self->port);
    while (!(task = find(self, round % LOOK_EVERY == 0))) {
        if (cst_wait_over(wait) ||
            atomic_load_explicit(&desk->claim, memory_order_acquire))
            break;
        if (++round < ROUNDS_MAX) {
            cst_pause();
            continue;
        }
        sleep_a_while(self, wait);
        round = 0;
    }
    cst_engine_count_idle(engine, -1);
    cst_trace_event(self->worker->trace, CST_TRACE_IDLE_END, 0, 0, 0);
    atomic_store_explicit(&desk->hungry, false, memory_order_relaxed);
    return task;
}

static void serve(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_desk *desk = &self->port->desk;

    while (!cst_wait_over(wait)) {
        struct cst_task *task;

        if (atomic_load_explicit(&desk->claim, memory_order_acquire)) {
            cst_claim_attend(self);
            continue;
        }
        task = cst_desk_take(desk);
        if (!task)
            task = look(self, wait);
        if (task)
            cst_worker_run(self, task);
    }
}

void cst_serve(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_task *below = self->task;
    struct cst_group *group = self->group;
    struct cst_escape escape;
    void *outer = self->escape;

    self->group = NULL;
    self->escape = &escape;
    if (setjmp(escape.point) != 0) {
        struct cst_self *again = cst_self();

        cst_run_exited(again, escape.task, escape.exit_status);
    }
    /* Nothing here changed since setjmp() but through self. */
    serve(cst_self(), wait);
    self->escape = outer;
    self->group = group;
    self->task = below;
}

/* ---- Waiting in a body or in main --------------------------------------- */

/* The stack is nearly used up by bodies that wait on top of one another: a
   thread with a new one goes on in this one's place. */
static void *deputy(void *argument)
{
    const struct cst_wait *wait = ((void **)argument)[0];
    struct cst_worker *worker = ((void **)argument)[1];
    struct cst_self *self;

    if (cst_worker_enter(worker, &self) == CASTELL_OK)
        cst_serve(self, wait);
    return NULL;
}

static bool wait_by_deputy(struct cst_self *self, const struct cst_wait *wait)
{
    void *argument[2] = {(void *)(uintptr_t)wait, self->worker};
    pthread_t thread;

    if (pthread_create(&thread, NULL, deputy, argument) != 0)
        return false;
    (void)pthread_join(thread, NULL);
    return true;
}

static void sit_down(struct cst_self *self)
{
    uint32_t away = CST_AWAY;

    while (!atomic_compare_exchange_strong(&self->port->desk.serves, &away,
                                           CST_SERVES)) {
        /* Its core is lent to a task of several: let that end. */
        away = CST_AWAY;
        cst_engine_poke(self->worker->engine, self->port);
        cst_pause();
    }
}

static void stand_up(struct cst_self *self)
{
    struct cst_desk *desk = &self->port->desk;
    struct cst_claim *claim;
    uint32_t number;

    atomic_store(&desk->serves, CST_AWAY);
    claim = cst_desk_claim(desk, &number);
    /* Not for one that main has been part of, and that just ends. */
    if (claim && atomic_load(&desk->joined) != number &&
        cst_desk_stand_in(desk) && cst_desk_join(desk, number)) {
        uint32_t leader = claim->leader;

        atomic_fetch_add(&claim->arrived, 1);
        cst_desk_ring(&cst_engine_port_at(self->worker->engine, leader)->desk);
    }
}

void cst_worker_wait(struct cst_self *self, const struct cst_wait *wait)
{
    /* Also in a body that main runs itself, undeferred. */
    bool main = self->port->desk.index == 0 &&
                atomic_load(&self->port->desk.serves) != CST_SERVES;
    char here;

    if (cst_wait_over(wait))
        return;
    if (&here < self->stack_low && wait_by_deputy(self, wait)) {
        while (!cst_wait_over(wait))
            cst_pause();
        return;
    }
    if (main) {
        sit_down(self);
        cst_topo_bind(self->worker->topo, 0, 1);
        cst_threads_use(1, false);
    }
    cst_serve(self, wait);
    if (main) {
        stand_up(self);
        cst_topo_unbind(self->worker->topo);
    }
    (void)serves;
}
