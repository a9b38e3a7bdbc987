/*
 * The graph is one that Graphviz reads, whatever the names; kinds keep their
 * looks; a disk that is full ends the drawing with one warning.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "trace/dot.h"
#include "trace/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY_KINDS = 60, EXIT_NOT_FOUND = 127, NAME_SIZE = 16, MANY = 10000 };

static char directory[WORLD_PATH_SIZE];

static struct cst_dot *open_graph(void)
{
    struct cst_dot *dot = NULL;

    must(cst_dot_open(world_path(directory, "graph.dot"), &dot) == CASTELL_OK,
         "a graph opens");
    return dot;
}

/* Is it a graph to Graphviz, and without a word? */
static void check_graphviz(const char *name)
{
    char command[2 * WORLD_PATH_SIZE];
    const char *arguments[] = {"sh", "-c", command, NULL};
    int status;

    (void)snprintf(command, sizeof(command),
                   "command -v dot >/dev/null || exit 127; "
                   "said=$(dot -Tsvg -o /dev/null '%s/graph.dot' 2>&1) || "
                   "{ echo \"# $said\"; exit 1; }; test -z \"$said\" || "
                   "{ echo \"# $said\"; exit 2; }",
                   directory);
    status = world_run(arguments);
    if (status == EXIT_NOT_FOUND)
        tap_skip(name, "no Graphviz");
    else
        ok(status == 0, "%s", name);
}

static char *read_graph(void)
{
    size_t size;

    return world_read(world_path(directory, "graph.dot"), &size);
}

static void test_small(void)
{
    struct cst_dot *dot = open_graph();
    char *text;

    cst_dot_task(dot, 1, "multiply", NULL, "matmul.c:12");
    cst_dot_task(dot, 2, "add", "sum", NULL);
    cst_dot_task(dot, 3, "multiply", NULL, NULL);
    cst_dot_task(dot, 4, "add", NULL, NULL);
    cst_dot_edge(dot, 1, 2, CST_DOT_ORDER);
    cst_dot_edge(dot, 1, 2, CST_DOT_FLOW);
    cst_dot_edge(dot, 1, 2, CST_DOT_ANTI);
    cst_dot_edge(dot, 2, 3, CST_DOT_ANTI);
    cst_dot_edge(dot, 2, 4, CST_DOT_OUTPUT);
    cst_dot_edge(dot, 3, 4, CST_DOT_MUTEX);
    cst_dot_edge(dot, 1, 4, CST_DOT_CHILD);
    cst_dot_outcome(dot, 3, CST_DOT_FAILED);
    cst_dot_outcome(dot, 4, CST_DOT_CANCELLED);
    cst_dot_close(dot);
    check_graphviz("a graph of four tasks is one");
    text = read_graph();
    ok(strstr(text, "t1 [label=\"multiply 1\",tooltip=\"matmul.c:12\","
                    "fillcolor=\"#56B4E9\"") &&
           strstr(text, "t2 [label=\"sum 2\",tooltip=\"add\","
                        "fillcolor=\"#E69F00\"") &&
           strstr(text, "t3 [label=\"multiply 3\",tooltip=\"multiply\","
                        "fillcolor=\"#56B4E9\""),
       "a kind keeps its colour, a task its label and place");
    ok(strstr(text, "t1 -> t2 [style=solid]") &&
           strstr(text, "t2 -> t3 [style=dashed,arrowhead=empty]"),
       "dependences have their lines");
    ok(!strstr(text, "t1 -> t2 [style=dashed") && !strstr(text, "vee"),
       "of several reasons to wait for a task the strongest is drawn");
    ok(strstr(text, "kind1 [label=\"add\"") && !strstr(text, "comes before") &&
           strstr(text, "reads what it wrote"),
       "the legend has what was drawn, and no more");
    free(text);
}

static void test_odd_names(void)
{
    struct cst_dot *dot = open_graph();

    cst_dot_task(dot, 1, "quote \" backslash \\", "end \\", "a\nb\x01\xff");
    cst_dot_task(dot, 2, "", "", "");
    cst_dot_task(dot, UINT64_MAX, "<b>html</b>", "\\N \\G {|}", NULL);
    cst_dot_edge(dot, 1, UINT64_MAX, CST_DOT_ORDER);
    cst_dot_close(dot);
    check_graphviz("odd names are drawn");
}

static void test_nothing(void)
{
    cst_dot_close(open_graph());
    check_graphviz("a graph of nothing is one too");
    cst_dot_close(NULL);
}

