/*
 * Which node a task goes to.
 *
 * Tasks are placed ahead, so that a node always has the next one: but no more
 * than keep it busy for a while, for what is placed late is placed better. A
 * task goes where it is expected to end first: after what is placed there
 * already, and after what it reads has come.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

enum {
    FEW = 3,             /* placed on each core, however long they take */
    MANY = 64,           /* however short */
    AHEAD_NS = 40000000, /* in between, no more than so much work a core */
    ALL_NODES = 16,      /* up to so many are all looked at */
    SAMPLE = 8,          /* else so many, and those that have what is read */
    HOLDERS = 4,         /* ... of each input */
    INPUTS = 64,         /* that are looked at */
    OVERHEAD_NS = 3000,  /* of any task */
    MOVE_NS = 70000,  /* beside the latency: what moving anything costs all */
    MORE_NS = 20000,  /* ... and each thing that is moved */
    BLOCKED_MAX = 64, /* tasks that are passed by, as nobody has room */
};

static const double default_ns_per_byte = 1.0;
static const double default_latency_ns = 30000.0;

/* What a task needs, and what is known of it. */
struct asks {
    struct cst_plan_record *record;
    struct castell_constraint own;
    bool has_own;
    bool anytime; /* what nodes have left of their time does not matter */
    double cost;
};

/* What may speak against a node. */
enum looks {
    IF_ROOM, /* that it has much to do, or has to run others before */
    IF_OPEN, /* that it has to run others before */
    ANYHOW,  /* only that others have to run before it */
};

/* One node that might take it. */
struct offer {
    struct cst_plan_node *node;
    double end_ns;
    uint64_t estimate_ns;
    uint32_t choice;
};

/* ---- What a node can do ----------------------------------------------- */

static bool has_room_for(const struct cst_plan_node *node, uint64_t times)
{
    uint64_t cores = times * node->limits->cores;

    return node->cores_asked < FEW * cores ||
           (node->cores_asked < MANY * cores &&
            node->work_ns < AHEAD_NS * cores);
}

static bool has_room(const struct cst_plan_node *node)
{
    return has_room_for(node, 1);
}

/* The best body for that node; UINT32_MAX: none. */
static uint32_t choose(const struct cst_plan *plan, const struct asks *asks,
                       const struct cst_plan_node *node,
                       uint64_t *ret_estimate_ns)
{
    enum { EXPLORE = 3 };
    const struct cst_kind *kind = asks->record->task->kind;
    uint32_t count = atomic_load(&kind->choices_count);
    uint32_t best = UINT32_MAX;
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < count; i++) {
        const struct castell_constraint *constraint =
            asks->has_own ? &asks->own : &kind->choices[i].constraint;
        uint32_t measures;
        uint64_t estimate;

        if (!cst_limits_fit_some_time(node->limits, constraint) ||
            !(asks->anytime ||
              cst_limits_have_time(node->limits, constraint)) ||
            !cst_limits_have_device(node->limits, kind->choices[i].device) ||
            !cst_gang_may_lead(plan, node, constraint))
            continue;
        estimate =
            cst_plan_estimate(plan, kind, i, asks->record->bytes, &measures);
        if (count > 1 && measures < EXPLORE)
            estimate = measures; /* to be tried before others are */
        if (estimate >= lowest)
            continue;
        best = i;
        lowest = estimate;
    }
    *ret_estimate_ns = lowest;
    return best;
}

static struct asks asks_of(const struct cst_plan *plan,
                           struct cst_plan_record *record)
{
    struct asks asks = {.record = record};
    struct cst_plan_needs needs = {0};

    if (!record->task->extra || !plan->ops->needs)
        return asks;
    plan->ops->needs(plan->context, record->task, &needs);
    asks.cost = needs.cost;
    if (needs.constraint) {
        asks.has_own = true;
        asks.own = *needs.constraint;
    }
    return asks;
}

bool cst_record_suits(const struct cst_plan *plan,
                      struct cst_plan_record *record,
                      const struct cst_plan_node *node)
{
    struct asks asks = asks_of(plan, record);
    uint64_t unused;

    return choose(plan, &asks, node, &unused) != UINT32_MAX;
}

/* ---- What it costs ---------------------------------------------------- */

