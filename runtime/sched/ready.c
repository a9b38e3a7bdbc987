#include "sched/ready.h"

#include "base/memory.h"

#include <string.h>

enum { HEAP_FIRST = 256 };

void cst_ready_init(struct cst_ready *ready)
{
    memset(ready, 0, sizeof(*ready));
    ready->order = ready->order_again = UINT64_MAX / 2;
}

void cst_ready_release(struct cst_ready *ready)
{
    cst_free(ready->heap);
}

static bool goes_before(const struct cst_ready_entry *a,
                        const struct cst_ready_entry *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->order < b->order;
}

static bool grow(struct cst_ready *ready)
{
    size_t max = ready->heap_max ? ready->heap_max * 2 : HEAP_FIRST;
    struct cst_ready_entry *heap =
        cst_realloc(ready->heap, max * sizeof(*ready->heap));

    if (!heap)
        return false;
    ready->heap = heap;
    ready->heap_max = max;
    return true;
}

/* Put an entry where there is room for one more. */
static void add_entry(struct cst_ready *ready, struct cst_ready_entry entry)
{
    size_t at = ready->heap_count++;

    while (at > 0 && goes_before(&entry, &ready->heap[(at - 1) / 2])) {
        ready->heap[at] = ready->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    ready->heap[at] = entry;
}

void cst_ready_add_ordered(struct cst_ready *ready, struct cst_task *task,
                           uint64_t deadline_ns)
{
    if (ready->heap_count == ready->heap_max && !grow(ready)) {
        cst_ready_add_plain(ready, task);
        return;
    }
    add_entry(ready, (struct cst_ready_entry){deadline_ns, task->priority,
                                              ++ready->order, task});
}

void cst_ready_add_again(struct cst_ready *ready, struct cst_task *task,
                         uint64_t deadline_ns)
{
    if (ready->heap_count == ready->heap_max && !grow(ready)) {
        cst_ready_add_first(ready, task);
        return;
    }
    add_entry(ready, (struct cst_ready_entry){deadline_ns, task->priority,
                                              --ready->order_again, task});
}

void cst_ready_take_flagged(struct cst_ready *ready, uint32_t flag,
                            struct cst_task_list *list)
{
    struct cst_task_list plain = ready->plain;
    size_t count = ready->heap_count;
    struct cst_task *task;

    ready->plain = (struct cst_task_list){NULL, NULL};
    ready->plain_count = 0;
    while ((task = cst_task_list_take(&plain)))
        if (task->flags & flag)
            cst_task_list_append(list, task);
        else
            cst_ready_add_plain(ready, task);
    ready->heap_count = 0;
    for (size_t i = 0; i < count; i++)
        if (ready->heap[i].task->flags & flag)
            cst_task_list_append(list, ready->heap[i].task);
        else
            add_entry(ready, ready->heap[i]);
}

static struct cst_task *take_top(struct cst_ready *ready)
{
    struct cst_task *task = ready->heap[0].task;
    struct cst_ready_entry last = ready->heap[--ready->heap_count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= ready->heap_count)
            break;
        if (child + 1 < ready->heap_count &&
            goes_before(&ready->heap[child + 1], &ready->heap[child]))
            child++;
        if (!goes_before(&ready->heap[child], &last))
            break;
        ready->heap[at] = ready->heap[child];
        at = child;
    }
    ready->heap[at] = last;
    return task;
}

struct cst_task *cst_ready_take(struct cst_ready *ready)
{
    if (ready->heap_count > 0 &&
        (!ready->plain.first || ready->heap[0].deadline_ns != UINT64_MAX ||
         ready->heap[0].priority > 0))
        return take_top(ready);
    if (ready->plain.first)
        ready->plain_count--;
    return cst_task_list_take(&ready->plain);
}
