/*
 * Asking for nodes: how many of which class the work that is left justifies.
 */
#include "base/fail.h"
#include "elastic/elastic_internal.h"

#include <inttypes.h>

/* A class that comes later in the user's order is taken when it ends the work
   so much sooner. */
static const double sooner = 1.2;
/* SLURM ends a job that is over its time not to the second. */
static const double overrun_s = 90;
/* How long nodes that make up the least number are asked for. */
enum { MINUTES_LEAST = 60 };

/* ---- Order of work -------------------------------------------------------------- */

static unsigned sorts_count(const struct cst_elastic_work *work)
{
    return (unsigned)__builtin_popcount(work->sorts);
}

/* What runs does so on the nodes that are here. */
static void take_running(const struct cst_elastic_snapshot *now,
                         struct cst_forecast *forecast)
{
    struct cst_forecast here = *forecast;

    here.with_started = false;
    here.with_pending = false;
    here.with_leaving = true;
    for (size_t i = 0; i < now->work_count; i++) {
        struct cst_elastic_work running = now->work[i];

        running.core_s = running.running_s;
        running.width = running.running;
        (void)cst_forecast_take(&here, &running);
    }
    for (uint32_t s = 0; s < CST_ELASTIC_SORTS_MAX; s++) {
        double stay = 0;
        double all = cst_forecast_here(&here, s, &stay);

        forecast->busy[s] = all > 0 ? here.used[s] * stay / all : 0;
    }
}

void cst_each_work(const struct cst_step *step, struct cst_forecast *forecast,
                   bool (*visit)(void *context, struct cst_forecast *forecast,
                                 const struct cst_elastic_work *work),
                   void *context)
{
    const struct cst_elastic_snapshot *now = step->now;

    take_running(now, forecast);
    for (unsigned sorts = 1; sorts <= CST_ELASTIC_SORTS_MAX; sorts++)
        for (size_t i = 0; i < now->work_count; i++) {
            if (sorts_count(&now->work[i]) != sorts)
                continue;
            if (!visit(context, forecast, &now->work[i]))
                return;
            (void)cst_forecast_take(forecast, &now->work[i]);
        }
}

/* ---- How many ------------------------------------------------------------------- */

double cst_worth_s(const struct cst_elastic *elastic, uint32_t class)
{
    return (elastic->classes[class].start.median +
            cst_elastic_idle_s(elastic, class)) /
           elastic->options.overhead;
}

double cst_nodes_of_use(const struct cst_forecast *forecast,
                        const struct cst_elastic_work *work, uint32_t class,
                        double arrival_s, double worth_s)
{
    double each = forecast->elastic->classes[class].cores;
    double left =
        work->core_s - cst_forecast_free(forecast, work->sorts, arrival_s);
    double cores;
    double count;

    if (left <= 0)
        return 0;
    cores = cst_forecast_cores(forecast, work->sorts, arrival_s, worth_s);
    count = fmin(floor((left / worth_s - cores) / each),
                 ceil((work->width - cores) / each));
    /* What nothing can do has to be done all the same. */
    return cores <= 0 ? fmax(count, 1) : fmax(count, 0);
}

/* ---- How many are allowed ----------------------------------------------------------- */

static uint32_t room_in_class(const struct cst_step *step, uint32_t number)
{
    const struct cst_elastic_snapshot *now = step->now;
    uint32_t max = step->elastic->classes[number].given.nodes_max;
    uint32_t used = 0;

    if (max == 0)
        return UINT32_MAX;
    for (size_t i = 0; i < now->nodes_count; i++)
        used += now->nodes[i].extra && now->nodes[i].sort == number;
    for (size_t i = 0; i < now->requests_count; i++)
        used += now->requests[i].class == number;
    return used < max ? max - used : 0;
}

static uint32_t room_in_run(const struct cst_step *step)
{
    size_t used = step->now->nodes_count + step->now->requests_count;
    uint32_t max = step->elastic->options.nodes_max;

    return used < max ? max - (uint32_t)used : 0;
}

