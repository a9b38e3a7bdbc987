/*
 * The program `castell`: one table of subcommands.
 */
#include "config.h"

#include "base/fail.h"
#include "launch/launch_internal.h"
#include "slurm/slurm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subcommand {
    const char *name;
    int (*main)(char **argv);
    const char *help; /* NULL: for the program's own use */
};

static const struct subcommand subcommands[] = {
    {"run", cst_run_main, "run a program on many nodes, or here"},
    {"submit", cst_submit_main, "put such a run into SLURM's queue"},
    {"report", cst_report_main, "tell what a run did, from its traces"},
    {"explain", cst_explain_main, "tell why a task ran when and where it did"},
    {"top", cst_top_main, "show a run while it goes on"},
    {"ctl", cst_ctl_main, "order a run about, or write its state as JSON"},
    {"drain", cst_drain_main, "have a node leave a run"},
    {"devices", cst_devices_main, "list the cores and devices of this node"},
    {"process", cst_process_main, NULL},
    {"remote", cst_remote_main, NULL},
    {"helper", cst_slurm_helper_main, NULL},
    {NULL, NULL, NULL},
};

static void print_help(FILE *to)
{
    (void)fputs("usage: castell SUBCOMMAND [ARGUMENT...]\n\n", to);
    for (const struct subcommand *s = subcommands; s->name; s++)
        if (s->help)
            (void)fprintf(to, "  %-10s %s\n", s->name, s->help);
    (void)fputs("\n"
                "  castell SUBCOMMAND --help   tells its options\n"
                "  castell --version           tells the version\n"
                "\n"
                "Programs are compiled with castellcc(1); castell(7) is about "
                "writing them.\n",
                to);
}

static int refuse(const char *name)
{
    const struct subcommand *nearest = NULL;
    uint32_t nearest_distance = UINT32_MAX;

    for (const struct subcommand *s = subcommands; s->name; s++) {
        uint32_t distance = cst_word_distance(name, s->name);

        if (s->help && distance < nearest_distance) {
            nearest = s;
            nearest_distance = distance;
        }
    }
    if (nearest && nearest_distance <= 3 &&
        nearest_distance < strlen(nearest->name))
        cst_say("there is no subcommand %s; did you mean %s?", name,
                nearest->name);
    else
        cst_say("there is no subcommand %s; castell --help lists what there is",
                name);
    return CST_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name) {
        print_help(stderr);
        return CST_EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "help") == 0) {
        print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "--version") == 0) {
        (void)puts("castell " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    for (const struct subcommand *s = subcommands; s->name; s++)
        if (strcmp(name, s->name) == 0)
            return s->main(argv + 1);
    return refuse(name);
}
