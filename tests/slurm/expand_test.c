/*
 * Nodes that become a part of the run's own job, against a SLURM of this test's
 * own, in virtual time: what the site and the job permit, what is asked for and
 * in which order, what a SLURM that takes nodes and gives none back is told, and
 * that with every kind of trouble no job and no step is left, no worker is
 * killed with its node, and every node that can be given back is.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "harness/tap.h"
#include "slurm/fake_slurm.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config[] =
    "Configuration data as of 2026-11-22T10:00:00\n"
    "GresTypes               = gpu\n"
    "SchedulerParameters     = bf_interval=2,permit_job_expansion\n"
    "SchedulerType           = sched/backfill\n"
    "TaskPlugin              = task/cgroup,task/affinity\n";

static void open_job(uint32_t seed, bool faults, const char *settings,
                     const char *self)
{
    begin(seed, faults, "5");
    cst_tickets_release(&tickets);
    fake.expand = true;
    fake.config = settings;
    fake.self = self;
    open_tickets("5");
}

static void add(uint32_t first, uint32_t count, const char *options)
{
    must(cst_tickets_add(&tickets, first, count, 30, options) == CASTELL_OK,
         "%u tickets from %u on", count, first);
}

static bool has(const struct cst_list *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->list[i], word) == 0)
            return true;
    return false;
}

static void close_all(void)
{
    cst_tickets_close(&tickets);
    pass(30 * NS_PER_S);
    ok(cst_tickets_done(&tickets) && jobs_left() == 0, "no job is left");
    ok(cst_expand_done(&tickets), "nor anything to be given back");
    cst_tickets_release(&tickets);
}

static size_t nodes_left(void)
{
    size_t left = 0;

    for (size_t i = 0; i < fake.parts_count; i++)
        left += !fake.parts[i].away;
    return left;
}

/* ---- What is asked ------------------------------------------------------- */

static void test_words(void)
{
    struct cst_errand errand;
    struct cst_errand_answer answer = {.output = "", .errors = ""};
    static char output[1000];
    uint64_t wake_ns;

    open_job(1, false, config, "OverSubscribe=OK Account=mine QOS=(null)");
    add(1, 1, "-C 'big&fast'");
    for (int i = 0; i < 2; i++) {
        cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
        answer.output = output;
        run_other(&errand, &answer, output);
        cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
        cst_errand_release(&errand);
    }
    cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
    must(errand.kind == CST_ERRAND_SUBMIT, "a node is asked for");
    ok(has(&errand.command, "salloc") && has(&errand.command, "--no-shell") &&
           has(&errand.command, "--dependency=expand:5"),
       "by salloc, for the run's job");
    ok(has(&errand.command, "--exclude=node0"), "not one of those it has");
    ok(has(&errand.command, "--partition=main") &&
           has(&errand.command, "--account=mine") &&
           has(&errand.command, "--mem=4G") &&
           has(&errand.command, "--ntasks=8") && has(&errand.command, "-C") &&
           has(&errand.command, "big&fast"),
       "which is like the run's, but for its options");
    ok(!cst_tickets_is_enough(&errand, "") &&
           !cst_tickets_is_enough(&errand,
                                  "salloc: Granted job allocation 7") &&
           cst_tickets_is_enough(&errand, "salloc: Pending job allocation 7\n"),
       "whoever waits for it need not");
    run_sbatch(&errand, &answer, output);
    cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
    cst_errand_release(&errand);
    fake.still = true;
    fake.jobs[0].word = "RUNNING";
    for (int i = 0; i < 40 && errand.kind != CST_ERRAND_START; i++) {
        static char answers[1000];

        cst_errand_release(&errand);
        answer = (struct cst_errand_answer){.output = answers, .errors = ""};
        answers[0] = '\0';
        cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
        if (errand.kind == CST_ERRAND_LOOK)
            run_squeue(&answer, answers);
        else if (errand.kind != CST_ERRAND_NONE)
            run_other(&errand, &answer, answers);
        if (errand.kind != CST_ERRAND_NONE)
            cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
        fake.now_ns += 100 * NS_PER_MS;
    }
    must(errand.kind == CST_ERRAND_START, "then its worker is started");
    ok(strstr(errand.input, "cd '/it'\\''s a/castell.ab.1.host'") &&
           strstr(errand.input, "--jobid=5 ") &&
           strstr(errand.input, "--nodelist='node10' ") &&
           strstr(errand.input, "--cpu-bind=none") &&
           strstr(errand.input, "./worker 1 'big,fast' "),
       "there, as a step of the run's job");
    cst_errand_release(&errand);
    fake.still = false;
    close_all();
}

