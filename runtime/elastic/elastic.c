#include "base/fail.h"
#include "elastic/elastic_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const double arrival_thought_s = 5;
static const double start_thought_s = 0.5;
static const double leave_thought_s = 2;
static const double deadline_usual_s = 600;
static const double overhead_usual = 0.15;
static const double idle_least_s = 0.5;
static const double closed_first_s = 60;
static const double closed_most_s = 3600;
static const double again_most_s = 5;
static const double again_least_s = 0.001;
enum { MINUTES_USUAL = 10 };

/* ---- Life ------------------------------------------------------------------- */

static enum castell_status check(const struct cst_elastic_options *options)
{
    if (options->classes_count == 0 ||
        options->classes_count > CST_ELASTIC_CLASSES_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%" PRIu32 " classes of nodes: it must be 1 to %d",
                        options->classes_count, CST_ELASTIC_CLASSES_MAX);
    if (options->nodes_max == 0 || options->nodes_max > CST_ELASTIC_NODES_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "at most %" PRIu32 " nodes: it must be 1 to %d",
                        options->nodes_max, CST_ELASTIC_NODES_MAX);
    if (!(options->node_hours >= 0) || !(options->overhead >= 0) ||
        !(options->idle_s >= 0))
        return cst_fail(CASTELL_ERR_INVALID,
                        "a limit of elastic nodes is less than nothing");
    return CASTELL_OK;
}

static void class_init(struct cst_class *class,
                       const struct cst_elastic_class *given)
{
    double arrival =
        given->arrival_s > 0 ? given->arrival_s : arrival_thought_s;
    double start = given->start_s > 0 ? given->start_s : start_thought_s;

    *class = (struct cst_class){
        .given = *given,
        .cores = given->cores > 0 ? given->cores : 1,
        .needless_since_s = -1,
    };
    if (class->given.deadline_s <= 0)
        class->given.deadline_s = deadline_usual_s;
    cst_samples_init(&class->wait, fmax(arrival - start, 0));
    cst_samples_init(&class->start, start);
}

enum castell_status
cst_elastic_create(const struct cst_elastic_options *options,
                   struct cst_elastic **ret_elastic)
{
    enum castell_status status = check(options);
    struct cst_elastic *elastic;

    if (status != CASTELL_OK)
        return status;
    elastic = calloc(1, sizeof(*elastic));
    if (!elastic)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for elastic nodes");
    elastic->options = *options;
    if (options->overhead <= 0)
        elastic->options.overhead = overhead_usual;
    if (options->minutes_min == 0)
        elastic->options.minutes_min = MINUTES_USUAL;
    cst_samples_init(&elastic->leave, leave_thought_s);
    for (uint32_t i = 0; i < options->classes_count; i++)
        class_init(&elastic->classes[i], &options->classes[i]);
    *ret_elastic = elastic;
    return CASTELL_OK;
}

void cst_elastic_destroy(struct cst_elastic *elastic)
{
    free(elastic);
}

/* ---- What it learns ------------------------------------------------------------ */

void cst_samples_init(struct cst_samples *samples, double thought)
{
    *samples = (struct cst_samples){.median = thought};
}

void cst_samples_add(struct cst_samples *samples, double value)
{
    double sorted[CST_SAMPLES] = {0};
    uint32_t last;

    last = samples->count < CST_SAMPLES ? samples->count : CST_SAMPLES - 1;
    samples->values[samples->count % CST_SAMPLES] = fmax(value, 0);
    if (samples->count < UINT32_MAX)
        samples->count++;
    for (uint32_t i = 0; i <= last; i++) {
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > samples->values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = samples->values[i];
    }
    samples->median = (sorted[last / 2] + sorted[(last + 1) / 2]) / 2;
}

void cst_elastic_arrived(struct cst_elastic *elastic, uint32_t number,
                         double waited_s, double started_s, double cores)
{
    struct cst_class *class = &elastic->classes[number];

    cst_samples_add(&class->wait, waited_s);
    cst_samples_add(&class->start, started_s);
    if (cores > 0)
        class->cores = cores;
    class->arrived++;
    class->failures = 0;
    class->closed_s = 0;
    class->closed_until_s = 0;
}

