/*
 * The master: what main() submits goes to the plan, what the plan wants done
 * goes to the nodes, and what they report back to the plan.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "body/reduction.h"
#include "cluster/cluster_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What tasks ask for ----------------------------------------------------- */

/* Remember how a reduction is called elsewhere, before its leaves go there. */
static bool know_reductions(struct cst_cluster *cluster, struct cst_task *task)
{
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_leaf *leaf = &task->extra->leaves[i];
        uint64_t key = (uint64_t)(uintptr_t)leaf->reduction;
        struct cst_known_reduction *known;

        if (cst_task_accesses(task)[i].hold.mode != CASTELL_REDUCTION ||
            cst_map_find(&cluster->reductions, key))
            continue;
        known = cst_map_reserve(&cluster->reductions, 1)
                    ? cst_zalloc(sizeof(*known))
                    : NULL;
        if (!known)
            return false;
        known->kind = cst_kind_hash(task->kind->name);
        if (!cst_kinds_find_reduction(task->kind->name, leaf->operation,
                                      &known->index)) {
            cst_free(known);
            return false;
        }
        cst_map_add(&cluster->reductions, key, known);
    }
    return true;
}

/* ---- What the plan says ------------------------------------------------------ */

static void note_later(struct cst_cluster *cluster,
                       const struct cst_later_item *item)
{
    if (cluster->later_count == cluster->later_max) {
        size_t max = cluster->later_max ? 2 * cluster->later_max : 256;
        struct cst_later_item *later =
            cst_realloc(cluster->later, max * sizeof(*later));

        if (!later) {
            /* Somebody would wait for ever. */
            (void)fprintf(stderr, "castell: no memory to go on\n");
            abort();
        }
        cluster->later = later;
        cluster->later_max = max;
    }
    cluster->later[cluster->later_count++] = *item;
}

static void placed(void *context, struct cst_task *task)
{
    struct cst_cluster *cluster = context;

    cst_engine_leave(cluster->engine, task);
    if (task->flags & CST_TASK_DELETES)
        note_later(cluster, &(struct cst_later_item){.task = task,
                                                     .what = CST_LATER_DELETE});
}

static void say_failed(struct cst_cluster *cluster, const struct cst_task *task,
                       enum cst_plan_end end, const char *how)
{
    const char *where = task->where ? task->where : task->kind->where;
    const char *then = "the run ends";
    char text[CST_MESSAGE_TEXT_MAX];

    if (task->kind->on_failure == CASTELL_IGNORE && end == CST_PLAN_ENDED)
        then = "ignored";
    else if (task->kind->on_failure != CASTELL_FAIL)
        then = "what depends on it is cancelled";
    (void)snprintf(text, sizeof(text), "task %s%s%s%s failed: %s",
                   task->kind->label, where ? " (" : "", where ? where : "",
                   where ? ")" : "", how ? how : "its node was lost");
    (void)fprintf(stderr, "castell: %s; %s\n", text, then);
    cst_story_failed(cluster, task, how);
    if (task->kind->on_failure == CASTELL_FAIL)
        cst_engine_fail(cluster->engine, CASTELL_ERR_TASK_FAILED, text);
}

static void ended(void *context, struct cst_task *task, enum cst_plan_end end,
                  const char *text)
{
    struct cst_cluster *cluster = context;

    /* One sentence says why the run ends. */
    if ((text || end == CST_PLAN_FAILED) &&
        (task->kind->on_failure != CASTELL_FAIL ||
         cst_engine_status(cluster->engine, NULL) == CASTELL_OK))
        say_failed(cluster, task, end, text);
    note_later(cluster, &(struct cst_later_item){.task = task,
                                                 .what = CST_LATER_ENDED,
                                                 .end = end,
                                                 .ignored = text != NULL});
}

static void forget(void *context, struct cst_task *task)
{
    note_later(context, &(struct cst_later_item){.task = task,
                                                 .what = CST_LATER_FORGET});
}

static void granted(void *context, void *wish, bool poisoned)
{
    note_later(context, &(struct cst_later_item){.task = wish,
                                                 .what = CST_LATER_GRANTED,
                                                 .poisoned = poisoned});
}

