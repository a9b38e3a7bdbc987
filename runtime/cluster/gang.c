/*
 * Tasks that several nodes run together. One of them leads: when its inputs
 * are there it tells the master, and waits until it is told with whom to start
 * what room gang does. On the others a *berth*, a guest whose body waits, keeps
 * the cores, memory and storage meanwhile. Where all share an MPI world, and it
 * is wanted, the lead and the berths run the task's body themselves: then a
 * process that does not come back after the gang has failed has to end.
 */
#include "gang/gang.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "sched/declare.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    NAPS_SHORT = 200,
    NAP_SHORT_NS = 50000, /* who has made room is mustered soon, mostly */
    NAP_NS = 2000000,
    TAGS = 1 << 15,
    EXIT_GANG = 1,
};

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
    else if (what == CST_MESSAGE_BERTHED)
        cst_plan_berthed(cluster->plan, CST_NET_MASTER, id, attempt);
    else
        cst_plan_strayed(cluster->plan, CST_NET_MASTER, id, attempt);
}

/* Who is in the crew, of those that share a world with us; false: no memory. */
static bool read_ranks(const struct cst_message_muster *muster,
                       struct cst_gang_crew *crew)
{
    struct cst_reader reader;

    crew->nodes = muster->nodes;
    crew->tag = (uint32_t)(muster->id % TAGS);
    if (muster->ranks_size == 0)
        return true;
    crew->ranks = cst_alloc(muster->nodes * sizeof(*crew->ranks));
    cst_reader_init(&reader, muster->ranks, muster->ranks_size);
    for (uint32_t i = 0; crew->ranks && i < muster->nodes; i++)
        crew->ranks[i] = cst_get_u32(&reader);
    return crew->ranks != NULL;
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

void cst_lead_free(struct cst_cluster *cluster, struct cst_visit *visit)
{
    if (!visit->lead)
        return;
    if (cluster->doomed == visit)
        cluster->doomed = NULL;
    cst_free(visit->lead->crew.ranks);
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
    if (!visit->lead->hosts || !read_ranks(&muster, &visit->lead->crew))
        atomic_store(&visit->lead->crew.stop, true);
    visit->lead->crew.hosts = visit->lead->hosts;
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
        if (visit->lead->crew.ranks && cluster->doomed != visit) {
            cluster->doomed = visit;
            cluster->doomed_ns = cst_clock_ns() + CST_GANG_GRACE_NS;
        }
        return;
    }
    cst_visit_destroy(cluster, visit);
    cst_node_report_failure(cluster, id, attempt,
                            "a node of its gang was lost");
}

/* ---- Berths --------------------------------------------------------------- */

/* Which kinds there are does not change while executors run. */
static castell_body *find_body(void *context, const char *name, uint32_t choice,
                               char *why, size_t why_size)
{
    const struct cst_cluster *cluster = context;
    const struct cst_kind *kind =
        cst_map_find(&cluster->kinds, cst_kind_hash(name));

    if (kind && choice < atomic_load(&kind->choices_count))
        return kind->choices[choice].body;
    (void)snprintf(why, why_size, "its processes have not got the body");
    return NULL;
}

static int call_body(void *context, castell_body *body, void *const *buffers,
                     const void *argument)
{
    (void)context;
    return body(buffers, argument);
}

/* Keeps what its task has; nobody else can use it. Until it is over, or the
   gang is here. */
static int keep(void *const *buffers, const void *argument)
{
    struct timespec nap = {0, NAP_SHORT_NS};
    struct cst_berth *berth;

    (void)buffers;
    memcpy(&berth, argument, sizeof(struct cst_berth *));
    atomic_store(&berth->taken, true);
    cst_net_wake(berth->cluster->net);
    for (uint32_t naps = 0;
         !atomic_load(&berth->over) && !atomic_load(&berth->mustered); naps++) {
        if (naps == NAPS_SHORT)
            nap.tv_nsec = NAP_NS;
        (void)nanosleep(&nap, NULL);
    }
    if (atomic_load(&berth->over))
        return 0;
    berth->strayed = true; /* unless it comes back from there */
    berth->strayed = !cst_gang_join(
        &berth->crew,
        &(struct cst_gang_body){find_body, call_body, berth->cluster});
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
    cst_free(berth->crew.ranks);
    cst_free(berth);
}

static struct cst_berth *find_berth(const struct cst_cluster *cluster,
                                    uint64_t id, uint32_t attempt)
{
    struct cst_berth *berth = cluster->berths;

    while (berth && (berth->id != id || berth->attempt != attempt))
        berth = berth->next;
    return berth;
}

static bool join(struct cst_cluster *cluster, struct cst_reader *message)
{
    struct cst_message_muster muster;
    struct cst_berth *berth;

    cst_get_muster(message, &muster);
    if (!cst_reader_done(message) || muster.ranks_size == 0)
        return false;
    berth = find_berth(cluster, muster.id, muster.attempt);
    if (!berth || atomic_load(&berth->mustered))
        return true;
    if (read_ranks(&muster, &berth->crew))
        atomic_store(&berth->mustered, true);
    else
        report(cluster, CST_MESSAGE_STRAYED, berth->id, berth->attempt);
    return true;
}

static void unberth(struct cst_cluster *cluster, uint64_t id, uint32_t attempt)
{
    struct cst_berth *berth = find_berth(cluster, id, attempt);

    if (!berth)
        return;
    berth->unwanted = true;
    atomic_store(&berth->over, true);
    atomic_store(&berth->crew.stop, true);
    if (atomic_load(&berth->mustered))
        berth->deadline_ns = cst_clock_ns() + CST_GANG_GRACE_NS;
    if (!cst_engine_guest_recall(cluster->engine, berth->task))
        return; /* it runs, and ends soon */
    cst_engine_guest_discard(cluster->engine, berth->task);
    berth_free(cluster, berth);
}

/* A body waits in MPI for who will not come, and cannot be ended alone. The
   master has no such body. */
_Noreturn static void end_process(void)
{
    (void)fprintf(stderr,
                  "castell: this worker ends: a task of several nodes has "
                  "failed elsewhere, and its body here does not come back\n");
    (void)fflush(NULL);
    _exit(EXIT_GANG);
}

void cst_berths_settle(struct cst_cluster *cluster)
{
    if (cluster->doomed && cst_clock_ns() > cluster->doomed_ns)
        end_process();
    for (struct cst_berth *berth = cluster->berths; berth; berth = berth->next)
        if (berth->deadline_ns > 0 && cst_clock_ns() > berth->deadline_ns) {
            end_process();
        } else if (!berth->told && !berth->unwanted &&
                   atomic_load(&berth->taken)) {
            berth->told = true;
            report(cluster, CST_MESSAGE_BERTHED, berth->id, berth->attempt);
        }
}

bool cst_berth_done(struct cst_cluster *cluster, struct cst_task *task)
{
    struct cst_berth *berth = task->extra->guest;

    if (task->kind != &cluster->berth_kind)
        return false;
    if (berth->strayed && !berth->unwanted)
        report(cluster, CST_MESSAGE_STRAYED, berth->id, berth->attempt);
    berth_free(cluster, berth);
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
    if (what == CST_MESSAGE_JOIN)
        return join(cluster, message);
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
    else if (what == CST_MESSAGE_BERTHED)
        cst_plan_berthed(cluster->plan, node, id, attempt);
    else
        cst_plan_strayed(cluster->plan, node, id, attempt);
    return true;
}
