/*
 * Several cores for one task. Each executor of the block arrives when it has
 * ended what it runs; the last one rings the leader, who runs the task on all
 * their cores while they sleep.
 */
#include "device/threads.h"
#include "worker/worker_internal.h"

enum { ROUNDS_MAX = 2000 }; /* of spinning before it sleeps */

static bool all_here(struct cst_claim *claim)
{
    return atomic_load_explicit(&claim->arrived, memory_order_acquire) ==
           claim->count;
}

static bool is_on(struct cst_desk *desk, uint32_t number)
{
    uint32_t now;

    return cst_desk_claim(desk, &now) && now == number;
}

/* Not the leader: away until the claim of that number is over. */
static void stand_by(struct cst_desk *desk, uint32_t number)
{
    while (is_on(desk, number)) {
        cst_desk_doze(desk, NULL);
        if (is_on(desk, number))
            cst_desk_sleep(desk);
        else
            cst_desk_rouse(desk);
    }
}

static void wait_for_all(struct cst_desk *desk, struct cst_claim *claim)
{
    for (int round = 0; !all_here(claim); round++) {
        if (round < ROUNDS_MAX) {
            cst_pause();
            continue;
        }
        cst_desk_doze(desk, NULL);
        if (all_here(claim))
            cst_desk_rouse(desk);
        else
            cst_desk_sleep(desk);
    }
}

void cst_claim_end(struct cst_self *self, struct cst_claim *claim)
{
    uint32_t first = claim->first;
    uint32_t end = first + claim->count;

    for (uint32_t i = first; i < end; i++) {
        struct cst_desk *desk =
            &cst_engine_port_at(self->worker->engine, i)->desk;
        uint32_t stood_in = CST_STOOD_IN;

        (void)atomic_compare_exchange_strong(&desk->serves, &stood_in,
                                             CST_AWAY);
        atomic_store(&desk->claim, NULL);
        if (desk != &self->port->desk)
            cst_desk_ring(desk);
    }
}

void cst_claim_attend(struct cst_self *self)
{
    const struct cst_topo *topo = self->worker->topo;
    struct cst_desk *desk = &self->port->desk;
    uint32_t number;
    struct cst_claim *claim = cst_desk_claim(desk, &number);
    struct cst_task *task;
    uint32_t leader, count;

    if (!claim)
        return;
    if (!cst_desk_join(desk, number)) { /* main came back while it ends */
        stand_by(desk, number);
        return;
    }
    /* Until its last core has arrived, a claim stays as it is. */
    task = claim->task;
    leader = claim->leader;
    count = claim->count;
    if (atomic_fetch_add(&claim->arrived, 1) + 1 == count &&
        leader != desk->index)
        cst_desk_ring(&cst_engine_port_at(self->worker->engine, leader)->desk);
    if (leader != desk->index) {
        stand_by(desk, number);
        return;
    }
    wait_for_all(desk, claim);
    cst_topo_bind(topo, claim->first, count);
    cst_threads_use(count, true);
    if (task->state == CST_TASK_RUNNING) { /* it goes on after a wait */
        atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        return;
    }
    task->state = CST_TASK_RUNNING;
    cst_worker_run(self, task); /* ends the claim when the body has returned */
    cst_topo_bind(topo, desk->index, 1);
    cst_threads_use(1, true);
}

bool cst_worker_lend(struct cst_self *self)
{
    struct cst_task *task = self->task;

    if (!task || !(task->flags & CST_TASK_ADMITTED))
        return false;
    if (task->flags & CST_TASK_GATHERS) {
        cst_claim_end(self, &task->extra->claim);
        cst_topo_bind(self->worker->topo, self->port->desk.index, 1);
        cst_threads_use(1, true);
    }
    cst_engine_tell(self->worker->engine, self->port, CST_NEWS_LENDS, task);
    return true;
}

void cst_worker_regain(struct cst_self *self)
{
    struct cst_task *task = self->task;
    struct cst_wait wait;

    wait.word = &task->go;
    wait.value = atomic_load(&task->go) + 1;
    cst_engine_tell(self->worker->engine, self->port, CST_NEWS_REGAINS, task);
    cst_worker_wait(self, &wait);
}