static void lost(void *context, enum castell_status status, const char *text)
{
    struct cst_cluster *cluster = context;

    if (cst_engine_status(cluster->engine, NULL) == CASTELL_OK)
        (void)fprintf(stderr, "castell: %s; the run ends\n", text);
    cst_engine_fail(cluster->engine, status, text);
}

static void end_now(struct cst_cluster *cluster,
                    const struct cst_later_item *item)
{
    switch (item->end) {
    case CST_PLAN_FAILED:
        item->task->flags |= CST_TASK_FAILED | CST_TASK_POISONS;
        break;
    case CST_PLAN_CANCELLED:
        item->task->flags |= CST_TASK_CANCELLED;
        break;
    case CST_PLAN_ENDED:
        if (item->ignored)
            item->task->flags |= CST_TASK_FAILED;
        break;
    }
    cst_engine_end(cluster->engine, item->task);
}

static void forget_now(struct cst_cluster *cluster, struct cst_task *task)
{
    struct cst_reduction *folded;
    uint32_t leaves;

    if (cst_engine_fold(cluster->engine, task, &folded, &leaves)) {
        cst_free(
            cst_map_remove(&cluster->reductions, (uint64_t)(uintptr_t)folded));
        cst_reduction_destroy(folded);
    }
    cst_engine_free(cluster->engine, task);
}

static bool do_later(struct cst_cluster *cluster)
{
    bool any = false;
    size_t left = 0;

    for (size_t i = 0; i < cluster->later_count; i++) {
        const struct cst_later_item item = cluster->later[i];

        /* Main may write what it is granted. */
        if (item.what == CST_LATER_GRANTED &&
            cst_cluster_is_sent(cluster, item.task)) {
            cluster->later[left++] = item;
            continue;
        }
        any = true;
        switch (item.what) {
        case CST_LATER_DELETE:
            cst_engine_delete(cluster->engine, item.task);
            break;
        case CST_LATER_ENDED:
            end_now(cluster, &item);
            break;
        case CST_LATER_FORGET:
            forget_now(cluster, item.task);
            break;
        case CST_LATER_GRANTED:
            if (item.task->flags & CST_TASK_HOME)
                cst_cluster_release_freed(cluster);
            if (item.poisoned && item.task->extra && item.task->extra->outcome)
                item.task->extra->outcome->status = CASTELL_ERR_CANCELLED;
            cst_engine_end_unplaced(cluster->engine, item.task);
            break;
        }
    }
    cluster->later_count = left;
    return any;
}

/* ---- Hooks of the engine ----------------------------------------------------- */

/* To wake up takes as long as to plan for who has slept: let both be at once.
   Most often the next task goes where the last one went. */
static void resume(void *context)
{
    struct cst_cluster *cluster = context;

    if (cluster->assigned != CST_NET_MASTER)
        cluster->hurries = cst_net_nudge(cluster->net, cluster->assigned);
}

static void place(void *context, struct cst_task *task)
{
    struct cst_cluster *cluster = context;

    if ((task->flags & CST_TASK_REDUCES) && !know_reductions(cluster, task)) {
        cst_engine_fail(cluster->engine, CASTELL_ERR_INVALID,
                        "a reduction is not among those of its kind: see "
                        "castell_kind_declare()");
        task->flags |= CST_TASK_CANCELLED;
    } else if (cst_plan_add(cluster->plan, task) == CASTELL_OK) {
        return;
    } else {
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to find a node for a task");
        task->flags |= CST_TASK_CANCELLED;
    }
    cst_engine_end_unplaced(cluster->engine, task);
}

/* The fragments that a signal reads, in an array of the caller's; NULL: no
   memory. It is made for one more than there are: never of none. */
static struct cst_fragment **fragments_of(struct cst_task *task,
                                          size_t *ret_count)
{
    size_t count = task->accesses_count;
    struct cst_fragment **fragments;
    size_t used = 0;

    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        count += chunk->count;
    fragments = cst_alloc((count + 1) * sizeof(struct cst_fragment *));
    if (!fragments)
        return NULL;
    for (uint32_t i = 0; i < task->accesses_count; i++)
        fragments[used++] =
            (struct cst_fragment *)(void *)cst_task_accesses(task)[i]
                .hold.place;
    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            fragments[used++] =
                (struct cst_fragment *)(void *)chunk->holds[i].place;
    *ret_count = count;
    return fragments;
}

