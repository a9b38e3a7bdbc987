/*
 * What SLURM's commands print is read right, in all forms that were seen, and
 * no text whatever, cut anywhere, is too much for the readers. Options of a
 * class are let through or refused with a sentence.
 */
#include "harness/tap.h"
#include "slurm/answer.h"
#include "slurm/message.h"
#include "slurm/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_left(void)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } cases[] = {
        {"0:00", 0},
        {"1:00", 60},
        {"59:59", 3599},
        {"1:00:00", 3600},
        {"23:59:59", 86399},
        {"1-00:00:00", 86400},
        {"7-01:02:03", 7 * 86400 + 3723},
        {"UNLIMITED", CST_SLURM_UNLIMITED},
        {"INVALID", CST_SLURM_UNLIMITED},
        {"NOT_SET", CST_SLURM_UNLIMITED},
        {"", CST_SLURM_UNLIMITED},
        {"-", CST_SLURM_UNLIMITED},
        {"1-", CST_SLURM_UNLIMITED},
        {"1:2:3:4", CST_SLURM_UNLIMITED},
        {"99999999999999999999", CST_SLURM_UNLIMITED},
        {"50000-00:00:00", CST_SLURM_UNLIMITED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ok(cst_answer_read_left(cases[i].text) == cases[i].seconds,
           "\"%s\" is %u s", cases[i].text, cases[i].seconds);
}

static bool read_job(const char *line, struct cst_answer_job *job)
{
    return cst_answer_read_job(line, strlen(line), job);
}

static void test_jobs(void)
{
    static const char *const bad[] = {
        "",
        "13",
        "13|n|RUNNING|1:00|node1",
        "x13|n|RUNNING|1:00|node1|None",
        "0|n|RUNNING|1:00|node1|None",
        "13_|n|RUNNING|1:00|node1|None",
        "13_[0-3]|n|PENDING|1:00||Priority",
        "13_99999|n|RUNNING|1:00|node1|None",
        "slurm_load_jobs error: Unable to contact slurm controller",
        "|||||",
    };
    struct cst_answer_job job;

    must(read_job("13_2|castell-ab-7|RUNNING|1:02|node[1-2]|None", &job),
         "a line of an element");
    ok(strcmp(job.job, "13_2") == 0 && job.element == 2 &&
           strcmp(job.name, "castell-ab-7") == 0 &&
           job.state == CST_ANSWER_RUNS && job.seconds_left == 62 &&
           strcmp(job.nodes, "node[1-2]") == 0,
       "all its fields");
    must(read_job("9|n|PENDING|UNLIMITED||(a|b)", &job), "a bar in a reason");
    ok(strcmp(job.reason, "(a|b)") == 0 && job.state == CST_ANSWER_WAITS,
       "is the reason's");
    must(read_job("9|n|TELEPORTING|1:00||None", &job), "a word of the future");
    ok(job.state == CST_ANSWER_UNKNOWN, "is unknown");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ok(!read_job(bad[i], &job), "no job: \"%s\"", bad[i]);
}

static void test_submitted(void)
{
    char job[CST_SLURM_NAME_SIZE];

    ok(cst_answer_read_submitted("13\n", job) && strcmp(job, "13") == 0,
       "a number");
    ok(cst_answer_read_submitted("14;mini\n", job) && strcmp(job, "14") == 0,
       "a number with its cluster");
    ok(cst_answer_read_submitted("Welcome to the cluster!\n2 jobs wait\n15\n",
                                 job) &&
           strcmp(job, "15") == 0,
       "a number behind what a site has to say");
    ok(!cst_answer_read_submitted("", job), "nothing");
    ok(!cst_answer_read_submitted("Submitted?\n-3\n1x\n", job), "no number");
}

