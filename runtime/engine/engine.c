#include "engine/engine.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    NEWS_BATCH = 256, /* of one desk before the next is looked at */
    NEWS_QUIET = 32,  /* told without a try of the baton */
    PASSES_MAX = 4,   /* over the desks, by one thread that has other work */
};

/* ---- Life --------------------------------------------------------------- */

enum castell_status cst_engine_create(const struct cst_engine_options *options,
                                      struct cst_engine **ret_engine)
{
    struct cst_engine *engine = cst_alloc_aligned(
        CST_LINE, (sizeof(*engine) + CST_LINE - 1) / CST_LINE * CST_LINE);
    enum castell_status status;

    if (!engine)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the engine");
    memset(engine, 0, sizeof(*engine));
    engine->limits = options->limits;
    engine->tasks_max = options->tasks_max;
    engine->tasks_memory = options->tasks_memory;
    engine->trace = options->trace;
    engine->memory_free = options->limits->memory;
    engine->gpus_free = UINT64_C(1000) * options->limits->gpus;
    engine->storage_free = options->limits->storage;
    engine->root.state = CST_TASK_RUNNING;
    engine->guests.state = CST_TASK_RUNNING;
    cst_desk_setup();
    engine->fences = cst_desk_needs_fence();
    cst_lock_init(&engine->ports_lock, CST_RANK_PORTS, "ports");
    cst_lock_init(&engine->groups_lock, CST_RANK_GROUPS, "groups");
    cst_ready_init(&engine->ready);
    cst_engine_init_folds(engine);
    status = cst_kinds_create(options->limits, &engine->kinds);
    if (status != CASTELL_OK)
        goto fail;
    status = cst_data_create(&engine->data);
    if (status != CASTELL_OK)
        goto fail_kinds;
    if (options->depot)
        status = cst_engine_init_lines(engine, options->depot);
    if (status == CASTELL_OK && options->graph)
        status = cst_picture_open(options->graph, &engine->picture);
    if (status != CASTELL_OK)
        goto fail_data;
    *ret_engine = engine;
    return CASTELL_OK;

fail_data:
    cst_engine_release_lines(engine);
    cst_data_destroy(engine->data);
fail_kinds:
    cst_kinds_destroy(engine->kinds);
fail:
    cst_free(engine);
    return status;
}

void cst_engine_destroy(struct cst_engine *engine)
{
    if (!engine)
        return;
    cst_picture_close(engine->picture);
    cst_engine_release_lines(engine);
    cst_engine_drop_reductions(engine);
    cst_pool_release(engine);
    cst_data_destroy(engine->data);
    cst_kinds_destroy(engine->kinds);
    cst_ready_release(&engine->ready);
    cst_free(engine->blames);
    for (uint32_t i = 0; i < cst_engine_ports_count(engine); i++)
        cst_free(engine->ports[i]);
    cst_groups_release(engine);
    cst_lock_release(&engine->ports_lock);
    cst_lock_release(&engine->groups_lock);
    cst_free(engine);
}

/* A port whose thread has ended, or the first that was never used. */
static uint32_t unused_locked(struct cst_engine *engine)
{
    uint32_t count =
        atomic_load_explicit(&engine->ports_count, memory_order_relaxed);
    uint32_t index = 0;

    while (index < count && atomic_load_explicit(&engine->ports[index]->used,
                                                 memory_order_acquire))
        index++;
    return index;
}

enum castell_status cst_engine_port(struct cst_engine *engine,
                                    struct cst_port **ret_port)
{
    struct cst_port *port = cst_alloc_aligned(
        CST_LINE, (sizeof(*port) + CST_LINE - 1) / CST_LINE * CST_LINE);
    uint32_t index;

