/*
 * The graph of tasks as bytes for the page: of each task, in the order of the
 * history,
 *
 *     its number, as a prefix and the difference to the last;
 *     its kind, times 4, and enum graph_flag;
 *     how deep it is, as the difference to the last: the longest chain of
 *         others that comes before it;
 *     how many it follows, and each of them: how far before this one that
 *         stands, times 4, and enum cst_history_why, or PARENT
 *
 * Of more tasks than a browser opens without waiting those of one kind in some
 * depths are one, at the number of these depths. Behind its depth stand how many
 * tasks it is, how many of them are critical and how many off; behind what it
 * follows how often. Numbers are 0.
 *
 * The runtime's own tasks are left out, whose accesses no trace tells. A task of
 * a body follows the task whose body that is. What is not waited for
 * is left out: on several nodes who overwrites does not wait for who reads.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "report/page.h"

#include <string.h>

enum {
    EDGES_EACH = 4,   /* so many times the tasks are too many as well */
    CELLS_MAX = 2048, /* of many tasks, each one */
    PARENT = 3,
};

enum graph_flag { CRITICAL = 1, OFF = 2 };

struct graph {
    const struct cst_history *history;
    struct cst_page_graph *to;
    struct cst_page_prefixes *prefixes;
    const bool *critical;
    uint32_t *depths;
    uint32_t *numbers; /* of tasks, without the runtime's own */
    uint32_t last_depth;
    int64_t last_id;
    bool alone; /* one node */
};

static bool is_waited_for(const struct graph *graph, uint32_t index,
                          const struct cst_history_edge *edge)
{
    return edge->task < index &&
           !(graph->history->tasks[edge->task].flags & CST_HISTORY_INTERNAL) &&
           (graph->alone || edge->why == CST_HISTORY_FLOW ||
            graph->history->tasks[index].parent != CST_HISTORY_NONE);
}

static bool is_inside(const struct graph *graph, uint32_t index)
{
    uint32_t parent = graph->history->tasks[index].parent;

    return parent != CST_HISTORY_NONE && parent < index &&
           !(graph->history->tasks[parent].flags & CST_HISTORY_INTERNAL);
}

/* One behind the deepest that it follows; returns how many it follows. */
static uint32_t find_depth(struct graph *graph, uint32_t index)
{
    const struct cst_history_task *task = &graph->history->tasks[index];
    uint32_t depth = 0, count = 0;

    if (is_inside(graph, index)) {
        depth = graph->depths[task->parent] + 1;
        count++;
    }
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge =
            &graph->history->edges[task->edges + i];

        if (!is_waited_for(graph, index, edge))
            continue;
        count++;
        if (graph->depths[edge->task] >= depth)
            depth = graph->depths[edge->task] + 1;
    }
    graph->depths[index] = depth;
    if (depth >= graph->to->depths)
        graph->to->depths = depth + 1;
    return count;
}

static bool put_edge(struct graph *graph, uint32_t to, uint32_t from,
                     uint32_t why)
{
    uint64_t distance = graph->numbers[to] - graph->numbers[from];

    graph->to->edges++;
    return cst_page_put(&graph->to->bytes, distance << 2 | why);
}

static bool put_task(struct graph *graph, uint32_t index)
{
    const struct cst_history *history = graph->history;
    const struct cst_history_task *task = &history->tasks[index];
    struct cst_page_bytes *bytes = &graph->to->bytes;
    uint32_t count = find_depth(graph, index);
    uint32_t flags = graph->critical[index] ? CRITICAL : 0;
    uint64_t kind = cst_page_kind(history, task->kind);

    if (task->flags & (CST_HISTORY_FAILED | CST_HISTORY_CANCELLED))
        flags |= OFF;
    if (!cst_page_put_task(bytes, graph->prefixes, task->id, &graph->last_id) ||
        !cst_page_put(bytes, kind << 2 | flags) ||
        !cst_page_put_signed(bytes, (int64_t)graph->depths[index] -
                                        (int64_t)graph->last_depth) ||
        !cst_page_put(bytes, count))
        return false;
    graph->last_depth = graph->depths[index];
    graph->numbers[index] = (uint32_t)graph->to->tasks++;
    if (is_inside(graph, index) &&
        !put_edge(graph, index, task->parent, PARENT))
        return false;
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];

        if (is_waited_for(graph, index, edge) &&
            !put_edge(graph, index, edge->task, edge->why))
            return false;
    }
    return true;
}

static bool is_own(const struct graph *graph, uint32_t index)
{
    return graph->history->tasks[index].flags & CST_HISTORY_INTERNAL;
}

static bool put_all(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->history->tasks_count; i++)
        if (!is_own(graph, i) && !put_task(graph, i))
            return false;
    return true;
}

/* ---- Too many --------------------------------------------------------------- */

/* The tasks of one kind in some depths. */
struct cell {
    uint64_t count;
    uint64_t critical;
    uint64_t off;
};

struct cells {
    struct graph *graph;
    struct cell *list; /* by column, then by kind */
    uint32_t *edges;   /* to x count + from */
    uint32_t kinds;
    uint32_t columns;
    uint32_t count;
};

