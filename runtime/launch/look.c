/*
 * `castell report`: read the traces of a run, and write what is asked for.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "history/history.h"
#include "launch/launch_internal.h"
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 4 };

static const char report_help[] =
    "usage: castell report [OPTION...] DIR\n"
    "\n"
    "Tell what a run did, from the traces in DIR: those of castell run "
    "--trace=DIR,\n"
    "or of a program by itself with CASTELL_TRACE=DIR in its environment.\n"
    "\n"
    "      --format=FORMAT   what to write:\n"
    "            html          a page for a browser, the default\n"
    "            chrome        for ui.perfetto.dev and chrome://tracing\n"
    "            json          all that is known\n"
    "            csv           tables of attempts, transfers, what devices\n"
    "                          did, and nodes that were asked for\n"
    "            dot           the graph of tasks, for Graphviz\n"
    "            paraver       trace.prv, trace.pcf, trace.row\n"
    "  -o, --output=NAME     the file; - is the standard output. Where a "
    "format has\n"
    "                        several files their names begin so\n"
    "  -h, --help            this\n"
    "\n"
    "Of several runs in DIR the latest is told. castell(1) has more.\n";

struct look;

/* A format, and the files that it has. */
struct format {
    const char *name;
    const char *output;              /* the name, unless told otherwise */
    const char *suffixes[FILES_MAX]; /* of several files; NULL: it has one */
    enum castell_status (*write)(const struct cst_history *history,
                                 FILE **files);
};

struct look {
    const struct format *format;
    const char *output;
    bool help;
};

/* ---- Formats ---------------------------------------------------------------- */

static enum castell_status write_chrome(const struct cst_history *history,
                                        FILE **files)
{
    return cst_report_chrome(history, files[0]);
}

static enum castell_status write_json(const struct cst_history *history,
                                      FILE **files)
{
    cst_report_json(history, files[0]);
    return CASTELL_OK;
}

static enum castell_status write_csv(const struct cst_history *history,
                                     FILE **files)
{
    cst_report_csv(history, files);
    return CASTELL_OK;
}

static enum castell_status write_dot(const struct cst_history *history,
                                     FILE **files)
{
    return cst_report_dot(history, files[0]);
}

static enum castell_status write_paraver(const struct cst_history *history,
                                         FILE **files)
{
    return cst_report_paraver(history, files[0], files[1], files[2]);
}

static enum castell_status write_page(const struct cst_history *history,
                                      FILE **files)
{
    return cst_report_page(history, files[0]);
}

static const struct format formats[] = {
    {"html", "report.html", {NULL}, write_page},
    {"chrome", "trace.json", {NULL}, write_chrome},
    {"json", "history.json", {NULL}, write_json},
    {"csv",
     "",
     {"tasks.csv", "transfers.csv", "devices.csv", "requests.csv"},
     write_csv},
    {"dot", "graph.dot", {NULL}, write_dot},
    {"paraver", "trace", {".prv", ".pcf", ".row"}, write_paraver},
};

enum { FORMATS_COUNT = sizeof(formats) / sizeof(formats[0]) };

/* ---- Options ------------------------------------------------------------------ */

static enum castell_status set_format(void *target, const char *name,
                                      const char *value)
{
    struct look *look = target;

    for (size_t i = 0; i < FORMATS_COUNT; i++)
        if (strcmp(value, formats[i].name) == 0) {
            look->format = &formats[i];
            return CASTELL_OK;
        }
    return cst_fail(CASTELL_ERR_INVALID,
                    "%s: there is no format \"%s\"; castell report --help "
                    "lists what there is",
                    name, value);
}

static enum castell_status set_output(void *target, const char *name,
                                      const char *value)
{
    (void)name;
    ((struct look *)target)->output = value;
    return CASTELL_OK;
}

static enum castell_status set_help(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct look *)target)->help = true;
    return CASTELL_OK;
}

static const struct cst_option report_options[] = {
    {"format", 0, "FORMAT", set_format},
    {"output", 'o', "NAME", set_output},
    {"help", 'h', NULL, set_help},
    {NULL, 0, NULL, NULL},
};

/* ---- Files -------------------------------------------------------------------- */

/* What is written, and how it will be called when it is whole. */
struct output {
    FILE *files[FILES_MAX];
    char *names[FILES_MAX];
    char *parts[FILES_MAX]; /* until then */
    size_t count;
};

static enum castell_status cannot_write(const char *name)
{
    return cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", name,
                    cst_reason(errno));
}

/* The format's own name is in the directory of the traces. */
static char *name_of(const struct look *look, const char *directory,
                     const char *suffix)
{
    if (look->output)
        return cst_format("%s%s", look->output, suffix ? suffix : "");
    return cst_format("%s/%s%s", directory, look->format->output,
                      suffix ? suffix : "");
}

static enum castell_status output_open(const struct look *look,
                                       const char *directory,
                                       struct output *output)
{
    const char *const *suffixes = look->format->suffixes;