    if (!port)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a thread");
    memset(port, 0, sizeof(*port));
    cst_lock_take(&engine->ports_lock);
    index = unused_locked(engine);
    if (index <
        atomic_load_explicit(&engine->ports_count, memory_order_relaxed)) {
        cst_free(port);
        port = engine->ports[index];
        atomic_store_explicit(&port->used, true, memory_order_relaxed);
    } else if (index < CST_PORTS_MAX) {
        atomic_store_explicit(&port->used, true, memory_order_relaxed);
        cst_desk_init(&port->desk, index);
        engine->ports[index] = port;
        atomic_store_explicit(&engine->ports_count, index + 1,
                              memory_order_release);
    }
    cst_lock_drop(&engine->ports_lock);
    if (index == CST_PORTS_MAX) {
        cst_free(port);
        return cst_fail(CASTELL_ERR_LIMIT,
                        "more than %d threads submit or run tasks",
                        CST_PORTS_MAX);
    }
    *ret_port = port;
    return CASTELL_OK;
}

struct cst_port *cst_engine_port_at(struct cst_engine *engine, uint32_t index)
{
    return engine->ports[index];
}

uint32_t cst_engine_ports_count(struct cst_engine *engine)
{
    return atomic_load_explicit(&engine->ports_count, memory_order_acquire);
}

struct cst_kinds *cst_engine_kinds(struct cst_engine *engine)
{
    return engine->kinds;
}

const struct cst_limits *cst_engine_limits(struct cst_engine *engine)
{
    return engine->limits;
}

struct cst_trace *cst_engine_trace(struct cst_engine *engine)
{
    return engine->trace;
}

struct cst_task *cst_engine_root(struct cst_engine *engine)
{
    return &engine->root;
}

/* ---- The baton ---------------------------------------------------------- */

static bool baton_try(struct cst_engine *engine)
{
    return atomic_load_explicit(&engine->baton, memory_order_relaxed) == 0 &&
           atomic_exchange_explicit(&engine->baton, 1, memory_order_acquire) ==
               0;
}

static void handle(struct cst_engine *engine, uintptr_t news)
{
    struct cst_task *task =
        (struct cst_task *)(news & ~(uintptr_t)CST_NEWS_MASK); /* NOLINT */

    switch ((enum cst_news)(news & CST_NEWS_MASK)) {
    case CST_NEWS_SUBMITTED:
        cst_engine_submitted_news(engine, task);
        break;
    case CST_NEWS_DONE:
        cst_engine_done_news(engine, task);
        break;
    case CST_NEWS_LENDS:
        cst_engine_unadmit(engine, task);
        break;
    case CST_NEWS_REGAINS:
        cst_engine_readmit(engine, task);
        break;
    case CST_NEWS_REFUSED:
        cst_engine_put_back(engine, task);
        break;
    case CST_NEWS_RETURNED:
        cst_engine_returned_news(engine, task);
        break;
    }
    (void)cst_engine_settle(engine);
}

/* Deal with what one desk has to say; returns whether it said anything. */
static bool read_desk(struct cst_engine *engine, struct cst_port *port)
{
    struct cst_desk *desk = &port->desk;
    uint32_t head =
        atomic_load_explicit(&desk->news_head, memory_order_relaxed);
    uint32_t count =
        atomic_load_explicit(&desk->news_tail, memory_order_acquire) - head;

    if (count == 0)
        return false;
    if (count > NEWS_BATCH)
        count = NEWS_BATCH;
    for (uint32_t i = 0; i < count; i++)
        handle(engine,
               atomic_load_explicit(&desk->news[(head + i) % CST_NEWS_MAX],
                                    memory_order_relaxed));
    atomic_store_explicit(&desk->news_head, head + count, memory_order_release);
    return true;
}

static void wake_overslept(struct cst_engine *engine)
{
    uint32_t count = cst_engine_ports_count(engine);

    for (uint32_t i = 0; i < count; i++)
        if (cst_desk_overslept(&engine->ports[i]->desk))
            cst_desk_ring(&engine->ports[i]->desk);
}

static void read_all(struct cst_engine *engine, struct cst_port *self)
{
    uint32_t count = cst_engine_ports_count(engine);

    if (atomic_load_explicit(&engine->wanted, memory_order_relaxed))
        atomic_store(&engine->wanted, false);
    for (uint32_t i = 0; i < count; i++) {
        struct cst_port *port = engine->ports[(self->desk.index + i) % count];

        if (read_desk(engine, port))
            cst_engine_dispatch(engine, port);
    }
    if (engine->many && engine->many->step)
        cst_many_step(engine);
    cst_engine_dispatch(engine, self);
    cst_pool_publish(engine);
    cst_engine_publish_regions(engine);
    cst_engine_publish_ready(engine);
    if (atomic_load_explicit(&engine->asleep, memory_order_relaxed) > 0)
        wake_overslept(engine);
}