static void test_granted(void)
{
    char job[CST_SLURM_NAME_SIZE] = "";
    bool waits = true;

    ok(cst_answer_read_granted("salloc: Granted job allocation 13\n"
                               "salloc: Nodes node2 are ready for job\n",
                               job, &waits) &&
           strcmp(job, "13") == 0 && !waits,
       "a job that has its node");
    ok(cst_answer_read_granted("salloc: Pending job allocation 14\nsalloc: job "
                               "14 queued and waiting for resources\n",
                               job, &waits) &&
           strcmp(job, "14") == 0 && waits,
       "one that waits");
    ok(cst_answer_read_granted("salloc: Pending job allocation 14\nsalloc: "
                               "Granted job allocation 14\n",
                               job, &waits) &&
           !waits,
       "one that has waited");
    ok(!cst_answer_read_granted("salloc: error: Job submit/allocate failed: "
                                "Job dependency problem\n",
                                job, &waits) &&
           !cst_answer_read_granted(" job allocation ", job, &waits) &&
           !cst_answer_read_granted(" job allocation 0", job, &waits) &&
           !cst_answer_read_granted(" job allocation 99999999999999999999", job,
                                    &waits),
       "none");
}

static void test_words_of_scontrol(void)
{
    static const char text[] =
        "JobId=1 ReqNodeList=(null) NodeList=node[1-2] TRES=cpu=2,node=1 X=\n";
    static const char settings[] =
        "GresTypes               = (null)\nSchedulerParameters     = a=1,b\n";
    const char *value;

    ok(cst_answer_find_field(text, "NodeList", &value) == 9 &&
           memcmp(value, "node[1-2]", 9) == 0,
       "a field, and not another that ends as it does");
    ok(cst_answer_find_field(text, "TRES", &value) == 12 &&
           cst_answer_find_field(text, "JobId", &value) == 1,
       "the first one; one with a = in it");
    ok(cst_answer_find_field(text, "ReqNodeList", &value) == 0 &&
           cst_answer_find_field(text, "X", &value) == 0 &&
           cst_answer_find_field(text, "Y", &value) == 0,
       "what is not set is none");
    ok(cst_answer_find_setting(settings, "SchedulerParameters", &value) == 5 &&
           memcmp(value, "a=1,b\n", 6) == 0,
       "a setting");
    ok(cst_answer_find_setting(settings, "GresTypes", &value) == 0 &&
           cst_answer_find_setting(settings, "Types", &value) == 0,
       "none");
}

static void test_steps(void)
{
    struct cst_answer_step step;
    static const char line[] = "13.2|castell-ab-part-1|node2";

    ok(cst_answer_read_step(line, strlen(line), &step) &&
           strcmp(step.step, "13.2") == 0 &&
           strcmp(step.name, "castell-ab-part-1") == 0 &&
           strcmp(step.nodes, "node2") == 0,
       "a step");
    ok(!cst_answer_read_step("13.batch|batch|node1", 20, &step) &&
           !cst_answer_read_step("13|a|node1", 10, &step) &&
           !cst_answer_read_step("13.1|a", 6, &step) &&
           !cst_answer_read_step("", 0, &step),
       "none");
}

static void test_words_of_trouble(void)
{
    char text[CST_SLURM_TEXT_SIZE];

    ok(cst_answer_is_silence("sbatch: error: Batch job submission failed: "
                             "Socket timed out on send/recv operation\n") &&
           cst_answer_is_silence("slurm_load_jobs error: Unable to contact "
                                 "slurm controller (connect failure)"),
       "a controller that is away is silence");
    ok(!cst_answer_is_silence("sbatch: error: Batch job submission failed: "
                              "Invalid feature specification\n"),
       "a refusal is none");
    cst_answer_sentence("sbatch: error: cons_tres: hm\nsbatch: error: Batch "
                        "job submission failed: Invalid\tfeature "
                        "specification\n",
                        text, sizeof(text));
    ok(strcmp(text, "Invalid feature specification") == 0, "its sentence: %s",
       text);
    cst_answer_sentence("", text, sizeof(text));
    ok(text[0] != '\0', "nothing makes a sentence, too");
    ok(cst_answer_is_hopeless("PartitionTimeLimit") &&
           cst_answer_is_hopeless("JobHeldUser") &&
           cst_answer_is_hopeless("QOSMaxWallDurationPerJobLimit") &&
           !cst_answer_is_hopeless("Resources") &&
           !cst_answer_is_hopeless("Priority") &&
           !cst_answer_is_hopeless("QOSMaxJobsPerUserLimit") &&
           !cst_answer_is_hopeless("None") && !cst_answer_is_hopeless(""),
       "reasons that stay are told from those that go");
}

