/*
 * The thread of a device: it takes the tasks of its desk in order, and does with
 * each what can be done. And what tasks on cores want of devices.
 */
#include "worker/hand.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "body/threads.h"

#include <stdio.h>
#include <string.h>

enum {
    SPINS = 50,          /* looks at an event before it sleeps */
    NAP_MAX_NS = 200000, /* between looks, and no more than a sixteenth of what
                            was waited already */
};

bool cst_hands_to_main(struct cst_self *self, struct cst_task *task, char *how,
                       size_t how_size)
{
    struct cst_depot *depot = cst_engine_depot(self->worker->engine);
    struct cst_access *accesses = cst_task_accesses(task);

    if (cst_device_has_memory(task->kind->choices[task->choice].device)) {
        const char *why =
            cst_depot_why_not(depot, task->kind->choices[task->choice].device);

        (void)snprintf(how, how_size, "no device is left for it: %s",
                       why ? why : "none has what it needs");
        return false;
    }
    if (cst_depot_is_empty(depot))
        return true;
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_hold *hold = &accesses[i].hold;
        struct cst_region region;

        if (cst_hand_is_passed(task, &accesses[i], i) ||
            (hold->epoch == CST_EPOCH_REDUCTION &&
             !(task->flags & CST_TASK_GUEST)))
            continue;
        cst_hand_region(&accesses[i], &region);
        if (cst_depot_to_main(depot, &region, hold->reads, hold->writes) ==
            CASTELL_OK)
            continue;
        (void)snprintf(how, how_size, "%s", castell_error_text());
        return false;
    }
    return true;
}

/* ---- The thread ---------------------------------------------------------- */

static bool take(struct cst_hand *hand)
{
    struct cst_desk *desk = &hand->self->port->desk;
    bool any = false;

    while (hand->count < CST_AT_HAND) {
        struct cst_task *task = cst_desk_take(desk);
        struct cst_at_hand *at = cst_hand_nth(hand, hand->count);

        if (!task)
            break;
        any = true;
        at->stage = CST_STAGE_TAKEN;
        at->task = task;
        at->tries = 0;
        at->share = cst_constraint_share(&task->extra->constraint);
        at->status = CASTELL_OK;
        if (!(task->flags & CST_TASK_GUEST))
            task->attempt = 0;
        hand->count++;
    }
    return any;
}

/* One thing that can be done now: what is over first, then what can run. */
static bool step(struct cst_hand *hand)
{
    for (uint32_t i = 0; i < hand->count; i++)
        if (cst_hand_nth(hand, i)->stage == CST_STAGE_LAUNCHED &&
            cst_hand_is_over(hand, cst_hand_nth(hand, i))) {
            cst_hand_complete(hand, i);
            return true;
        }
    if (take(hand))
        return true;
    for (uint32_t i = 0; i < hand->count; i++)
        if (cst_hand_nth(hand, i)->stage == CST_STAGE_TAKEN) {
            if (cst_hand_acquire(hand, i))
                return true;
            break;
        }
    for (uint32_t i = 0; i < hand->count; i++) {
        struct cst_at_hand *at = cst_hand_nth(hand, i);

        if (at->stage != CST_STAGE_ACQUIRED)
            continue;
        if (!cst_hand_may_launch(hand, at))
            break; /* in order: else the whole might wait for parts for ever */
        cst_hand_launch(hand, at);
        return true;
    }
    return false;
}

/* Nothing to do: until there is work, or the run ends. */
static void sleep_long(struct cst_hand *hand)
{
    struct cst_engine *engine = hand->self->worker->engine;
    struct cst_desk *desk = &hand->self->port->desk;

    cst_engine_count_idle(engine, 1);
    cst_engine_count_asleep(engine, 1);
    cst_desk_doze(desk, NULL);
    if (cst_desk_work_count(desk) > 0 || cst_engine_has_news(engine) ||
        atomic_load(&hand->self->worker->stop)) {
        cst_desk_rouse(desk);
        cst_engine_poke(engine, hand->self->port);
    } else {
        cst_desk_sleep(desk);
    }
    cst_engine_count_asleep(engine, -1);
    cst_engine_count_idle(engine, -1);
}

