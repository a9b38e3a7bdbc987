/* answer.c - read what SLURM's commands print. */
#include "slurm/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELDS = 6,      /* of CST_ANSWER_FORMAT */
    STEP_FIELDS = 3, /* of CST_ANSWER_STEPS */
    SECONDS_PER_DAY = 24 * 3600,
    DAYS_MAX = 40000, /* more is no time limit */
};

struct word {
    const char *word;
    enum cst_answer_state state;
    const char *why; /* of CST_ANSWER_OVER */
};

/* A job that somebody puts back into the queue waits there. */
static const struct word words[] = {
    {"PENDING", CST_ANSWER_WAITS, NULL},
    {"CONFIGURING", CST_ANSWER_WAITS, NULL},
    {"REQUEUED", CST_ANSWER_WAITS, NULL},
    {"REQUEUE_HOLD", CST_ANSWER_WAITS, NULL},
    {"REQUEUE_FED", CST_ANSWER_WAITS, NULL},
    {"SPECIAL_EXIT", CST_ANSWER_WAITS, NULL},
    {"RESV_DEL_HOLD", CST_ANSWER_WAITS, NULL},
    {"RUNNING", CST_ANSWER_RUNS, NULL},
    {"RESIZING", CST_ANSWER_RUNS, NULL},
    {"SIGNALING", CST_ANSWER_RUNS, NULL},
    {"SUSPENDED", CST_ANSWER_STOPPED, NULL},
    {"STOPPED", CST_ANSWER_STOPPED, NULL},
    {"COMPLETING", CST_ANSWER_ENDING, NULL},
    {"STAGE_OUT", CST_ANSWER_ENDING, NULL},
    {"COMPLETED", CST_ANSWER_OVER, "its worker has ended"},
    {"CANCELLED", CST_ANSWER_OVER, "somebody cancelled it"},
    {"FAILED", CST_ANSWER_OVER, "its worker failed"},
    {"TIMEOUT", CST_ANSWER_OVER, "its time limit was reached"},
    {"NODE_FAIL", CST_ANSWER_OVER, "its node failed"},
    {"PREEMPTED", CST_ANSWER_OVER, "SLURM gave its node to another job"},
    {"OUT_OF_MEMORY", CST_ANSWER_OVER, "it used more memory than it may"},
    {"BOOT_FAIL", CST_ANSWER_OVER, "its node did not start"},
    {"DEADLINE", CST_ANSWER_OVER, "its deadline passed"},
    {"REVOKED", CST_ANSWER_OVER, "another cluster runs it"},
    {"LAUNCH_FAILED", CST_ANSWER_OVER, "it could not be started"},
    {"RECONFIG_FAIL", CST_ANSWER_OVER, "its node could not be set up"},
};

static const struct word *find_word(const char *text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, text) == 0)
            return &words[i];
    return NULL;
}

const char *cst_answer_why(const char *word)
{
    const struct word *found = find_word(word);

    return found && found->why ? found->why : "it is over";
}

/* Take up to max digits; returns where they end, or NULL without any. */
static const char *read_number(const char *text, uint32_t max,
                               uint32_t *ret_number)
{
    uint64_t number = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > max)
            return NULL;
    }
    if (at == text)
        return NULL;
    *ret_number = (uint32_t)number;
    return at;
}

uint32_t cst_answer_read_left(const char *text)
{
    const char *at;
    uint32_t days = 0;
    uint32_t seconds = 0;

    at = read_number(text, DAYS_MAX, &days);
    if (at && *at == '-')
        text = at + 1;
    else
        days = 0;
    for (int parts = 0; parts < 3; parts++) {
        uint32_t part;

        at = read_number(text, SECONDS_PER_DAY, &part);
        if (!at)
            return CST_SLURM_UNLIMITED;
        seconds = seconds * 60 + part;
        if (*at != ':')
            break;
        text = at + 1;
    }
    if (*at || seconds > SECONDS_PER_DAY * 2)
        return CST_SLURM_UNLIMITED;
    return days * SECONDS_PER_DAY + seconds;
}