static void test_many_kinds(void)
{
    static char names[MANY_KINDS][NAME_SIZE];
    struct cst_dot *dot = open_graph();
    char *text;

    for (int i = 0; i < MANY_KINDS; i++) {
        (void)snprintf(names[i], NAME_SIZE, "kind %d", i);
        cst_dot_task(dot, (uint64_t)i, names[i], NULL, NULL);
    }
    cst_dot_task(dot, 1000, "kind 3", "same", NULL);
    cst_dot_close(dot);
    check_graphviz("so is one of many kinds");
    text = read_graph();
    ok(strstr(text, "t0 [label=\"kind 0 0\",tooltip=\"kind 0\","
                    "fillcolor=\"#56B4E9\",fontcolor=black,shape=ellipse]") &&
           strstr(text, "t7 [label=\"kind 7 7\",tooltip=\"kind 7\","
                        "fillcolor=\"#56B4E9\",fontcolor=black,shape=box]"),
       "kinds of the same colour differ in shape");
    ok(strstr(text, "t1000 [label=\"same 1000\",tooltip=\"kind 3\","
                    "fillcolor=\"#F0E442\""),
       "a name is the same wherever it is stored");
    free(text);
}

static int draw_on_full_disk(void)
{
    struct cst_dot *dot = NULL;

    if (!world_limit_files(100000) ||
        cst_dot_open(world_path(directory, "graph.dot"), &dot) != CASTELL_OK)
        return EXIT_FAILURE;
    for (uint64_t i = 0; i < MANY; i++)
        cst_dot_task(dot, i, "kind", NULL, NULL);
    cst_dot_close(dot);
    return EXIT_SUCCESS;
}

/* What did not fit shows only when the last of it is written. */
static int close_on_full_disk(void)
{
    struct cst_dot *dot = NULL;

    if (!world_limit_files(500) ||
        cst_dot_open(world_path(directory, "graph.dot"), &dot) != CASTELL_OK)
        return EXIT_FAILURE;
    for (uint64_t i = 0; i < 10; i++)
        cst_dot_task(dot, i, "kind", NULL, NULL);
    cst_dot_close(dot);
    return EXIT_SUCCESS;
}

static void test_unwritable(void)
{
    struct cst_dot *dot = NULL;
    char *said;

    ok(cst_dot_open("/nonexistent/graph", &dot) == CASTELL_ERR_SYSTEM &&
           strstr(castell_error_text(), "/nonexistent/graph"),
       "no such directory: %s", castell_error_text());
    ok(cst_dot_open("/dev/full", &dot) == CASTELL_ERR_SYSTEM &&
           strstr(castell_error_text(), "No space left"),
       "no room: %s", castell_error_text());
    ok(!dot, "a failing call leaves its ret_ arguments alone");

    said = world_said_by(directory, draw_on_full_disk);
    must(said != NULL, "a disk that fills up ends the drawing, and no run");
    ok(world_lines(said) == 1 && strstr(said, "the graph ends here"),
       "and is said once: %s", said);
    free(said);
    said = world_said_by(directory, close_on_full_disk);
    must(said != NULL, "also at the end");
    ok(world_lines(said) == 1 && strstr(said, "the graph ends here"),
       "it is said: %s", said);
    free(said);
}

static void test_no_memory(void)
{
    struct cst_dot *dot = NULL;
    bool failed = true;
    int n;

    for (n = 1; n < 100 && failed; n++) {
        enum castell_status status;

        cst_alloc_fail_after((uint64_t)n);
        status = cst_dot_open(world_path(directory, "graph.dot"), &dot);
        if (status == CASTELL_OK) {
            cst_dot_task(dot, 1, "kind", NULL, NULL);
            cst_dot_edge(dot, 1, 2, CST_DOT_FLOW);
            cst_dot_close(dot);
            check_graphviz("a graph drawn with too little memory is one");
        }
        failed = !cst_alloc_fail_pending();
        cst_alloc_fail_after(0);
        if (status != CASTELL_OK && status != CASTELL_ERR_NO_MEMORY)
            break;
    }
    ok(!failed, "each of %d allocations may fail", n - 2);
}

int main(void)
{
    void (*const tests[])(void) = {test_small,      test_odd_names,
                                   test_nothing,    test_many_kinds,
                                   test_unwritable, test_no_memory};

    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        world_open(directory);
        tests[i]();
        world_close(directory);
    }
    return tap_done();
}
