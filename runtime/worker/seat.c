/*
 * The first desk, which is nobody's: a thread of the program sits there while
 * it waits, and is an executor so long. So there are never more tasks at a time
 * than cores, however many threads wait, and one executor is enough for a
 * program whose main thread waits for anything else.
 */
#include "body/threads.h"
#include "worker/worker_internal.h"

static struct cst_port *first_port(const struct cst_worker *worker)
{
    return cst_engine_port_at(worker->engine, 0);
}

bool cst_seat_try(struct cst_self *self, enum cst_serves how)
{
    struct cst_port *port = first_port(self->worker);

    if (!cst_desk_sit(&port->desk, how))
        return false;
    self->seat = port;
    cst_threads_use(1, false); /* whatever the thread had before */
    return true;
}

static void sleep_a_while(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;
    struct cst_desk *first = &first_port(self->worker)->desk;
    struct cst_desk *desk = &self->port->desk;

    cst_engine_count_asleep(engine, 1);
    cst_desk_doze(desk, wait);
    if (cst_wait_over(wait) || atomic_load(&first->serves) == CST_AWAY ||
        cst_engine_has_news(engine))
        cst_desk_rouse(desk);
    else
        cst_engine_sleep_deaf(engine, desk);
    cst_engine_count_asleep(engine, -1);
}

static bool wait_to_sit(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_engine *engine = self->worker->engine;
    uint32_t round = 0;

    cst_engine_poke(engine, self->port);
    while (!cst_seat_try(self, CST_SERVES)) {
        if (cst_wait_over(wait))
            return false;
        if (++round % CST_LOOK_EVERY == 0 && cst_engine_has_news(engine))
            cst_engine_poke(engine, self->port);
        if (round < CST_ROUNDS_MAX) {
            cst_pause();
            continue;
        }
        sleep_a_while(self, wait);
        round = 0;
    }
    return true;
}

bool cst_seat_take(struct cst_self *self, const struct cst_wait *wait)
{
    struct cst_worker *worker = self->worker;
    bool sits = cst_seat_try(self, CST_SERVES);

    if (!sits) {
        cst_engine_count_idle(worker->engine, 1);
        atomic_fetch_add(&worker->seekers, 1);
        sits = wait_to_sit(self, wait);
        atomic_fetch_sub(&worker->seekers, 1);
        cst_engine_count_idle(worker->engine, -1);
    }
    if (sits)
        cst_topo_bind(worker->topo, 0, 1);
    return sits;
}

void cst_seat_offer(struct cst_worker *worker)
{
    struct cst_engine *engine = worker->engine;
    uint32_t count;

    if (atomic_load(&worker->seekers) == 0)
        return;
    count = cst_engine_ports_count(engine);
    for (uint32_t i = worker->executors; i < count; i++)
        cst_desk_ring(&cst_engine_port_at(engine, i)->desk);
}

void cst_seat_leave(struct cst_self *self)
{
    struct cst_worker *worker = self->worker;
    struct cst_claim *claim = cst_desk_leave(&self->seat->desk);
    uint32_t leader;
    uint32_t count;

    self->seat = NULL;
    if (!claim) {
        cst_seat_offer(worker);
        return;
    }
    /* Its core counts as there until the claim ends, which may be at once. */
    leader = claim->leader;
    count = claim->count;
    if (atomic_fetch_add(&claim->arrived, 1) + 1 == count)
        cst_desk_ring(&cst_engine_port_at(worker->engine, leader)->desk);
}