static bool is_expected(const struct cst_version *version,
                        const struct cst_plan_node *node)
{
    const struct cst_copy *copy = cst_copy_find(version, node);

    return copy && copy->state != CST_COPY_STRAY;
}

/* 0: it has all that is read. */
static double move_ns(const struct cst_plan *plan,
                      const struct cst_plan_record *record,
                      const struct cst_plan_node *node)
{
    double ns_per_byte =
        plan->bandwidth.count ? plan->bandwidth.median : default_ns_per_byte;
    double latency =
        plan->latency.count ? plan->latency.median : default_latency_ns;
    uint64_t bytes = 0;
    uint32_t moves = 0;

    for (uint32_t i = 0; i < record->uses_count && i < INPUTS; i++) {
        if (is_expected(record->uses[i].version, node))
            continue;
        bytes += cst_region_bytes(&record->uses[i].version->region);
        moves++;
    }
    if (moves == 0)
        return 0;
    return latency + MOVE_NS + MORE_NS * (double)moves +
           ns_per_byte * (double)(bytes + node->incoming_bytes);
}

/* Take the node if it is better than what there is. */
static void consider(const struct cst_plan *plan, const struct asks *asks,
                     struct cst_plan_node *node, enum looks looks,
                     struct offer *best)
{
    const struct cst_plan_record *record = asks->record;
    uint64_t estimate_ns;
    uint32_t choice;
    double end_ns;

    if (!cst_record_may_go(plan, record, node) ||
        (node->gate && (looks != ANYHOW || !cst_record_opens(record, node))))
        return;
    end_ns = move_ns(plan, record, node);
    /* Who has the data may get more than others: to move them because of some
       other tasks there would cost more than to wait. */
    if (looks == IF_ROOM &&
        !has_room_for(node, record->uses_count > 0 && !(end_ns > 0) ? 2 : 1))
        return;
    choice = choose(plan, asks, node, &estimate_ns);
    if (choice == UINT32_MAX)
        return;
    if (plan->options.policy != CST_PLAN_LOCALITY)
        end_ns +=
            (double)node->work_ns / node->limits->cores +
            (double)node->cores_asked * OVERHEAD_NS / node->limits->cores +
            (double)estimate_ns;
    if (record->avoid == node->number + 1)
        end_ns += 1e15; /* anywhere else */
    for (uint32_t i = 0; record->attempt > 0 && i < record->outputs_count; i++)
        if (cst_copy_find(record->outputs[i].version, node))
            end_ns += 1e9; /* what it makes is there, or read there */
    if (best->node && best->end_ns <= end_ns)
        return;
    *best = (struct offer){node, end_ns, estimate_ns, choice};
}

static bool goes_in_turn(const struct cst_plan *plan,
                         const struct cst_plan_record *record)
{
    return plan->options.policy == CST_PLAN_FIFO ||
           (record->task->kind->flags & CASTELL_DISTRIBUTED) != 0;
}

/* The next node in turn that can take it. */
static void offer_in_turn(struct cst_plan *plan, const struct asks *asks,
                          enum looks looks, struct offer *best)
{
    for (size_t i = 0; i < plan->live_count && !best->node; i++)
        consider(plan, asks, plan->live[plan->turn++ % plan->live_count], looks,
                 best);
}

static void offer_few(struct cst_plan *plan, const struct asks *asks,
                      enum looks looks, struct offer *best)
{
    const struct cst_plan_record *record = asks->record;

    for (uint32_t i = 0; i < record->uses_count && i < INPUTS; i++) {
        struct cst_copy *copy = record->uses[i].version->copies;

        for (int at = 0; copy && at < HOLDERS; at++, copy = copy->next)
            consider(plan, asks, copy->node, looks, best);
    }
    for (int i = 0; i < SAMPLE; i++)
        consider(plan, asks, plan->live[plan->turn++ % plan->live_count], looks,
                 best);
}

/* It was called back for a node, which may have gone meanwhile. */
static void offer_promised(struct cst_plan *plan, const struct asks *asks,
                           struct offer *best)
{
    uint32_t number = asks->record->goes;

    asks->record->goes = 0;
    if (number > 0 && number <= plan->nodes_max && plan->nodes[number - 1])
        consider(plan, asks, plan->nodes[number - 1], IF_OPEN, best);
}

