/*
 * One look at the run: what the policy is told, and what it wants done.
 */
#include "base/fail.h"
#include "grow/grow_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ACTIONS_MAX = 16, STEPS_MAX = 50 };

static const double look_s = 0.1; /* while there is work, or anything is asked
                                     for */
static const double rest_s = 0.25;
/* Before the time limit of the run, at most. */
static const double say_s = 300;
static const double stop_s = 20;

/* ---- What the policy is told ---------------------------------------------------- */

/*
 * Of a kind of which no task has ended it is known how long the first ones run
 * at least.
 */
static double unmeasured_s(struct cst_grow *grow)
{
    bool any = false;

    for (uint32_t i = 0; i < grow->survey.plan.works_count; i++)
        any |= grow->survey.plan.works[i].unmeasured > 0;
    if (!any) {
        grow->unmeasured_since_s = -1;
        return 0;
    }
    if (grow->unmeasured_since_s < 0)
        grow->unmeasured_since_s = grow->now_s;
    return grow->now_s - grow->unmeasured_since_s;
}

static size_t tell_work(struct cst_grow *grow)
{
    double task_s = unmeasured_s(grow);
    size_t count = grow->survey.plan.works_count;

    for (size_t i = 0; i < count; i++) {
        const struct cst_plan_work *from = &grow->survey.plan.works[i];
        struct cst_elastic_work *work = &grow->works[i];

        *work = (struct cst_elastic_work){
            .sorts = from->sorts,
            .core_s = from->core_ns / 1e9 + from->unmeasured * task_s,
            .width = from->runnable,
            .running_s = from->running_ns / 1e9,
            .running = from->running,
            .task_s =
                fmax(from->task_ns / 1e9, from->unmeasured > 0 ? task_s : 0),
            .what = from->label ? from->label : "tasks",
        };
        /* What cannot run at once is no reason for more nodes. */
        if (from->tasks > 0 && from->runnable < from->tasks)
            work->core_s *= from->runnable / from->tasks;
        /* Nothing here can run it: then it is worth a node, however short. */
        if (from->nodes == 0)
            work->core_s = fmax(work->core_s, 1e-3);
    }
    return count;
}

static void tell_node(struct cst_grow *grow,
                      const struct cst_cluster_node *from,
                      struct cst_elastic_node *ret_node)
{
    const struct cst_ticket *ticket =
        from->ticket ? cst_ticket_find(grow, from->ticket) : NULL;

    *ret_node = (struct cst_elastic_node){
        .number = from->number,
        .sort = grow->classes_count,
        .leaves = from->drains,
        .cores = from->cores,
        .idle_since_s = -1,
        .until_s = grow->end_s,
    };
    if (!ticket)
        return;
    ret_node->sort = ticket->class;
    ret_node->extra = true;
    ret_node->leaves |= ticket->drains;
    ret_node->stands = ticket->suspended;
    ret_node->joined_s = ticket->joined_s;
    ret_node->idle_since_s = ticket->idle_since_s;
    ret_node->until_s = ticket->until_s;
}

static size_t tell_requests(struct cst_grow *grow)
{
    size_t count = 0;

    for (size_t i = 0; i < grow->tickets_count; i++) {
        const struct cst_ticket *ticket = &grow->tickets[i];

        if (ticket->state == CST_TICKET_HERE)
            continue;
        grow->requests[count++] = (struct cst_elastic_request){
            .id = ticket->id,
            .class = ticket->class,
            .started = ticket->started_s >= 0,
            .hopeless = ticket->hopeless,
            .cancelled = ticket->cancelled || ticket->state == CST_TICKET_GONE,
            .asked_s = ticket->asked_s,
            .started_s = ticket->started_s,
            .until_s = ticket->until_s,
            .minutes = ticket->minutes,
            .reason = ticket->reason,
        };
    }
    return count;
}

static struct cst_elastic_snapshot tell_all(struct cst_grow *grow)
{
    uint32_t wanted = atomic_load(&grow->wanted);

    for (size_t i = 0; i < grow->survey.nodes_count; i++)
        tell_node(grow, &grow->survey.nodes[i], &grow->nodes[i]);
    return (struct cst_elastic_snapshot){
        .now_s = grow->now_s,
        .end_s = grow->end_s,
        .used_node_s = cst_book_cost_s(grow),
        .nodes_min = wanted > 0 ? wanted : grow->nodes_min,
        .work = grow->works,
        .work_count = tell_work(grow),
        .nodes = grow->nodes,
        .nodes_count = grow->survey.nodes_count,
        .requests = grow->requests,
        .requests_count = tell_requests(grow),
    };
}

/* ---- What is done ----------------------------------------------------------------- */

