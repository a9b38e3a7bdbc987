/*
 * `castell submit`: a batch script that a person can read, and its submission.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "base/thread.h"
#include "launch/launch_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NODES_MAX = 60000,
    CORES_MAX = 100000,
    NAME_SIZE = 64,
    SCRIPTS_MAX = 1000, /* that are tried for a name nobody has */
    SAID_SIZE = 64 << 10,
};

static const char help[] =
    "usage: castell submit [OPTION...] [-- SBATCH_OPTION... --] PROGRAM "
    "[ARG...]\n"
    "\n"
    "Write a batch script that runs a program on nodes of a SLURM cluster, "
    "and\n"
    "submit it.\n"
    "\n"
    "  -N, --nodes=N           on N nodes; 1\n"
    "  -t, --time=LIMIT        minutes, or as sbatch reads it: 2:00:00\n"
    "  -p, --partition=NAME    in that partition\n"
    "  -c, --cores=K           K cores on each node; all that it has\n"
    "      --gpus=G            G or TYPE:G GPUs on each node\n"
    "  -J, --name=NAME         the job's name; the program's\n"
    "  -o, --output=FILE       the script; castell-NAME.sh. It is kept\n"
    "      --run=\"OPTION...\"   options for castell run, as --label\n"
    "      --requeue           start it again until it has finished: exit "
    "status "
    "75\n"
    "                          says that it has not\n"
    "      --dry-run           print the script; write and submit nothing\n"
    "  -h, --help              this\n"
    "\n"
    "Further options of sbatch stand between two --:\n"
    "    castell submit -N 4 -t 30 -- --mem=16G -A project -- ./program 1000\n"
    "What the program prints goes to castell-NAME.JOB.out.\n";

struct job {
    uint32_t nodes;
    uint32_t cores; /* 0: all */
    bool dry_run;
    bool requeue;
    bool help;
    const char *time;
    const char *partition;
    const char *gpus;
    const char *name_given;
    const char *output;
    char name[NAME_SIZE];
    char castell[CST_PATH_SIZE];
    char script[CST_PATH_SIZE];
    struct cst_words run_options;
    struct cst_words sbatch_options; /* one a line of the script */
    char **application;
};

/* ---- Options -------------------------------------------------------------- */

/* What goes into a line for sbatch must not end it, or become two words. */
static enum castell_status check_word(const char *name, const char *value)
{
    if (*value == '\0')
        return cst_fail(CASTELL_ERR_INVALID, "%s needs a value", name);
    for (const char *c = value; *c; c++)
        if (*c <= ' ' || *c == 127 || strchr("\"'\\#$`", *c))
            return cst_fail(CASTELL_ERR_INVALID,
                            "%s cannot be \"%s\": one word without quotes, "
                            "please",
                            name, value);
    return CASTELL_OK;
}

static enum castell_status set_nodes(void *target, const char *name,
                                     const char *value)
{
    struct job *job = target;

    return cst_parse_count(name, value, 1, NODES_MAX, &job->nodes);
}

static enum castell_status set_cores(void *target, const char *name,
                                     const char *value)
{
    struct job *job = target;

    return cst_parse_count(name, value, 1, CORES_MAX, &job->cores);
}

static enum castell_status set_time(void *target, const char *name,
                                    const char *value)
{
    if (*value == '\0' || value[strspn(value, "0123456789:-")])
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is \"%s\": give minutes, or 2:00:00, or 1-12:00:00",
                        name, value);
    ((struct job *)target)->time = value;
    return CASTELL_OK;
}

static enum castell_status set_partition(void *target, const char *name,
                                         const char *value)
{
    ((struct job *)target)->partition = value;
    return check_word(name, value);
}

static enum castell_status set_gpus(void *target, const char *name,
                                    const char *value)
{
    ((struct job *)target)->gpus = value;
    return check_word(name, value);
}

static enum castell_status set_name(void *target, const char *name,
                                    const char *value)
{
    ((struct job *)target)->name_given = value;
    return check_word(name, value);
}

