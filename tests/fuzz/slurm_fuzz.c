// sources: runtime/slurm/answer.c
/*
 * Whatever SLURM's commands print is read, or is not: what comes of it has an
 * end, is one line, and is within what was printed.
 */
#include "slurm/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
    if (!holds)
        abort();
}

/* Others see it in a line of ours. */
static void check_word(const char *word, size_t size)
{
    need(strnlen(word, size) < size);
    for (; *word; word++)
        need((unsigned char)*word >= ' ' && *word != 127);
}

static void check_lines(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct cst_answer_job job;
        struct cst_answer_step step;

        if (cst_answer_read_job(text, length, &job)) {
            check_word(job.job, sizeof(job.job));
            check_word(job.name, sizeof(job.name));
            check_word(job.nodes, sizeof(job.nodes));
            check_word(job.word, sizeof(job.word));
            check_word(job.reason, sizeof(job.reason));
            need(job.element <= CST_SLURM_NODES_MAX);
            need(job.job[0] >= '0' && job.job[0] <= '9');
            need(cst_answer_why(job.word)[0] != '\0');
            (void)cst_answer_is_hopeless(job.reason);
        }
        if (cst_answer_read_step(text, length, &step)) {
            check_word(step.step, sizeof(step.step));
            check_word(step.name, sizeof(step.name));
            check_word(step.nodes, sizeof(step.nodes));
            need(strchr(step.step, '.') != NULL);
        }
        text += length + (text[length] == '\n');
    }
}

static void check_field(const char *text, const char *value, size_t length)
{
    need(length == 0 || (value > text && value + length <= strchr(text, '\0')));
    need(length == 0 || !memchr(value, '\n', length));
}

/* Names that the helper asks for, and one that is in the text itself. */
static void check_fields(const char *text)
{
    static const char *const names[] = {
        "NodeList", "Partition",           "MinMemoryNode", "OverSubscribe",
        "NumCPUs",  "SchedulerParameters", "GresTypes",     "A",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = NULL;
        size_t length = cst_answer_find_field(text, names[i], &value);

        check_field(text, value, length);
        length = cst_answer_find_setting(text, names[i], &value);
        check_field(text, value, length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char sentence[CST_SLURM_TEXT_SIZE];
    char job[CST_SLURM_NAME_SIZE];
    bool waits;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_lines(text);
    check_fields(text);
    if (cst_answer_read_submitted(text, job)) {
        check_word(job, sizeof(job));
        need(job[strspn(job, "0123456789")] == '\0');
    }
    if (cst_answer_read_granted(text, job, &waits)) {
        check_word(job, sizeof(job));
        need(job[strspn(job, "0123456789")] == '\0');
    }
    (void)cst_answer_read_left(text);
    (void)cst_answer_is_silence(text);
    cst_answer_sentence(text, sentence, sizeof(sentence));
    check_word(sentence, sizeof(sentence));
    need(sentence[0] != '\0' || size > 0);
    cst_answer_sentence(text, sentence, 8);
    check_word(sentence, 8);
    free(text);
    return 0;
}
