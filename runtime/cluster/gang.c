/*
 * Tasks that several nodes run together. One of them leads: when its inputs
 * are there it tells the master, and waits until it is told with whom to start
 * what room gang does. On the others a *berth*, a guest whose body waits, keeps
 * the cores, memory and storage meanwhile.
 */
#include "gang/gang.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct cst_lead {
    struct cst_gang_crew crew;
    char *hosts;
    bool waits; /* for the others */
};

static void report(struct cst_cluster *cluster, enum cst_message what,
                   uint64_t id, uint32_t attempt)
{
    if (!cluster->is_master)
        cst_cluster_report(cluster, what, id, attempt);
    else if (what == CST_MESSAGE_FIRED)
        cst_plan_fired(cluster->plan, CST_NET_MASTER, id, attempt);
    else
        cst_plan_berthed(cluster->plan, CST_NET_MASTER, id, attempt);
}

/* ---- The lead ------------------------------------------------------------- */

bool cst_lead_add(struct cst_visit *visit)
{
    visit->lead = cst_zalloc(sizeof(*visit->lead));
    if (!visit->lead)
        return false;
    visit->lead->crew.nodes = 1;
    visit->task->extra->crew = &visit->lead->crew;
    return true;
}

void cst_lead_free(struct cst_visit *visit)
{
    if (!visit->lead)
        return;
    cst_free(visit->lead->hosts);
    cst_free(visit->lead);
}

void cst_lead_fired(struct cst_cluster *cluster, struct cst_visit *visit)
{
    visit->lead->waits = true;
    report(cluster, CST_MESSAGE_FIRED, visit->id, visit->attempt);
}

bool cst_lead_is_stopped(const struct cst_visit *visit)
{
    return visit->lead && atomic_load(&visit->lead->crew.stop);
}

bool cst_lead_waits(const struct cst_visit *visit)
{
    return visit->lead && visit->lead->waits;
}

static struct cst_visit *find_lead(struct cst_cluster *cluster, uint64_t id,
                                   uint32_t attempt)
{
    struct cst_visit *visit = cst_map_find(&cluster->visits, id);

    return visit && visit->lead && visit->attempt == attempt ? visit : NULL;
}

static bool muster(struct cst_cluster *cluster, struct cst_reader *message)
{
    struct cst_message_muster muster;
    struct cst_visit *visit;

    cst_get_muster(message, &muster);
    if (!cst_reader_done(message))
        return false;
    visit = find_lead(cluster, muster.id, muster.attempt);
    if (!visit || !visit->lead->waits)
        return true;
    visit->lead->hosts =
        cst_format("%.*s", (int)muster.hosts_size, muster.hosts);
    if (!visit->lead->hosts)
        atomic_store(&visit->lead->crew.stop, true);
    visit->lead->crew.hosts = visit->lead->hosts;
    visit->lead->crew.nodes = muster.nodes;
    visit->lead->waits = false;
    /* The others have made room; it shall not wait behind what came since. */
    visit->task->priority = INT32_MAX;
    visit->task->flags |= CST_TASK_ORDERED;
    cst_engine_guest_ready(cluster->engine, visit->task);
    return true;
}

/* It will have failed when the master hears of it, in whatever state it is. */
static void disband(struct cst_cluster *cluster, uint64_t id, uint32_t attempt)
{
    struct cst_visit *visit = find_lead(cluster, id, attempt);

    if (!visit)
        return;
    if (!cst_node_withdraw(cluster, id, attempt)) {
        atomic_store(&visit->lead->crew.stop, true);
        return;
    }
    cst_visit_destroy(cluster, visit);
    cst_node_report_failure(cluster, id, attempt,
                            "a node of its gang was lost");
}

/* ---- Berths --------------------------------------------------------------- */

/* Keeps what its task has; nobody else can use it. */
static int keep(void *const *buffers, const void *argument)
{
    const struct timespec nap = {0, 2000000};
    struct cst_berth *berth;

    (void)buffers;
    memcpy(&berth, argument, sizeof(struct cst_berth *));
    atomic_store(&berth->taken, true);
    cst_net_wake(berth->cluster->net);
    while (!atomic_load(&berth->over))
        (void)nanosleep(&nap, NULL);
    return 0;
}

static struct cst_berth *berth_new(struct cst_cluster *cluster,
                                   const struct cst_message_berth *from)
{
    struct cst_berth *berth = cst_zalloc(sizeof(*berth));
    struct cst_task *task =
        cst_engine_guest_new(cluster->engine, 0, sizeof(berth), false);

    if (!berth || !task) {
        cst_free(berth);
        if (task)
            cst_engine_guest_discard(cluster->engine, task);
        return NULL;
    }
    berth->cluster = cluster;
    berth->task = task;
    berth->id = from->id;
    berth->attempt = from->attempt;
    berth->next = cluster->berths;
    cluster->berths = berth;
    task->id = from->id;
    task->kind = &cluster->berth_kind;
    task->attempt = 1;
    task->priority = INT32_MAX;
    task->flags |= CST_TASK_ORDERED;
    task->extra->guest = berth;
    task->extra->constraint = from->constraint;
    if (task->extra->constraint.cores == 0)
        task->extra->constraint.cores = 1;
    task->extra->has_constraint = true;
    task->argument_size = sizeof(berth);
    memcpy(cst_task_argument(task), &berth, sizeof(struct cst_berth *));
    return berth;
}

