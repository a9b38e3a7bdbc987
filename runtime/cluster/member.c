/*
 * Who is in the run, as the master knows it.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "files/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct cst_member *cst_member_new(struct cst_cluster *cluster, uint32_t number,
                                  const struct cst_message_hello *hello)
{
    struct cst_member *member = cst_zalloc(sizeof(*member));

    if (!member)
        return NULL;
    member->number = number;
    member->hello = *hello;
    member->heard_ns = cst_clock_ns();
    member->hello.limits.name = member->hello.name;
    member->hello.limits.arch = member->hello.arch;
    if (hello->limits.features)
        member->hello.limits.features = member->hello.features;
    cst_lock_take(&cluster->members_lock);
    member->next = cluster->members;
    cluster->members = member;
    cst_lock_drop(&cluster->members_lock);
    return member;
}

static void member_free(struct cst_member *member)
{
    if (member)
        cst_watch_picture_release(&member->seen);
    cst_free(member);
}

void cst_master_joined(struct cst_cluster *cluster, uint32_t node,
                       const struct cst_message_hello *hello)
{
    struct cst_member *member = cst_member_new(cluster, node, hello);

    cst_put_varint(cst_begin(cluster, CST_MESSAGE_RUN), cst_places_run());
    cst_cluster_send(cluster, node);
    if (!member || cst_plan_join(cluster->plan, node, &member->hello.limits) !=
                       CASTELL_OK) {
        cst_net_expel(cluster->net, node, "the master has no memory for it");
        return;
    }
    cluster->joined++;
    cst_story_joined(cluster, node, hello->limits.cores);
}

void cst_master_gone(struct cst_cluster *cluster, uint32_t node)
{
    struct cst_member **link = &cluster->members;
    struct cst_member *member;

    /* The plan reads of it what the node has. */
    cst_plan_leave(cluster->plan, node);
    cst_lock_take(&cluster->members_lock);
    while (*link && (*link)->number != node)
        link = &(*link)->next;
    member = *link;
    if (member)
        *link = member->next;
    cst_lock_drop(&cluster->members_lock);
    member_free(member);
}

static bool runs_tasks(const struct cst_cluster *cluster,
                       const struct cst_member *member)
{
    return member->number != CST_NET_MASTER || cluster->options.home_runs;
}

/* Of one node: has it such a device, and all else? */
static enum castell_status check_node(const struct cst_limits *limits,
                                      enum castell_device device,
                                      const struct castell_constraint *demand,
                                      const char *task_label, const char *where)
{
    if (cst_device_has_memory(device) && !(limits->devices >> device & 1))
        return cst_fail(
            CASTELL_ERR_UNSATISFIABLE,
            "task %s%s%s%s needs a device of %s; the nearest node, "
            "%s, has none for it",
            task_label, where ? " (" : "", where ? where : "", where ? ")" : "",
            device == CASTELL_CUDA ? "CUDA" : "OpenCL", limits->name);
    return cst_constraint_check(limits, demand, task_label, where);
}

enum castell_status cst_cluster_check(struct cst_cluster *cluster,
                                      enum castell_device device,
                                      const struct castell_constraint *demand,
                                      const char *task_label, const char *where)
{
    enum castell_status status = CASTELL_ERR_UNSATISFIABLE;
    bool any = false;

    cst_lock_take(&cluster->members_lock);
    for (struct cst_member *member = cluster->members;
         member && status != CASTELL_OK; member = member->next) {
        if (!runs_tasks(cluster, member))
            continue;
        any = true;
        status = check_node(&member->hello.limits, device, demand, task_label,
                            where);
    }
    for (uint32_t s = 0; status != CASTELL_OK && cluster->come_open >> s; s++)
        if (cluster->come_open & UINT32_C(1) << s) {
            any = true;
            status = check_node(&cluster->come[s], device, demand, task_label,
                                where);
        }
    cst_lock_drop(&cluster->members_lock);
    if (!any)
        return cst_fail(status,
                        "task %s cannot run: no node that runs tasks "
                        "is left",
                        task_label);
    return status;
}

/* Members go when the holder of the baton, who asks, says so. */
const char *cst_member_name(struct cst_cluster *cluster, uint32_t number)
{
    const char *name = "?";

    cst_lock_take(&cluster->members_lock);
    for (struct cst_member *member = cluster->members; member;
         member = member->next)
        if (member->number == number)
            name = member->hello.name;
    cst_lock_drop(&cluster->members_lock);
    return name;
}

/* Nodes of one architecture: others cannot be in one gang. */
enum { ARCHS_MAX = 8 };
struct alike {
    const char *arch;
    uint32_t count;
};

/* One more of that architecture. Returns the most there are of any. */
static uint32_t count_alike(struct alike *alike, const char *arch,
                            uint32_t most)
{
    uint32_t i = 0;

    while (i + 1 < ARCHS_MAX && alike[i].arch &&
           strcmp(alike[i].arch, arch) != 0)
        i++;
    alike[i].arch = arch;
    alike[i].count++;
    return alike[i].count > most ? alike[i].count : most;
}

enum castell_status
cst_cluster_check_gang(struct cst_cluster *cluster,
                       const struct castell_constraint *demand,
                       const char *task_label, const char *where)
{
    struct castell_constraint alone = *demand;
    struct alike alike[ARCHS_MAX] = {{NULL, 0}};
    uint32_t fitting = 0;
    uint32_t there = 0;

    alone.nodes = 1;
    cst_lock_take(&cluster->members_lock);
    for (struct cst_member *member = cluster->members; member;
         member = member->next) {
        if (!runs_tasks(cluster, member))
            continue;
        there++;
        if (cst_constraint_check(&member->hello.limits, &alone, task_label,
                                 where) == CASTELL_OK)
            fitting = count_alike(alike, member->hello.arch, fitting);
    }
    cst_lock_drop(&cluster->members_lock);
    if (fitting > 0 && fitting >= demand->nodes)
        return CASTELL_OK;
    if (demand->nodes <= 1)
        return cst_cluster_check(cluster, CASTELL_CPU, &alone, task_label,
                                 where);
    return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                    "task %s%s%s%s needs nodes=%u; of the %u nodes that run "
                    "tasks %u can be among them",
                    task_label, where ? " (" : "", where ? where : "",
                    where ? ")" : "", demand->nodes, there, fitting);
}

void cst_members_release(struct cst_cluster *cluster)
{
    cst_look_release(cluster);
    while (cluster->members) {
        struct cst_member *member = cluster->members;

        cluster->members = member->next;
        member_free(member);
    }
}

void cst_members_say_losses(const struct cst_cluster *cluster)
{
    struct cst_plan_counters counters;

    if (!cluster->is_master || cluster->lost == 0)
        return;
    cst_plan_counters(cluster->plan, &counters);
    (void)fprintf(stderr,
                  "castell: of %" PRIu32 " workers %" PRIu32
                  " were lost; %" PRIu64 " finished tasks were run again\n",
                  cluster->joined, cluster->lost, counters.recomputed);
}
