/* look.c - what SLURM's answers make of tickets and batches. */
#include "base/memory.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
    /* An sbatch without answer may still submit: its call may lie in the
       controller, which handles it when it comes to. */
    S_UNTIL_LOST = 15,
    LOOKS_UNTIL_LOST = 3,
    LOOKS_UNTIL_GONE = 2, /* an answer may have been a part of one */
    S_BETWEEN_OWN = 60,   /* looks at our own job */
    S_LIMIT_MOVED = 10,   /* a time limit that moved less is as it was */
};

static uint64_t end_after(uint32_t seconds_left, uint64_t now_ns)
{
    return seconds_left == CST_SLURM_UNLIMITED
               ? UINT64_MAX
               : now_ns + seconds_left * NS_PER_S;
}

static bool has_moved(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t by_ns = from_ns < to_ns ? to_ns - from_ns : from_ns - to_ns;

    return by_ns > S_LIMIT_MOVED * NS_PER_S;
}

/* ---- Answers ------------------------------------------------------------- */

void cst_tickets_be_silent(struct cst_tickets *tickets, uint64_t now_ns,
                           const struct cst_errand_answer *answer)
{
    char text[CST_SLURM_TEXT_SIZE];

    tickets->probe_ns = now_ns + 2 * NS_PER_S;
    if (tickets->silent)
        return;
    tickets->silent = true;
    if (answer->timed_out)
        (void)snprintf(text, sizeof(text), "no answer in time");
    else
        cst_answer_sentence(answer->errors, text, sizeof(text));
    cst_tickets_tell_all(tickets, CST_SLURM_SILENT, CST_SLURM_UNLIMITED, text);
}

static void be_answered(struct cst_tickets *tickets)
{
    if (!tickets->silent)
        return;
    tickets->silent = false;
    tickets->look_ns = 0;
    cst_tickets_tell_all(tickets, CST_SLURM_ANSWERS, CST_SLURM_UNLIMITED, "");
}

bool cst_tickets_is_silence(const struct cst_errand_answer *answer)
{
    return answer->timed_out ||
           (answer->status != 0 && cst_answer_is_silence(answer->errors));
}

/* An array that is refused may be allowed piece by piece. */
static bool split(struct cst_tickets *tickets, uint32_t first)
{
    uint32_t count = cst_tickets_batch(tickets, first)->count;
    struct cst_batch whole;
    struct cst_batch *batch;

    if (count == 1 || !cst_tickets_make_room(tickets, count, 0))
        return false;
    batch = cst_tickets_batch(tickets, first);
    whole = *batch;
    batch->count = 1;
    batch->left = 0;
    batch->piece = true;
    batch->state = CST_BATCH_QUEUED;
    for (uint32_t i = 0; i < count; i++) {
        struct cst_ticket *ticket = cst_tickets_find(tickets, first + i);
        struct cst_batch piece = {
            .first = first + i,
            .count = 1,
            .left = 1,
            .piece = true,
            .minutes = whole.minutes,
        };

        if (ticket->over)
            continue;
        if (i == 0) {
            batch->left = 1;
            continue;
        }
        piece.options = cst_strdup(whole.options); /* or NULL: not sent */
        ticket->first = piece.first;
        tickets->batches[tickets->batches_count++] = piece;
    }
    return true;
}

/* What one piece of an array was told holds for the others. */
static void refuse_like(struct cst_tickets *tickets, uint32_t first,
                        uint64_t now_ns, const char *text)
{
    const struct cst_batch *refused = cst_tickets_batch(tickets, first);
    bool piece = refused->piece;

    for (size_t i = 0; i < tickets->batches_count; i++) {
        const struct cst_batch *batch = &tickets->batches[i];

        if (batch->first == first ||
            (piece && batch->piece && batch->state == CST_BATCH_QUEUED &&
             batch->minutes == refused->minutes && batch->options &&
             refused->options && strcmp(batch->options, refused->options) == 0))
            cst_tickets_refuse(tickets, batch, now_ns, text);
    }
}