static bool berth(struct cst_cluster *cluster, struct cst_reader *message)
{
    struct cst_message_berth order;
    struct cst_berth *made;

    cst_get_berth(message, &order);
    if (!cst_reader_done(message))
        return false;
    made = berth_new(cluster, &order);
    /* Without it the others would wait for ever. */
    if (made)
        cst_engine_guest_ready(cluster->engine, made->task);
    else if (!cluster->is_master)
        cst_net_leave(cluster->net);
    else
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to take part in a task of several nodes");
    return true;
}

static void berth_free(struct cst_cluster *cluster, struct cst_berth *berth)
{
    struct cst_berth **link = &cluster->berths;

    while (*link != berth)
        link = &(*link)->next;
    *link = berth->next;
    cst_free(berth);
}

static void unberth(struct cst_cluster *cluster, uint64_t id, uint32_t attempt)
{
    struct cst_berth *berth = cluster->berths;

    while (berth && (berth->id != id || berth->attempt != attempt))
        berth = berth->next;
    if (!berth)
        return;
    berth->unwanted = true;
    atomic_store(&berth->over, true);
    if (!cst_engine_guest_recall(cluster->engine, berth->task))
        return; /* it runs, and ends soon */
    cst_engine_guest_discard(cluster->engine, berth->task);
    berth_free(cluster, berth);
}

void cst_berths_settle(struct cst_cluster *cluster)
{
    for (struct cst_berth *berth = cluster->berths; berth; berth = berth->next)
        if (!berth->told && !berth->unwanted && atomic_load(&berth->taken)) {
            berth->told = true;
            report(cluster, CST_MESSAGE_BERTHED, berth->id, berth->attempt);
        }
}

bool cst_berth_done(struct cst_cluster *cluster, struct cst_task *task)
{
    if (task->kind != &cluster->berth_kind)
        return false;
    berth_free(cluster, task->extra->guest);
    return true;
}

/* ---- Orders, and life ------------------------------------------------------ */

bool cst_gang_order(struct cst_cluster *cluster, uint8_t what,
                    struct cst_reader *message)
{
    uint64_t id;
    uint32_t attempt;

    if (what == CST_MESSAGE_BERTH)
        return berth(cluster, message);
    if (what == CST_MESSAGE_MUSTER)
        return muster(cluster, message);
    id = cst_get_varint(message);
    attempt = cst_get_count(message, UINT32_MAX);
    if (!cst_reader_done(message))
        return false;
    if (what == CST_MESSAGE_UNBERTH)
        unberth(cluster, id, attempt);
    else
        disband(cluster, id, attempt);
    return true;
}

void cst_gang_init(struct cst_cluster *cluster)
{
    struct cst_kind *kind = &cluster->berth_kind;

    kind->id = CST_KIND_BERTH;
    kind->name = kind->label = "berth";
    kind->is_own = true;
    kind->choices[0].body = keep;
    kind->choices[0].name = kind->name;
    kind->choices[0].possible = true;
    kind->choices[0].constraint.cores = 1;
    kind->choices_count = 1;
    kind->simple = true;
}

void cst_gang_release(struct cst_cluster *cluster)
{
    while (cluster->berths) /* their tasks are the engine's */
        berth_free(cluster, cluster->berths);
}

/* ---- The master ------------------------------------------------------------- */

bool cst_gang_report(struct cst_cluster *cluster, uint32_t node,
                     struct cst_reader *message)
{
    uint8_t what = cst_get_u8(message);
    uint64_t id = cst_get_varint(message);
    uint32_t attempt = cst_get_count(message, UINT32_MAX);

    if (!cst_reader_done(message))
        return false;
    if (what == CST_MESSAGE_FIRED)
        cst_plan_fired(cluster->plan, node, id, attempt);
    else
        cst_plan_berthed(cluster->plan, node, id, attempt);
    return true;
}

void cst_order_berth(void *cluster_, uint32_t node, uint64_t id,
                     uint32_t attempt,
                     const struct castell_constraint *constraint)
{
    struct cst_cluster *cluster = cluster_;
    struct cst_message_berth berth = {id, attempt, *constraint};

    cst_put_berth(cst_begin(cluster, CST_MESSAGE_BERTH), &berth);
    cst_order_give(cluster, node);
}

/* "a:2,b:1": each host once, the lead's first. */
static void put_hosts(struct cst_cluster *cluster, struct cst_writer *text,
                      const uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *name = cst_member_name(cluster, numbers[i]);
        uint32_t here = 0;
        bool first = true;
        char slots[16];

        for (uint32_t j = 0; j < count; j++) {
            bool same = strcmp(cst_member_name(cluster, numbers[j]), name) == 0;

            here += same;
            first = first && (j >= i || !same);
        }
        if (!first)
            continue;
        (void)snprintf(slots, sizeof(slots), ":%u", here);
        if (i > 0)
            cst_put_raw(text, ",", 1);
        cst_put_raw(text, name, strlen(name));
        cst_put_raw(text, slots, strlen(slots));
    }
}

void cst_order_muster(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt, const uint32_t *others,
                      uint32_t others_count)
{
    struct cst_cluster *cluster = cluster_;
    uint32_t *numbers = cst_alloc((others_count + 1) * sizeof(*numbers));
    struct cst_writer hosts = {0};

    if (numbers) {
        numbers[0] = node;
        memcpy(numbers + 1, others, others_count * sizeof(*numbers));
        put_hosts(cluster, &hosts, numbers, others_count + 1);
    }
    if (!numbers || hosts.bad)
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to start a task of several nodes");
    cst_put_muster(cst_begin(cluster, CST_MESSAGE_MUSTER),
                   &(struct cst_message_muster){id, attempt, others_count + 1,
                                                (const char *)hosts.bytes,
                                                hosts.size});
    cst_order_give(cluster, node);
    cst_writer_release(&hosts);
    cst_free(numbers);
}
