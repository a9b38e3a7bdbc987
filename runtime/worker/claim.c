/*
 * Several cores for one task, and lending what a task holds while its body
 * waits.
 *
 * Each executor of the block arrives when it has ended what it runs; the last
 * one rings the leader, who runs the task on all their cores while they sleep.
 */
#include "base/fail.h"
#include "body/threads.h"
#include "worker/worker_internal.h"

enum { ROUNDS_MAX = 2000 }; /* of spinning for the others, before it sleeps */

static struct cst_desk *desk_at(const struct cst_self *self, uint32_t index)
{
    return &cst_engine_port_at(self->worker->engine, index)->desk;
}

/* ---- Coming together ---------------------------------------------------- */

static bool all_here(struct cst_claim *claim)
{
    return atomic_load_explicit(&claim->arrived, memory_order_acquire) ==
           claim->count;
}

/* Not the leader: away until the claim is over. The claim's address says
   nothing: it may be made again, of the same task. */
static void stand_by(struct cst_desk *desk, uint32_t ended)
{
    while (atomic_load(&desk->claims_ended) == ended) {
        cst_desk_doze(desk, NULL);
        if (atomic_load(&desk->claims_ended) == ended)
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

/* Arrive. Returns whether this thread is the leader, and all are here; else
   the claim is over. */
static bool join(struct cst_self *self, struct cst_claim *claim)
{
    struct cst_desk *desk = &self->seat->desk;
    uint32_t ended = atomic_load(&desk->claims_ended);
    uint32_t leader = claim->leader;
    uint32_t count = claim->count;

    /* Unless it leads, the claim may be gone as soon as it has arrived. */
    if (leader == desk->index) {
        atomic_fetch_add(&claim->arrived, 1);
        wait_for_all(desk, claim);
        return true;
    }
    if (atomic_fetch_add(&claim->arrived, 1) + 1 == count)
        cst_desk_ring(desk_at(self, leader));
    stand_by(desk, ended);
    return false;
}

void cst_claim_end(struct cst_self *self, struct cst_claim *claim)
{
    uint32_t first = claim->first;
    uint32_t end = first + claim->count;

    for (uint32_t i = first; i < end; i++) {
        struct cst_desk *desk = desk_at(self, i);

        /* The last makes a new claim possible. */
        atomic_store(&desk->claim, NULL);
        atomic_fetch_add(&desk->claims_ended, 1);
        if (atomic_fetch_and(&desk->serves, ~(uint32_t)CST_CLAIMED) ==
            CST_CLAIMED)
            cst_seat_offer(self->worker);
        else if (!self->seat || desk != &self->seat->desk)
            cst_desk_ring(desk);
    }
}

static void use_cores(struct cst_self *self, uint32_t first, uint32_t count)
{
    cst_topo_bind(self->worker->topo, first, count);
    cst_threads_use(count, true);
}

static void use_claimed(struct cst_self *self, const struct cst_claim *claim)
{
    use_cores(self, claim->core, claim->task->extra->constraint.cores);
}

/* Back to the one core of its seat; to any, where it has none. */
static void use_own_core(struct cst_self *self)
{
    if (self->seat) {
        use_cores(self, self->seat->desk.index, 1);
    } else {
        cst_threads_use(1, true);
        cst_topo_unbind(self->worker->topo);
    }
}

void cst_claim_attend(struct cst_self *self, struct cst_claim *claim)
{
    struct cst_task *task = claim->task;

    if (!join(self, claim))
        return;
    use_claimed(self, claim);
    task->state = CST_TASK_RUNNING;
    cst_worker_run(self, task); /* ends the claim when the body has returned */
    use_cores(self, self->seat->desk.index, 1);
}

/* ---- Lending ------------------------------------------------------------ */

/* Whose resources the thread uses: of the task whose body it runs, or of one
   whose body runs that one as an undeferred task. */
static struct cst_task *holder(const struct cst_self *self)
{
    struct cst_task *task = self->task;

    while (task && (task->flags & (CST_TASK_ADMITTED | CST_TASK_INLINE)) ==
                       CST_TASK_INLINE)
        task = task->parent;
    return task && (task->flags & CST_TASK_ADMITTED) ? task : NULL;
}

struct cst_task *cst_worker_lend(struct cst_self *self)
{
    struct cst_task *task = holder(self);

    if (!task)
        return NULL;
    if (task->flags & CST_TASK_GATHERS) {
        use_own_core(self);
        cst_claim_end(self, &task->extra->claim);
    }
    cst_engine_tell(self->worker->engine, self->port, CST_NEWS_LENDS, task);
    return task;
}

/* A claim came while this thread waits to go on with `task`. */
static void attend_waiting(struct cst_self *self, struct cst_claim *claim,
                           struct cst_task *task)
{
    struct cst_task *other = claim->task;

    if (!join(self, claim))
        return;
    if (other == task) {
        use_claimed(self, claim);
        atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        return;
    }
    cst_claim_end(self, claim);
    cst_engine_tell(self->worker->engine, self->port, CST_NEWS_REFUSED, other);
}

/* Wait until the task may have what it needs, and take it. */
static void regain(struct cst_self *self, struct cst_task *task)
{
    struct cst_engine *engine = self->worker->engine;
    uint64_t go = atomic_load_explicit(&task->go, memory_order_relaxed);
    struct cst_wait wait = {&task->go, go + 1};
    uint32_t round = 0;

    cst_engine_tell(engine, self->port, CST_NEWS_REGAINS, task);
    cst_engine_poke(engine, self->port);
    while (!cst_wait_over(&wait)) {
        struct cst_claim *claim =
            self->seat ? atomic_load(&self->seat->desk.claim) : NULL;

        if (claim)
            attend_waiting(self, claim, task);
        else if (++round % CST_LOOK_EVERY == 0 && cst_engine_has_news(engine))
            cst_engine_poke(engine, self->port);
        else if (round < CST_ROUNDS_MAX)
            cst_pause();
        else
            cst_serve_sleep(self, &wait, false);
    }
    if ((task->flags & CST_TASK_GATHERS) && !self->seat) {
        struct cst_claim *claim = &task->extra->claim;

        wait_for_all(&self->port->desk, claim);
        use_claimed(self, claim);
    }
}

void cst_worker_regain(struct cst_self *self, struct cst_task *task)
{
    regain(self, task);
    if (task != self->task) /* that one goes on, which may have fewer */
        cst_threads_use(castell_task_cores(), false);
}

/*
 * The block of desks that this thread's own is to be in, as its leader. A
 * thread of the program without a seat leads any block from outside: the seat
 * for such threads may be taken by one that waits for this very task.
 */
static void choose_block(struct cst_self *self, struct cst_task *task)
{
    struct cst_claim *claim = &task->extra->claim;
    uint32_t executors = self->worker->executors;
    uint32_t count = task->extra->constraint.cores;
    uint32_t index;

    if (!self->seat) {
        claim->leader = self->port->desk.index;
        return;
    }
    index = self->seat->desk.index;
    claim->leader = index;
    claim->core = index / count * count;
    if (claim->core + count > executors)
        claim->core = executors - count;
}

/* It needs no more than its thread has: one core, perhaps of several. */
static void run_within(struct cst_self *self, struct cst_task *task)
{
    uint32_t cores = castell_task_cores();

    cst_threads_use(1, false);
    cst_worker_run(self, task);
    cst_threads_use(cores, false);
}

void cst_worker_run_inline(struct cst_self *self, struct cst_task *task)
{
    bool gathers = (task->flags & CST_TASK_GATHERS) != 0;
    struct cst_task *lent;

    if (!(task->flags & CST_TASK_CONSTRAINED) &&
        !(task->extra && task->extra->outside)) {
        run_within(self, task);
        return;
    }
    lent = cst_worker_lend(self);
    if (gathers)
        choose_block(self, task);
    regain(self, task);
    cst_worker_run(self, task);
    if (gathers)
        use_own_core(self);
    if (lent)
        cst_worker_regain(self, lent);
}