static struct offer find_node(struct cst_plan *plan, const struct asks *asks,
                              enum looks looks)
{
    struct offer best = {.node = NULL};
    bool many = plan->live_count > ALL_NODES;

    offer_promised(plan, asks, &best);
    if (best.node)
        return best;
    if (goes_in_turn(plan, asks->record)) {
        /* Else whoever has just ended one would get several that belong
           together, and others none. */
        if (looks == IF_ROOM && plan->options.policy != CST_PLAN_FIFO)
            looks = IF_OPEN;
        offer_in_turn(plan, asks, looks, &best);
        return best;
    }
    if (many)
        offer_few(plan, asks, looks, &best);
    for (size_t i = 0; i < plan->live_count && !(many && best.node); i++)
        consider(plan, asks, plan->live[i], looks, &best);
    return best;
}

/* Could it run on some node, were that idle? Nodes leave. */
static bool fits_some(const struct cst_plan *plan, const struct asks *asks)
{
    for (size_t i = 0; i < plan->live_count; i++) {
        const struct cst_plan_node *node = plan->live[i];
        uint64_t unused;

        if (cst_node_runs_tasks(plan, node) &&
            choose(plan, asks, node, &unused) != UINT32_MAX)
            return true;
    }
    return cst_record_may_wait(plan, asks->record);
}

/* Does it wait in vain? */
static bool is_misfit(const struct cst_plan *plan, const struct asks *asks)
{
    const struct cst_kind *kind = asks->record->task->kind;
    uint32_t count = atomic_load(&kind->choices_count);
    bool final = false;

    if (asks->has_own)
        final = cst_plan_is_final(plan, &asks->own);
    for (uint32_t i = 0; !asks->has_own && i < count; i++)
        final = final || cst_plan_is_final(plan, &kind->choices[i].constraint);
    return final && !fits_some(plan, asks);
}

static const char *why_misfit(const struct cst_plan *plan, struct asks *asks)
{
    asks->anytime = true;
    return fits_some(plan, asks)
               ? "no node has as much time left as its wall_time"
               : "no node that is left has what it needs";
}

static void place_at(struct cst_plan *plan, const struct asks *asks,
                     const struct offer *offer)
{
    struct cst_plan_record *record = asks->record;
    const struct cst_kind *kind = record->task->kind;
    const struct castell_constraint *constraint =
        asks->has_own ? &asks->own : &kind->choices[offer->choice].constraint;

    record->choice = (uint8_t)offer->choice;
    if (!cst_record_original(record))
        record->task->choice = record->choice;
    record->cores = constraint->cores > 1 ? constraint->cores : 1;
    record->nodes = constraint->nodes > 1 ? constraint->nodes : 1;
    record->estimate_ns = offer->estimate_ns;
    cst_record_place(plan, record, offer->node);
}

/* ---- Those that have been placed before -------------------------------- */

/* Since it ran, what it reads has been lost, and failed to be made again. */
static bool reads_poison(const struct cst_plan *plan,
                         const struct cst_plan_record *record)
{
    for (uint32_t i = 0; plan->poisoned_once && i < record->uses_count; i++)
        if (record->uses[i].version->poisoned)
            return true;
    return false;
}

static bool place_one_again(struct cst_plan *plan,
                            struct cst_plan_record *record)
{
    struct asks asks = asks_of(plan, record);
    struct offer offer =
        find_node(plan, &asks, cst_record_original(record) ? ANYHOW : IF_ROOM);
    size_t copies =
        (size_t)record->uses_count + 2 * (size_t)record->outputs_count;

    if (!offer.node) /* somebody waits for it: bounds do not count */
        offer = find_node(plan, &asks, IF_OPEN);
    if (!offer.node)
        offer = find_node(plan, &asks, ANYHOW);
    if (!offer.node && is_misfit(plan, &asks)) {
        cst_records_remove(&plan->again, record);
        cst_record_fail(plan, record, why_misfit(plan, &asks));
        return true;
    }
    if (!offer.node || !cst_plan_copy_room(plan, copies))
        return false;
    cst_records_remove(&plan->again, record);
    plan->copies.owed += copies;
    place_at(plan, &asks, &offer);
    plan->copies.owed -= copies;
    return true;
}