static uint32_t cell_of(const struct cells *cells, uint32_t index)
{
    const struct graph *graph = cells->graph;
    uint32_t kind =
        cst_page_kind(graph->history, graph->history->tasks[index].kind);

    return graph->depths[index] / graph->to->merged * cells->kinds + kind;
}

static void add_to_cell(struct cells *cells, uint32_t index)
{
    const struct graph *graph = cells->graph;
    const struct cst_history_task *task = &graph->history->tasks[index];
    uint32_t to = cell_of(cells, index);
    struct cell *cell = &cells->list[to];

    cell->count++;
    cell->critical += graph->critical[index];
    cell->off +=
        (task->flags & (CST_HISTORY_FAILED | CST_HISTORY_CANCELLED)) != 0;
    if (is_inside(graph, index))
        cells
            ->edges[(size_t)to * cells->count + cell_of(cells, task->parent)]++;
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge =
            &graph->history->edges[task->edges + i];

        if (is_waited_for(graph, index, edge))
            cells->edges[(size_t)to * cells->count +
                         cell_of(cells, edge->task)]++;
    }
}

static bool put_cell(struct cells *cells, uint32_t at)
{
    struct graph *graph = cells->graph;
    struct cst_page_bytes *bytes = &graph->to->bytes;
    const struct cell *cell = &cells->list[at];
    const uint32_t *edges = &cells->edges[(size_t)at * cells->count];
    uint32_t depth = at / cells->kinds, count = 0;

    /* From one that comes later, where regions of bodies lie askew: left out. */
    for (uint32_t i = 0; i < at; i++)
        count += edges[i] > 0;
    if (!cst_page_put_task(bytes, graph->prefixes, 0, &graph->last_id) ||
        !cst_page_put(bytes, (uint64_t)(at % cells->kinds) << 2 |
                                 (cell->critical > 0 ? CRITICAL : 0) |
                                 (cell->off > 0 ? OFF : 0)) ||
        !cst_page_put_signed(bytes, depth - (int64_t)graph->last_depth) ||
        !cst_page_put(bytes, cell->count) ||
        !cst_page_put(bytes, cell->critical) ||
        !cst_page_put(bytes, cell->off) || !cst_page_put(bytes, count))
        return false;
    graph->last_depth = depth;
    graph->numbers[at] = (uint32_t)graph->to->tasks++;
    for (uint32_t i = 0; i < at; i++)
        if (edges[i] > 0 && (!put_edge(graph, at, i, CST_HISTORY_FLOW) ||
                             !cst_page_put(bytes, edges[i])))
            return false;
    return true;
}

static bool put_merged(struct graph *graph)
{
    struct cells cells = {.graph = graph,
                          .kinds = (uint32_t)graph->history->kinds_count + 1};
    bool good;

    for (uint32_t i = 0; i < graph->history->tasks_count; i++)
        if (!is_own(graph, i))
            (void)find_depth(graph, i);
    cells.columns = CELLS_MAX / cells.kinds;
    if (cells.columns == 0 || graph->to->depths == 0)
        return true;
    graph->to->merged = (graph->to->depths - 1) / cells.columns + 1;
    cells.columns = (graph->to->depths - 1) / graph->to->merged + 1;
    cells.count = cells.columns * cells.kinds;
    cells.list = cst_zalloc(cells.count * sizeof(*cells.list));
    cells.edges =
        cst_zalloc((size_t)cells.count * cells.count * sizeof(*cells.edges));
    good = cells.list && cells.edges;
    for (uint32_t i = 0; good && i < graph->history->tasks_count; i++)
        if (!is_own(graph, i))
            add_to_cell(&cells, i);
    for (uint32_t i = 0; good && i < cells.count; i++)
        if (cells.list[i].count > 0)
            good = put_cell(&cells, i);
    graph->to->depths = cells.columns;
    cst_free(cells.list);
    cst_free(cells.edges);
    return good;
}

enum castell_status cst_page_graph_create(const struct cst_measure *measure,
                                          struct cst_page_prefixes *prefixes,
                                          size_t tasks_max,
                                          struct cst_page_graph *ret_graph)
{
    const struct cst_history *history = measure->history;
    struct graph graph = {
        .history = history,
        .to = ret_graph,
        .prefixes = prefixes,
        .critical = measure->critical,
        .alone = history->nodes_count == 1,
    };
    size_t numbers = history->tasks_count > CELLS_MAX ? history->tasks_count
                                                      : (size_t)CELLS_MAX;
    bool good;

    memset(ret_graph, 0, sizeof(*ret_graph));
    graph.depths = cst_zalloc((history->tasks_count + 1) * sizeof(uint32_t));
    graph.numbers = cst_zalloc((numbers + 1) * sizeof(uint32_t));
    good = graph.depths && graph.numbers;
    if (good)
        good = history->tasks_count > tasks_max ||
                       history->edges_count > EDGES_EACH * tasks_max
                   ? put_merged(&graph)
                   : put_all(&graph);
    cst_free(graph.depths);
    cst_free(graph.numbers);
    return good ? CASTELL_OK
                : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the page");
}

void cst_page_graph_release(struct cst_page_graph *graph)
{
    cst_free(graph->bytes.at);
}