/* main() waits for some regions, or with CST_TASK_HOME for all. */
static void signal(void *context, struct cst_task *task)
{
    struct cst_cluster *cluster = context;
    enum castell_status status = CASTELL_ERR_NO_MEMORY;
    struct cst_fragment **fragments;
    size_t count = 0;

    fragments = fragments_of(task, &count);
    if (fragments)
        status = cst_plan_wish(cluster->plan, count > 0 ? fragments : NULL,
                               count, task);
    if (status != CASTELL_OK) {
        cst_engine_fail(cluster->engine, status, "no memory to wait");
        cst_engine_end_unplaced(cluster->engine, task);
    }
    cst_free(fragments);
}

/* ---- Steps -------------------------------------------------------------------- */

bool cst_master_obey(struct cst_cluster *cluster)
{
    struct cst_writer orders = cluster->local;
    struct cst_reader reader;

    if (orders.size == 0)
        return false;
    cluster->local = (struct cst_writer){0};
    cst_reader_init(&reader, orders.bytes, orders.size);
    cst_store_hold(cluster->store);
    while (cst_reader_left(&reader) > 0) {
        uint32_t size = cst_get_u32(&reader);
        const uint8_t *bytes = cst_get_raw(&reader, size);
        struct cst_reader order;
        bool good;

        cst_reader_init(&order, bytes, size);
        good = cst_node_order(cluster, &order);
        CST_ASSERT(good);
    }
    cst_store_let_go(cluster->store);
    if (cluster->local.size == 0) { /* keep the memory that is there */
        cst_writer_release(&cluster->local);
        cluster->local = orders;
        cst_writer_clear(&cluster->local);
    } else {
        cst_writer_release(&orders);
    }
    return true;
}

/* What was placed may be cancelled; and all is, when the run has failed. */
static void cancel_some(struct cst_cluster *cluster)
{
    uint64_t cancels = cst_engine_cancels(cluster->engine);

    if (!cluster->failed &&
        cst_engine_status(cluster->engine, NULL) != CASTELL_OK) {
        cluster->failed = true;
        cst_plan_cancel_those(cluster->plan, NULL);
    }
    if (cancels == cluster->cancels)
        return;
    cluster->cancels = cancels;
    cst_plan_cancel_those(cluster->plan, cst_task_is_off);
}

void cst_master_step(struct cst_cluster *cluster)
{
    bool more = true;

    cancel_some(cluster);
    while (more) {
        more = cst_master_obey(cluster);
        cst_node_settle(cluster);
        cst_plan_go(cluster->plan, cst_clock_ns());
        more |= cst_master_obey(cluster);
        more |= do_later(cluster);
        more |= cst_engine_settle(cluster->engine);
    }
}

/* ---- Reports ------------------------------------------------------------------- */

void cst_master_done(struct cst_cluster *cluster, uint32_t node,
                     const struct cst_message_done *done)
{
    struct cst_plan_report report = {
        .node = node,
        .id = done->id,
        .attempt = done->attempt,
        .outcome = !done->failed ? CST_PLAN_DONE
                   : done->off   ? CST_PLAN_OFF
                   : done->kept  ? CST_PLAN_FAILURE_IGNORED
                                 : CST_PLAN_BODY_FAILED,
        .text = done->failed ? done->text : NULL,
        .duration_ns = done->duration_ns,
    };

    cst_story_done(cluster, node, done);
    if (done->off) /* by what a body on that node has submitted */
        cst_engine_fail(cluster->engine, CASTELL_ERR_TASK_FAILED, done->text);
    cst_plan_done(cluster->plan, &report);
}

void cst_master_arrived(struct cst_cluster *cluster, uint32_t node,
                        uint64_t version, uint64_t duration_ns)
{
    cst_plan_arrived(cluster->plan, node, version, duration_ns);
}

void cst_master_not_come(struct cst_cluster *cluster, uint32_t node,
                         uint64_t version)
{
    cst_plan_not_come(cluster->plan, node, version);
}

