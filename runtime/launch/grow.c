/*
 * A run that grows: what the user says of that; and what it leaves in its
 * directory: the program that starts one more worker, whoever calls it, wherever
 * that is.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "base/thread.h"
#include "elastic/elastic.h"
#include "elastic/spec.h"
#include "launch/launch_internal.h"
#include "slurm/slurm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What the user says ------------------------------------------------------ */

static enum castell_status add_class(struct cst_launch_plan *plan,
                                     const char *text)
{
    struct cst_elastic_spec spec;
    enum castell_status status = cst_elastic_spec_read(text, &spec);

    if (status == CASTELL_OK)
        status = cst_slurm_check_options(spec.options);
    if (status == CASTELL_OK && strchr(text, '\n'))
        status = cst_fail(CASTELL_ERR_INVALID,
                          "--elastic: a class is written in one line");
    if (status == CASTELL_OK)
        cst_words_add(&plan->classes, "%s", text);
    return status;
}

static enum castell_status set_way(struct cst_launch_plan *plan,
                                   const char *name, const char *value)
{
    plan->expands = strcmp(value, "expand") == 0;
    if (!plan->expands && strcmp(value, "jobs") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is \"%s\": it is jobs or expand", name, value);
    cst_environment_set("CASTELL_GROW", value);
    return CASTELL_OK;
}

enum castell_status cst_launch_set_growth(void *target, const char *name,
                                          const char *value)
{
    struct cst_launch_plan *plan = target;
    char *end;

    if (strcmp(name, "--grow") == 0)
        return set_way(plan, name, value);
    if (strstr(name, "min-nodes"))
        return cst_parse_count(name, value, 1, CST_ELASTIC_NODES_MAX,
                               &plan->nodes_min);
    if (strstr(name, "max-nodes"))
        return cst_parse_count(name, value, 1, CST_ELASTIC_NODES_MAX,
                               &plan->nodes_max);
    if (strstr(name, "elastic"))
        return add_class(plan, value);
    if (!(strtod(value, &end) > 0) || *end)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is \"%s\": it is a number of hours above 0", name,
                        value);
    plan->node_hours = value;
    return CASTELL_OK;
}

/* What SLURM is known to refuse is refused here; what only a site does is told
   by the run, which then asks for jobs. */
static enum castell_status check_expansion(struct cst_launch_plan *plan)
{
    static const char *const programs[] = {"salloc", "scontrol", "srun"};
    enum castell_status status = CASTELL_OK;
    char path[CST_PATH_SIZE];

    if (!plan->grows)
        return cst_fail(CASTELL_ERR_INVALID,
                        "--grow is for a run that grows: give --max-nodes");
    if (!cst_parse_environment("SLURM_JOB_ID"))
        return cst_fail(CASTELL_ERR_INVALID,
                        "--grow=expand makes the job larger that the run is "
                        "in, and it is in none: use sbatch or salloc, or "
                        "--grow=jobs");
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (!cst_find_program(programs[i], path))
            return cst_fail(CASTELL_ERR_INVALID,
                            "there is no %s in PATH, which --grow=expand needs",
                            programs[i]);
    for (size_t i = 0; i < plan->classes.count && status == CASTELL_OK; i++) {
        struct cst_elastic_spec spec;

        status = cst_elastic_spec_read(plan->classes.list[i], &spec);
        if (status == CASTELL_OK)
            status = cst_slurm_check_expansion(spec.options);
    }
    return status;
}

enum castell_status cst_launch_check_growth(struct cst_launch_plan *plan)
{
    uint32_t nodes = plan->nodes;
    char path[CST_PATH_SIZE];

    plan->grows =
        plan->nodes_max > 0 || cst_parse_environment("CASTELL_MAX_NODES");
    if (plan->nodes_max == 0 &&
        (plan->nodes_min > 0 || plan->node_hours || plan->classes.count > 0) &&
        !plan->grows)
        return cst_fail(CASTELL_ERR_INVALID,
                        "--min-nodes, --elastic and --max-node-hours are for a "
                        "run that grows: give --max-nodes");
    if (plan->grows && !cst_find_program("sbatch", path))
        return cst_fail(CASTELL_ERR_INVALID,
                        "there is no sbatch in PATH, by which a run grows");
    if (plan->expands && check_expansion(plan) < 0)
        return CASTELL_ERR_INVALID;
    if (plan->nodes_max == 0)
        return CASTELL_OK;
    if (plan->nodes_min > plan->nodes_max)
        return cst_fail(CASTELL_ERR_INVALID,
                        "--min-nodes=%u is more than --max-nodes=%u",
                        plan->nodes_min, plan->nodes_max);
    if (nodes < plan->workers + 1)
        nodes = plan->workers + 1;
    if (plan->nodes_max < nodes)
        return cst_fail(CASTELL_ERR_INVALID,
                        "--max-nodes=%u is less than the %u that the run "
                        "begins with",
                        plan->nodes_max, nodes);
    return CASTELL_OK;
}

