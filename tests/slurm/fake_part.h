/*
 * fake_part.h - of fake_slurm.h, which includes it: what the fake SLURM has, the
 * run's own job, job 5, and the nodes that become a part of it.
 */
#ifndef CST_TEST_FAKE_PART_H
#define CST_TEST_FAKE_PART_H

#include "base/fail.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum { JOBS_MAX = 4000, TICKETS_MAX = 4000, PARTS_MAX = 4000 };

/* A node of the run's own job, beside its first one. */
struct part {
    uint32_t node; /* the number of the job that brought it */
    bool away;     /* given back, or failed */
    bool step;     /* a worker runs there */
    char name[CST_SLURM_NAME_SIZE];
};

struct job {
    char name[CST_SLURM_NAME_SIZE];
    uint32_t number;
    int element; /* -1: no array */
    const char *word;
    uint64_t born_ns; /* a lost submission comes late */
    uint64_t since_ns;
    bool ended;
    bool bare; /* of salloc */
};

struct fake {
    struct part parts[PARTS_MAX];
    size_t parts_count;
    bool expand;
    const char *config;
    const char *self;         /* what the run's job is like */
    const char *no_merger;    /* what scontrol says to mergers, */
    const char *no_shrinking; /* and to what gives nodes back */
    uint32_t killed;          /* workers, with their nodes */
    uint32_t jobs_only;
    uint32_t keeps;
    char said[CST_SLURM_TEXT_SIZE];
    struct job jobs[JOBS_MAX];
    size_t jobs_count;
    uint32_t next_number;
    uint32_t seed;
    bool faults;
    bool still; /* the test moves its jobs, nobody else */
    uint64_t now_ns;
    uint64_t down_until_ns;
    const char *refuse;    /* what sbatch says to everything */
    const char *no_arrays; /* and what to arrays */
    /* What was told. */
    enum cst_slurm_state told[TICKETS_MAX];
    struct cst_slurm_event last[TICKETS_MAX];
    uint32_t ends[TICKETS_MAX];
    uint32_t disorder;
    uint32_t silences;
    uint32_t resumed;
    uint32_t submits;
    uint32_t own_seconds;
};

static struct fake fake;
static struct cst_tickets tickets;

static uint32_t chance(uint32_t one_in)
{
    fake.seed = fake.seed * 1664525 + 1013904223;
    return (fake.seed >> 8) % one_in == 0;
}

static const char *option_of(const struct cst_errand *errand, const char *name)
{
    for (size_t i = 0; i < errand->command.count; i++)
        if (strncmp(errand->command.list[i], name, strlen(name)) == 0)
            return errand->command.list[i] + strlen(name);
    return NULL;
}

static struct part *find_part(uint32_t node)
{
    for (size_t i = 0; i < fake.parts_count; i++)
        if (fake.parts[i].node == node && !fake.parts[i].away)
            return &fake.parts[i];
    return NULL;
}

/* "a SLURM that is slow": it does what it was told, and does not say so. */
static bool is_lost(struct cst_errand_answer *answer)
{
    answer->timed_out = fake.faults && chance(10);
    if (answer->timed_out)
        answer->status = 137;
    return answer->timed_out;
}

static void run_merger(const struct cst_errand *errand,
                       struct cst_errand_answer *answer)
{
    unsigned long number = strtoul(option_of(errand, "JobId="), NULL, 10);

    CST_ASSERT(number != 5);
    answer->status = 1;
    answer->errors = fake.no_merger ? fake.no_merger : "Invalid job id\n";
    if (fake.no_merger || (is_lost(answer) && chance(2)))
        return;
    for (size_t i = 0; i < fake.jobs_count; i++) {
        struct job *job = &fake.jobs[i];

        if (job->number != number || job->ended ||
            strcmp(job->word, "RUNNING") != 0)
            continue;
        job->word = "COMPLETED";
        job->ended = true;
        job->since_ns = fake.now_ns;
        fake.parts[fake.parts_count++] = (struct part){.node = job->number};
        CST_ASSERT(fake.parts_count < PARTS_MAX);
        answer->status = answer->timed_out ? 137 : 0;
    }
}

static void run_start(const struct cst_errand *errand)
{
    const char *node = strstr(errand->input, "--nodelist='node");
    const char *name = strstr(errand->input, "--job-name=");
    struct part *part =
        node ? find_part((uint32_t)strtoul(node + 16, NULL, 10)) : NULL;

    CST_ASSERT(name && (!part || !part->step));
    if (!part || (fake.faults && chance(8)))
        return;
    part->step = true;
    (void)snprintf(part->name, sizeof(part->name), "%.*s",
                   (int)strcspn(name + 11, " "), name + 11);
}

static void run_shrink(const struct cst_errand *errand,
                       struct cst_errand_answer *answer)
{
    const char *list = option_of(errand, "NodeList=");

    answer->errors = fake.no_shrinking ? fake.no_shrinking : "";
    answer->status = fake.no_shrinking ? 1 : 0;
    if (fake.no_shrinking || (is_lost(answer) && chance(2)))
        return;
    CST_ASSERT(strncmp(list, "node0", 5) == 0);
    for (size_t i = 0; i < fake.parts_count; i++) {
        struct part *part = &fake.parts[i];
        char name[32];
        size_t length =
            (size_t)snprintf(name, sizeof(name), ",node%u", part->node);
        const char *at = strstr(list, name);

        if (part->away || (at && (at[length] == ',' || !at[length])))
            continue;
        fake.killed += part->step;
        part->step = false;
        part->away = true;
    }
}

static void run_other(const struct cst_errand *errand,
                      struct cst_errand_answer *answer, char *output)
{
    size_t used = 0;
    bool names = errand->kind == CST_ERRAND_NAMES;

    if (errand->kind == CST_ERRAND_SITE) {
        (void)sprintf(output, "%s", fake.config);
    } else if (errand->kind == CST_ERRAND_SELF || names) {
        used += (size_t)sprintf(output, names ? "node0"
                                              : "JobId=5 Partition=main "
                                                "NumNodes=1 NumCPUs=8 "
                                                "MinMemoryNode=4G "
                                                "ReqNodeList=(null) "
                                                "NodeList=node0");
        for (size_t i = 0; i < fake.parts_count; i++)
            if (!fake.parts[i].away)
                used += (size_t)sprintf(output + used, "%cnode%u",
                                        names ? '\n' : ',', fake.parts[i].node);
        if (!names)
            (void)sprintf(output + used, " %s\n", fake.self);
    } else if (errand->kind == CST_ERRAND_MERGE) {
        run_merger(errand, answer);
    } else if (errand->kind == CST_ERRAND_START) {
        run_start(errand);
    } else if (errand->kind == CST_ERRAND_SHRINK) {
        run_shrink(errand, answer);
    } else if (errand->kind == CST_ERRAND_STEPS) {
        used += (size_t)sprintf(output, "5.batch|batch|node0\n");
        for (size_t i = 0; i < fake.parts_count; i++)
            if (fake.parts[i].step)
                used += (size_t)sprintf(output + used, "5.%zu|%s|node%u\n", i,
                                        fake.parts[i].name, fake.parts[i].node);
    }
}

static void end_steps(void)
{
    for (size_t i = 0; i < fake.parts_count && fake.faults; i++) {
        if (fake.parts[i].step && chance(200))
            fake.parts[i].step = false; /* its worker has left */
        if (!fake.parts[i].away && chance(2000)) {
            fake.parts[i].step = false; /* its node failed */
            fake.parts[i].away = true;
        }
    }
}

#endif
