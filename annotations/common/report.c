#include "common/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cst_report_item {
    struct cst_place place;
    const char *severity;
    const char *text;
    size_t number;
    /* The item that decides where this one comes: itself, or for a note what
       it is a note on. */
    size_t follows;
};

__attribute__((format(printf, 4, 0))) static void
add(struct cst_report *report, struct cst_place place, const char *severity,
    const char *format, va_list args)
{
    char text[1024];
    struct cst_report_item *item;

    (void)vsnprintf(text, sizeof(text), format, args);
    report->items = cst_memory_room(report->memory, report->items,
                                    report->items_count, sizeof(*item));
    item = &report->items[report->items_count];
    item->place = place;
    item->severity = severity;
    item->text = cst_memory_copy(report->memory, text, strlen(text));
    item->number = item->follows = report->items_count++;
}

void cst_report_error(struct cst_report *report, struct cst_place place,
                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(report, place, "error", format, args);
    va_end(args);
    report->errors++;
}

void cst_report_warning(struct cst_report *report, struct cst_place place,
                        const char *format, ...)
{
    va_list args;

    if (report->quiet)
        return;
    va_start(args, format);
    add(report, place, "warning", format, args);
    va_end(args);
}

void cst_report_note(struct cst_report *report, struct cst_place place,
                     const char *format, ...)
{
    va_list args;

    if (report->items_count == 0)
        return;
    va_start(args, format);
    add(report, place, "note", format, args);
    va_end(args);
    report->items[report->items_count - 1].follows =
        report->items[report->items_count - 2].follows;
}

/* What two items are ordered by: file by file, as the files first came. */
struct order {
    const struct cst_report_item *items;
    size_t file;
    size_t number;
};

static int compare(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    const struct cst_report_item *p = &x->items[x->items[x->number].follows];
    const struct cst_report_item *q = &y->items[y->items[y->number].follows];

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (p->place.line != q->place.line)
        return p->place.line < q->place.line ? -1 : 1;
    if (p->place.column != q->place.column)
        return p->place.column < q->place.column ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void print_item(struct cst_report *report,
                       const struct cst_report_item *item)
{
    const struct cst_place *place = &item->place;
    size_t size = 0;
    const char *line;

    (void)fprintf(stderr, "%s:%u:", place->file, place->line);
    if (place->column)
        (void)fprintf(stderr, "%u:", place->column);
    (void)fprintf(stderr, " %s: %s\n", item->severity, item->text);
    line = cst_source_line(report->sources, place->file, place->line, &size);
    if (!line || place->column == 0)
        return;
    (void)fprintf(stderr, "%5u | %.*s\n      | ", place->line, (int)size, line);
    for (size_t i = 0; i + 1 < place->column; i++)
        (void)fputc(i < size && line[i] == '\t' ? '\t' : ' ', stderr);
    (void)fputc('^', stderr);
    for (size_t i = 1; i < place->width && place->column + i <= size; i++)
        (void)fputc('~', stderr);
    (void)fputc('\n', stderr);
}

void cst_report_print(struct cst_report *report)
{
    size_t count = report->items_count;
    struct order *orders =
        cst_memory_take(report->memory, (count + 1) * sizeof(*orders));

    for (size_t i = 0; i < count; i++) {
        size_t file = 0;

        while (strcmp(report->items[file].place.file,
                      report->items[report->items[i].follows].place.file) != 0)
            file++;
        orders[i] = (struct order){report->items, file, i};
    }
    qsort(orders, count, sizeof(*orders), compare);
    for (size_t i = 0; i < count; i++)
        print_item(report, &report->items[orders[i].number]);
    report->items_count = 0;
    report->items = NULL;
}
