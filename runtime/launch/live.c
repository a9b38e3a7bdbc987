/*
 * `castell top` and `castell ctl`: look at a run while it goes on, and order it
 * about.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "launch/launch_internal.h"
#include "top/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char top_help[] =
    "usage: castell top [OPTION...] [RUN]\n"
    "\n"
    "Show a run of yours on this machine while it goes on: its nodes, those "
    "that it\n"
    "has asked SLURM for, kinds of tasks, what moves. RUN is the name of its "
    "program,\n"
    "or the number of its main process; it is not needed when there is one "
    "run.\n"
    "\n"
    "      --interval=S   a picture every S seconds; 1\n"
    "      --once         one picture\n"
    "  -l, --list         the runs that there are\n"
    "  -h, --help         this\n"
    "\n"
    "q ends it. A run on several nodes is seen on the node of its main() only. "
    "Programs\n"
    "with CASTELL_WATCH=0 in their environment are not seen.\n";

static const char ctl_help[] =
    "usage: castell ctl RUN ORDER\n"
    "\n"
    "Order a run of yours on this machine about; RUN is as for castell top.\n"
    "\n"
    "  state               write what is known of it, as JSON\n"
    "  cancel-group NAME   cancel the tasks of a group that have not started, "
    "as\n"
    "                      castell_group_cancel() does\n"
    "  drain NODE          have a node leave: its tasks that have not started "
    "and what\n"
    "                      only it has go to other nodes, and nothing is "
    "computed again.\n"
    "                      NODE is its number, as castell top shows it, or its "
    "host's name\n"
    "  grow N              have N nodes at least from now on, of a run with "
    "--max-nodes;\n"
    "                      0: as it was started\n";

struct live {
    struct cst_top_options options;
    bool list;
    bool help;
};

/* ---- Options ------------------------------------------------------------------- */

static enum castell_status set_interval(void *target, const char *name,
                                        const char *value)
{
    struct live *live = target;
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end || !(seconds >= 0.05 && seconds <= 3600))
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s: \"%s\" is no number of seconds from 0.05 to 3600",
                        name, value);
    live->options.interval_ns = (uint64_t)(seconds * 1e9);
    return CASTELL_OK;
}

static enum castell_status set_once(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct live *)target)->options.once = true;
    return CASTELL_OK;
}

static enum castell_status set_list(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct live *)target)->list = true;
    return CASTELL_OK;
}

static enum castell_status set_help(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct live *)target)->help = true;
    return CASTELL_OK;
}

static const struct cst_option top_options[] = {
    {"interval", 0, "S", set_interval},
    {"once", 0, NULL, set_once},
    {"list", 'l', NULL, set_list},
    {"help", 'h', NULL, set_help},
    {NULL, 0, NULL, NULL},
};

static const struct cst_option ctl_options[] = {
    {"help", 'h', NULL, set_help},
    {NULL, 0, NULL, NULL},
};

/* ---- castell top --------------------------------------------------------------- */

static int list_runs(void)
{
    struct cst_top_runs runs;

    if (cst_top_find(&runs) < 0) {
        cst_say("%s", castell_error_text());
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < runs.count; i++)
        (void)printf("%s.%ld\n", runs.list[i].program, runs.list[i].process);
    cst_top_runs_release(&runs);
    return EXIT_SUCCESS;
}

int cst_top_main(char **argv)
{
    struct live live = {.options = {.interval_ns = UINT64_C(1000000000)}};
    struct cst_top_run run;
    char **rest;

    if (cst_options_read_all(top_options, &live, argv + 1, &rest) < 0)
        return cst_say_usage("top");
    if (live.help) {
        (void)fputs(top_help, stdout);
        return EXIT_SUCCESS;
    }
    if (rest[0] && (rest[1] || live.list)) {
        cst_fail_text("%s is one word too many", rest[1] ? rest[1] : rest[0]);
        return cst_say_usage("top");
    }
    if (live.list)
        return list_runs();
    if (cst_top_choose(rest[0], &run) < 0) {
        cst_say("%s", castell_error_text());
        return EXIT_FAILURE;
    }
    return cst_top_show(&run, &live.options);
}

