/*
 * A picture as lines of text, in the words and colours of the report's page.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "top/top.h"
#include "trace/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 24, LINE_SIZE = 512, HEAD_LINES = 8 };

/* Colours that all people can tell from each other (Okabe and Ito). */
struct colour {
    uint8_t red, green, blue;
    uint8_t of_256;
};

static const struct colour palette[] = {
    {0x56, 0xB4, 0xE9, 74},  {0xE6, 0x9F, 0x00, 178}, {0x00, 0x9E, 0x73, 36},
    {0xF0, 0xE4, 0x42, 227}, {0x00, 0x72, 0xB2, 25},  {0xD5, 0x5E, 0x00, 166},
    {0xCC, 0x79, 0xA7, 175}, {0x99, 0x99, 0x99, 246},
};

enum { PALETTE = sizeof(palette) / sizeof(palette[0]), BODIES = 4, BAD = 5 };

/* ---- Numbers ------------------------------------------------------------------- */

/* Three digits that count, and the largest unit that leaves 1 before it. */
static void write_scaled(char *text, double value, const char *const *units,
                         size_t units_count)
{
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < units_count) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, TEXT_SIZE, "%.*f %s",
                   unit == 0 || value >= 99.95 ? 0
                   : value >= 9.995            ? 1
                                               : 2,
                   value, units[unit]);
}

static const char *time_text(char *text, uint64_t ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};

    write_scaled(text, (double)ns, units, 4);
    return text;
}

static const char *bytes_text(char *text, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};

    write_scaled(text, bytes, units, 5);
    return text;
}

/* ---- Lines --------------------------------------------------------------------- */

struct page {
    const struct cst_watch_picture *picture;
    const struct cst_watch_picture *before;
    const struct cst_top_style *style;
    FILE *to;
    size_t left; /* lines */
};

static void colour(const struct page *page, size_t which)
{
    const struct colour *as = &palette[which % PALETTE];

    if (page->style->colour && page->style->exact)
        (void)fprintf(page->to, "\033[38;2;%d;%d;%dm", as->red, as->green,
                      as->blue);
    else if (page->style->colour)
        (void)fprintf(page->to, "\033[38;5;%dm", as->of_256);
}

static void plain(const struct page *page)
{
    if (page->style->colour)
        (void)fputs("\033[0m", page->to);
}

/* End a line; false: there is no room for another one. */
static bool end_line(struct page *page)
{
    if (page->style->colour)
        (void)fputs("\033[K", page->to);
    (void)fputc('\n', page->to);
    if (page->style->lines == 0)
        return true;
    if (page->left > 0)
        page->left--;
    return page->left > 0;
}