    if (look->output && strcmp(look->output, "-") == 0) {
        if (suffixes[0])
            return cst_fail(CASTELL_ERR_INVALID,
                            "--output=-: the format %s has several files",
                            look->format->name);
        output->files[0] = stdout;
        output->count = 1;
        return CASTELL_OK;
    }
    do {
        size_t i = output->count;

        output->names[i] = name_of(look, directory, suffixes[i]);
        if (output->names[i])
            output->parts[i] = cst_format("%s.part", output->names[i]);
        if (!output->parts[i])
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a name");
        output->files[i] = fopen(output->parts[i], "we");
        if (!output->files[i])
            return cannot_write(output->parts[i]);
        output->count++;
    } while (output->count < FILES_MAX && suffixes[0] &&
             suffixes[output->count]);
    return CASTELL_OK;
}

/* All files become what they are, or none is left. */
static enum castell_status output_close(struct output *output,
                                        enum castell_status status)
{
    for (size_t i = 0; i < output->count; i++) {
        bool bad = ferror(output->files[i]) != 0;

        if (output->files[i] == stdout)
            bad = fflush(stdout) != 0 || bad;
        else
            bad = fclose(output->files[i]) != 0 || bad;
        if (bad && status == CASTELL_OK)
            status = cannot_write(output->names[i] ? output->names[i]
                                                   : "the standard output");
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (output->parts[i] && status == CASTELL_OK &&
            rename(output->parts[i], output->names[i]) != 0)
            status = cannot_write(output->names[i]);
        if (output->parts[i] && status != CASTELL_OK)
            (void)unlink(output->parts[i]);
    }
    for (size_t i = 0; i < FILES_MAX && status == CASTELL_OK; i++)
        if (output->names[i])
            (void)printf("%s\n", output->names[i]);
    for (size_t i = 0; i < FILES_MAX; i++) {
        cst_free(output->names[i]);
        cst_free(output->parts[i]);
    }
    return status;
}

static enum castell_status write_all(const struct look *look,
                                     const char *directory,
                                     const struct cst_history *history)
{
    struct output output = {.count = 0};
    enum castell_status status = output_open(look, directory, &output);

    if (status == CASTELL_OK)
        status = look->format->write(history, output.files);
    return output_close(&output, status);
}

/* What may make the report less than the truth. */
static void warn(const struct cst_history *history)
{
    uint64_t lost = 0;

    for (size_t i = 0; i < history->nodes_count; i++) {
        lost += history->nodes[i].lost;
        if (!history->nodes[i].has_trace)
            cst_say("warning: there is no trace of node %u here",
                    history->nodes[i].number);
    }
    if (lost > 0)
        cst_say("warning: %llu events are not in the traces",
                (unsigned long long)lost);
    if (history->others > 0)
        cst_say("%zu files of other runs are left out: this is the latest",
                history->others);
}

static const char explain_help[] =
    "usage: castell explain DIR TASK|KIND\n"
    "\n"
    "Tell why a task, by its number, or the tasks of a kind, by its name, "
    "started when\n"
    "they did: what they waited for, why there, and what they delayed. DIR is "
    "as of\n"
    "castell report.\n";

/* Read the traces; false: why not was said. */
static bool open_history(const char *directory,
                         struct cst_history **ret_history)
{
    if (cst_history_open(directory, ret_history) < 0) {
        cst_say("%s", castell_error_text());
        return false;
    }
    warn(*ret_history);
    return true;
}

int cst_explain_main(char **argv)
{
    struct cst_history *history = NULL;
    enum castell_status status;

    if (argv[1] &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(explain_help, stdout);
        return EXIT_SUCCESS;
    }
    if (!argv[1] || !argv[2] || argv[3]) {
        cst_fail_text("which task? castell explain DIR TASK");
        return cst_say_usage("explain");
    }
    if (!open_history(argv[1], &history))
        return EXIT_FAILURE;
    status = cst_report_explain(history, argv[2], stdout);
    cst_history_close(history);
    if (status < 0)
        cst_say("%s", castell_error_text());
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cst_report_main(char **argv)
{
    struct look look = {.format = &formats[0]};
    struct cst_history *history = NULL;
    char **rest;

    if (cst_options_read_all(report_options, &look, argv + 1, &rest) < 0)
        return cst_say_usage("report");
    if (look.help) {
        (void)fputs(report_help, stdout);
        return EXIT_SUCCESS;
    }
    if (!rest[0] || rest[1]) {
        cst_fail_text("%s", rest[0] ? "one directory: castell report DIR"
                                    : "which directory? castell report DIR");
        return cst_say_usage("report");
    }
    if (!open_history(rest[0], &history))
        return EXIT_FAILURE;
    if (write_all(&look, rest[0], history) < 0) {
        cst_say("%s", castell_error_text());
        cst_history_close(history);
        return EXIT_FAILURE;
    }
    cst_history_close(history);
    return EXIT_SUCCESS;
}