/* "13" or "13_2" */
static bool read_job_number(const char *text, uint32_t *ret_element)
{
    uint32_t number;
    const char *at = read_number(text, UINT32_MAX, &number);

    *ret_element = 0;
    if (at && *at == '_')
        at = read_number(at + 1, CST_SLURM_NODES_MAX, ret_element);
    return at && !*at && number > 0;
}

/* What others wrote is shown in a line of ours: no control characters. */
static void copy_plain(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used + 1 < size; i++) {
        unsigned char c = (unsigned char)from[i];

        to[used++] = c < ' ' || c == 127 ? ' ' : from[i];
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}

/* Cut a line at "|"; what is behind the last one is of the last field. */
static bool cut(const char *line, size_t size, char *const *fields,
                const size_t *sizes, int count)
{
    for (int i = 0; i < count; i++) {
        const char *end = i + 1 < count ? memchr(line, '|', size) : NULL;
        size_t length = end ? (size_t)(end - line) : size;

        if (!end && i + 1 < count)
            return false;
        copy_plain(fields[i], sizes[i], line, length);
        line += end ? length + 1 : length;
        size -= end ? length + 1 : length;
    }
    return true;
}

bool cst_answer_read_job(const char *line, size_t size,
                         struct cst_answer_job *ret_job)
{
    struct cst_answer_job job = {0};
    char left[32];
    char *const fields[FIELDS] = {job.job, job.name,  job.word,
                                  left,    job.nodes, job.reason};
    const size_t sizes[FIELDS] = {sizeof(job.job),   sizeof(job.name),
                                  sizeof(job.word),  sizeof(left),
                                  sizeof(job.nodes), sizeof(job.reason)};
    const struct word *word;

    if (!cut(line, size, fields, sizes, FIELDS) ||
        !read_job_number(job.job, &job.element))
        return false;
    word = find_word(job.word);
    job.state = word ? word->state : CST_ANSWER_UNKNOWN;
    job.seconds_left = cst_answer_read_left(left);
    *ret_job = job;
    return true;
}

bool cst_answer_read_step(const char *line, size_t size,
                          struct cst_answer_step *ret_step)
{
    struct cst_answer_step step = {0};
    char *const fields[STEP_FIELDS] = {step.step, step.name, step.nodes};
    const size_t sizes[STEP_FIELDS] = {sizeof(step.step), sizeof(step.name),
                                       sizeof(step.nodes)};
    const char *at;
    uint32_t number;

    if (!cut(line, size, fields, sizes, STEP_FIELDS))
        return false;
    at = read_number(step.step, UINT32_MAX, &number);
    at = at && *at == '.' ? read_number(at + 1, UINT32_MAX, &number) : NULL;
    if (!at || *at)
        return false;
    *ret_step = step;
    return true;
}

bool cst_answer_read_submitted(const char *text, char *ret_job)
{
    bool found = false;

    while (*text) {
        size_t length = strcspn(text, "\n");
        char line[CST_SLURM_NAME_SIZE];
        uint32_t element;

        copy_plain(line, sizeof(line), text, length);
        line[strcspn(line, ";")] = '\0';
        if (read_job_number(line, &element) && !strchr(line, '_')) {
            memcpy(ret_job, line, strlen(line) + 1);
            found = true;
        }
        text += length + (text[length] == '\n');
    }
    return found;
}

bool cst_answer_read_granted(const char *text, char *ret_job, bool *ret_waits)
{
    static const char allocation[] = " job allocation ";
    const char *const begin = text;
    bool found = false;

    for (const char *at = strstr(text, allocation); at;
         at = strstr(at + 1, allocation)) {
        const char *number = at + sizeof(allocation) - 1;
        size_t length = strspn(number, "0123456789");
        uint32_t element;
        char job[16];

        copy_plain(job, sizeof(job), number, length);
        if (length < sizeof(job) && read_job_number(job, &element)) {
            /* Both are said of a job that has waited, in that order. */
            *ret_waits = at > begin && at[-1] == 'g';
            memcpy(ret_job, job, sizeof(job));
            found = true;
        }
    }
    return found;
}