bool cst_engine_has_news(struct cst_engine *engine)
{
    uint32_t count = cst_engine_ports_count(engine);

    if (atomic_load_explicit(&engine->wanted, memory_order_relaxed))
        return true;

    for (uint32_t i = 0; i < count; i++)
        if (cst_desk_has_news(&engine->ports[i]->desk))
            return true;
    return false;
}

/* News is left behind by a thread that has other work: somebody must look. */
static void wake_one(struct cst_engine *engine)
{
    for (uint32_t i = 0; i < engine->limits->cores; i++)
        if (cst_desk_is_asleep(&engine->ports[i]->desk)) {
            cst_desk_ring(&engine->ports[i]->desk);
            return;
        }
}

void cst_engine_poke(struct cst_engine *engine, struct cst_port *port)
{
    bool rings;

    port->desk.since_poke = 0;
    /* What was told must be seen by the holder, or its end by us. */
    atomic_thread_fence(memory_order_seq_cst);
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        if (!baton_try(engine))
            return;
        read_all(engine, port);
        rings = engine->rings;
        engine->rings = false;
        atomic_store_explicit(&engine->baton, 0, memory_order_release);
        if (rings)
            cst_engine_ring(engine);
        /* Who told news while the baton was held and did not get it relies on
           this look. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!cst_engine_has_news(engine))
            return;
    }
    if (atomic_load_explicit(&engine->asleep, memory_order_relaxed) > 0)
        wake_one(engine);
}

void cst_engine_want(struct cst_engine *engine, struct cst_port *port)
{
    atomic_store_explicit(&engine->wanted, true, memory_order_relaxed);
    cst_engine_poke(engine, port); /* makes the fence */
}

void cst_engine_expect(struct cst_engine *engine, struct cst_port *port)
{
    if (__builtin_expect(engine->many == NULL, 1) || !engine->many->resume ||
        port->desk.since_poke > 0 || !cst_many_has_paused(engine) ||
        !baton_try(engine))
        return;
    engine->many->resume(engine->many->context);
    atomic_store_explicit(&engine->baton, 0, memory_order_release);
    /* As in a poke. */
    atomic_thread_fence(memory_order_seq_cst);
    if (cst_engine_has_news(engine))
        cst_engine_poke(engine, port);
}

/*
 * Does nobody look for news? Who is idle and awake does, every microsecond or
 * so, and then finds several at once.
 */
static bool all_sleep(struct cst_engine *engine)
{
    int32_t asleep =
        atomic_load_explicit(&engine->asleep, memory_order_relaxed);

    return asleep > 0 &&
           asleep >= atomic_load_explicit(&engine->idle, memory_order_relaxed);
}

void cst_engine_tell(struct cst_engine *engine, struct cst_port *port,
                     enum cst_news what, struct cst_task *task)
{
    while (!cst_desk_tell(&port->desk, what, task)) {
        cst_engine_poke(engine, port);
        cst_pause();
    }
    if (engine->fences)
        atomic_thread_fence(memory_order_seq_cst);
    if (port->desk.since_poke >= NEWS_QUIET || all_sleep(engine) ||
        cst_many_is_urgent(engine, port, what))
        cst_engine_poke(engine, port);
}

void cst_engine_count_idle(struct cst_engine *engine, int change)
{
    atomic_fetch_add(&engine->idle, change);
    if (__builtin_expect(engine->many != NULL, 0) && engine->many->look)
        engine->many->look(engine->many->context, change > 0);
}

void cst_engine_count_asleep(struct cst_engine *engine, int change)
{
    atomic_fetch_add(&engine->asleep, change);
}

/* ---- The run ------------------------------------------------------------ */