void cst_class_close(struct cst_class *class, double now_s, bool for_good,
                     const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(class->why, sizeof(class->why), format, arguments);
    va_end(arguments);
    class->failures++;
    class->closed_s =
        fmin(class->closed_s > 0 ? class->closed_s * 2 : closed_first_s,
             closed_most_s);
    class->closed_until_s = now_s + class->closed_s;
    class->given_up |= for_good || class->failures >= CST_FAILURES_MAX;
}

void cst_elastic_refused(struct cst_elastic *elastic, uint32_t number,
                         double now_s, const char *sentence)
{
    struct cst_class *class = &elastic->classes[number];

    /* Of one bunch each is refused. */
    if (now_s < class->closed_until_s)
        return;
    cst_class_close(class, now_s, class->arrived == 0, "%s", sentence);
}

void cst_elastic_failed(struct cst_elastic *elastic, uint32_t number,
                        double now_s, const char *sentence)
{
    struct cst_class *class = &elastic->classes[number];

    if (now_s < class->closed_until_s)
        return;
    cst_class_close(class, now_s, false, "%s", sentence);
}

void cst_elastic_left(struct cst_elastic *elastic, double took_s)
{
    cst_samples_add(&elastic->leave, took_s);
}

bool cst_elastic_given_up(const struct cst_elastic *elastic, uint32_t class,
                          const char **ret_why)
{
    if (ret_why)
        *ret_why = elastic->classes[class].why;
    return elastic->classes[class].given_up;
}

double cst_elastic_arrival_s(const struct cst_elastic *elastic, uint32_t class)
{
    return elastic->classes[class].wait.median +
           elastic->classes[class].start.median;
}

double cst_elastic_idle_s(const struct cst_elastic *elastic, uint32_t class)
{
    if (elastic->options.idle_s > 0)
        return elastic->options.idle_s;
    return fmax(elastic->classes[class].start.median, idle_least_s);
}

/* ---- A step -------------------------------------------------------------------- */

struct cst_elastic_action *cst_step_add(struct cst_step *step,
                                        enum cst_elastic_what what,
                                        const char *format, ...)
{
    struct cst_elastic_action *action;
    va_list arguments;

    if (step->actions_count == step->actions_max) {
        step->again_s = 0;
        return NULL;
    }
    action = &step->actions[step->actions_count++];
    *action = (struct cst_elastic_action){.what = what};
    va_start(arguments, format);
    (void)vsnprintf(action->reason, sizeof(action->reason), format, arguments);
    va_end(arguments);
    return action;
}

void cst_step_again(struct cst_step *step, double after_s)
{
    /* Sums are rounded: what is due now may be due a little later. */
    step->again_s = fmin(step->again_s, fmax(after_s, again_least_s));
}

static void tell_given_up(struct cst_step *step)
{
    for (uint32_t i = 0; i < step->elastic->options.classes_count; i++) {
        struct cst_class *class = &step->elastic->classes[i];
        struct cst_elastic_action *action;

        if (!class->given_up || class->told)
            continue;
        action = cst_step_add(step, CST_ELASTIC_GIVE_UP,
                              "no more nodes of class %s: %s",
                              class->given.name, class->why);
        if (action)
            action->class = i;
        class->told = action != NULL;
    }
}

size_t cst_elastic_step(struct cst_elastic *elastic,
                        const struct cst_elastic_snapshot *snapshot,
                        struct cst_elastic_action *actions, size_t actions_max,
                        double *ret_again_s)
{
    struct cst_step step = {
        .elastic = elastic,
        .now = snapshot,
        .actions = actions,
        .actions_max = actions_max,
        .again_s = again_most_s,
    };

    cst_cancel_late(&step);
    tell_given_up(&step);
    cst_drain(&step);
    cst_cancel_needless(&step);
    cst_grow(&step);
    *ret_again_s = step.again_s;
    return step.actions_count;
}