static bool is_open(struct cst_step *step, uint32_t number)
{
    struct cst_class *class = &step->elastic->classes[number];

    if (class->given_up)
        return false;
    if (step->now->now_s < class->closed_until_s) {
        cst_step_again(step, class->closed_until_s - step->now->now_s);
        return false;
    }
    return room_in_class(step, number) > 0;
}

/* ---- What they may cost --------------------------------------------------------------- */

/* What can still be promised, when all that was promised is used to the end. */
static double budget_left_s(const struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;
    double left = step->elastic->options.node_hours * 3600 - now->used_node_s;

    if (step->elastic->options.node_hours <= 0)
        return HUGE_VAL;
    for (size_t i = 0; i < now->nodes_count; i++)
        if (now->nodes[i].extra)
            left -= fmax(now->nodes[i].until_s - now->now_s, 0) + overrun_s;
    for (size_t i = 0; i < now->requests_count; i++) {
        const struct cst_elastic_request *request = &now->requests[i];

        left -= overrun_s + (request->started
                                 ? fmax(request->until_s - now->now_s, 0)
                                 : request->minutes * 60.0);
    }
    return left;
}

/* The best that a class can do for a work. */
struct offer {
    uint32_t class;
    double nodes;
    double task_s;
    double stay_s;   /* how long they work */
    double finish_s; /* when it is done then */
};

/* Minutes that nodes can have at most, so that as many as are wanted, or one at
   least, can be paid for; 0: none can. */
static uint32_t minutes_most(struct cst_step *step, const struct offer *offer,
                             uint32_t minutes, uint32_t *nodes)
{
    double left_s = budget_left_s(step);
    double run_s = step->now->end_s - step->now->now_s;
    double worth_s = cst_worth_s(step->elastic, offer->class);
    double least_s = step->elastic->classes[offer->class].start.median +
                     worth_s + cst_leave_s(step->elastic, offer->task_s);
    double payable;

    if (run_s < minutes * 60.0)
        minutes = run_s > 0 ? (uint32_t)(run_s / 60) : 0;
    if (minutes == 0 ||
        run_s < cst_elastic_arrival_s(step->elastic, offer->class) + worth_s) {
        if (!step->elastic->told_end)
            (void)cst_step_add(step, CST_ELASTIC_SAY,
                               "no more nodes: the time limit of the run is "
                               "too near");
        step->elastic->told_end = true;
        return 0;
    }
    payable = floor(left_s / (minutes * 60.0 + overrun_s));
    if (payable >= 1) {
        if (payable < *nodes)
            *nodes = (uint32_t)payable;
        return minutes;
    }
    *nodes = 1;
    if (left_s - overrun_s >= least_s && left_s >= overrun_s + 60)
        return (uint32_t)((left_s - overrun_s) / 60);
    if (!step->elastic->told_budget)
        (void)cst_step_add(step, CST_ELASTIC_SAY,
                           "no more nodes: of %.3g node-hours too few are left",
                           step->elastic->options.node_hours);
    step->elastic->told_budget = true;
    return 0;
}

/* ---- Asking ---------------------------------------------------------------------------- */

/* What is being decided, for one work after the other. */
struct wish {
    struct cst_step *step;
    bool asked;
};

static struct offer offer_of(const struct cst_step *step,
                             const struct cst_forecast *forecast,
                             const struct cst_elastic_work *work,
                             uint32_t class)
{
    struct offer offer = {.class = class, .task_s = work->task_s};
    double arrival = cst_elastic_arrival_s(step->elastic, class);
    double worth = cst_worth_s(step->elastic, class);
    double left;

    offer.nodes = cst_nodes_of_use(forecast, work, class, arrival, worth);
    offer.nodes = fmin(offer.nodes, room_in_class(step, class));
    offer.nodes = fmin(offer.nodes, room_in_run(step));
    if (offer.nodes < 1)
        return offer;
    left = work->core_s - cst_forecast_free(forecast, work->sorts, arrival);
    offer.stay_s =
        left / (cst_forecast_cores(forecast, work->sorts, arrival, worth) +
                offer.nodes * step->elastic->classes[class].cores);
    offer.stay_s = fmax(offer.stay_s, work->task_s);
    offer.finish_s = arrival + offer.stay_s;
    return offer;
}

