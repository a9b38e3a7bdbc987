/* expand_look.c - what SLURM's answers make of nodes that become a part of the
   run's own job. */
#include "base/memory.h"
#include "slurm/expand.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
    S_UNTIL_LOST = 15, /* a step that was not seen by then has not begun */
    LOOKS_UNTIL_LOST = 3,
    LOOKS_UNTIL_GONE = 2, /* an answer may have been a part of one */
    TEXT_SIZE = CST_SLURM_TEXT_SIZE + 100,
};

/* ---- Can it be done? ----------------------------------------------------- */

/* Whether a word is in a list such as "a,b=1,c". */
static bool has_word(const char *list, size_t length, const char *word)
{
    return memmem(list, length, word, strlen(word)) != NULL;
}

static void answer_site(struct cst_tickets *tickets,
                        const struct cst_errand_answer *answer)
{
    struct cst_expand *expand = &tickets->expand;
    const char *value = "";
    size_t length =
        cst_answer_find_setting(answer->output, "SchedulerParameters", &value);

    if (answer->status != 0) {
        cst_expand_stop(tickets, "SLURM does not tell its settings");
        return;
    }
    if (!has_word(value, length, "permit_job_expansion")) {
        cst_expand_stop(tickets,
                        "this site does not permit it (SchedulerParameters has "
                        "no permit_job_expansion)");
        return;
    }
    expand->site_has_gres =
        cst_answer_find_setting(answer->output, "GresTypes", &value) > 0;
    length = cst_answer_find_setting(answer->output, "TaskPlugin", &value);
    expand->binds = has_word(value, length, "affinity");
    expand->state = CST_EXPAND_SELF;
}

/* What SLURM is known to refuse; NULL: nothing. */
static const char *find_obstacle(const struct cst_expand *expand,
                                 const char *text)
{
    static const char *const fields[] = {
        "TresPerNode", "TresPerJob", "TresPerTask", "TresPerSocket", "Gres"};
    const char *value;
    size_t length;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        length = cst_answer_find_field(text, fields[i], &value);
        if (length > 0 &&
            (has_word(value, length, "gres") || has_word(value, length, "gpu")))
            return "SLURM makes no job larger that has GPUs";
    }
    length = cst_answer_find_field(text, "OverSubscribe", &value);
    if (expand->site_has_gres && length == 2 && memcmp(value, "NO", 2) == 0)
        return "SLURM makes no job larger that is --exclusive, where the site "
               "has GPUs";
    return NULL;
}

static uint32_t read_count(const char *text, const char *name)
{
    const char *value;
    unsigned long count = cst_answer_find_field(text, name, &value)
                              ? strtoul(value, NULL, 10)
                              : 0;

    return count > 0 && count < UINT32_MAX ? (uint32_t)count : 1;
}

/* Options by which salloc makes a job that is like the run's own. */
static char *make_words(const char *text)
{
    static const struct {
        const char *field;
        const char *option;
    } same[] = {
        {"Partition", "--partition"},
        {"Account", "--account"},
        {"QOS", "--qos"},
        {"MinMemoryNode", "--mem"},
        {"MinMemoryCPU", "--mem-per-cpu"},
    };
    char words[CST_SLURM_OPTIONS_MAX] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        const char *value;
        size_t length = cst_answer_find_field(text, same[i].field, &value);

        /* Of several partitions the first one is not more than a guess. */
        if (length == 0 || length > 200 || strchr("'\"\\", *value) ||
            (length == 1 && *value == '0'))
            continue;
        used += (size_t)snprintf(words + used, sizeof(words) - used, "%s=%.*s ",
                                 same[i].option, (int)length, value);
    }
    return cst_strdup(words);
}