static size_t value_at(const char *value, const char *ends,
                       const char **ret_value)
{
    size_t length = strcspn(value, ends);

    *ret_value = value;
    return strncmp(value, "(null)", 6) == 0 ? 0 : length;
}

size_t cst_answer_find_field(const char *text, const char *name,
                             const char **ret_value)
{
    size_t length = strlen(name);

    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || strchr(" \t\n", at[-1])) && at[length] == '=')
            return value_at(at + length + 1, " \t\n", ret_value);
    return 0;
}

size_t cst_answer_find_setting(const char *text, const char *name,
                               const char **ret_value)
{
    size_t length = strlen(name);

    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        const char *equals = at + length + strspn(at + length, " ");

        if ((at == text || at[-1] == '\n') && *equals == '=')
            return value_at(equals + 1 + strspn(equals + 1, " "), "\n",
                            ret_value);
    }
    return 0;
}

bool cst_answer_is_silence(const char *text)
{
    static const char *const said[] = {
        "Unable to contact",
        "Socket timed out",
        "Zero Bytes were",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "communication connection failure",
        "Transport endpoint",
        "No route to host",
        "Network is unreachable",
        "Message receive failure",
        "Message send failure",
        "Unexpected message received",
        "temporarily unable",
        "temporarily unavailable",
        "controller not responding",
        "controller in standby",
        "Munge encode failed",
        "Unable to establish",
    };

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if (strcasestr(text, said[i]))
            return true;
    return false;
}

bool cst_answer_is_hopeless(const char *reason)
{
    /* Nothing but a person, or another request, changes these. */
    static const char *const hopeless[] = {
        "PartitionTimeLimit",
        "PartitionNodeLimit",
        "PartitionConfig",
        "PartitionDown",
        "PartitionInactive",
        "JobHeldUser",
        "JobHeldAdmin",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "AccountNotAllowed",
        "InvalidAccount",
        "InvalidQOS",
        "QOSNotAllowed",
        "QOSTimeLimit",
        "FedJobLock",
        "AssociationJobLimit",
        "AssociationTimeLimit",
        "JobLaunchFailure",
        "job requeued in held state",
        "launch failed requeued held",
        "user env retrieval failed requeued held",
    };

    for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++)
        if (strcmp(reason, hopeless[i]) == 0)
            return true;
    /* AssocMaxNodePerJobLimit, QOSMaxWallDurationPerJobLimit: one job is too
       large; not those which count all jobs of a user or group. */
    return strstr(reason, "PerJob") != NULL ||
           strstr(reason, "MaxWallDuration") != NULL;
}

void cst_answer_sentence(const char *text, char *ret_sentence, size_t size)
{
    static const char *const failed[] = {"Batch job submission failed: ",
                                         "Job submit/allocate failed: "};
    const char *best = NULL;
    size_t best_length = 0;

    /* Of several errors the last one says what it came to. */
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        const char *error = memmem(line, length, "error: ", 7);

        if (error) {
            best = error + 7;
            best_length = length - (size_t)(best - line);
        } else if (!best && length > 0) {
            best = line;
            best_length = length;
        }
        line += length + (line[length] == '\n');
    }
    if (!best) {
        best = "it said nothing";
        best_length = strlen(best);
    }
    for (size_t i = 0; i < sizeof(failed) / sizeof(failed[0]); i++) {
        const char *at =
            memmem(best, best_length, failed[i], strlen(failed[i]));

        if (at) {
            best_length -= (size_t)(at - best) + strlen(failed[i]);
            best = at + strlen(failed[i]);
        }
    }
    copy_plain(ret_sentence, size, best, best_length);
}