static uint32_t minutes_for(const struct cst_step *step,
                            const struct offer *offer)
{
    const struct cst_elastic *elastic = step->elastic;
    const struct cst_class *class = &elastic->classes[offer->class];
    double minutes = (class->start.median + 1.5 * offer->stay_s +
                      cst_elastic_idle_s(elastic, offer->class) +
                      cst_leave_s(elastic, offer->task_s)) /
                         60 +
                     1;

    if (class->given.minutes > 0)
        return class->given.minutes;
    minutes = fmin(fmax(minutes, elastic->options.minutes_min), 60 * 24 * 365);
    return (uint32_t)minutes;
}

static bool ask(struct cst_step *step, const struct offer *offer,
                const struct cst_elastic_work *work)
{
    const struct cst_class *class = &step->elastic->classes[offer->class];
    uint32_t nodes = (uint32_t)offer->nodes;
    uint32_t minutes =
        minutes_most(step, offer, minutes_for(step, offer), &nodes);
    struct cst_elastic_action *action;

    if (minutes == 0)
        return false;
    action = cst_step_add(
        step, CST_ELASTIC_REQUEST,
        "%" PRIu32 " of class %s: %.4g core-seconds wait (%s); they come in "
        "%.3g s and work for %.3g s",
        nodes, class->given.name, work->core_s, work->what,
        cst_elastic_arrival_s(step->elastic, offer->class), offer->stay_s);
    if (!action)
        return false;
    action->class = offer->class;
    action->nodes = nodes;
    action->minutes = minutes;
    return true;
}

/* Of the classes that can do it, the first that is not much later than the
   best. */