static void answer_self(struct cst_tickets *tickets,
                        const struct cst_errand_answer *answer)
{
    struct cst_expand *expand = &tickets->expand;
    const char *obstacle = find_obstacle(expand, answer->output);
    const char *value = "";
    size_t length = cst_answer_find_field(answer->output, "NodeList", &value);

    cst_free(expand->nodes);
    expand->nodes = NULL;
    if (answer->status == 0 && length > 0)
        expand->nodes = cst_format("%.*s", (int)length, value);
    expand->fresh = expand->nodes != NULL;
    if (!expand->fresh) {
        /* The job is over, or ends; nothing can be given back to it. */
        expand->keeps = true;
        cst_expand_stop(tickets, "SLURM does not tell which nodes the job has");
        return;
    }
    if (expand->state != CST_EXPAND_SELF)
        return;
    cst_free(expand->words);
    expand->words = make_words(answer->output);
    expand->cores = read_count(answer->output, "NumCPUs") /
                    read_count(answer->output, "NumNodes");
    expand->cores = expand->cores > 0 ? expand->cores : 1;
    expand->state = CST_EXPAND_ON;
    if (obstacle || !expand->words)
        cst_expand_stop(tickets, obstacle ? obstacle : "there is no memory");
}

/* ---- Tickets ------------------------------------------------------------- */

static void answer_merger(struct cst_tickets *tickets, uint64_t now_ns,
                          struct cst_ticket *ticket,
                          const struct cst_errand_answer *answer)
{
    char text[CST_SLURM_TEXT_SIZE];

    if (answer->status == 0) {
        cst_expand_merged(tickets, ticket, CST_PART_MERGED, now_ns);
        return;
    }
    if (answer->status > 127)
        return; /* it was killed: a look shows what it did */
    cst_answer_sentence(answer->errors, text, sizeof(text));
    cst_expand_stop(tickets, text);
    /* The job is of no use, and is cancelled; it may stay in its last state, so
       that nobody waits for it. */
    cst_tickets_batch(tickets, ticket->first)->watched = true;
    ticket->asked = true;
    ticket->cancel = true;
    ticket->haunts = true;
    cst_tickets_tell(tickets, ticket, CST_SLURM_ENDED, now_ns, text);
}

static void answer_start(struct cst_tickets *tickets, uint64_t now_ns,
                         struct cst_ticket *ticket,
                         const struct cst_errand_answer *answer)
{
    tickets->expand.steps_ns = now_ns + tickets->options.look_ns / 2;
    if (answer->status != 0 && !answer->timed_out)
        cst_expand_leave(tickets, ticket, now_ns, false);
}

static void sees_step(struct cst_tickets *tickets, uint64_t now_ns,
                      const struct cst_answer_step *step)
{
    const struct cst_batch *batch = cst_tickets_find_named(tickets, step->name);
    struct cst_ticket *ticket =
        batch && batch->grown ? cst_tickets_find(tickets, batch->first) : NULL;

    if (!ticket || ticket->over)
        return;
    ticket->seen = true;
    memcpy(ticket->job, step->step, sizeof(ticket->job));
    memcpy(ticket->nodes, step->nodes, sizeof(ticket->nodes));
    if (ticket->part < CST_PART_STARTED)
        cst_expand_merged(tickets, ticket, CST_PART_SEEN, now_ns);
    ticket->part = CST_PART_SEEN;
    ticket->missing = 0;
}

static void sees_no_step(struct cst_tickets *tickets, struct cst_ticket *ticket,
                         uint64_t now_ns)
{
    ticket->missing++;
    if (ticket->part == CST_PART_SEEN && ticket->missing >= LOOKS_UNTIL_GONE)
        cst_expand_leave(tickets, ticket, now_ns, true);
    else if (ticket->part == CST_PART_STARTED &&
             ticket->missing >= LOOKS_UNTIL_LOST &&
             now_ns - ticket->part_ns > S_UNTIL_LOST * NS_PER_S)
        cst_expand_leave(tickets, ticket, now_ns, false);
    tickets->expand.steps_ns = now_ns + cst_expand_pause(tickets);
}