static void submitted(struct cst_tickets *tickets, struct cst_batch *batch,
                      uint64_t now_ns, const char *job)
{
    batch->state = CST_BATCH_KNOWN;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct cst_ticket *ticket = cst_tickets_find(tickets, batch->first + i);

        ticket->since_ns = now_ns;
        if (batch->count == 1)
            (void)snprintf(ticket->job, sizeof(ticket->job), "%s", job);
        else
            (void)snprintf(ticket->job, sizeof(ticket->job), "%.100s_%u", job,
                           i);
    }
}

/* salloc need not have ended. */
static bool has_submitted(const struct cst_batch *batch,
                          const struct cst_errand_answer *answer, char *ret_job)
{
    bool waits;

    if (batch->grown)
        return cst_answer_read_granted(answer->errors, ret_job, &waits);
    return !answer->timed_out && answer->status == 0 &&
           cst_answer_read_submitted(answer->output, ret_job);
}

static void answer_submit(struct cst_tickets *tickets, uint64_t now_ns,
                          uint32_t first,
                          const struct cst_errand_answer *answer)
{
    struct cst_batch *batch = cst_tickets_batch(tickets, first);
    char job[CST_SLURM_NAME_SIZE];
    char text[CST_SLURM_TEXT_SIZE];

    tickets->look_ns = now_ns + tickets->options.look_ns / 2;
    batch->since_ns = now_ns;
    batch->looks = 0;
    if (has_submitted(batch, answer, job)) {
        submitted(tickets, batch, now_ns, job);
        be_answered(tickets);
        return;
    }
    if (cst_tickets_is_silence(answer)) {
        cst_tickets_be_silent(tickets, now_ns, answer);
        return; /* and stays SENT: a job of its name may turn up */
    }
    if (answer->status == 0 || answer->status > 127)
        return; /* it said nothing, or was killed: the same */
    if (split(tickets, first))
        return;
    cst_answer_sentence(answer->errors, text, sizeof(text));
    if (batch->grown && cst_expand_refused(tickets, batch, text))
        return;
    refuse_like(tickets, first, now_ns, text);
}

static void answer_own(struct cst_tickets *tickets, uint64_t now_ns,
                       const struct cst_errand_answer *answer)
{
    struct cst_answer_job job;
    uint64_t end_ns;

    tickets->own_ns = now_ns + S_BETWEEN_OWN * NS_PER_S;
    if (cst_tickets_is_silence(answer)) {
        cst_tickets_be_silent(tickets, now_ns, answer);
        tickets->own_ns = now_ns;
        return;
    }
    if (answer->status != 0 ||
        !cst_answer_read_job(answer->output, strcspn(answer->output, "\n"),
                             &job))
        return;
    end_ns = end_after(job.seconds_left, now_ns);
    if (tickets->own_end_ns == 0 || has_moved(tickets->own_end_ns, end_ns))
        cst_tickets_tell_all(tickets, CST_SLURM_OWN_JOB, job.seconds_left,
                             job.job);
    tickets->own_end_ns = end_ns;
}

/* ---- A look -------------------------------------------------------------- */

static void sees_waiting(struct cst_tickets *tickets, struct cst_ticket *ticket,
                         uint64_t now_ns, const struct cst_answer_job *job)
{
    const char *reason =
        strcmp(job->word, "PENDING") == 0 ? job->reason : job->word;

    if (ticket->told == CST_SLURM_REQUEUED)
        return;
    if (ticket->told != 0 && ticket->told != CST_SLURM_PENDING) {
        ticket->cancel = true; /* its worker would not be expected */
        cst_tickets_tell(tickets, ticket, CST_SLURM_REQUEUED, now_ns, reason);
    } else if (ticket->told == 0 || strcmp(ticket->reason, reason) != 0) {
        memcpy(ticket->reason, reason, sizeof(ticket->reason));
        cst_tickets_tell(tickets, ticket, CST_SLURM_PENDING, now_ns, reason);
    }
}