static enum castell_status set_output(void *target, const char *name,
                                      const char *value)
{
    (void)name;
    ((struct job *)target)->output = value;
    return CASTELL_OK;
}

static enum castell_status set_run(void *target, const char *name,
                                   const char *value)
{
    (void)name;
    cst_words_split(&((struct job *)target)->run_options, value, " \t\n");
    return CASTELL_OK;
}

static enum castell_status set_dry_run(void *target, const char *name,
                                       const char *value)
{
    (void)name;
    (void)value;
    ((struct job *)target)->dry_run = true;
    return CASTELL_OK;
}

static enum castell_status set_requeue(void *target, const char *name,
                                       const char *value)
{
    (void)name;
    (void)value;
    ((struct job *)target)->requeue = true;
    return CASTELL_OK;
}

static enum castell_status set_help(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct job *)target)->help = true;
    return CASTELL_OK;
}

static const struct cst_option submit_options[] = {
    {"nodes", 'N', "N", set_nodes},
    {"time", 't', "LIMIT", set_time},
    {"partition", 'p', "NAME", set_partition},
    {"cores", 'c', "K", set_cores},
    {"gpus", 0, "G", set_gpus},
    {"name", 'J', "NAME", set_name},
    {"output", 'o', "FILE", set_output},
    {"run", 0, "OPTIONS", set_run},
    {"requeue", 0, NULL, set_requeue},
    {"dry-run", 0, NULL, set_dry_run},
    {"help", 'h', NULL, set_help},
    {NULL, 0, NULL, NULL},
};

/* Was the last option that was read "--"? */
static bool ended_by_dashes(char **argv, char **rest)
{
    return rest > argv && strcmp(rest[-1], "--") == 0;
}

/*
 * The options for sbatch, up to the next "--" or, without one, to the first word
 * that is none. A word without dash is the value of the option before it.
 */
static enum castell_status read_sbatch_options(struct job *job, char **words)
{
    struct cst_words line = {0};
    char **end = words;

    while (*end && strcmp(*end, "--") != 0)
        end++;
    if (!*end)
        for (end = words; *end && **end == '-'; end++)
            ;
    job->application = *end && strcmp(*end, "--") == 0 ? end + 1 : end;
    for (; words < end; words++) {
        if (strpbrk(*words, "\n\""))
            return cst_fail(CASTELL_ERR_INVALID,
                            "an option of sbatch with a line end or a quote in "
                            "it does not go into a script");
        if (strpbrk(*words, " \t#'$\\"))
            cst_words_add(&line, "\"%s\"", *words);
        else
            cst_words_add(&line, "%s", *words);
        if (words + 1 == end || words[1][0] == '-') {
            cst_words_add_joined(&job->sbatch_options, &line, ' ');
            cst_words_release(&line);
        }
    }
    return CASTELL_OK;
}

/* ---- The program ------------------------------------------------------------ */

/* Does the loader find all libraries, ours above all? Says it when not. */
static bool check_libraries(const char *program)
{
    const char *const command[] = {"ldd", program, NULL};
    static char text[SAID_SIZE]; /* large */
    const char *missing;
    const char *name;

    (void)cst_capture(command, text, sizeof(text));
    missing = strstr(text, "=> not found");
    if (!missing)
        return true;
    for (name = missing; name > text && name[-1] != '\n';)
        name--;
    name += strspn(name, " \t");
    cst_say("%s needs %.*s, which the loader does not find; set "
            "LD_LIBRARY_PATH to where it is",
            program, (int)strcspn(name, " "), name);
    return false;
}

/* The same sentences as of `castell run`, before the job waits for hours. */
static int check_program(const char *name)
{
    char path[CST_PATH_SIZE];
    int status = cst_check_program(name, path);

    if (status != 0)
        return status;
    return check_libraries(path) ? 0 : CST_EXIT_CANNOT_RUN;
}