static void answer_steps(struct cst_tickets *tickets, uint64_t now_ns,
                         const struct cst_errand_answer *answer)
{
    const char *text = answer->output;

    if (answer->status != 0) {
        cst_tickets_be_silent(tickets, now_ns, answer);
        return;
    }
    for (size_t i = 0; i < tickets->tickets_count; i++)
        tickets->tickets[i].seen = false;
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct cst_answer_step step;

        if (cst_answer_read_step(text, length, &step))
            sees_step(tickets, now_ns, &step);
        text += length + (text[length] == '\n');
    }
    for (size_t i = 0; i < tickets->tickets_count; i++) {
        struct cst_ticket *ticket = &tickets->tickets[i];

        if (!ticket->seen && !ticket->over && ticket->part >= CST_PART_STARTED)
            sees_no_step(tickets, ticket, now_ns);
    }
}

/* ---- Nodes that are given back ------------------------------------------- */

static bool is_spare(const struct cst_expand *expand, const char *name,
                     size_t length)
{
    for (size_t i = 0; i < expand->spares_count; i++)
        if (strlen(expand->spares[i].node) == length &&
            memcmp(expand->spares[i].node, name, length) == 0)
            return true;
    return false;
}

static void drop_spares(struct cst_expand *expand)
{
    while (expand->spares_count > 0)
        cst_expand_drop_spare(expand, 0);
}

/* The names of the job's nodes, one a line: all but the spares stay. */
static void answer_names(struct cst_tickets *tickets,
                         const struct cst_errand_answer *answer)
{
    struct cst_expand *expand = &tickets->expand;
    char *rest = cst_alloc(strlen(answer->output) + 1);
    char *at = rest;
    bool any = false;

    for (const char *name = answer->output; rest && *name;) {
        size_t length = strcspn(name, "\n");

        if (is_spare(expand, name, length)) {
            any = true;
        } else if (length > 0) {
            if (at > rest)
                *at++ = ',';
            at = mempcpy(at, name, length);
        }
        name += length + (name[length] == '\n');
    }
    if (rest)
        *at = '\0';
    /* A node that failed has left the job by itself. */
    if (any && at > rest) {
        cst_expand_forget_rest(expand);
        expand->rest = rest;
        return;
    }
    cst_free(rest);
    drop_spares(expand);
}

static void answer_shrink(struct cst_tickets *tickets,
                          const struct cst_errand_answer *answer)
{
    struct cst_expand *expand = &tickets->expand;
    char sentence[CST_SLURM_TEXT_SIZE];
    char text[TEXT_SIZE];

    expand->fresh = false;
    cst_expand_forget_rest(expand);
    if (answer->status == 0) {
        drop_spares(expand);
        return;
    }
    expand->keeps = true;
    cst_answer_sentence(answer->errors, sentence, sizeof(sentence));
    (void)snprintf(text, sizeof(text),
                   "nodes that became a part of the run's job stay with it "
                   "until it ends, SLURM takes none back: %s",
                   sentence);
    cst_tickets_tell_all(tickets, CST_SLURM_KEEPS, CST_SLURM_UNLIMITED, text);
}

void cst_expand_answer(struct cst_tickets *tickets, uint64_t now_ns,
                       const struct cst_errand *errand,
                       const struct cst_errand_answer *answer)
{
    struct cst_ticket *ticket = cst_tickets_find(tickets, errand->first);

    if (errand->kind != CST_ERRAND_START && cst_tickets_is_silence(answer)) {
        cst_tickets_be_silent(tickets, now_ns, answer);
        return;
    }
    if (errand->kind == CST_ERRAND_SITE)
        answer_site(tickets, answer);
    else if (errand->kind == CST_ERRAND_SELF)
        answer_self(tickets, answer);
    else if (errand->kind == CST_ERRAND_MERGE && ticket)
        answer_merger(tickets, now_ns, ticket, answer);
    else if (errand->kind == CST_ERRAND_START && ticket)
        answer_start(tickets, now_ns, ticket, answer);
    else if (errand->kind == CST_ERRAND_STEPS)
        answer_steps(tickets, now_ns, answer);
    else if (errand->kind == CST_ERRAND_NAMES)
        answer_names(tickets, answer);
    else if (errand->kind == CST_ERRAND_SHRINK)
        answer_shrink(tickets, answer);
}
