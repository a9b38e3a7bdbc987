/*
 * Who is in the run, as the master knows it.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"

struct cst_member *cst_member_new(struct cst_cluster *cluster, uint32_t number,
                                  const struct cst_message_hello *hello)
{
    struct cst_member *member = cst_zalloc(sizeof(*member));

    if (!member)
        return NULL;
    member->number = number;
    member->hello = *hello;
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

void cst_master_joined(struct cst_cluster *cluster, uint32_t node,
                       const struct cst_message_hello *hello)
{
    struct cst_member *member = cst_member_new(cluster, node, hello);

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
    cst_free(member);
}

enum castell_status cst_cluster_check(struct cst_cluster *cluster,
                                      const struct castell_constraint *demand,
                                      const char *task_label, const char *where)
{
    enum castell_status status = CASTELL_ERR_UNSATISFIABLE;

    cst_lock_take(&cluster->members_lock);
    for (struct cst_member *member = cluster->members;
         member && status != CASTELL_OK; member = member->next)
        status = cst_constraint_check(&member->hello.limits, demand, task_label,
                                      where);
    cst_lock_drop(&cluster->members_lock);
    return status;
}

void cst_members_release(struct cst_cluster *cluster)
{
    while (cluster->members) {
        struct cst_member *member = cluster->members;

        cluster->members = member->next;
        cst_free(member);
    }
}