/* ---- A plain life -------------------------------------------------------- */

static void test_a_plain_life(void)
{
    open_job(2, false, config, "OverSubscribe=OK");
    add(1, 3, "");
    pass(30 * NS_PER_S);
    fake.still = true;
    ok(fake.submits == 3 && nodes_left() == 3 && jobs_left() == 0,
       "three nodes are the run's, and no job beside it");
    ok(fake.told[1] == CST_SLURM_RUNNING && fake.told[2] == CST_SLURM_RUNNING &&
           fake.told[3] == CST_SLURM_RUNNING,
       "all run");
    ok(fake.last[1].seconds_left <= 600 && fake.last[1].seconds_left > 0,
       "no longer than the run's job may: %u", fake.last[1].seconds_left);
    ok(strncmp(fake.last[2].nodes, "node", 4) == 0, "on %s",
       fake.last[2].nodes);
    fake.parts[0].step = false;
    pass(40 * NS_PER_S);
    ok(nodes_left() == 2 && fake.killed == 0,
       "a node whose worker has left is given back");
    cst_tickets_cancel(&tickets, fake.told[1] == CST_SLURM_RUNNING ? 1 : 2);
    pass(20 * NS_PER_S);
    ok(nodes_left() == 1 && fake.killed == 0, "one that is cancelled, too");
    fake.parts[2].step = false;
    fake.parts[2].away = true;
    pass(60 * NS_PER_S);
    ok(fake.ends[1] == 1 && fake.ends[2] == 1 && fake.ends[3] == 1,
       "one that failed is over");
    ok(fake.keeps == 0 && fake.jobs_only == 0, "nothing is complained of");
    close_all();
}

static void test_time_is_up(void)
{
    open_job(3, false, config, "OverSubscribe=OK");
    must(cst_tickets_add(&tickets, 1, 1, 1, "") == CASTELL_OK, "for a minute");
    pass(20 * NS_PER_S);
    must(fake.told[1] == CST_SLURM_RUNNING, "it runs");
    fake.still = true;
    ok(fake.last[1].seconds_left <= 60, "it has that minute");
    pass(100 * NS_PER_S);
    ok(fake.ends[1] == 1 && nodes_left() == 0,
       "then its worker is told to leave, and the node is given back");
    close_all();
}

static void test_no_way_back(void)
{
    open_job(4, false, config, "OverSubscribe=OK");
    fake.no_shrinking = "Job update not available right now, the DB index is "
                        "being set, try again in a bit for job 5\n";
    add(1, 2, "-C a");
    pass(20 * NS_PER_S);
    fake.still = true;
    must(nodes_left() == 2, "two nodes");
    fake.parts[0].step = false;
    fake.parts[1].step = false;
    pass(60 * NS_PER_S);
    ok(fake.ends[1] == 1 && fake.ends[2] == 1 && nodes_left() == 2,
       "a SLURM that takes none back keeps them");
    ok(fake.keeps == 1 && strstr(fake.said, "stay with it") &&
           strstr(fake.said, "the DB index"),
       "that is told once: %s", fake.said);
    add(3, 1, "-C a");
    pass(5 * NS_PER_S);
    ok(fake.told[3] == CST_SLURM_RUNNING && fake.submits == 2,
       "they are used before more is asked for");
    add(4, 1, "-C b");
    pass(5 * NS_PER_S);
    ok(fake.submits == 3, "but not for another class");
    fake.still = false;
    pass(30 * NS_PER_S);
    close_all();
}

/* ---- What cannot be ------------------------------------------------------ */

static void refuse(const char *settings, const char *self, const char *text)
{
    open_job(5, false, settings, self);
    add(1, 2, "");
    pass(30 * NS_PER_S);
    ok(fake.jobs_only == 1 && strstr(fake.said, text), "it is said: %s",
       fake.said);
    ok(fake.told[1] == CST_SLURM_RUNNING && fake.told[2] == CST_SLURM_RUNNING &&
           nodes_left() == 0,
       "and each node is a job of its own");
    add(3, 2, "");
    pass(30 * NS_PER_S);
    ok(fake.submits == 3, "those to come as well, together");
    close_all();
}