/* As much of the text as fits into a line. */
static void put_line(struct page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_line(struct page *page, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    if (page->style->lines > 0 && page->left == 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    (void)fprintf(page->to, "%.*s", (int)page->style->columns, line);
    (void)end_line(page);
}

static void put_head(struct page *page, const char *text)
{
    if (page->style->lines > 0 && page->left == 0)
        return;
    if (page->style->colour)
        (void)fputs("\033[1m", page->to);
    (void)fprintf(page->to, "%.*s", (int)page->style->columns, text);
    plain(page);
    (void)end_line(page);
}

/* ---- The run ------------------------------------------------------------------- */

static double seconds_since(const struct page *page)
{
    if (!page->before || page->before->now_ns >= page->picture->now_ns)
        return 0;
    return (double)(page->picture->now_ns - page->before->now_ns) / 1e9;
}

static void put_progress(struct page *page)
{
    struct cst_watch_kind total = cst_watch_total(page->picture);
    struct cst_progress_view view = {
        .counters =
            {
                .submitted = total.submitted,
                .finished = total.done + total.failed + total.cancelled,
                .failed = total.failed,
                .cancelled = total.cancelled,
                .running = total.running,
            },
        .elapsed_ns = page->picture->elapsed_ns,
    };
    double seconds = seconds_since(page);
    char line[LINE_SIZE];

    if (seconds > 0) {
        struct cst_watch_kind then = cst_watch_total(page->before);
        uint64_t over = then.done + then.failed + then.cancelled;

        if (view.counters.finished > over)
            view.tasks_per_second =
                (double)(view.counters.finished - over) / seconds;
    }
    put_line(
        page, "%s",
        cst_progress_format(&view, page->style->columns, line, sizeof(line)));
    put_line(page,
             "%" PRIu64 " waiting, %" PRIu64 " of them ready; %" PRIu64
             " retried, %" PRIu64 " computed again",
             cst_watch_waiting(&total), page->picture->ready,
             page->picture->retried, page->picture->recomputed);
}

/* ---- Nodes --------------------------------------------------------------------- */

static const char *state_word(const struct cst_watch_node *node)
{
    static const char *const words[CST_WATCH_STATES_COUNT] = {
        [CST_WATCH_THERE] = "",        [CST_WATCH_SILENT] = "silent",
        [CST_WATCH_DRAINS] = "drains", [CST_WATCH_LEFT] = "left",
        [CST_WATCH_LOST] = "lost",
    };

    return words[node->state];
}

static const struct cst_watch_node *
find_node(const struct cst_watch_picture *picture, uint32_t number)
{
    for (size_t i = 0; picture && i < picture->nodes_count; i++)
        if (picture->nodes[i].number == number)
            return &picture->nodes[i];
    return NULL;
}

/* "12.0 MB/s", or nothing where it is not known. */
static const char *rate_text(char *text, uint64_t now, uint64_t then,
                             double seconds)
{
    char bytes[TEXT_SIZE];

    if (seconds <= 0 || now < then)
        return "-";
    (void)snprintf(text, TEXT_SIZE, "%.14s/s",
                   bytes_text(bytes, (double)(now - then) / seconds));
    return text;
}

/* "###......." */
static void put_use(const struct page *page, const struct cst_watch_node *node)
{
    enum { WIDTH = 10 };
    uint32_t busy = node->cores > 0
                        ? (node->busy * WIDTH + node->cores / 2) / node->cores
                        : 0;

    if (busy == 0 && node->busy > 0)
        busy = 1;
    colour(page, BODIES);
    for (uint32_t i = 0; i < busy && i < WIDTH; i++)
        (void)fputs(page->style->utf8 ? "\u2588" : "#", page->to);
    plain(page);
    for (uint32_t i = busy; i < WIDTH; i++)
        (void)fputs(page->style->utf8 ? "\u00b7" : ".", page->to);
    (void)fputc(' ', page->to);
}

static bool put_node(struct page *page, const struct cst_watch_node *node)
{
    enum { USE = 11 };
    const struct cst_watch_node *then = find_node(page->before, node->number);
    bool gone = node->state == CST_WATCH_LEFT || node->state == CST_WATCH_LOST;
    double seconds = then && !gone ? seconds_since(page) : 0;
    size_t width = page->style->columns > USE ? page->style->columns - USE : 0;
    char line[LINE_SIZE];
    char used[TEXT_SIZE], memory[TEXT_SIZE], came[TEXT_SIZE], went[TEXT_SIZE];
    char in[TEXT_SIZE], out[TEXT_SIZE], heard[TEXT_SIZE];
    char cores[TEXT_SIZE];

    (void)snprintf(cores, sizeof(cores), "%" PRIu32 "/%" PRIu32, node->busy,
                   node->cores);
    (void)snprintf(
        line, sizeof(line),
        "%4" PRIu32 " %-16.16s %7s %7" PRIu64 " %6" PRIu64 " %8" PRIu64
        "  %8s of %-8s %8s %10s %8s %10s %7s %s",
        node->number, node->name, cores, node->running, node->queued,
        node->done, bytes_text(used, (double)node->memory_used),
        bytes_text(memory, (double)node->memory),
        bytes_text(came, (double)node->came_bytes),
        rate_text(in, node->came_bytes, then ? then->came_bytes : 0, seconds),
        bytes_text(went, (double)node->went_bytes),
        rate_text(out, node->went_bytes, then ? then->went_bytes : 0, seconds),
        node->heard_ns > 0 ? time_text(heard, node->heard_ns) : "-",
        state_word(node));
    if (width > 0)
        put_use(page, node);
    if (node->state == CST_WATCH_SILENT || node->state == CST_WATCH_LOST)
        colour(page, BAD);
    (void)fprintf(page->to, "%.*s", (int)width, line);
    plain(page);
    return end_line(page);
}

static void put_nodes(struct page *page, size_t most)
{
    const struct cst_watch_picture *picture = page->picture;
    size_t shown = 0;

    put_head(page, "Nodes      node host               cores running queued"
                   "     done  memory                   came       rate     "
                   "went       rate   heard");
    for (size_t i = 0; i < picture->nodes_count && shown < most; i++, shown++)
        if (!put_node(page, &picture->nodes[i]))
            return;
    if (shown < picture->nodes_count)
        put_line(page, "and %zu more nodes", picture->nodes_count - shown);
}

/* ---- Nodes that were asked for --------------------------------------------------- */

static bool put_request(struct page *page,
                        const struct cst_watch_request *request)
{
    static const char *const words[CST_WATCH_REQUESTS_COUNT] = {
        [CST_WATCH_WAITS] = "waits",         [CST_WATCH_STARTED] = "started",
        [CST_WATCH_HERE] = "here",           [CST_WATCH_ENDS] = "ends",
        [CST_WATCH_CANCELLED] = "cancelled",
    };
    char age[TEXT_SIZE];

    put_line(page, "%7" PRIu32 " %-16.16s %-9s %9s  %-12.12s %s%s%s",
             request->ticket, request->class, words[request->state],
             time_text(age, request->age_ns), request->job,
             request->pending[0] ? request->pending : "",
             request->pending[0] ? "; asked for: " : "", request->reason);
    return page->style->lines == 0 || page->left > 0;
}

/* Those that are here are in the table of nodes. */
static void put_requests(struct page *page, size_t most)
{
    const struct cst_watch_picture *picture = page->picture;
    size_t all = 0, shown = 0;

    for (size_t i = 0; i < picture->requests_count; i++)
        all += picture->requests[i].state != CST_WATCH_HERE;
    if (all == 0)
        return;
    put_line(page, "%s", "");
    put_head(page, "Request class            state           age  job          "
                   "why");
    for (size_t i = 0; i < picture->requests_count && shown < most; i++) {
        if (picture->requests[i].state == CST_WATCH_HERE)
            continue;
        shown++;
        if (!put_request(page, &picture->requests[i]))
            return;
    }
    if (shown < all)
        put_line(page, "and %zu more that were asked for", all - shown);
}

/* ---- Kinds --------------------------------------------------------------------- */

static bool put_kind(struct page *page, size_t index)
{
    const struct cst_watch_kind *kind = &page->picture->kinds[index];
    size_t width = page->style->columns > 2 ? page->style->columns - 2 : 0;
    char mean[TEXT_SIZE] = "-";
    char line[LINE_SIZE];

    if (kind->measured > 0)
        (void)time_text(mean, kind->measured_ns / kind->measured);
    (void)snprintf(line, sizeof(line),
                   "%-30.30s %9" PRIu64 " %8" PRIu64 " %9" PRIu64 " %8" PRIu64
                   " %10" PRIu64 " %9s",
                   kind->name, cst_watch_waiting(kind), kind->running,
                   kind->done, kind->failed, kind->cancelled, mean);
    colour(page, index);
    (void)fputs(page->style->utf8 ? "\u25a0 " : "* ", page->to);
    plain(page);
    (void)fprintf(page->to, "%.*s", (int)width, line);
    return end_line(page);
}

static void put_kinds(struct page *page)
{
    const struct cst_watch_picture *picture = page->picture;

    put_head(page, "Kinds of tasks                     waiting  running      "
                   "done   failed  cancelled      mean");
    for (size_t i = 0; i < picture->kinds_count; i++) {
        if (page->style->lines > 0 && page->left == 2 &&
            i + 1 < picture->kinds_count) {
            put_line(page, "and %zu more kinds", picture->kinds_count - i);
            return;
        }
        if (picture->kinds[i].submitted > 0 && !put_kind(page, i))
            return;
    }
}

void cst_top_write(const struct cst_watch_picture *picture,
                   const struct cst_watch_picture *before,
                   const struct cst_top_style *style, FILE *to)
{
    struct page page = {picture, before, style, to, style->lines};
    size_t nodes = SIZE_MAX;

    /* Half of the lines are for kinds, when there are so many nodes. */
    if (style->lines > HEAD_LINES &&
        picture->nodes_count > (style->lines - HEAD_LINES) / 2)
        nodes = (style->lines - HEAD_LINES) / 2;
    put_line(&page, "%s, process %" PRIu32, picture->program, picture->process);
    put_progress(&page);
    if (*picture->failure)
        put_line(&page, "the run ends: %s", picture->failure);
    put_line(&page, "%s", "");
    put_nodes(&page, nodes);
    put_requests(&page, style->lines > 0 ? style->lines / 4 + 1 : SIZE_MAX);
    put_line(&page, "%s", "");
    put_kinds(&page);
}
