/*
 * How long work takes on what is here and what is expected: work as a liquid
 * that is filled into the nodes' time. What fewest sorts of node can do comes
 * first, so that it gets those, and each work rises in all of its sorts alike.
 */
#include "elastic/elastic_internal.h"

/* Nothing is looked at that is further away. */
static const double horizon_s = 1e9;

/*
 * A wait in a queue has a heavy tail: who has waited longer than is usual will
 * wait about as long again as a third of that.
 */
double cst_forecast_arrival(const struct cst_elastic *elastic,
                            const struct cst_elastic_snapshot *now,
                            const struct cst_elastic_request *request)
{
    const struct cst_class *class = &elastic->classes[request->class];
    double start_s = class->start.median;
    double since_s;

    if (request->started) {
        since_s = now->now_s - request->started_s;
        return fmax(start_s - since_s, start_s / 10);
    }
    since_s = now->now_s - request->asked_s;
    return fmax(class->wait.median - since_s, since_s / 3) + start_s;
}

static bool is_expected(const struct cst_forecast *forecast,
                        const struct cst_elastic_request *request)
{
    return !request->cancelled && !request->hopeless &&
           (request->started ? forecast->with_started : forecast->with_pending);
}

static double overlap(double from, double until, double within)
{
    double end = fmin(until, within);

    return end > from ? end - from : 0;
}

static bool is_counted(const struct cst_forecast *forecast,
                       const struct cst_elastic_node *node)
{
    return !node->stands && (!node->leaves || forecast->with_leaving);
}

double cst_forecast_here(const struct cst_forecast *forecast, uint32_t sort,
                         double *ret_stay)
{
    const struct cst_elastic_snapshot *now = forecast->now;
    double sum = 0;

    *ret_stay = 0;
    for (size_t i = 0; i < now->nodes_count; i++) {
        const struct cst_elastic_node *node = &now->nodes[i];

        if (node->sort != sort || !is_counted(forecast, node))
            continue;
        sum += node->cores;
        *ret_stay += node->leaves ? 0 : node->cores;
    }
    return sum;
}

/* What the nodes of a sort could do within that time, in core-seconds. */
static double capacity_here(const struct cst_forecast *forecast, uint32_t sort,
                            double within_s)
{
    const struct cst_elastic_snapshot *now = forecast->now;
    double sum = 0;

    for (size_t i = 0; i < now->nodes_count; i++) {
        const struct cst_elastic_node *node = &now->nodes[i];

        if (node->sort == sort && is_counted(forecast, node))
            sum +=
                node->cores * overlap(0, node->until_s - now->now_s, within_s);
    }
    return sum;
}

/* ... and those that come. */
static double capacity_to_come(const struct cst_forecast *forecast,
                               uint32_t sort, double within_s)
{
    const struct cst_elastic_snapshot *now = forecast->now;
    double sum = 0;

    for (size_t i = 0; i < now->requests_count; i++) {
        const struct cst_elastic_request *request = &now->requests[i];

        if (request->class == sort && is_expected(forecast, request))
            sum +=
                forecast->elastic->classes[sort].cores *
                overlap(cst_forecast_arrival(forecast->elastic, now, request),
                        horizon_s, within_s);
    }
    return sum;
}

static double gross(const struct cst_forecast *forecast, uint32_t sort,
                    double within_s)
{
    return capacity_here(forecast, sort, within_s) +
           capacity_to_come(forecast, sort, within_s);
}

/* Both, without what runs. */
static double capacity(const struct cst_forecast *forecast, uint32_t sort,
                       double within_s)
{
    return fmax(capacity_here(forecast, sort, within_s) - forecast->busy[sort],
                0) +
           capacity_to_come(forecast, sort, within_s);
}

void cst_forecast_init(struct cst_forecast *forecast,
                       const struct cst_elastic *elastic,
                       const struct cst_elastic_snapshot *now,
                       bool with_pending)
{
    *forecast = (struct cst_forecast){
        .elastic = elastic,
        .now = now,
        .with_started = true,
        .with_pending = with_pending,
    };
}

double cst_forecast_free(const struct cst_forecast *forecast, uint32_t sorts,
                         double within_s)
{
    double sum = 0;

    for (uint32_t s = 0; s < CST_ELASTIC_SORTS_MAX; s++)
        if (sorts & UINT32_C(1) << s)
            sum += fmax(capacity(forecast, s, within_s) - forecast->used[s], 0);
    return sum;
}

/* Cores of a sort that are here at that time, or asked for. */
static double cores_of(const struct cst_forecast *forecast, uint32_t sort,
                       double at_s)
{
    const struct cst_elastic_snapshot *now = forecast->now;
    double sum = 0;

    for (size_t i = 0; i < now->nodes_count; i++) {
        const struct cst_elastic_node *node = &now->nodes[i];

        if (node->sort == sort && is_counted(forecast, node) &&
            node->until_s - now->now_s > at_s)
            sum += node->cores;
    }
    for (size_t i = 0; i < now->requests_count; i++)
        if (now->requests[i].class == sort &&
            is_expected(forecast, &now->requests[i]))
            sum += forecast->elastic->classes[sort].cores;
    return sum;
}

double cst_forecast_cores(const struct cst_forecast *forecast, uint32_t sorts,
                          double at_s, double span_s)
{
    double sum = 0;

    for (uint32_t s = 0; s < CST_ELASTIC_SORTS_MAX; s++) {
        double before;
        double span;
        double taken;
        double all;

        if (!(sorts & UINT32_C(1) << s))
            continue;
        before = capacity(forecast, s, at_s);
        span = capacity(forecast, s, at_s + span_s) - before;
        taken = fmin(fmax(forecast->used[s] - before, 0), span);
        all = gross(forecast, s, at_s + span_s) - gross(forecast, s, at_s);
        sum +=
            cores_of(forecast, s, at_s) * (all > 0 ? (span - taken) / all : 1);
    }
    return sum;
}

static void take(struct cst_forecast *forecast, uint32_t sorts, double until_s,
                 double part)
{
    for (uint32_t s = 0; s < CST_ELASTIC_SORTS_MAX; s++)
        if (sorts & UINT32_C(1) << s)
            forecast->used[s] +=
                part *
                fmax(capacity(forecast, s, until_s) - forecast->used[s], 0);
}

double cst_forecast_take(struct cst_forecast *forecast,
                         const struct cst_elastic_work *work)
{
    double least_s = work->width > 0 ? work->core_s / work->width : 0;
    double low = 0;
    double high = 1;
    double free;

    if (work->core_s <= 0)
        return 0;
    while (cst_forecast_free(forecast, work->sorts, high) < work->core_s) {
        low = high;
        high *= 2;
        if (high > horizon_s) {
            take(forecast, work->sorts, horizon_s, 1);
            return HUGE_VAL;
        }
    }
    while (high - low > 0.01 + high / 500) {
        double middle = (low + high) / 2;

        if (cst_forecast_free(forecast, work->sorts, middle) < work->core_s)
            low = middle;
        else
            high = middle;
    }
    high = fmax(high, least_s);
    free = cst_forecast_free(forecast, work->sorts, high);
    take(forecast, work->sorts, high, free > 0 ? work->core_s / free : 1);
    return fmax(high, work->task_s);
}
