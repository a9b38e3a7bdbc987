/*
 * progress_line.c - what the line of progress says, in the columns there are.
 */
#include "trace/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BAR_MAX = 30, BAR_MIN = 8, PIECE_SIZE = 48, PIECES_MAX = 8 };

/* "95000", "123k", "4.56M": five columns at most. */
static void write_count(char *text, size_t text_size, double count)
{
    static const char units[] = " kMGTP";
    size_t unit = 0;

    /* With a unit it has three digits. */
    while (count >= (unit == 0 ? 99999.5 : 999.5) && unit + 2 < sizeof(units)) {
        count /= 1000;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, text_size, "%.0f", count);
    else
        (void)snprintf(text, text_size, "%.*f%c",
                       count < 9.995   ? 2
                       : count < 99.95 ? 1
                                       : 0,
                       count, units[unit]);
}

static void write_elapsed(char *text, size_t text_size, uint64_t ns)
{
    uint64_t s = ns / 1000000000;

    if (s < 60)
        (void)snprintf(text, text_size, "%" PRIu64 ".%" PRIu64 " s", s,
                       ns / 100000000 % 10);
    else if (s < 3600)
        (void)snprintf(text, text_size, "%" PRIu64 ":%02" PRIu64, s / 60,
                       s % 60);
    else
        (void)snprintf(text, text_size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64,
                       s / 3600, s / 60 % 60, s % 60);
}

struct line {
    char pieces[PIECES_MAX][PIECE_SIZE];
    size_t count;
};

static void add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line->pieces[line->count++], PIECE_SIZE, format, args);
    va_end(args);
}

/* The pieces, the most wanted first. */
static void say(const struct cst_progress_view *view, struct line *line)
{
    const struct castell_counters *counters = &view->counters;
    char done[16];
    char all[16];
    char rate[16];
    char elapsed[16];

    write_count(done, sizeof(done), (double)counters->finished);
    write_count(all, sizeof(all), (double)counters->submitted);
    write_count(rate, sizeof(rate), view->tasks_per_second);
    write_elapsed(elapsed, sizeof(elapsed), view->elapsed_ns);
    add(line, "%s/%s tasks", done, all);
    if (counters->failed > 0)
        add(line, ", %" PRIu64 " failed", counters->failed);
    if (counters->cancelled > 0)
        add(line, ", %" PRIu64 " cancelled", counters->cancelled);
    add(line, ", %" PRIu64 " running", counters->running);
    if (view->nodes > 0)
        add(line, ", %" PRIu32 " node%s", view->nodes,
            view->nodes == 1 ? "" : "s");
    if (view->asked > 0)
        add(line, ", %" PRIu32 " asked for%s%s%s", view->asked,
            view->reason[0] ? " (" : "", view->reason,
            view->reason[0] ? ")" : "");
    add(line, ", %s/s", rate);
    add(line, ", %s", elapsed);
}

/* "[=====>    ] " in that many columns. */
static size_t write_bar(char *text, size_t columns,
                        const struct castell_counters *counters)
{
    size_t inside = columns - 3;
    size_t done = 0;

    if (counters->submitted > 0)
        done = (size_t)((double)inside * (double)counters->finished /
                        (double)counters->submitted);
    if (done > inside)
        done = inside;
    text[0] = '[';
    memset(text + 1, '=', done);
    memset(text + 1 + done, ' ', inside - done);
    if (done < inside)
        text[1 + done] = '>';
    text[columns - 2] = ']';
    text[columns - 1] = ' ';
    return columns;
}

const char *cst_progress_format(const struct cst_progress_view *view,
                                size_t width, char *text, size_t text_size)
{
    struct line line = {.count = 0};
    size_t words = 0;
    size_t fits = 0;
    size_t length = 0;

    if (width > text_size - 1)
        width = text_size - 1;
    say(view, &line);
    while (fits < line.count && words + strlen(line.pieces[fits]) <= width)
        words += strlen(line.pieces[fits++]);

    if (fits == line.count && width - words >= BAR_MIN + 3)
        length = write_bar(
            text, width - words > BAR_MAX + 3 ? BAR_MAX + 3 : width - words,
            &view->counters);
    for (size_t i = 0; i < fits; i++) {
        size_t size = strlen(line.pieces[i]);

        memcpy(text + length, line.pieces[i], size);
        length += size;
    }
    text[length] = '\0';
    return text;
}