enum castell_status cst_engine_status(struct cst_engine *engine,
                                      const char **ret_text)
{
    enum castell_status status =
        atomic_load_explicit(&engine->status, memory_order_acquire);

    if (status != CASTELL_OK && ret_text)
        *ret_text = engine->fail_text;
    return status;
}

void cst_engine_fail(struct cst_engine *engine, enum castell_status status,
                     const char *text)
{
    cst_lock_take(&engine->ports_lock);
    if (engine->fail_text[0] == '\0' && text)
        (void)snprintf(engine->fail_text, sizeof(engine->fail_text), "%s",
                       text);
    if (status != CASTELL_OK &&
        atomic_load_explicit(&engine->status, memory_order_relaxed) ==
            CASTELL_OK)
        atomic_store_explicit(&engine->status, status, memory_order_release);
    cst_lock_drop(&engine->ports_lock);
}

void cst_engine_count_retry(struct cst_engine *engine)
{
    atomic_fetch_add_explicit(&engine->retried, 1, memory_order_relaxed);
}

uint64_t cst_engine_submitted(struct cst_engine *engine)
{
    uint32_t count = cst_engine_ports_count(engine);
    uint64_t submitted = atomic_load_explicit(&engine->internal.desk.submitted,
                                              memory_order_acquire);

    for (uint32_t i = 0; i < count; i++)
        submitted += atomic_load_explicit(&engine->ports[i]->desk.submitted,
                                          memory_order_acquire);
    return submitted;
}

static uint64_t memory_in_use(struct cst_engine *engine)
{
    uint32_t count = cst_engine_ports_count(engine);
    uint64_t allocated = atomic_load_explicit(&engine->internal.cache.allocated,
                                              memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++)
        allocated += atomic_load_explicit(&engine->ports[i]->cache.allocated,
                                          memory_order_relaxed);
    return allocated -
           atomic_load_explicit(&engine->freed_size, memory_order_relaxed);
}

bool cst_engine_may_lack_room(struct cst_engine *engine, struct cst_port *port)
{
    enum { CHECK_EVERY = 64 };
    uint64_t submitted =
        atomic_load_explicit(&port->desk.submitted, memory_order_relaxed);

    (void)engine;
    return submitted >= port->desk.room_until || submitted % CHECK_EVERY == 0;
}

uint64_t cst_engine_unfinished(struct cst_engine *engine)
{
    uint64_t finished = atomic_load_explicit(&engine->root.children_finished,
                                             memory_order_relaxed);

    return cst_engine_submitted(engine) - finished;
}

bool cst_engine_has_room(struct cst_engine *engine, struct cst_port *port)
{
    enum { SHARES = 4 };
    uint32_t threads = cst_engine_ports_count(engine) - engine->limits->cores;
    uint64_t unfinished = cst_engine_unfinished(engine);
    uint64_t room;

    if (unfinished >= engine->tasks_max ||
        memory_in_use(engine) >= engine->tasks_memory)
        return false;
    /* Others take of the room meanwhile: all of it is for one thread alone. */
    room = engine->tasks_max - unfinished;
    if (threads > 1)
        room = room / ((uint64_t)SHARES * threads) + 1;
    port->desk.room_until =
        atomic_load_explicit(&port->desk.submitted, memory_order_relaxed) +
        room;
    return true;
}

void cst_engine_counters(struct cst_engine *engine,
                         struct castell_counters *ret_counters)
{
    uint32_t count = cst_engine_ports_count(engine);

    memset(ret_counters, 0, sizeof(*ret_counters));
    for (uint32_t i = 0; i < count; i++) {
        struct cst_desk *desk = &engine->ports[i]->desk;

        ret_counters->submitted +=
            atomic_load_explicit(&desk->submitted_all, memory_order_relaxed);
        ret_counters->running +=
            atomic_load_explicit(&desk->running, memory_order_relaxed);
    }
    ret_counters->finished = atomic_load(&engine->finished);
    ret_counters->failed = atomic_load(&engine->failed);
    ret_counters->cancelled = atomic_load(&engine->cancelled);
    ret_counters->retried = atomic_load(&engine->retried);
    ret_counters->task_memory = memory_in_use(engine);
    ret_counters->regions = atomic_load(&engine->regions);
}
