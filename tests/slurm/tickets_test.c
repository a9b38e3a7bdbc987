/*
 * The tickets of a run against a SLURM of this test's own, in virtual time: it
 * refuses, loses answers, submits what it gave no answer to, says half of what
 * it knows, and its jobs wait, run, stop, fail and come back. Whatever it does:
 * a ticket ends once, what it is told is in order, and when the run has ended no
 * job is left.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "harness/tap.h"
#include "slurm/fake_slurm.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tests --------------------------------------------------------------- */

static void add(uint32_t first, uint32_t count)
{
    must(cst_tickets_add(&tickets, first, count, 30, "-p main") == CASTELL_OK,
         "%u tickets from %u on", count, first);
}

static void end_job(const char *word)
{
    fake.jobs[0].word = word;
    fake.jobs[0].ended = true;
    fake.jobs[0].since_ns = fake.now_ns;
}

static void test_a_plain_life(void)
{
    begin(1, false, "5");
    add(1, 3);
    pass(60 * NS_PER_S);
    ok(fake.submits == 1, "three nodes are one sbatch");
    ok(fake.told[1] == CST_SLURM_RUNNING && fake.told[3] == CST_SLURM_RUNNING,
       "all run");
    ok(fake.last[2].seconds_left > 3400 && fake.last[2].seconds_left <= 3540,
       "with their time limit");
    ok(strcmp(fake.last[2].job, "10_1") == 0 &&
           strcmp(fake.last[2].nodes, "node1") == 0,
       "the second is element 1: %s", fake.last[2].job);
    ok(fake.own_seconds == 600, "our own job's limit is known");
    cst_tickets_cancel(&tickets, 2);
    pass(5 * NS_PER_S);
    ok(fake.told[2] == CST_SLURM_ENDED && fake.last[2].cancelled &&
           jobs_left() == 2,
       "one is cancelled, alone");
    end_job("NODE_FAIL");
    pass(20 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_ENDED && !fake.last[1].cancelled &&
           strstr(fake.last[1].text, "node failed"),
       "one's node fails: %s", fake.last[1].text);
    ok(!cst_tickets_done(&tickets), "one is left");
    cst_tickets_close(&tickets);
    pass(5 * NS_PER_S);
    ok(cst_tickets_done(&tickets) && jobs_left() == 0, "and goes at the end");
    cst_tickets_release(&tickets);
}

static void test_refusals(void)
{
    begin(2, false, NULL);
    fake.refuse = "sbatch: error: Batch job submission failed: Invalid "
                  "feature specification\n";
    add(1, 4);
    pass(5 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_REFUSED && fake.told[4] == CST_SLURM_REFUSED &&
           strcmp(fake.last[4].text, "Invalid feature specification") == 0,
       "all are refused, with SLURM's sentence");
    ok(fake.submits == 2, "after one array and one piece of it: %u",
       fake.submits);
    fake.refuse = NULL;
    fake.no_arrays = "sbatch: error: Batch job submission failed: Invalid job "
                     "array specification\n";
    add(5, 3);
    cst_tickets_cancel(&tickets, 6);
    ok(fake.told[6] == CST_SLURM_REFUSED && fake.last[6].cancelled,
       "what was not asked for yet is taken back at once");
    pass(60 * NS_PER_S);
    ok(fake.told[5] == CST_SLURM_RUNNING && fake.told[7] == CST_SLURM_RUNNING &&
           fake.jobs_count == 2,
       "without arrays they are asked for one by one");
    cst_tickets_close(&tickets);
    pass(5 * NS_PER_S);
    ok(cst_tickets_done(&tickets) && jobs_left() == 0, "none is left");
    cst_tickets_release(&tickets);
}

static void test_lost_answer(void)
{
    begin(3, false, NULL);
    add(1, 2);
    {
        struct cst_errand errand;
        struct cst_errand_answer answer = {
            .timed_out = true, .status = 137, .output = "", .errors = ""};
        uint64_t wake_ns;

        cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
        must(errand.kind == CST_ERRAND_SUBMIT, "sbatch is called");
        ok(strstr(errand.input, "cd '/it'\\''s a/castell.ab.1.host'") != NULL,
           "its script quotes the directory");
        submit(&errand, fake.now_ns + 9 * NS_PER_S);
        cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
        cst_errand_release(&errand);
    }
    ok(fake.silences == 1, "no answer is told");
    pass(60 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_RUNNING && fake.told[2] == CST_SLURM_RUNNING &&
           fake.submits == 0,
       "the jobs are found by their name, and not asked for again");
    cst_tickets_release(&tickets);
}

