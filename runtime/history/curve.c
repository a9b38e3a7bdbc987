#include "history/curve.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stddef.h>

struct step {
    int64_t change; /* the sum of the changes in it */
    double area;    /* what they add to its mean, in part of its length */
};

struct cst_history_curve {
    uint64_t step_ns;
    size_t at;     /* the next step to be read */
    int64_t count; /* where it begins */
    struct step steps[CST_HISTORY_CURVE_STEPS];
};

enum castell_status
cst_history_curve_create(uint64_t total_ns, struct cst_history_curve **ret_load)
{
    struct cst_history_curve *load = cst_zalloc(sizeof(*load));

    if (!load)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
    load->step_ns = total_ns / CST_HISTORY_CURVE_STEPS + 1;
    *ret_load = load;
    return CASTELL_OK;
}

void cst_history_curve_destroy(struct cst_history_curve *load)
{
    cst_free(load);
}

void cst_history_curve_add(struct cst_history_curve *load, uint64_t ns,
                           int change)
{
    uint64_t number = ns / load->step_ns;
    uint64_t left = load->step_ns - ns % load->step_ns;
    struct step *step;

    if (number >= CST_HISTORY_CURVE_STEPS) {
        number = CST_HISTORY_CURVE_STEPS - 1;
        left = 0;
    }
    step = &load->steps[number];
    step->change += change;
    step->area += change * ((double)left / (double)load->step_ns);
}

bool cst_history_curve_next(struct cst_history_curve *load,
                            struct cst_history_curve_point *ret_point)
{
    const struct step *step = &load->steps[load->at];
    double mean;

    if (load->at == CST_HISTORY_CURVE_STEPS)
        return false;
    mean = (double)load->count + step->area;
    ret_point->ns = load->at * load->step_ns;
    ret_point->mean = mean > 0 ? mean : 0;
    load->count += step->change;
    load->at++;
    return true;
}