static void place_again(struct cst_plan *plan)
{
    struct cst_plan_record *record = plan->again.first;
    struct cst_plan_record *next;

    for (; record; record = next) {
        next = record->after;
        if ((record->cancelled && !record->ended) ||
            reads_poison(plan, record)) {
            cst_records_remove(&plan->again, record);
            cst_record_cancel(plan, record);
            next = plan->again.first; /* others may have gone with it */
        } else if (cst_record_awaits(record)) {
            continue;
        } else if (place_one_again(plan, record) &&
                   record->state != CST_RECORD_PLACED) {
            next = plan->again.first; /* so here */
        }
    }
}

/* ---- Those that wait --------------------------------------------------- */

static bool can_go(struct cst_plan *plan, const struct asks *asks)
{
    for (size_t i = 0; i < plan->live_count; i++) {
        const struct cst_plan_node *node = plan->live[i];
        uint64_t unused;

        if (cst_node_is_open(plan, node) && has_room(node) &&
            choose(plan, asks, node, &unused) != UINT32_MAX)
            return true;
    }
    return false;
}

enum went { WENT, NO_ROOM, NO_MEMORY };

static enum went place_new(struct cst_plan *plan, struct cst_task *task)
{
    struct cst_plan_record *record = cst_record_find(plan, task->id);
    bool off = record->cancelled ||
               (plan->poisoned_once && cst_record_reads_poison(plan, record));
    struct asks asks = asks_of(plan, record);
    bool fails = false;
    struct offer offer;

    if (!off && !can_go(plan, &asks)) {
        if (!is_misfit(plan, &asks))
            return NO_ROOM;
        fails = true;
    }
    if (cst_record_bind(plan, record) != CASTELL_OK) {
        cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                      "no memory to plan where data are");
        return NO_MEMORY;
    }
    plan->placed++;
    if (off) {
        plan->ops->placed(plan->context, task);
        cst_record_cancel(plan, record);
    } else if (fails) {
        plan->ops->placed(plan->context, task);
        cst_record_fail(plan, record, why_misfit(plan, &asks));
    } else {
        offer = find_node(plan, &asks, IF_ROOM);
        CST_ASSERT(offer.node);
        if (task->kind->flags & CASTELL_REPLICATED)
            cst_record_replicate(plan, record, offer.node);
        else
            place_at(plan, &asks, &offer);
        plan->ops->placed(plan->context, task);
    }
    plan->copies.owed -= 2 * ((size_t)record->uses_max + record->outputs_max);
    return WENT;
}

/* Also when nobody is left at all: then tasks are taken to fail. */
static bool is_room_left(const struct cst_plan *plan)
{
    bool any = false;

    for (size_t i = 0; i < plan->live_count; i++) {
        if (!cst_node_runs_tasks(plan, plan->live[i]))
            continue;
        any = true;
        if (has_room(plan->live[i]))
            return true;
    }
    return !any && plan->has_shrunk;
}

static void place_blocked(struct cst_plan *plan)
{
    size_t count = plan->blocked_count;

    for (; count > 0; count--) {
        struct cst_task *task = cst_task_list_take(&plan->blocked);

        if (place_new(plan, task) == WENT)
            plan->blocked_count--;
        else
            cst_task_list_append(&plan->blocked, task);
    }
}

static void place_ready(struct cst_plan *plan)
{
    struct cst_task *task;

    while (plan->blocked_count < BLOCKED_MAX && is_room_left(plan) &&
           (task = cst_ready_take(&plan->ready)))
        if (place_new(plan, task) != WENT) {
            cst_task_list_append(&plan->blocked, task);
            plan->blocked_count++;
        }
}

void cst_plan_go(struct cst_plan *plan, uint64_t now_ns)
{
    plan->now_ns = now_ns;
    if (plan->draining > 0)
        cst_drains_go(plan);
    if (plan->any_new)
        cst_plan_share(plan);
    if (plan->again.first)
        place_again(plan);
    cst_gangs_go(plan);
    place_blocked(plan);
    place_ready(plan);
    if (plan->again.first) /* replicas */
        place_again(plan);
    cst_plan_balance(plan);
    cst_plan_save_some(plan);
    cst_plan_settle(plan);
}