static void test_ghost(void)
{
    begin(4, false, NULL);
    add(1, 1);
    {
        struct cst_errand errand;
        struct cst_errand_answer answer = {
            .timed_out = true, .status = 137, .output = "", .errors = ""};
        uint64_t wake_ns;

        cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
        submit(&errand, fake.now_ns + 100 * NS_PER_S);
        cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
        cst_errand_release(&errand);
    }
    pass(60 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_REFUSED, "no job turned up: %s",
       fake.last[1].text);
    pass(100 * NS_PER_S);
    ok(jobs_left() == 0 && fake.ends[1] == 1,
       "one that turns up after that is cancelled");
    cst_tickets_release(&tickets);
}

/* Another helper asked for three, of which SLURM has two; and for one more. */
static void test_adopted(void)
{
    struct cst_errand errand;
    struct cst_errand_answer answer = {
        .timed_out = true, .status = 137, .output = "", .errors = ""};
    uint64_t wake_ns;

    begin(6, false, NULL);
    add(1, 3);
    cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
    submit(&errand, fake.now_ns);
    cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
    cst_errand_release(&errand);
    cst_tickets_release(&tickets);
    open_tickets(NULL);
    ok(cst_tickets_adopt(&tickets, 1, 3, fake.now_ns) == CASTELL_OK &&
           cst_tickets_adopt(&tickets, 4, 1, fake.now_ns) == CASTELL_OK,
       "jobs of a helper that is gone");
    cst_tickets_cancel(&tickets, 2);
    pass(60 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_RUNNING && fake.told[3] == CST_SLURM_RUNNING &&
           fake.submits == 0,
       "are found by their name");
    ok(fake.told[2] == CST_SLURM_ENDED && fake.last[2].cancelled &&
           jobs_left() == 2,
       "and can be cancelled");
    ok(fake.told[4] == CST_SLURM_ENDED,
       "what was not asked for is over, and not refused");
    cst_tickets_close(&tickets);
    pass(30 * NS_PER_S);
    ok(cst_tickets_done(&tickets) && jobs_left() == 0, "none is left");
    cst_tickets_release(&tickets);
}

static void test_moved_limit(void)
{
    begin(5, false, NULL);
    add(1, 1);
    pass(60 * NS_PER_S);
    must(fake.told[1] == CST_SLURM_RUNNING, "it runs");
    fake.still = true;
    end_job("WHATEVER");
    fake.jobs[0].ended = false;
    pass(40 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_RUNNING, "an unknown word changes nothing");
    fake.jobs[0].word = "SUSPENDED";
    pass(40 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_SUSPENDED, "it is suspended");
    fake.jobs[0].word = "RUNNING";
    pass(40 * NS_PER_S);
    ok(fake.resumed == 1, "and resumed");
    fake.jobs[0].word = "REQUEUE_HOLD";
    pass(40 * NS_PER_S);
    ok(fake.told[1] == CST_SLURM_ENDED && jobs_left() == 0,
       "one that was put back is cancelled");
    cst_tickets_release(&tickets);
}

static bool survive(uint32_t seed)
{
    uint32_t next = 1;
    uint32_t unended = 0;
    bool good;

    begin(seed, true, "5");
    for (int turn = 0; turn < 60; turn++) {
        uint32_t count = chance(3) ? 1 + (fake.seed >> 20) % 8 : 0;

        if (count > 0 && next < 300) {
            good = cst_tickets_add(&tickets, next, count, 0, "") == CASTELL_OK;
            CST_ASSERT(good);
            next += count;
        }
        if (chance(4) && next > 1)
            cst_tickets_cancel(&tickets, 1 + (fake.seed >> 16) % (next - 1));
        pass(3 * NS_PER_S);
    }
    fake.faults = false; /* for ever nobody could get anything done */
    cst_tickets_close(&tickets);
    pass(120 * NS_PER_S);
    for (uint32_t i = 1; i < next; i++)
        unended += fake.ends[i] != 1;
    good = cst_tickets_done(&tickets) && jobs_left() == 0 && unended == 0 &&
           fake.disorder == 0;
    if (!good)
        (void)printf("# seed %u: done %d, jobs left %zu, ends %u, disorder "
                     "%u\n",
                     seed, cst_tickets_done(&tickets), jobs_left(), unended,
                     fake.disorder);
    cst_tickets_release(&tickets);
    return good;
}

int main(void)
{
    uint32_t bad = 0;

    test_a_plain_life();
    test_refusals();
    test_lost_answer();
    test_ghost();
    test_moved_limit();
    test_adopted();
    for (uint32_t seed = 1; seed <= 200; seed++)
        bad += !survive(seed);
    ok(bad == 0, "200 runs with a SLURM full of faults lose and leak nothing");
    return tap_done();
}
