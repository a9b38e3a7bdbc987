/*
 * Tasks leave this node: they end, are taken back, or stopped.
 */
#include "base/memory.h"
#include "cluster/cluster_internal.h"

#include <stdio.h>

/* ---- Telling the master -------------------------------------------------- */

static void report_done(struct cst_cluster *cluster,
                        const struct cst_message_done *done)
{
    if (cluster->is_master) {
        cst_master_done(cluster, 0, done);
        return;
    }
    cst_put_done(cst_begin(cluster, CST_MESSAGE_DONE), done);
    cst_cluster_send(cluster, CST_NET_MASTER);
}

void cst_node_report_failure(struct cst_cluster *cluster, uint64_t id,
                             uint32_t attempt, const char *how)
{
    struct cst_message_done done = {
        .id = id, .attempt = attempt, .failed = true};

    (void)snprintf(done.text, sizeof(done.text), "%s", how);
    report_done(cluster, &done);
}

/* ---- It ends ---------------------------------------------------------------- */

/*
 * Has the run failed in this process? Then bodies are not called any more, or
 * what a body here has submitted has failed it: nothing that the task was to make
 * is there, also where failures are ignored.
 */
static bool is_off(struct cst_cluster *cluster, const struct cst_task *task,
                   struct cst_message_done *done)
{
    const char *why = NULL;

    if (cst_engine_status(cluster->engine, &why) == CASTELL_OK ||
        (cluster->is_master && !(task->flags & CST_TASK_CANCELLED)))
        return false;
    done->failed = done->off = true;
    (void)snprintf(done->text, sizeof(done->text), "%s", why);
    return true;
}

static void say_how(const struct cst_visit *visit, const struct cst_task *task,
                    struct cst_message_done *done)
{
    done->failed = (task->flags & (CST_TASK_FAILED | CST_TASK_CANCELLED)) != 0;
    done->kept = (task->flags & CST_TASK_FAILED) && visit->last &&
                 task->kind->on_failure == CASTELL_IGNORE &&
                 !cst_lead_is_stopped(visit);
    if (done->failed)
        (void)snprintf(done->text, sizeof(done->text), "%s",
                       task->extra->how ? task->extra->how
                                        : "it was cancelled");
}

/* A worker of which more is lost than a task: others have what it lacks. */
static bool leaves(struct cst_cluster *cluster)
{
    enum castell_status status = cst_engine_status(cluster->engine, NULL);

    if (cluster->is_master || status == CASTELL_OK ||
        status == CASTELL_ERR_TASK_FAILED)
        return false;
    cst_net_leave(cluster->net);
    return true;
}

void cst_visit_done(struct cst_cluster *cluster, struct cst_task *task)
{
    struct cst_visit *visit = task->extra->guest;
    struct cst_message_done done = {.id = visit->id,
                                    .attempt = visit->attempt,
                                    .duration_ns = task->extra->duration_ns};
    bool made;

    if (!is_off(cluster, task, &done))
        say_how(visit, task, &done);
    cst_free(task->extra->how);
    cst_node_catch_up(cluster);
    (void)cst_map_remove(&cluster->visits, visit->id);
    made = !visit->unwanted && (!done.failed || done.kept);
    if (made)
        cst_visit_files_made(cluster, visit);
    cst_store_finish(cluster->store, visit->job, made);
    if (!visit->unwanted && !leaves(cluster))
        report_done(cluster, &done);
    cst_visit_free(cluster, visit);
}

/* ---- It is taken back ------------------------------------------------------- */

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

void cst_master_recalled(struct cst_cluster *cluster, uint32_t node,
                         uint64_t id, uint32_t attempt)
{
    cst_plan_recalled(cluster->plan, node, id, attempt);
}