static void test_refusals(void)
{
    refuse("SchedulerParameters = bf_interval=2\n", "OverSubscribe=OK",
           "permit_job_expansion");
    refuse("SchedulerParameters = (null)\n", "", "permit_job_expansion");
    refuse(config, "OverSubscribe=NO", "--exclusive");
    refuse(config, "TresPerNode=gres:gpu:1 OverSubscribe=OK", "GPUs");
    open_job(6, false, config, "OverSubscribe=OK");
    fake.no_merger = "Unspecified error for job 10\n";
    add(1, 1, "");
    pass(30 * NS_PER_S);
    ok(fake.ends[1] == 1 && fake.jobs_only == 1 && jobs_left() == 0,
       "a merger that fails: its job is cancelled: %s", fake.said);
    add(2, 1, "");
    pass(30 * NS_PER_S);
    ok(fake.told[2] == CST_SLURM_RUNNING && nodes_left() == 0,
       "the next node is a job of its own");
    close_all();
    open_job(7, false, config, "OverSubscribe=OK");
    fake.refuse = "salloc: error: Job submit/allocate failed: Invalid feature "
                  "specification\n";
    add(1, 1, "-C x");
    pass(30 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_REFUSED && fake.jobs_only == 0 &&
           strcmp(fake.last[1].text, "Invalid feature specification") == 0,
       "options that no job can have are refused: %s", fake.last[1].text);
    close_all();
}

static void test_options(void)
{
    ok(cst_slurm_check_expansion("-C big -c 4 --mem=2G") == CASTELL_OK,
       "most options are good");
    ok(cst_slurm_check_expansion("--gres=gpu:1") == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "--gres"),
       "GPUs are not: %s", castell_error_text());
    ok(cst_slurm_check_expansion("-p other") == CASTELL_ERR_INVALID &&
           cst_slurm_check_expansion("--exclusive") == CASTELL_ERR_INVALID &&
           cst_slurm_check_expansion("-G 2") == CASTELL_ERR_INVALID,
       "nor another partition, nor --exclusive");
    ok(cst_slurm_check_expansion("-N 2") == CASTELL_ERR_INVALID,
       "nor what no node may have");
}

/* ---- Trouble ------------------------------------------------------------- */

/* Another helper goes on where this one was. */
static bool take_over(uint32_t next)
{
    bool good = true;

    cst_tickets_release(&tickets);
    open_tickets("5");
    for (uint32_t i = 1; i < next && good; i++)
        if (fake.ends[i] == 0)
            good = cst_tickets_adopt(&tickets, i, 1, fake.now_ns) == CASTELL_OK;
    return good;
}

static bool survive(uint32_t seed)
{
    bool killed = seed % 4 == 0;
    uint32_t next = 1;
    uint32_t unended = 0;
    size_t steps = 0;
    bool good = true;

    open_job(seed, true, config, "OverSubscribe=OK");
    for (int turn = 0; turn < 60 && good; turn++) {
        uint32_t count = chance(3) ? 1 + (fake.seed >> 20) % 5 : 0;

        if (count > 0 && next < 200) {
            good = cst_tickets_add(&tickets, next, count, chance(3) ? 1 : 0,
                                   chance(2) ? "-C a" : "") == CASTELL_OK;
            next += count;
        }
        if (chance(4) && next > 1)
            cst_tickets_cancel(&tickets, 1 + (fake.seed >> 16) % (next - 1));
        pass(3 * NS_PER_S);
        if (killed && turn == 30)
            good = take_over(next);
    }
    fake.faults = false;
    cst_tickets_close(&tickets);
    pass(200 * NS_PER_S);
    for (uint32_t i = 1; i < next; i++)
        unended += fake.ends[i] != 1;
    for (size_t i = 0; i < fake.parts_count; i++)
        steps += fake.parts[i].step;
    /* Of nodes that are spare when the helper is killed nobody knows. */
    good = good && cst_tickets_done(&tickets) && jobs_left() == 0 &&
           unended == 0 && fake.killed == 0 && steps == 0 &&
           (killed || (nodes_left() == 0 && fake.disorder == 0));
    if (!good)
        (void)printf("# seed %u: done %d, jobs left %zu, ends %u, disorder %u, "
                     "killed %u, steps %zu, nodes %zu\n",
                     seed, cst_tickets_done(&tickets), jobs_left(), unended,
                     fake.disorder, fake.killed, steps, nodes_left());
    cst_tickets_release(&tickets);
    return good;
}

int main(void)
{
    uint32_t bad = 0;

    test_options();
    test_words();
    test_a_plain_life();
    test_time_is_up();
    test_no_way_back();
    test_refusals();
    for (uint32_t seed = 1; seed <= 200; seed++)
        bad += !survive(seed);
    ok(bad == 0, "200 runs with a SLURM full of faults lose and leak nothing");
    return tap_done();
}
