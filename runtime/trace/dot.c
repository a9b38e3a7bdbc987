#include "trace/dot.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "trace/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BUFFER_SIZE = 1 << 16, LOOKS_MIN = 16, EDGES_MIN = 64 };

/*
 * The eight colours of Okabe and Ito, which people with any colour vision tell
 * apart; black is left to the lines. Beyond them the shapes change.
 */
static const struct colour {
    const char *fill;
    const char *text;
} colours[] = {
    {"#56B4E9", "black"}, {"#E69F00", "black"}, {"#009E73", "white"},
    {"#F0E442", "black"}, {"#0072B2", "white"}, {"#D55E00", "white"},
    {"#CC79A7", "black"},
};

static const char *const shapes[] = {"ellipse", "box",      "hexagon",
                                     "octagon", "diamond",  "parallelogram",
                                     "house",   "trapezium"};

enum {
    COLOURS_COUNT = sizeof(colours) / sizeof(*colours),
    SHAPES_COUNT = sizeof(shapes) / sizeof(*shapes),
};

static const struct line {
    const char *style;
    const char *legend;
} lines[CST_DOT_EDGES_COUNT] = {
    [CST_DOT_FLOW] = {"style=solid", "reads what it wrote"},
    [CST_DOT_ANTI] = {"style=dashed,arrowhead=empty",
                      "overwrites what it read"},
    [CST_DOT_OUTPUT] = {"style=dashed", "overwrites what it wrote"},
    [CST_DOT_MUTEX] = {"style=dotted,dir=none", "not at the same time"},
    [CST_DOT_CHILD] = {"style=bold,arrowhead=odot", "submits"},
    [CST_DOT_ORDER] = {"style=solid,arrowhead=vee", "comes before"},
};

/* That the task at hand waits for another. */
struct edge {
    uint64_t from;
    enum cst_dot_edge why;
};

struct cst_dot {
    FILE *file;
    bool broken;
    bool line_used[CST_DOT_EDGES_COUNT];
    const char **kinds; /* the place of a kind decides on its looks */
    size_t kinds_count;
    size_t kinds_max;
    size_t kind_last; /* the one asked for last */
    uint64_t to;      /* whose edges are held back */
    struct edge *edges;
    size_t edges_count;
    size_t edges_max;
    char *buffer;
    char path[];
};

/* Write what goes between quotes; a backslash begins what is no text there. */
static void write_escaped(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t size = strlen(text);

    while (size > 0) {
        size_t length = cst_trace_utf8_length(at, size);

        if (*at == '"' || *at == '\\')
            (void)fputc('\\', file);
        if (length == 0)
            (void)fputs(CST_TRACE_UTF8_BAD, file);
        else if (*at < 0x20 || *at == 0x7f)
            (void)fputc(' ', file);
        else
            (void)fwrite(at, 1, length, file);
        at += length > 0 ? length : 1;
        size -= length > 0 ? length : 1;
    }
}

static void write_text(FILE *file, const char *text)
{
    (void)fputc('"', file);
    write_escaped(file, text);
    (void)fputc('"', file);
}

/* Look from time to time whether the disk still takes what we write. */
static bool goes_on(struct cst_dot *dot)
{
    if (!dot->broken && ferror(dot->file)) {
        (void)fprintf(stderr,
                      "castell: warning: the graph ends here, %s cannot be "
                      "written: %s\n",
                      dot->path, cst_reason(errno));
        dot->broken = true;
    }
    return !dot->broken;
}

enum castell_status cst_dot_open(const char *path, struct cst_dot **ret_dot)
{
    size_t path_size = strlen(path) + 1;
    struct cst_dot *dot = cst_zalloc(sizeof(*dot) + path_size);

    if (!dot)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a graph");
    memcpy(dot->path, path, path_size);
    dot->file = fopen(path, "we");
    if (!dot->file) {
        cst_free(dot);
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot write the graph %s: %s",
                        path, cst_reason(errno));
    }
    dot->buffer = cst_alloc(FILE_BUFFER_SIZE);
    if (dot->buffer)
        (void)setvbuf(dot->file, dot->buffer, _IOFBF, FILE_BUFFER_SIZE);
    (void)fputs("strict digraph castell {\n"
                "    node [style=filled,fontname=\"Helvetica\"]\n"
                "    edge [fontname=\"Helvetica\",fontsize=10]\n",
                dot->file);
    if (fflush(dot->file) != 0) {
        enum castell_status status =
            cst_fail(CASTELL_ERR_SYSTEM, "cannot write the graph %s: %s", path,
                     cst_reason(errno));

        (void)fclose(dot->file);
        cst_free(dot->buffer);
        cst_free(dot);
        return status;
    }
    *ret_dot = dot;
    return CASTELL_OK;
}

