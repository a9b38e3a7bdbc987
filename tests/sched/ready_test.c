/*
 * The order in which ready tasks are taken: deadline, priority, age; plain
 * tasks between the priorities above and below 0; and what was taken and comes
 * again before all of its like.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "sched/ready.h"

#include <stdlib.h>
#include <string.h>

enum { TASKS = 600 };

static struct cst_task tasks[TASKS];

static int by_order(const void *a, const void *b)
{
    const struct cst_ready_entry *first = a;
    const struct cst_ready_entry *second = b;

    if (first->deadline_ns != second->deadline_ns)
        return first->deadline_ns < second->deadline_ns ? -1 : 1;
    if (first->priority != second->priority)
        return first->priority > second->priority ? -1 : 1;
    return first->order < second->order ? -1 : 1;
}

static void test_order(void)
{
    static struct cst_ready_entry model[TASKS];
    struct cst_ready ready;
    int wrong = 0;

    cst_ready_init(&ready);
    srandom(1);
    for (uint64_t i = 0; i < TASKS; i++) {
        tasks[i] = (struct cst_task){.priority = (int)(random() % 7) - 3};
        model[i] = (struct cst_ready_entry){
            random() % 3 ? UINT64_MAX : (uint64_t)(random() % 9),
            tasks[i].priority, i, &tasks[i]};
        cst_ready_add_ordered(&ready, &tasks[i], model[i].deadline_ns);
    }
    ok(cst_ready_count(&ready) == TASKS && cst_ready_is_ordered(&ready),
       "all are there");
    qsort(model, TASKS, sizeof(*model), by_order);
    for (int i = 0; i < TASKS; i++)
        wrong += cst_ready_take(&ready) != model[i].task;
    ok(wrong == 0, "deadline, priority, age: %d out of order", wrong);
    ok(!cst_ready_take(&ready) && cst_ready_count(&ready) == 0, "no more");
    cst_ready_release(&ready);
}

static void test_plain_between(void)
{
    struct cst_ready ready;

    memset(tasks, 0, sizeof(tasks));
    tasks[0].priority = -1;
    tasks[2].priority = 1;
    cst_ready_init(&ready);
    cst_ready_add_ordered(&ready, &tasks[0], UINT64_MAX);
    cst_ready_add_plain(&ready, &tasks[1]);
    cst_ready_add_ordered(&ready, &tasks[2], UINT64_MAX);
    cst_ready_add_plain(&ready, &tasks[3]);
    cst_ready_add_first(&ready, &tasks[4]);
    ok(cst_ready_take(&ready) == &tasks[2], "a priority goes before plain");
    ok(cst_ready_take(&ready) == &tasks[4] &&
           cst_ready_take(&ready) == &tasks[1] &&
           cst_ready_take(&ready) == &tasks[3],
       "plain ones: the one put first, then by age");
    ok(cst_ready_take(&ready) == &tasks[0], "then what is below 0");
    cst_ready_release(&ready);
}

static void test_again_and_flags(void)
{
    struct cst_task_list list = {NULL, NULL};
    struct cst_ready ready;
    int wrong = 0;

    memset(tasks, 0, sizeof(tasks));
    for (int i = 0; i < 20; i++)
        tasks[i].priority = 1;
    cst_ready_init(&ready);
    for (int i = 10; i < 20; i++)
        cst_ready_add_ordered(&ready, &tasks[i], UINT64_MAX);
    for (int i = 9; i >= 0; i--) /* as they were taken, the youngest first */
        cst_ready_add_again(&ready, &tasks[i], UINT64_MAX);
    tasks[5].flags = tasks[15].flags = CST_TASK_ADMITTED;
    cst_ready_take_flagged(&ready, CST_TASK_ADMITTED, &list);
    ok(list.first && list.first->next && !list.first->next->next &&
           cst_ready_count(&ready) == 18,
       "those with a flag are taken out");
    for (int i = 0; i < 20; i++)
        if (tasks[i].flags == 0)
            wrong += cst_ready_take(&ready) != &tasks[i];
    ok(wrong == 0, "those that came again are first, by age: %d wrong", wrong);
    cst_ready_release(&ready);
}

static void test_no_memory(void)
{
    struct cst_ready ready;

    memset(tasks, 0, sizeof(tasks));
    tasks[0].priority = 5;
    cst_ready_init(&ready);
    cst_alloc_fail_after(1);
    cst_ready_add_ordered(&ready, &tasks[0], UINT64_MAX);
    ok(!cst_alloc_fail_pending() && !cst_ready_is_ordered(&ready) &&
           cst_ready_take(&ready) == &tasks[0],
       "without memory for the order a task is a plain one");
    cst_ready_release(&ready);
}

int main(void)
{
    test_order();
    test_plain_between();
    test_again_and_flags();
    test_no_memory();
    return tap_done();
}
