/*
 * The mean of a load in each step of time is exact, in whatever order the
 * changes come; it is never below 0, and the end of time holds what is late.
 */
#include "harness/tap.h"
#include "history/curve.h"

#include <stddef.h>

static struct cst_history_curve *new_load(uint64_t total_ns)
{
    struct cst_history_curve *load = NULL;

    must(cst_history_curve_create(total_ns, &load) == CASTELL_OK, "a load");
    return load;
}

static bool near(double a, double b)
{
    return a - b < 1e-9 && b - a < 1e-9;
}

static void test_steps(void)
{
    /* Steps of 100 ns. */
    struct cst_history_curve *load =
        new_load(CST_HISTORY_CURVE_STEPS * 100 - 1);
    const double expected[] = {0, 0.75, 2, 1.5, 1, 0, 0};
    struct cst_history_curve_point point;
    size_t wrong = 0;
    size_t count = 0;

    cst_history_curve_add(load, 500, -1);
    cst_history_curve_add(load, 125, 1);
    cst_history_curve_add(load, 200, 1);
    cst_history_curve_add(load, 350, -1);
    for (; cst_history_curve_next(load, &point); count++)
        wrong += point.ns != count * 100 ||
                 !near(point.mean, count < 7 ? expected[count] : 0);
    ok(wrong == 0, "each step has its mean");
    ok(count == CST_HISTORY_CURVE_STEPS, "there are all steps");
    cst_history_curve_destroy(load);
}

static void test_limits(void)
{
    struct cst_history_curve *load = new_load(0);
    struct cst_history_curve_point point = {0};
    double most = 0;
    size_t count = 0;

    cst_history_curve_add(load, 0, -1);
    cst_history_curve_add(load, UINT64_MAX, 5);
    for (; cst_history_curve_next(load, &point); count++)
        most = point.mean > most ? point.mean : most;
    ok(count == CST_HISTORY_CURVE_STEPS && near(most, 0),
       "it is never below 0, and what is late changes nothing before");
    cst_history_curve_destroy(load);
}

int main(void)
{
    test_steps();
    test_limits();
    return tap_done();
}