/* ---- castell ctl --------------------------------------------------------------- */

static enum castell_status write_state(const struct cst_top_run *run)
{
    struct cst_watch_picture picture;
    enum castell_status status = cst_top_ask(run, CST_WATCH_LOOK, "", &picture);

    if (status != CASTELL_OK)
        return status;
    cst_top_json(&picture, stdout);
    cst_watch_picture_release(&picture);
    if (fflush(stdout) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot write the state");
    return CASTELL_OK;
}

/* What may be ordered. */
struct order {
    const char *name;
    const char *value; /* what it is about; NULL: nothing */
    enum cst_watch_order what;
};

static const struct order orders[] = {
    {"state", NULL, CST_WATCH_LOOK},
    {"cancel-group", "NAME", CST_WATCH_CANCEL_GROUP},
    {"drain", "NODE", CST_WATCH_DRAIN},
    {"grow", "N", CST_WATCH_GROW},
    {NULL, NULL, CST_WATCH_ORDERS_END},
};

static const struct order *find_order(char *const *words)
{
    const struct order *order = orders;

    if (!words[0] || !words[1]) {
        cst_fail_text("castell ctl RUN ORDER; castell ctl --help lists what "
                      "there is");
        return NULL;
    }
    while (order->name && strcmp(order->name, words[1]) != 0)
        order++;
    if (!order->name)
        cst_fail_text("there is no order \"%s\"; castell ctl --help lists what "
                      "there is",
                      words[1]);
    else if (order->value && (!words[2] || words[3]))
        cst_fail_text("%s needs one value: castell ctl RUN %s %s", order->name,
                      order->name, order->value);
    else if (!order->value && words[2])
        cst_fail_text("%s takes no value, but got %s", order->name, words[2]);
    else
        return order;
    return NULL;
}

int cst_ctl_main(char **argv)
{
    struct live live = {.help = false};
    enum castell_status status;
    const struct order *order;
    struct cst_top_run run;
    char **rest;

    if (cst_options_read(ctl_options, &live, argv + 1, &rest) < 0)
        return cst_say_usage("ctl");
    if (live.help) {
        (void)fputs(ctl_help, stdout);
        return EXIT_SUCCESS;
    }
    order = find_order(rest);
    if (!order)
        return cst_say_usage("ctl");
    status = cst_top_choose(rest[0], &run);
    if (status == CASTELL_OK)
        status = order->what == CST_WATCH_LOOK
                     ? write_state(&run)
                     : cst_top_ask(&run, order->what, rest[2], NULL);
    if (status == CASTELL_OK)
        return EXIT_SUCCESS;
    cst_say("%s", castell_error_text());
    return EXIT_FAILURE;
}

static const char drain_help[] =
    "usage: castell drain NODE [RUN]\n"
    "\n"
    "As castell ctl RUN drain NODE: its tasks that have not started and what "
    "only it\n"
    "has go to other nodes, and it leaves. RUN is not needed when there is "
    "one.\n";

int cst_drain_main(char **argv)
{
    struct cst_top_run run;

    if (argv[1] &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(drain_help, stdout);
        return EXIT_SUCCESS;
    }
    if (!argv[1] || (argv[2] && argv[3])) {
        cst_fail_text("which node? castell drain NODE [RUN]");
        return cst_say_usage("drain");
    }
    if (cst_top_choose(argv[2], &run) == CASTELL_OK &&
        cst_top_ask(&run, CST_WATCH_DRAIN, argv[1], NULL) == CASTELL_OK)
        return EXIT_SUCCESS;
    cst_say("%s", castell_error_text());
    return EXIT_FAILURE;
}
