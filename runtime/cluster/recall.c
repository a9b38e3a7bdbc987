/*
 * Tasks that were assigned to this node are taken back or stopped.
 */
#include "cluster/cluster_internal.h"

static void report_recalled(struct cst_cluster *cluster, uint64_t id,
                            uint32_t attempt)
{
    if (cluster->is_master)
        cst_master_recalled(cluster, 0, id, attempt);
    else
        cst_cluster_report(cluster, CST_MESSAGE_RECALLED, id, attempt);
}

struct cst_visit *cst_node_withdraw(struct cst_cluster *cluster, uint64_t id,
                                    uint32_t attempt)
{
    struct cst_visit *visit = cst_map_find(&cluster->visits, id);

    if (!visit || visit->attempt != attempt)
        return NULL;
    if (visit->fired && !cst_lead_waits(visit) &&
        !cst_engine_guest_recall(cluster->engine, visit->task))
        return NULL;
    (void)cst_map_remove(&cluster->visits, id);
    cst_store_withdraw(cluster->store, visit->job);
    visit->job = NULL;
    return visit;
}

void cst_node_recall(struct cst_cluster *cluster, uint64_t id, uint32_t attempt)
{
    struct cst_visit *visit = cst_node_withdraw(cluster, id, attempt);

    if (!visit)
        return;
    cst_visit_destroy(cluster, visit);
    report_recalled(cluster, id, attempt);
}

void cst_node_cancel(struct cst_cluster *cluster, uint64_t id, uint32_t attempt)
{
    struct cst_visit *visit = cst_node_withdraw(cluster, id, attempt);

    if (visit) {
        cst_visit_destroy(cluster, visit);
        return;
    }
    visit = cst_map_find(&cluster->visits, id);
    if (visit && visit->attempt == attempt)
        visit->unwanted = true;
}