static void sees_running(struct cst_tickets *tickets, struct cst_ticket *ticket,
                         uint64_t now_ns, const struct cst_answer_job *job)
{
    uint64_t end_ns = end_after(job->seconds_left, now_ns);
    bool moved = has_moved(ticket->end_ns, end_ns);

    ticket->end_ns = end_ns;
    if (ticket->told == CST_SLURM_REQUEUED)
        return;
    if (ticket->told == CST_SLURM_SUSPENDED)
        cst_tickets_tell(tickets, ticket, CST_SLURM_RESUMED, now_ns, "");
    else if (moved || (ticket->told != CST_SLURM_RUNNING &&
                       ticket->told != CST_SLURM_RESUMED))
        cst_tickets_tell(tickets, ticket, CST_SLURM_RUNNING, now_ns, "");
}

static void sees_over(struct cst_tickets *tickets, struct cst_ticket *ticket,
                      uint64_t now_ns, const struct cst_answer_job *job)
{
    const char *why = cst_answer_why(job->word);
    char text[CST_SLURM_TEXT_SIZE];

    if (ticket->asked && strcmp(job->word, "CANCELLED") == 0)
        why = "it was cancelled, as asked";
    if (job->reason[0] && strcmp(job->reason, "None") != 0)
        (void)snprintf(text, sizeof(text), "%s (%s)", why, job->reason);
    else
        (void)snprintf(text, sizeof(text), "%s", why);
    cst_tickets_tell(tickets, ticket, CST_SLURM_ENDED, now_ns, text);
}

static void sees(struct cst_tickets *tickets, struct cst_ticket *ticket,
                 uint64_t now_ns, const struct cst_answer_job *job)
{
    bool grown = cst_tickets_batch(tickets, ticket->first)->grown;

    ticket->seen = true;
    ticket->missing = 0;
    memcpy(ticket->job, job->job, sizeof(ticket->job));
    if (job->nodes[0])
        memcpy(ticket->nodes, job->nodes, sizeof(ticket->nodes));
    if (job->state != CST_ANSWER_UNKNOWN)
        ticket->is = job->state;
    if (ticket->over) {
        /* After a merger that failed a job may stay in that state. */
        ticket->haunts =
            ticket->is != CST_ANSWER_OVER &&
            !(ticket->part != CST_PART_NONE && ticket->is == CST_ANSWER_ENDING);
        ticket->cancel = true;
    } else if (job->state == CST_ANSWER_WAITS) {
        sees_waiting(tickets, ticket, now_ns, job);
    } else if (job->state == CST_ANSWER_RUNS && grown) {
        cst_expand_runs(ticket);
    } else if (job->state == CST_ANSWER_RUNS) {
        sees_running(tickets, ticket, now_ns, job);
    } else if (job->state == CST_ANSWER_STOPPED) {
        if (ticket->told != CST_SLURM_SUSPENDED && !grown)
            cst_tickets_tell(tickets, ticket, CST_SLURM_SUSPENDED, now_ns,
                             job->reason);
    } else if (job->state == CST_ANSWER_OVER &&
               !(grown &&
                 cst_expand_over(tickets, ticket, now_ns, job->word))) {
        sees_over(tickets, ticket, now_ns, job);
    }
}

/* A good look did not see this ticket. */
static void sees_not(struct cst_tickets *tickets, struct cst_ticket *ticket,
                     uint64_t now_ns)
{
    struct cst_batch *batch = cst_tickets_batch(tickets, ticket->first);

    if (batch->merged)
        return; /* its steps are looked at */
    ticket->missing++;
    if (ticket->over) {
        ticket->haunts = ticket->haunts && ticket->missing < LOOKS_UNTIL_GONE;
        return;
    }
    if (batch->state != CST_BATCH_KNOWN || ticket->missing < LOOKS_UNTIL_GONE)
        return;
    batch->watched = true;
    if (ticket->job[0])
        cst_tickets_tell(tickets, ticket, CST_SLURM_ENDED, now_ns,
                         ticket->asked ? "it was cancelled, as asked"
                                       : "SLURM knows of it no more");
    else
        cst_tickets_tell(tickets, ticket, CST_SLURM_REFUSED, now_ns,
                         "no job came of it");
}

