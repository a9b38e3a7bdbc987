/*
 * elastic_internal.h - the parts of the policy for each other.
 *
 * Layer: elastic, private.
 */
#ifndef CST_ELASTIC_ELASTIC_INTERNAL_H
#define CST_ELASTIC_ELASTIC_INTERNAL_H

#include "elastic/elastic.h"

#include <math.h>

enum {
    CST_SAMPLES = 15,     /* of which medians are taken */
    CST_FAILURES_MAX = 3, /* in a row, until a class is given up */
    CST_SENTENCE_MAX = 160,
};

/* The last few measures; their median is what counts, so that one that stands
   out means nothing. */
struct cst_samples {
    double values[CST_SAMPLES];
    uint32_t count;
    double median; /* at first what was thought before */
};

struct cst_class {
    struct cst_elastic_class given;
    double cores;
    struct cst_samples wait;  /* in the queue */
    struct cst_samples start; /* from then until it can work */
    uint32_t arrived;
    uint32_t failures;     /* in a row */
    double closed_until_s; /* nothing is asked for before */
    double closed_s;       /* how long it was closed last */
    bool given_up;
    bool told;               /* that it has been given up */
    double needless_since_s; /* more are asked for than are of use; negative:
                                not so */
    char why[CST_SENTENCE_MAX];
};

struct cst_elastic {
    struct cst_elastic_options options;
    struct cst_class classes[CST_ELASTIC_CLASSES_MAX];
    struct cst_samples leave;
    bool told_budget;
    bool told_end;
};

/* What is written down while a step goes on. */
struct cst_step {
    struct cst_elastic *elastic;
    const struct cst_elastic_snapshot *now;
    struct cst_elastic_action *actions;
    size_t actions_max;
    size_t actions_count;
    double again_s;
};

/* ---- elastic.c ------------------------------------------------------------ */

/* NULL: there is no room for more. */
struct cst_elastic_action *cst_step_add(struct cst_step *step,
                                        enum cst_elastic_what what,
                                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Look again after that time at the latest. */
void cst_step_again(struct cst_step *step, double after_s);
/* One more node of the class did not come: nothing is asked for for a while, or
   ever. */
void cst_class_close(struct cst_class *class, double now_s, bool for_good,
                     const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void cst_samples_init(struct cst_samples *samples, double thought);
void cst_samples_add(struct cst_samples *samples, double value);

/* ---- forecast.c ------------------------------------------------------------ */

/*
 * What is expected of the nodes that are here or asked for: they do the work
 * that fewest sorts can do first, each piece so that all who can end together.
 */
struct cst_forecast {
    const struct cst_elastic *elastic;
    const struct cst_elastic_snapshot *now;
    bool with_started; /* count what is asked for and has started */
    bool with_pending; /* ... and has not */
    bool with_leaving; /* ... nodes that leave as well: for what runs there */
    /* Core-seconds that what runs takes of the nodes that are here: it goes
       nowhere else. */
    double busy[CST_ELASTIC_SORTS_MAX];
    double used[CST_ELASTIC_SORTS_MAX]; /* ... that are taken beside that */
};

void cst_forecast_init(struct cst_forecast *forecast,
                       const struct cst_elastic *elastic,
                       const struct cst_elastic_snapshot *now,
                       bool with_pending);

/* Cores of the sort that are here; of them, such as stay. */
double cst_forecast_here(const struct cst_forecast *forecast, uint32_t sort,
                         double *ret_stay);
/* Core-seconds that the sorts could still do within that time. */
double cst_forecast_free(const struct cst_forecast *forecast, uint32_t sorts,
                         double within_s);
/* Cores of the sorts that are here by then or asked for, and not taken in the
   time from then on. */
double cst_forecast_cores(const struct cst_forecast *forecast, uint32_t sorts,
                          double at_s, double span_s);
/* Take the time for a work; returns how long until it is done, HUGE_VAL when it
   never is. */
double cst_forecast_take(struct cst_forecast *forecast,
                         const struct cst_elastic_work *work);
/* When a request will give a node, from now. */
double cst_forecast_arrival(const struct cst_elastic *elastic,
                            const struct cst_elastic_snapshot *now,
                            const struct cst_elastic_request *request);

/* ---- grow.c --------------------------------------------------------------- */

void cst_grow(struct cst_step *step);

/* How long a node of that class has to work, to be worth what it costs. */
double cst_worth_s(const struct cst_elastic *elastic, uint32_t class);

/*
 * How many more nodes of the class would have worked for at least worth_s when
 * the work is done, did they come after arrival_s: 0, when it is done before.
 */
double cst_nodes_of_use(const struct cst_forecast *forecast,
                        const struct cst_elastic_work *work, uint32_t class,
                        double arrival_s, double worth_s);

/* What fewest sorts can do comes first: each is visited with the forecast of
   those before it, and says whether to go on. */
void cst_each_work(const struct cst_step *step, struct cst_forecast *forecast,
                   bool (*visit)(void *context, struct cst_forecast *forecast,
                                 const struct cst_elastic_work *work),
                   void *context);

/* ---- shrink.c -------------------------------------------------------------- */

/* Requests that have waited too long, or never came. */
void cst_cancel_late(struct cst_step *step);
/* ... that are not needed any more. */
void cst_cancel_needless(struct cst_step *step);
/* How long before the end of its time a node has to leave, when tasks take so
   long. */
double cst_leave_s(const struct cst_elastic *elastic, double task_s);
/* Nodes that are idle, or have little time left. */
void cst_drain(struct cst_step *step);

#endif