/* Something runs on the device: look again soon, or when there is work. */
static void nap(struct cst_hand *hand, uint64_t since_ns)
{
    struct cst_desk *desk = &hand->self->port->desk;
    uint64_t ns = (cst_clock_ns() - since_ns) / 16;

    cst_desk_doze(desk, NULL);
    if (cst_desk_work_count(desk) == 0 || hand->count == CST_AT_HAND)
        cst_futex_wait_for(&desk->asleep, 1, ns < NAP_MAX_NS ? ns : NAP_MAX_NS);
    cst_desk_rouse(desk);
}

/* The device has something behind what runs now: so it is enough to be back when
   that ends. What it says then is seen by cst_hand_is_over(). */
static bool wait_for_oldest(struct cst_hand *hand)
{
    const struct cst_device_ops *ops = hand->device->ops;

    if (hand->launched < 2 || hand->sharing > 0)
        return false;
    for (uint32_t i = 0; i < hand->count; i++) {
        const struct cst_at_hand *at = cst_hand_nth(hand, i);

        if (at->stage == CST_STAGE_LAUNCHED && at->event)
            return ops->event_wait(hand->device->handle, at->event) ==
                   CASTELL_OK;
    }
    return false;
}

static void serve(struct cst_hand *hand)
{
    uint32_t round = 0;
    uint64_t since_ns = 0;

    while (!atomic_load(&hand->self->worker->stop) || hand->count > 0) {
        if (step(hand)) {
            round = 0;
            continue;
        }
        if (round++ == 0)
            since_ns = cst_clock_ns();
        if (hand->count == 0)
            sleep_long(hand);
        else if (round < SPINS)
            cst_pause();
        else if (!wait_for_oldest(hand))
            nap(hand, since_ns);
    }
}

struct start {
    struct cst_worker *worker;
    uint32_t number;
};

static void *run_hand(void *argument)
{
    struct start start = *(struct start *)argument;
    struct cst_self *self = cst_self();
    struct cst_engine *engine = start.worker->engine;
    struct cst_hand *hand = cst_zalloc(sizeof(*hand));
    uint32_t index = start.worker->executors + start.number;

    cst_free(argument);
    if (!hand)
        cst_bug(__FILE__, __LINE__, "no memory for the thread of a device");
    self->run = start.worker->run;
    self->worker = start.worker;
    self->port = cst_engine_port_at(engine, index);
    self->stack_low = cst_worker_stack_low();
    if (start.worker->trace)
        cst_trace_thread(start.worker->trace, index);
    cst_topo_bind_near(start.worker->topo, start.number);
    cst_threads_use(1, true);
    hand->self = self;
    hand->depot = cst_engine_depot(engine);
    hand->device = cst_depot_at(hand->depot, start.number);
    serve(hand);
    for (int i = 0; i < CST_AT_HAND; i++) {
        cst_free(hand->ring[i].uses);
        cst_free(hand->ring[i].buffers);
        cst_free(hand->ring[i].pitches);
    }
    cst_free(hand);
    return NULL;
}

enum castell_status cst_hands_start(struct cst_worker *worker)
{
    uint32_t count = cst_depot_count(cst_engine_depot(worker->engine));
    enum castell_status status = CASTELL_OK;

    worker->hands = cst_zalloc((count + 1) * sizeof(*worker->hands));
    if (!worker->hands)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for devices");
    while (worker->hands_count < count && status == CASTELL_OK) {
        struct start *start = cst_alloc(sizeof(*start));

        if (!start)
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for devices");
        *start = (struct start){worker, worker->hands_count};
        status = cst_thread_start("castell-device", run_hand, start,
                                  &worker->hands[worker->hands_count]);
        if (status == CASTELL_OK)
            worker->hands_count++;
        else
            cst_free(start);
    }
    return status;
}

void cst_hands_stop(struct cst_worker *worker)
{
    for (uint32_t i = 0; i < worker->hands_count; i++)
        cst_desk_ring(
            &cst_engine_port_at(worker->engine, worker->executors + i)->desk);
    for (uint32_t i = 0; i < worker->hands_count; i++)
        (void)pthread_join(worker->hands[i], NULL);
    cst_free(worker->hands);
    worker->hands = NULL;
}