/* Of an sbatch without answer no job was seen, again. */
static void is_missing(struct cst_tickets *tickets, struct cst_batch *batch,
                       uint64_t now_ns)
{
    batch->looks++;
    if (batch->looks < LOOKS_UNTIL_LOST ||
        now_ns - batch->since_ns < S_UNTIL_LOST * NS_PER_S)
        return;
    batch->state = CST_BATCH_GHOST;
    batch->watched = true;
    batch->since_ns = now_ns;
    cst_tickets_refuse(tickets, batch, now_ns,
                       batch->adopted
                           ? "it was lost with a helper that was killed"
                           : "sbatch gave no answer, and no job came of it");
}

static void read_look(struct cst_tickets *tickets, uint64_t now_ns,
                      const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct cst_answer_job job;
        struct cst_batch *batch = NULL;
        struct cst_ticket *ticket = NULL;

        if (cst_answer_read_job(text, length, &job))
            batch = cst_tickets_find_named(tickets, job.name);
        if (batch && batch->merged)
            batch = NULL;
        if (batch && job.element < batch->count)
            ticket = cst_tickets_find(tickets, batch->first + job.element);
        if (batch && batch->state == CST_BATCH_SENT)
            batch->state = CST_BATCH_KNOWN;
        if (ticket)
            sees(tickets, ticket, now_ns, &job);
        text += length + (text[length] == '\n');
    }
}

static void answer_look(struct cst_tickets *tickets, uint64_t now_ns,
                        const struct cst_errand_answer *answer)
{
    if (answer->timed_out || answer->status != 0) {
        cst_tickets_be_silent(tickets, now_ns, answer);
        return;
    }
    be_answered(tickets);
    for (size_t i = 0; i < tickets->tickets_count; i++)
        tickets->tickets[i].seen = false;
    read_look(tickets, now_ns, answer->output);
    for (size_t i = 0; i < tickets->tickets_count; i++)
        if (!tickets->tickets[i].seen)
            sees_not(tickets, &tickets->tickets[i], now_ns);
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].state == CST_BATCH_SENT)
            is_missing(tickets, &tickets->batches[i], now_ns);
}

bool cst_tickets_is_enough(const struct cst_errand *errand, const char *errors)
{
    char job[CST_SLURM_NAME_SIZE];
    bool waits;

    /* salloc waits until its job has nodes; that is seen without it. */
    return errand->kind == CST_ERRAND_SUBMIT &&
           strcmp(errand->command.list[0], "salloc") == 0 &&
           cst_answer_read_granted(errors, job, &waits) && waits;
}

void cst_tickets_answer(struct cst_tickets *tickets, uint64_t now_ns,
                        const struct cst_errand *errand,
                        const struct cst_errand_answer *answer)
{
    switch (errand->kind) {
    case CST_ERRAND_SUBMIT:
        answer_submit(tickets, now_ns, errand->first, answer);
        break;
    case CST_ERRAND_LOOK:
        answer_look(tickets, now_ns, answer);
        break;
    case CST_ERRAND_CANCEL:
        if (cst_tickets_is_silence(answer))
            cst_tickets_be_silent(tickets, now_ns, answer);
        break;
    case CST_ERRAND_OWN:
        answer_own(tickets, now_ns, answer);
        break;
    case CST_ERRAND_NONE:
        break;
    case CST_ERRAND_SITE:
    case CST_ERRAND_SELF:
    case CST_ERRAND_MERGE:
    case CST_ERRAND_START:
    case CST_ERRAND_STEPS:
    case CST_ERRAND_NAMES:
    case CST_ERRAND_SHRINK:
        cst_expand_answer(tickets, now_ns, errand, answer);
        break;
    }
    cst_tickets_sweep(tickets);
}