static void request(struct cst_grow *grow,
                    const struct cst_elastic_action *action)
{
    const struct cst_elastic_spec *spec = &grow->specs[action->class];
    uint32_t nodes = action->nodes < CST_SLURM_NODES_MAX ? action->nodes
                                                         : CST_SLURM_NODES_MAX;
    /* What the class says is said already, but no more may be paid for. */
    uint32_t minutes = spec->minutes == action->minutes ? 0 : action->minutes;
    uint32_t first = 0;

    if (cst_slurm_request(grow->slurm, spec->options, nodes, minutes, &first) !=
        CASTELL_OK) {
        cst_elastic_refused(grow->policy, action->class, grow->now_s,
                            castell_error_text());
        return;
    }
    cst_grow_say(grow, "asks SLURM for %s", action->reason);
    for (uint32_t i = 0; i < nodes; i++)
        if (!cst_ticket_add(grow, first + i, action))
            cst_slurm_cancel(grow->slurm, first + i);
}

static void cancel(struct cst_grow *grow,
                   const struct cst_elastic_action *action)
{
    struct cst_ticket *ticket = cst_ticket_find(grow, action->id);

    if (!ticket)
        return;
    cst_grow_say(grow, "cancels a request for a node of class %s: %s%s%s%s",
                 grow->specs[ticket->class].name, action->reason,
                 ticket->reason[0] ? " (" : "", ticket->reason,
                 ticket->reason[0] ? ")" : "");
    ticket->cancelled = true;
    cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_CANCELLED, action->reason);
    cst_slurm_cancel(grow->slurm, ticket->id);
}

static struct cst_ticket *ticket_of(struct cst_grow *grow, uint32_t node)
{
    for (size_t i = 0; i < grow->tickets_count; i++)
        if (grow->tickets[i].state == CST_TICKET_HERE &&
            grow->tickets[i].node == node)
            return &grow->tickets[i];
    return NULL;
}

static bool look(struct cst_grow *grow)
{
    if (cst_cluster_survey(grow->cluster, grow->port, &grow->survey) !=
        CASTELL_OK)
        return false;
    cst_book_see(grow);
    return true;
}

static void drain(struct cst_grow *grow,
                  const struct cst_elastic_action *action)
{
    struct cst_ticket *ticket = ticket_of(grow, action->id);

    if (!ticket)
        return;
    grow->survey.drain = action->id;
    if (look(grow) && grow->survey.status == CASTELL_OK) {
        ticket = ticket_of(grow, action->id);
        cst_grow_say(grow, "node %" PRIu32 " leaves: %s", action->id,
                     action->reason);
        if (ticket) {
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_LEAVES,
                          action->reason);
            ticket->drains = true;
            ticket->drained_s = grow->now_s;
        }
    }
    grow->survey.drain = 0;
}

static void act(struct cst_grow *grow, const struct cst_elastic_action *action)
{
    switch (action->what) {
    case CST_ELASTIC_REQUEST:
        request(grow, action);
        break;
    case CST_ELASTIC_CANCEL:
        cancel(grow, action);
        break;
    case CST_ELASTIC_DRAIN:
        drain(grow, action);
        break;
    case CST_ELASTIC_GIVE_UP:
        grow->open &= ~(UINT32_C(1) << action->class);
        cst_cluster_expect(grow->cluster, grow->sorts->limits, grow->open);
        cst_grow_say(grow, "%s", action->reason);
        break;
    case CST_ELASTIC_SAY:
        cst_grow_say(grow, "%s", action->reason);
        break;
    }
}

/* Say early that the time of the run is nearly over, and end it in good order
   while there is time for that. */
static void look_at_end(struct cst_grow *grow)
{
    double left_s = grow->end_s - grow->now_s;
    double all_s = grow->end_s - grow->start_s;

    if (left_s < fmin(say_s, all_s / 2) && !grow->told_end) {
        grow->told_end = true;
        cst_grow_say(grow, "the time limit of the run's job is in %.0f s",
                     left_s);
    }
    if (left_s < fmin(stop_s, all_s / 4))
        grow->survey.end = "the time limit of the run's job is near";
}

double cst_grow_turn(struct cst_grow *grow)
{
    struct cst_elastic_action actions[ACTIONS_MAX];
    double again_s = 0;
    size_t count = 1;

    look_at_end(grow);
    for (int step = 0; step < STEPS_MAX && again_s <= 0; step++) {
        struct cst_elastic_snapshot snapshot;

        if (!look(grow))
            return look_s;
        snapshot = tell_all(grow);
        count = cst_elastic_step(grow->policy, &snapshot, actions, ACTIONS_MAX,
                                 &again_s);
        for (size_t i = 0; i < count; i++)
            act(grow, &actions[i]);
    }
    cst_grow_show(grow);
    again_s = fmax(again_s, 0.01);
    if (grow->tickets_count > 0 || grow->survey.plan.works_count > 0)
        return fmin(again_s, look_s);
    return fmin(again_s, rest_s);
}
