/*
 * Giving back: requests that are of no use any more, and nodes.
 */
#include "elastic/elastic_internal.h"

#include <inttypes.h>

/* A request is needless when a node would work for less than this share of what
   would justify asking for it: asking and cancelling must not follow from the
   same numbers. */
static const double needless_share = 0.3;
/* A job that has a node starts a worker within this time, or never. */
static const double join_least_s = 60;
static const double join_times = 10;
/* Before its time limit a node leaves so long at least. */
static const double leave_least_s = 10;

/* ---- Requests that do not come ------------------------------------------------ */

static bool is_wanted(const struct cst_elastic_request *request)
{
    return !request->cancelled;
}

static void cancel(struct cst_step *step,
                   const struct cst_elastic_request *request, const char *why)
{
    struct cst_elastic_action *action =
        cst_step_add(step, CST_ELASTIC_CANCEL, "%s", why);

    if (!action)
        return;
    action->id = request->id;
    action->class = request->class;
}

static double join_limit_s(const struct cst_class *class)
{
    return fmax(join_least_s, join_times * class->start.median);
}

static void look_at_started(struct cst_step *step,
                            const struct cst_elastic_request *request)
{
    struct cst_class *class = &step->elastic->classes[request->class];
    double since_s = step->now->now_s - request->started_s;

    if (since_s < join_limit_s(class)) {
        cst_step_again(step, join_limit_s(class) - since_s);
        return;
    }
    cancel(step, request, "its job has started, but no worker has come");
    if (step->now->now_s >= class->closed_until_s)
        cst_class_close(class, step->now->now_s, false,
                        "jobs start, but no worker comes");
}

static void look_at_pending(struct cst_step *step,
                            const struct cst_elastic_request *request)
{
    struct cst_class *class = &step->elastic->classes[request->class];
    double since_s = step->now->now_s - request->asked_s;
    const char *reason = request->reason ? request->reason : "";

    if (!request->hopeless && since_s < class->given.deadline_s) {
        cst_step_again(step, class->given.deadline_s - since_s);
        return;
    }
    cancel(step, request,
           request->hopeless ? "it would never start" : "it waits too long");
    if (step->now->now_s < class->closed_until_s)
        return;
    if (request->hopeless)
        cst_class_close(class, step->now->now_s, class->arrived == 0,
                        "its job would never start (%s)", reason);
    else
        cst_class_close(class, step->now->now_s, false,
                        "its job has waited for %.0f s%s%s%s", since_s,
                        *reason ? " (" : "", reason, *reason ? ")" : "");
}

void cst_cancel_late(struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;

    for (size_t i = 0; i < now->requests_count; i++) {
        if (!is_wanted(&now->requests[i]))
            continue;
        if (now->requests[i].started)
            look_at_started(step, &now->requests[i]);
        else
            look_at_pending(step, &now->requests[i]);
    }
}

/* ---- Requests that are not needed ------------------------------------------------- */

/* How many nodes of each class are of use, beside those that are here. */
struct need {
    struct cst_step *step;
    double nodes[CST_ELASTIC_CLASSES_MAX];
};

/* The soonest that any of a class may come. */
static double soonest(const struct cst_step *step, uint32_t class)
{
    const struct cst_elastic_snapshot *now = step->now;
    double soonest_s = cst_elastic_arrival_s(step->elastic, class);

    for (size_t i = 0; i < now->requests_count; i++)
        if (now->requests[i].class == class && is_wanted(&now->requests[i]))
            soonest_s =
                fmin(soonest_s, cst_forecast_arrival(step->elastic, now,
                                                     &now->requests[i]));
    return soonest_s;
}

static bool add_need(void *context, struct cst_forecast *forecast,
                     const struct cst_elastic_work *work)
{
    struct need *need = context;
    const struct cst_elastic *elastic = need->step->elastic;

    for (uint32_t i = 0; i < elastic->options.classes_count; i++)
        if (work->sorts & UINT32_C(1) << i)
            need->nodes[i] +=
                cst_nodes_of_use(forecast, work, i, soonest(need->step, i),
                                 cst_worth_s(elastic, i) * needless_share);
    return true;
}

static uint32_t count_wanted(const struct cst_elastic_snapshot *now)
{
    uint32_t count = 0;

    for (size_t i = 0; i < now->nodes_count; i++)
        count += !now->nodes[i].leaves;
    for (size_t i = 0; i < now->requests_count; i++)
        count += is_wanted(&now->requests[i]);
    return count;
}

/* Those that have not started first, the youngest of them. */
static const struct cst_elastic_request *
least_useful(const struct cst_step *step, uint32_t class, uint32_t last)
{
    const struct cst_elastic_request *found = NULL;

    for (size_t i = 0; i < step->now->requests_count; i++) {
        const struct cst_elastic_request *request = &step->now->requests[i];

        if (request->class != class || !is_wanted(request) ||
            request->hopeless || request->started || request->id >= last)
            continue;
        if (!found || request->id > found->id)
            found = request;
    }
    return found;
}