static void choose_name(struct job *job)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._";
    const char *name = job->name_given ? job->name_given : job->application[0];
    const char *slash = strrchr(name, '/');

    (void)snprintf(job->name, sizeof(job->name), "%s",
                   slash ? slash + 1 : name);
    for (char *c = job->name; *c; c++)
        if (!strchr(plain, *c))
            *c = '_';
}

/* ---- The script -------------------------------------------------------------- */

static bool names_memory(const struct job *job)
{
    for (size_t i = 0; i < job->sbatch_options.count; i++)
        if (strncmp(job->sbatch_options.list[i], "--mem", 5) == 0)
            return true;
    return false;
}

static const char requeue_request[] =
    "# It may be started again: what it says then follows what it has said. "
    "Two\n"
    "# minutes before its time is over this script gets a signal.\n"
    "#SBATCH --requeue\n"
    "#SBATCH --open-mode=append\n"
    "#SBATCH --signal=B:USR1@120\n";

static const char requeue_before[] =
    "\n"
    "# castell run finds the nodes by itself. Signals are passed on to it, and "
    "by it to\n"
    "# the program, which saves what it has and ends.\n"
    "run='' told=''\n"
    "trap 'told=yes; kill -USR1 $run' USR1\n"
    "trap 'told=yes; kill -TERM $run' TERM\n";

static const char requeue_after[] =
    " &\n"
    "run=$!\n"
    "wait $run\n"
    "status=$?\n"
    "# A signal ends a wait: go on with it. 127: it had ended, as was known.\n"
    "while [ \"$told\" ]; do\n"
    "    told=\n"
    "    wait $run\n"
    "    again=$?\n"
    "    [ $again = 127 ] || status=$again\n"
    "done\n"
    "# 75 says that it has not finished and wants to go on.\n"
    "[ $status != 75 ] || exec scontrol requeue \"$SLURM_JOB_ID\"\n"
    "exit $status\n";

static void print_request(const struct job *job, FILE *to)
{
    (void)fprintf(to,
                  "#SBATCH --job-name=%s\n"
                  "#SBATCH --output=castell-%s.%%j.out\n"
                  "# One process on each node: the master and tasks on the "
                  "first, a worker on\n"
                  "# each other.\n"
                  "#SBATCH --nodes=%u\n"
                  "#SBATCH --ntasks-per-node=1\n",
                  job->name, job->name, job->nodes);
    if (job->cores > 0)
        (void)fprintf(to, "#SBATCH --cpus-per-task=%u\n", job->cores);
    else
        (void)fputs(
            "# All of their cores and memory, but where said otherwise below.\n"
            "#SBATCH --exclusive\n",
            to);
    if (job->cores == 0 && !names_memory(job))
        (void)fputs("#SBATCH --mem=0\n", to);
    if (job->gpus)
        (void)fprintf(to, "#SBATCH --gres=gpu:%s\n", job->gpus);
    if (job->time)
        (void)fprintf(to, "#SBATCH --time=%s\n", job->time);
    if (job->partition)
        (void)fprintf(to, "#SBATCH --partition=%s\n", job->partition);
    (void)fputs("# A node that fails takes its worker with it, not the job.\n"
                "#SBATCH --no-kill\n",
                to);
    if (job->requeue)
        (void)fputs(requeue_request, to);
    if (job->sbatch_options.count > 0)
        (void)fputs("# As given.\n", to);
    for (size_t i = 0; i < job->sbatch_options.count; i++)
        (void)fprintf(to, "#SBATCH %s\n", job->sbatch_options.list[i]);
}

