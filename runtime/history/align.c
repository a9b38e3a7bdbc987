/*
 * One clock for all nodes: the master's.
 *
 * Each worker has asked the master for the time now and then. An answer that
 * took long says little; of the quick ones the line through them is the
 * worker's clock, its slope the drift.
 */
#include "history/history_internal.h"

#include <string.h>

enum {
    LINE_MIN = 8,           /* answers that a slope is found from */
    SPREAD_MIN = 400000000, /* ns between the first and the last of them */
};

static bool is_quick(const struct cst_trace_sync *sync, uint64_t quickest)
{
    return sync->round_ns <= 2 * quickest + 1000;
}

static const struct cst_trace_sync *
find_quickest(const struct cst_history_content *content)
{
    const struct cst_trace_sync *quickest = NULL;

    for (size_t i = 0; i < content->syncs_count; i++)
        if (!quickest || content->syncs[i].round_ns < quickest->round_ns)
            quickest = &content->syncs[i];
    return quickest;
}

static double offset_of(const struct cst_trace_sync *sync)
{
    return (double)sync->master_ns - (double)sync->ns;
}

/* The line through the quick answers, as of the quickest; where there are few it
   is that one's, and level. */
static void find_line(const struct cst_history_content *content,
                      const struct cst_trace_sync *best,
                      struct cst_history_file *file)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0, first = 0, last = 0;
    double divisor;

    for (size_t i = 0; i < content->syncs_count; i++) {
        const struct cst_trace_sync *sync = &content->syncs[i];
        double dx = (double)sync->ns - (double)best->ns;
        double dy = offset_of(sync) - offset_of(best);

        if (!is_quick(sync, best->round_ns))
            continue;
        if (n < 1)
            first = dx;
        last = dx;
        n += 1;
        x += dx;
        y += dy;
        xx += dx * dx;
        xy += dx * dy;
    }
    divisor = n * xx - x * x;
    if (n < LINE_MIN || last - first < SPREAD_MIN || divisor <= 0)
        return;
    file->drift = (n * xy - x * y) / divisor;
    file->offset += (y - file->drift * x) / n;
}

static bool same_host(const struct cst_history_file *a,
                      const struct cst_history_file *b)
{
    const struct cst_history_name *one = &a->content.host;
    const struct cst_history_name *two = &b->content.host;

    return one->bytes && two->bytes && one->size == two->size &&
           memcmp(one->bytes, two->bytes, one->size) == 0;
}

/* What the wall clocks say, which somebody else keeps together. */
static double wall_offset(const struct cst_history_file *file,
                          const struct cst_history_file *master)
{
    return ((double)file->content.first.wall -
            (double)master->content.first.wall) -
           ((double)file->content.first.ns - (double)master->content.first.ns);
}

static void align_one(struct cst_history_loader *loader,
                      struct cst_history_file *file,
                      const struct cst_history_file *master)
{
    enum { WALL_ERROR_NS = 1000000 };
    struct cst_history_node *node = &loader->history->nodes[file->node];
    const struct cst_trace_sync *best = find_quickest(&file->content);

    if (!best) {
        if (same_host(file, master))
            return;
        file->offset = wall_offset(file, master);
        node->clock_error_ns = WALL_ERROR_NS;
    } else {
        double error = (double)best->round_ns / 2;

        file->offset = offset_of(best);
        file->since = (double)best->ns;
        find_line(&file->content, best, file);
        node->clock_error_ns = best->round_ns / 2 + 1;
        if (same_host(file, master) && file->offset <= error &&
            file->offset >= -error) { /* they are one clock */
            file->offset = file->drift = 0;
            node->clock_error_ns = 0;
        }
    }
    node->offset_ns = -file->offset;
    node->drift = file->drift;
}

static double master_ns_at(const struct cst_history_file *file, double ns)
{
    return ns + file->offset + file->drift * (ns - file->since);
}

static double master_ns(const struct cst_history_file *file, uint64_t ticks)
{
    return master_ns_at(file, cst_history_content_ns_at(&file->content, ticks));
}

void cst_history_align(struct cst_history_loader *loader)
{
    const struct cst_history_file *master = &loader->files[0];

    for (size_t i = 0; i < loader->files_count; i++)
        if (loader->files[i].content.node.number == 0)
            master = &loader->files[i];
    loader->origin = master_ns(master, master->content.first.ticks);
    for (size_t i = 0; i < loader->files_count; i++) {
        struct cst_history_file *file = &loader->files[i];
        double begin;

        if (file != master)
            align_one(loader, file, master);
        begin = master_ns(file, file->content.first.ticks);
        if (begin < loader->origin)
            loader->origin = begin;
    }
    loader->history->wall_ns = master->content.first.wall;
}

static uint64_t bounded(double ns)
{
    return ns > 0 && ns < 9e18 ? (uint64_t)ns : 0;
}

uint64_t cst_history_time(const struct cst_history_loader *loader,
                          const struct cst_history_file *file, uint64_t ticks)
{
    return bounded(master_ns(file, ticks) - loader->origin);
}

uint64_t cst_history_time_at(const struct cst_history_loader *loader,
                             const struct cst_history_file *file,
                             uint64_t clock_ns)
{
    return bounded(master_ns_at(file, (double)clock_ns) - loader->origin);
}