static void tell_count(const char *name, uint32_t count)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", count);
    if (count > 0)
        cst_environment_set(name, text);
}

void cst_launch_tell_growth(const struct cst_launch_plan *plan)
{
    struct cst_words lines = {0};

    tell_count("CASTELL_MIN_NODES", plan->nodes_min);
    tell_count("CASTELL_MAX_NODES", plan->nodes_max);
    if (plan->node_hours)
        cst_environment_set("CASTELL_MAX_NODE_HOURS", plan->node_hours);
    if (plan->classes.count == 0)
        return;
    cst_words_add_joined(&lines, &plan->classes, '\n');
    cst_environment_set("CASTELL_ELASTIC", lines.list[0]);
    cst_words_release(&lines);
}

/* ---- What starts a worker ---------------------------------------------------- */

/* Of the environment, what the other processes of the run have too. */
static void print_environment(FILE *to)
{
    for (char **variable = environ; *variable; variable++) {
        struct cst_words word = {0};

        /* It is alone on its node, and in no MPI world. */
        if (!cst_environment_goes_along(*variable) ||
            strncmp(*variable, "OMPI_", 5) == 0 ||
            strncmp(*variable, CST_LAUNCH_SHARE "=",
                    sizeof(CST_LAUNCH_SHARE)) == 0 ||
            strncmp(*variable, CST_LAUNCH_TOGETHER "=",
                    sizeof(CST_LAUNCH_TOGETHER)) == 0)
            continue;
        cst_words_add_quoted(&word, *variable);
        (void)fprintf(to, "    %s \\\n", word.list[0]);
        cst_words_release(&word);
    }
}

/* A node has the features that it or the run knows, and those of its class. */
static void print_features(FILE *to)
{
    const char *features = cst_parse_environment("CASTELL_FEATURES");
    struct cst_words word = {0};

    if (features)
        cst_words_add_quoted(&word, features);
    (void)fprintf(to, "features=%s\n",
                  word.count > 0 ? word.list[0] : "${CASTELL_FEATURES-}");
    cst_words_release(&word);
}

static void print_worker(const struct cst_launch_plan *plan, FILE *to)
{
    struct cst_words line = {0};
    char *here = getcwd(NULL, 0);

    cst_words_add(&line, "cd");
    cst_words_add_quoted(&line, here ? here : "/");
    free(here);
    (void)fprintf(to,
                  "#!/bin/sh\n"
                  "# One more worker for a run of Castell. The arguments are "
                  "its ticket's number,\n"
                  "# and the features that its class has.\n"
                  "%s %s || exit 1\n",
                  line.list[0], line.list[1]);
    cst_words_release(&line);
    print_features(to);
    (void)fputs("exec env \\\n", to);
    print_environment(to);
    (void)fputs("    ${2:+\"CASTELL_FEATURES=${features:+$features,}$2\"} "
                "\\\n",
                to);
    (void)fprintf(to, "    " CST_LAUNCH_CARRIER "=tcp " CST_SLURM_TICKET
                      "=\"$1\" \\\n");
    cst_words_add_quoted(&line, plan->castell);
    (void)fprintf(to, "    %s process --number=$((%u + $1)) --", line.list[0],
                  plan->workers);
    cst_words_release(&line);
    for (char **word = plan->application; *word; word++)
        cst_words_add_quoted(&line, *word);
    for (size_t i = 0; i < line.count; i++)
        (void)fprintf(to, " %s", line.list[i]);
    (void)fputc('\n', to);
    cst_words_release(&line);
}

void cst_launch_write_worker(const struct cst_launch_plan *plan)
{
    char path[CST_PATH_SIZE + sizeof(CST_SLURM_WORKER) + 1];
    bool written = false;
    FILE *to;

    (void)snprintf(path, sizeof(path), "%s/" CST_SLURM_WORKER,
                   plan->run_dir.path);
    to = fopen(path, "wex");
    if (to) {
        print_worker(plan, to);
        (void)fchmod(fileno(to), 0700);
        written = !ferror(to);
        written = fclose(to) == 0 && written;
    }
    if (!written)
        cst_say("cannot write %s, so the run will not grow: %s", path,
                cst_reason(errno));
}