static void cancel_some(struct cst_step *step, uint32_t class, uint32_t count)
{
    uint32_t wanted = count_wanted(step->now);
    uint32_t last = UINT32_MAX;

    for (; count > 0 && wanted > step->now->nodes_min; count--, wanted--) {
        const struct cst_elastic_request *request =
            least_useful(step, class, last);

        if (!request)
            return;
        last = request->id;
        cancel(step, request, "the work is done sooner without it");
    }
}

void cst_cancel_needless(struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;
    struct need need = {.step = step};
    struct cst_forecast forecast;

    if (now->requests_count == 0)
        return;
    cst_forecast_init(&forecast, step->elastic, now, false);
    cst_each_work(step, &forecast, add_need, &need);
    for (uint32_t i = 0; i < step->elastic->options.classes_count; i++) {
        struct cst_class *class = &step->elastic->classes[i];
        double idle_s = cst_elastic_idle_s(step->elastic, i);
        double pending = 0;

        for (size_t k = 0; k < now->requests_count; k++)
            pending += now->requests[k].class == i &&
                       is_wanted(&now->requests[k]) &&
                       !now->requests[k].started;
        if (pending <= need.nodes[i]) {
            class->needless_since_s = -1;
            continue;
        }
        if (class->needless_since_s < 0)
            class->needless_since_s = now->now_s;
        cst_step_again(step, class->needless_since_s + idle_s - now->now_s);
        if (now->now_s - class->needless_since_s < idle_s)
            continue;
        cancel_some(step, i, (uint32_t)(pending - need.nodes[i]));
        class->needless_since_s = -1;
    }
}

/* ---- Nodes --------------------------------------------------------------------------- */

/* A reason with a time in it. */
static void drain(struct cst_step *step, const struct cst_elastic_node *node,
                  const char *why, double seconds)
{
    struct cst_elastic_action *action =
        cst_step_add(step, CST_ELASTIC_DRAIN, "%s (%.3g s)", why, seconds);

    if (!action)
        return;
    action->id = node->number;
    action->class = node->sort;
}

double cst_leave_s(const struct cst_elastic *elastic, double task_s)
{
    return fmax(2 * elastic->leave.median + 1.5 * task_s, leave_least_s);
}

static double longest_task_s(const struct cst_elastic_snapshot *now,
                             uint32_t sort)
{
    double longest = 0;

    for (size_t i = 0; i < now->work_count; i++)
        if (now->work[i].sorts & UINT32_C(1) << sort)
            longest = fmax(longest, now->work[i].task_s);
    return longest;
}

/* So that the tasks that it runs end, and what it has can be sent; but it works
   half of its time at least. */
static double leave_before_s(const struct cst_step *step,
                             const struct cst_elastic_node *node)
{
    double wish_s =
        cst_leave_s(step->elastic, longest_task_s(step->now, node->sort));

    return fmin(wish_s, (node->until_s - node->joined_s) / 2);
}

/* Is so much paid for that those that are here have to go? Only where a time
   limit is not known, or is not kept. */
static bool is_spent(const struct cst_step *step, size_t extra)
{
    double budget_s = step->elastic->options.node_hours * 3600;

    return budget_s > 0 &&
           step->now->used_node_s +
                   (double)extra * 2 * step->elastic->leave.median >=
               budget_s;
}

void cst_drain(struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;
    uint32_t wanted = count_wanted(now);
    size_t extra = 0;
    bool spent;

    for (size_t i = 0; i < now->nodes_count; i++)
        extra += now->nodes[i].extra;
    spent = is_spent(step, extra);
    for (size_t i = 0; i < now->nodes_count; i++) {
        const struct cst_elastic_node *node = &now->nodes[i];
        double left_s = node->until_s - now->now_s;
        double before_s;
        double idle_s;

        if (!node->extra || node->leaves)
            continue;
        before_s = leave_before_s(step, node);
        idle_s = cst_elastic_idle_s(step->elastic, node->sort);
        if (spent) {
            drain(step, node, "the node-hours are used up", now->used_node_s);
        } else if (left_s <= before_s) {
            drain(step, node, "its time limit is near", left_s);
        } else if (node->idle_since_s < 0) {
            cst_step_again(step, left_s - before_s);
        } else if (now->now_s - node->idle_since_s < idle_s) {
            cst_step_again(step, node->idle_since_s + idle_s - now->now_s);
        } else if (wanted > now->nodes_min) {
            drain(step, node, "it is idle", now->now_s - node->idle_since_s);
            wanted--;
        }
    }
}