static void test_options(void)
{
    static const char *const good[] = {
        "",
        "-p gpu --gres=gpu:1 -C a100",
        "--constraint=\"a&b\" -A 'my account' --exclusive",
        "-c4 --mem 16G",
        "--partition main -t 30",
    };
    static const char *const bad[] = {
        "-N 2",       "--nodes=2",   "--node=2",
        "-J mine",    "-a 1-4",      "--array=1-4",
        "--wrap=ls",  "script.sh",   "-p main script.sh",
        "-o out",     "--requeue",   "-C 'a",
        "--wait",     "--test-only", "-p\nmain",
        "--output=x", "--chdir=/",   "--no\001",
    };
    char large[CST_SLURM_OPTIONS_MAX + 10];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ok(cst_slurm_check_options(good[i]) == CASTELL_OK, "good: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ok(cst_slurm_check_options(bad[i]) == CASTELL_ERR_INVALID &&
               *castell_error_text(),
           "refused: bad option %zu", i);
    memset(large, '-', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    ok(cst_slurm_check_options(large) == CASTELL_ERR_INVALID, "too long");
}

/* Readers of bytes from elsewhere take anything. */
static void test_garbage(void)
{
    static const char plain[] =
        "13_2|castell-ab-7|RUNNING|1:02|node[1-2]|None\n\"' \\x;error: -";
    uint32_t seed = 1;
    uint32_t read = 0;

    for (int round = 0; round < 20000; round++) {
        char text[96];
        size_t size = 0;
        struct cst_answer_job job;
        struct cst_slurm_event event;
        static struct cst_order order; /* large */
        struct cst_list words;
        char name[CST_SLURM_NAME_SIZE];
        char sentence[CST_SLURM_TEXT_SIZE];

        memcpy(text, plain, sizeof(plain));
        size = sizeof(plain) - 1;
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % size] = (char)(seed >> 24);
        }
        size = (seed >> 4) % size + 1;
        text[size] = '\0';
        read += cst_answer_read_job(text, size, &job);
        read += cst_answer_read_submitted(text, name);
        read += cst_answer_read_left(text) > 0;
        cst_answer_sentence(text, sentence, 1 + (seed >> 9) % 300);
        read += cst_event_read(text, size, &event);
        read += cst_order_read(text, size, &order);
        if (cst_list_split(text, &words) == CASTELL_OK)
            cst_list_release(&words);
    }
    ok(read > 0, "20,000 spoilt texts are read without harm");
}

static void test_messages(void)
{
    struct cst_slurm_event event = {
        .id = 7,
        .state = CST_SLURM_RUNNING,
        .seconds_left = 62,
        .job = "13_2",
        .nodes = "node1",
        .text = "x",
    };
    static struct cst_order order = {
        .kind = CST_ORDER_REQUEST,
        .id = 3,
        .nodes = 4,
        .minutes = 5,
        .text = "-p main",
    };
    static struct cst_order again;
    struct cst_slurm_event back;
    static uint8_t bytes[CST_MESSAGE_MAX];
    size_t size = cst_event_write(&event, bytes);
    bool short_ones = false;

    ok(cst_event_read(bytes, size, &back) &&
           memcmp(&event, &back, sizeof(event)) == 0,
       "an event there and back");
    for (size_t i = 0; i < size; i++)
        short_ones = short_ones || cst_event_read(bytes, i, &back);
    ok(!short_ones, "a cut one is none");
    size = cst_order_write(&order, bytes);
    ok(cst_order_read(bytes, size, &again) && again.id == 3 &&
           again.nodes == 4 && again.minutes == 5 &&
           strcmp(again.text, "-p main") == 0,
       "an order there and back");
    bytes[0]++;
    ok(!cst_order_read(bytes, size, &again), "not of another version");
}

int main(void)
{
    test_left();
    test_jobs();
    test_submitted();
    test_granted();
    test_words_of_scontrol();
    test_steps();
    test_words_of_trouble();
    test_options();
    test_messages();
    test_garbage();
    return tap_done();
}