bool cst_master_report(struct cst_cluster *cluster, uint32_t node,
                       struct cst_reader *message)
{
    uint8_t what = cst_get_u8(message);
    struct cst_message_done done;
    uint64_t first, second;

    if (what == CST_MESSAGE_DONE) {
        cst_get_done(message, &done);
        if (cst_reader_done(message))
            cst_master_done(cluster, node, &done);
        return !message->bad;
    }
    first = cst_get_varint(message);
    second = cst_get_varint(message);
    if (!cst_reader_done(message))
        return false;
    switch (what) {
    case CST_MESSAGE_ARRIVED:
        cst_master_arrived(cluster, node, first, second);
        return true;
    case CST_MESSAGE_NOT_COME:
        cst_master_not_come(cluster, node, first);
        return true;
    default:
        cst_master_recalled(cluster, node, first, (uint32_t)second);
        return true;
    }
}

/* ---- Life ---------------------------------------------------------------------- */

static bool read_policy(const char *text, enum cst_plan_policy *ret_policy)
{
    static const char *const names[] = {
        [CST_PLAN_EARLIEST_FINISH] = "earliest-finish",
        [CST_PLAN_LOCALITY] = "locality",
        [CST_PLAN_FIFO] = "fifo",
    };

    *ret_policy = CST_PLAN_EARLIEST_FINISH;
    for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], text) == 0) {
            *ret_policy = (enum cst_plan_policy)i;
            return true;
        }
    return !text;
}

enum castell_status cst_master_init(struct cst_cluster *cluster,
                                    const struct cst_limits *limits)
{
    static const struct cst_plan_ops ops = {
        .assign = cst_order_assign,
        .push = cst_order_push,
        .drop = cst_order_drop,
        .cut = cst_order_cut,
        .recall = cst_order_recall,
        .cancel = cst_order_cancel,
        .berth = cst_order_berth,
        .unberth = cst_order_unberth,
        .muster = cst_order_muster,
        .disband = cst_order_disband,
        .drained = cst_order_leave,
        .root = cst_order_root,
        .home = cst_order_home,
        .save = cst_order_save,
        .needs = cst_order_needs,
        .reduction = cst_order_reduction,
        .placed = placed,
        .ended = ended,
        .forget = forget,
        .granted = granted,
        .lost = lost,
    };
    struct cst_plan_options options = {
        .ops = &ops,
        .context = cluster,
        .kinds = cst_engine_kinds(cluster->engine),
        .home_runs = cluster->options.home_runs,
    };
    struct cst_message_hello self = {.limits = *limits};
    enum castell_status status;
    struct cst_member *member;

    if (!read_policy(cluster->options.policy, &options.policy))
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_POLICY is \"%s\": earliest-finish, locality "
                        "and fifo are known",
                        cluster->options.policy);
    cst_lock_init(&cluster->members_lock, CST_RANK_MEMBERS, "members");
    (void)snprintf(self.name, sizeof(self.name), "%s", limits->name);
    (void)snprintf(self.arch, sizeof(self.arch), "%s", limits->arch);
    if (limits->features)
        (void)snprintf(self.features, sizeof(self.features), "%s",
                       limits->features);
    status = cst_plan_create(&options, &cluster->plan);
    if (status != CASTELL_OK)
        return status;
    member = cst_member_new(cluster, CST_NET_MASTER, &self);
    if (!member)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a node");
    cluster->many.resume = resume;
    cluster->many.place = place;
    cluster->many.signal = signal;
    cst_data_set_hooks(cst_engine_data(cluster->engine), &cst_plan_hooks,
                       cluster->plan);
    return cst_plan_join(cluster->plan, CST_NET_MASTER, &member->hello.limits);
}

void cst_master_release(struct cst_cluster *cluster)
{
    void *known;
    size_t cursor = 0;

    cst_plan_destroy(cluster->plan);
    (void)do_later(cluster);
    cst_free(cluster->later);
    cst_writer_release(&cluster->local);
    while ((known = cst_map_next(&cluster->reductions, &cursor)))
        cst_free(known);
    cst_map_release(&cluster->reductions);
    cst_members_release(cluster);
}