static bool grow_for(void *context, struct cst_forecast *forecast,
                     const struct cst_elastic_work *work)
{
    struct wish *wish = context;
    struct cst_step *step = wish->step;
    struct offer offers[CST_ELASTIC_CLASSES_MAX];
    uint32_t count = 0;
    double best_s = HUGE_VAL;

    for (uint32_t i = 0; i < step->elastic->options.classes_count; i++) {
        struct offer offer;

        if (!(work->sorts & UINT32_C(1) << i) || !is_open(step, i))
            continue;
        offer = offer_of(step, forecast, work, i);
        if (offer.nodes < 1)
            continue;
        offers[count++] = offer;
        best_s = fmin(best_s, offer.finish_s);
    }
    for (uint32_t i = 0; i < count && !wish->asked; i++)
        if (offers[i].finish_s <= best_s * sooner) {
            wish->asked = ask(wish->step, &offers[i], work);
            break;
        }
    return !wish->asked;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As many as are always wanted; false: there are. */
static bool fill_up(struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;
    uint32_t here = 0;
    uint32_t nodes;
    uint32_t minutes;

    for (size_t i = 0; i < now->nodes_count; i++)
        here += !now->nodes[i].leaves;
    for (size_t i = 0; i < now->requests_count; i++)
        here += !now->requests[i].cancelled;
    if (here >= now->nodes_min)
        return false;
    for (uint32_t i = 0; i < step->elastic->options.classes_count; i++) {
        const struct cst_elastic_class *given =
            &step->elastic->classes[i].given;
        const struct offer offer = {.class = i};
        struct cst_elastic_action *action;

        if (!is_open(step, i) || room_in_run(step) == 0)
            continue;
        nodes = least(now->nodes_min - here,
                      least(room_in_run(step), room_in_class(step, i)));
        minutes = minutes_most(
            step, &offer, given->minutes > 0 ? given->minutes : MINUTES_LEAST,
            &nodes);
        if (minutes == 0)
            continue;
        action = cst_step_add(step, CST_ELASTIC_REQUEST,
                              "%" PRIu32 " of class %s: %" PRIu32
                              " nodes, and %" PRIu32 " are always wanted",
                              nodes, given->name, here, now->nodes_min);
        if (!action)
            return false;
        action->class = i;
        action->nodes = nodes;
        action->minutes = minutes;
        return true;
    }
    return false;
}

/* ---- Room for what nothing else can do -------------------------------------------------- */

/* Does a node that is here or asked for do it, or is one about to go? */
static bool is_served(const struct cst_step *step,
                      const struct cst_elastic_work *work)
{
    const struct cst_elastic_snapshot *now = step->now;

    for (size_t i = 0; i < now->nodes_count; i++)
        if (now->nodes[i].leaves || work->sorts & UINT32_C(1)
                                                      << now->nodes[i].sort)
            return true;
    for (size_t i = 0; i < now->requests_count; i++)
        if (now->requests[i].cancelled || now->requests[i].hopeless ||
            work->sorts & UINT32_C(1) << now->requests[i].class)
            return true;
    return false;
}

/* How long others may keep it waiting: they come and go by turns then, and work
   for most of the time. */
static double turn_s(struct cst_step *step, const struct cst_elastic_work *work)
{
    double longest_s = -1;

    for (uint32_t i = 0; i < step->elastic->options.classes_count; i++)
        if (work->sorts & UINT32_C(1) << i && is_open(step, i))
            longest_s = fmax(
                longest_s, fmax(cst_worth_s(step->elastic, i),
                                10 * cst_elastic_arrival_s(step->elastic, i)));
    return longest_s;
}

/* The run has as many nodes as it may, and none for this work: who has been here
   for its turn, or has not come in that time, goes. */
static void make_room_for(struct cst_step *step,
                          const struct cst_elastic_work *work)
{
    const struct cst_elastic_snapshot *now = step->now;
    double turn = turn_s(step, work);
    struct cst_elastic_action *action;

    for (size_t i = 0; i < now->requests_count && turn >= 0; i++) {
        if (now->requests[i].started ||
            now->now_s - now->requests[i].asked_s < turn)
            continue;
        action = cst_step_add(step, CST_ELASTIC_CANCEL,
                              "its place is wanted for what only others can do "
                              "(%s)",
                              work->what);
        if (action)
            action->id = now->requests[i].id;
        return;
    }
    for (size_t i = 0; i < now->nodes_count && turn >= 0; i++) {
        if (!now->nodes[i].extra || now->now_s - now->nodes[i].joined_s < turn)
            continue;
        action = cst_step_add(step, CST_ELASTIC_DRAIN,
                              "its place is wanted for what only others can do "
                              "(%s)",
                              work->what);
        if (action)
            action->id = now->nodes[i].number;
        return;
    }
}

static void make_room(struct cst_step *step)
{
    const struct cst_elastic_snapshot *now = step->now;

    if (step->actions_count > 0 || room_in_run(step) > 0)
        return;
    for (size_t i = 0; i < now->work_count; i++)
        if (now->work[i].core_s > 0 && !is_served(step, &now->work[i])) {
            make_room_for(step, &now->work[i]);
            return;
        }
}

/* One request a step: the next one is decided when this one is seen. */
void cst_grow(struct cst_step *step)
{
    struct wish wish = {.step = step};
    struct cst_forecast forecast;

    if (fill_up(step)) {
        step->again_s = 0;
        return;
    }
    cst_forecast_init(&forecast, step->elastic, step->now, true);
    cst_each_work(step, &forecast, grow_for, &wish);
    if (wish.asked)
        step->again_s = 0;
    else
        make_room(step);
}