static void print_script(const struct job *job, FILE *to)
{
    struct cst_words line = {0};

    (void)fprintf(to,
                  "#!/bin/sh\n"
                  "# Written by castell submit. Change it as you like; submit "
                  "it with\n"
                  "#     sbatch %s\n",
                  job->script[0] ? job->script : "FILE");
    print_request(job, to);
    cst_words_split(&line, job->requeue ? "" : "exec", " ");
    cst_words_add_quoted(&line, job->castell);
    cst_words_split(&line, "run", " ");
    for (size_t i = 0; i < job->run_options.count; i++)
        cst_words_add_quoted(&line, job->run_options.list[i]);
    if (job->application[0][0] == '-')
        cst_words_split(&line, "--", " ");
    for (char **word = job->application; *word; word++)
        cst_words_add_quoted(&line, *word);
    (void)fputs(job->requeue ? requeue_before
                             : "\n"
                               "# castell run finds the nodes by itself. With "
                               "exec, SLURM's signals reach it, and\n"
                               "# through it the program.\n",
                to);
    for (size_t i = 0; i < line.count; i++)
        (void)fprintf(to, "%s%s", i > 0 ? " " : "", line.list[i]);
    (void)fputs(job->requeue ? requeue_after : "\n", to);
    cst_words_release(&line);
}

/* A script of ours that the user has changed is not written over. */
static FILE *open_script(struct job *job)
{
    FILE *to = NULL;

    if (job->output) {
        (void)snprintf(job->script, sizeof(job->script), "%s", job->output);
        to = fopen(job->script, "we");
    }
    for (unsigned i = 1; !job->output && !to && i <= SCRIPTS_MAX; i++) {
        (void)snprintf(job->script, sizeof(job->script), "castell-%s.sh",
                       job->name);
        if (i > 1)
            (void)snprintf(job->script, sizeof(job->script), "castell-%s-%u.sh",
                           job->name, i);
        to = fopen(job->script, "wex");
        if (!to && errno != EEXIST)
            break;
    }
    if (!to)
        cst_say("cannot write %s: %s", job->script, cst_reason(errno));
    return to;
}

static bool write_script(struct job *job)
{
    FILE *to = open_script(job);
    bool written;

    if (!to)
        return false;
    print_script(job, to);
    (void)fchmod(fileno(to), 0755);
    written = !ferror(to);
    written = fclose(to) == 0 && written;
    if (!written)
        cst_say("cannot write %s: %s", job->script, cst_reason(errno));
    return written;
}

static int submit(struct job *job)
{
    const char *const command[] = {"sbatch", "--parsable", job->script, NULL};
    char path[CST_PATH_SIZE];
    static char text[SAID_SIZE]; /* large */
    size_t digits;
    int status;

    if (!cst_find_program("sbatch", path)) {
        cst_say("there is no sbatch in PATH; is this a SLURM cluster?");
        return CST_EXIT_NOT_FOUND;
    }
    if (!write_script(job))
        return EXIT_FAILURE;
    cst_environment_forget_job();
    status = cst_capture(command, text, sizeof(text));
    if (status != 0) {
        (void)fputs(text, stderr);
        cst_say("sbatch refused %s", job->script);
        return EXIT_FAILURE;
    }
    /* "JOB" or "JOB;CLUSTER", behind what it may have to say. */
    text[strcspn(text, ";")] = '\0';
    digits = strlen(text);
    while (digits > 0 && strchr("\n ", text[digits - 1]))
        text[--digits] = '\0';
    while (digits > 0 && strchr("0123456789", text[digits - 1]))
        digits--;
    (void)fprintf(stderr, "%.*s", (int)digits, text);
    (void)printf("job %s, script %s, output castell-%s.%s.out\n", text + digits,
                 job->script, job->name, text + digits);
    return EXIT_SUCCESS;
}

int cst_submit_main(char **argv)
{
    static struct job job = {.nodes = 1}; /* large */
    char **rest = NULL;
    int status;

    if (cst_options_read(submit_options, &job, argv + 1, &rest) < 0)
        return cst_say_usage("submit");
    if (job.help) {
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    job.application = rest;
    if (ended_by_dashes(argv, rest) && read_sbatch_options(&job, rest) < 0)
        return cst_say_usage("submit");
    if (!*job.application) {
        cst_fail_text("which program? castell submit -N 4 ./program");
        return cst_say_usage("submit");
    }
    status = check_program(job.application[0]);
    if (status != 0)
        return status;
    choose_name(&job);
    cst_find_self(job.castell);
    if (!job.dry_run)
        return submit(&job);
    print_script(&job, stdout);
    return EXIT_SUCCESS;
}