/* The number of a kind; where there is no memory for it, that of another. */
static size_t find_kind(struct cst_dot *dot, const char *name)
{
    size_t at = dot->kind_last;
    size_t wanted;

    if (at < dot->kinds_count && dot->kinds[at] == name)
        return at;
    for (at = 0; at < dot->kinds_count; at++)
        if (strcmp(dot->kinds[at], name) == 0)
            return dot->kind_last = at;
    if (at == dot->kinds_max) {
        const char **kinds;

        wanted = at > 0 ? 2 * at : LOOKS_MIN;
        kinds = cst_realloc(dot->kinds, wanted * sizeof(*kinds));
        if (!kinds)
            return at;
        dot->kinds = kinds;
        dot->kinds_max = wanted;
    }
    dot->kinds[at] = name;
    dot->kinds_count++;
    return dot->kind_last = at;
}

static void write_looks(FILE *file, size_t kind)
{
    const struct colour *colour = &colours[kind % COLOURS_COUNT];

    (void)fprintf(file, "fillcolor=\"%s\",fontcolor=%s,shape=%s", colour->fill,
                  colour->text, shapes[kind / COLOURS_COUNT % SHAPES_COUNT]);
}

void cst_dot_task(struct cst_dot *dot, uint64_t task, const char *kind_name,
                  const char *label, const char *where)
{
    FILE *file = dot->file;

    if (!goes_on(dot))
        return;
    (void)fprintf(file, "    t%" PRIu64 " [label=\"", task);
    write_escaped(file, label ? label : kind_name);
    (void)fprintf(file, " %" PRIu64 "\",tooltip=", task);
    write_text(file, where ? where : kind_name);
    (void)fputc(',', file);
    write_looks(file, find_kind(dot, kind_name));
    (void)fputs("]\n", file);
}

static void write_edge(struct cst_dot *dot, const struct edge *edge)
{
    dot->line_used[edge->why] = true;
    (void)fprintf(dot->file, "    t%" PRIu64 " -> t%" PRIu64 " [%s]\n",
                  edge->from, dot->to, lines[edge->why].style);
}

/* By the tasks that are waited for, and then the reasons, strongest first. */
static int compare_edges(const void *a, const void *b)
{
    const struct edge *left = a;
    const struct edge *right = b;

    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return (int)left->why - (int)right->why;
}

/* Of two edges between the same tasks one is drawn. */
static void write_edges(struct cst_dot *dot)
{
    if (dot->edges_count > 1)
        qsort(dot->edges, dot->edges_count, sizeof(*dot->edges), compare_edges);
    for (size_t i = 0; i < dot->edges_count; i++)
        if (i == 0 || dot->edges[i].from != dot->edges[i - 1].from)
            write_edge(dot, &dot->edges[i]);
    dot->edges_count = 0;
}

void cst_dot_edge(struct cst_dot *dot, uint64_t from, uint64_t to,
                  enum cst_dot_edge why)
{
    struct edge edge = {from, why};

    if (!goes_on(dot))
        return;
    if (to != dot->to)
        write_edges(dot);
    dot->to = to;
    if (dot->edges_count == dot->edges_max) {
        size_t more = dot->edges_max > 0 ? 2 * dot->edges_max : EDGES_MIN;
        struct edge *edges = cst_realloc(dot->edges, more * sizeof(*edges));

        if (!edges) {
            write_edge(dot, &edge); /* drawn twice, perhaps */
            return;
        }
        dot->edges = edges;
        dot->edges_max = more;
    }
    dot->edges[dot->edges_count++] = edge;
}

void cst_dot_outcome(struct cst_dot *dot, uint64_t task,
                     enum cst_dot_outcome outcome)
{
    if (!goes_on(dot))
        return;
    (void)fprintf(dot->file, "    t%" PRIu64 " [%s]\n", task,
                  outcome == CST_DOT_FAILED
                      ? "color=red,penwidth=4,xlabel=\"failed\""
                      : "style=\"filled,dashed\",xlabel=\"cancelled\"");
}

static void write_legend(const struct cst_dot *dot)
{
    FILE *file = dot->file;

    (void)fputs("    subgraph cluster_legend {\n"
                "        label=\"kinds and dependences\"; color=gray\n",
                file);
    for (size_t i = 0; i < dot->kinds_count; i++) {
        (void)fprintf(file, "        kind%zu [label=", i);
        write_text(file, dot->kinds[i]);
        (void)fputc(',', file);
        write_looks(file, i);
        (void)fputs("]\n", file);
    }
    for (int i = 0; i < CST_DOT_EDGES_COUNT; i++)
        if (dot->line_used[i])
            (void)fprintf(
                file,
                "        edge%d_from [shape=point]\n"
                "        edge%d_to [shape=point]\n"
                "        edge%d_from -> edge%d_to [%s,label=\"%s\"]\n",
                i, i, i, i, lines[i].style, lines[i].legend);
    (void)fputs("    }\n", file);
}

void cst_dot_close(struct cst_dot *dot)
{
    bool whole;

    if (!dot)
        return;
    if (goes_on(dot)) {
        write_edges(dot);
        if (dot->kinds_count > 0)
            write_legend(dot);
        (void)fputs("}\n", dot->file);
    }
    whole = fflush(dot->file) == 0;
    if (!whole)
        (void)goes_on(dot);
    (void)fclose(dot->file);
    cst_free(dot->buffer);
    cst_free(dot->edges);
    cst_free(dot->kinds);
    cst_free(dot);
}
