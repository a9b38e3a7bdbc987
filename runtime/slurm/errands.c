/* errands.c - which command of SLURM's is to be run now, and its words. */
#include "base/fail.h"
#include "base/memory.h"
#include "slurm/tickets.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
    CANCELS_MAX = 200,     /* jobs in one scancel */
    NAMES_MAX = 2000,      /* more, and all of the user's jobs are read */
    S_BETWEEN_CANCELS = 5, /* of the same job */
    S_BETWEEN_PROBES = 2,  /* while SLURM is silent */
    LOOKS_IN_LONGEST = 30, /* the longest pause, in shortest ones */
};

void cst_errand_release(struct cst_errand *errand)
{
    cst_list_release(&errand->command);
    cst_free(errand->input);
    *errand = (struct cst_errand){0};
}

/* ---- Submit -------------------------------------------------------------- */

char *cst_errand_quote(const char *text)
{
    char *quoted = cst_alloc(4 * strlen(text) + 3);
    char *at = quoted;

    if (!quoted)
        return NULL;
    *at++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            at = stpcpy(at, "'\\'");
        *at++ = *text;
    }
    *at++ = '\'';
    *at = '\0';
    return quoted;
}

char *cst_errand_features(const char *options)
{
    struct cst_list given = {0};
    const char *wanted = NULL;
    char *features = NULL;

    if (cst_list_split(options, &given) == CASTELL_OK)
        wanted = cst_list_option(&given, "--constraint", 'C');
    if (wanted && *wanted && !strpbrk(wanted, "|[]()*!'\""))
        features = cst_strdup(wanted);
    for (char *at = features; at && *at; at++)
        if (*at == '&')
            *at = ',';
    cst_list_release(&given);
    return features;
}

/*
 * The job is its worker: with exec, SLURM's signals reach it, and the job ends
 * when it does. One that comes too late finds no run; one that was put back in
 * the queue is not expected any more.
 */
static char *make_script(const struct cst_tickets *tickets,
                         const struct cst_batch *batch)
{
    char *directory = cst_errand_quote(tickets->options.run_dir);
    char *features =
        batch->options ? cst_errand_features(batch->options) : NULL;
    char *script = NULL;

    if (directory)
        script = cst_format(
            "#!/bin/sh\n"
            "# One more node for a run of Castell.\n"
            "[ \"${SLURM_RESTART_COUNT:-0}\" = 0 ] || exit 0\n"
            "cd %s 2>/dev/null && [ -x ./" CST_SLURM_WORKER " ] || exit 0\n"
            "ticket=$((%u + ${SLURM_ARRAY_TASK_ID:-0}))\n"
            "exec ./" CST_SLURM_WORKER " $ticket '%s' >" CST_SLURM_OUTPUT
            "$ticket 2>" CST_SLURM_ERRORS "$ticket\n",
            directory, batch->first, features ? features : "");
    cst_free(features);
    cst_free(directory);
    return script;
}

/* "0,2-5": the elements of an array that are still wanted. */
static void add_array(struct cst_tickets *tickets,
                      const struct cst_batch *batch, struct cst_list *command)
{
    size_t size = (size_t)6 * CST_SLURM_NODES_MAX;
    char *text = batch->count > 1 ? cst_zalloc(size) : NULL;
    size_t used = 0;

    if (batch->count == 1)
        return;
    command->bad = command->bad || !text;
    for (uint32_t i = 0; text && i < batch->count; i++) {
        uint32_t from = i;

        while (i < batch->count &&
               !cst_tickets_find(tickets, batch->first + i)->over)
            i++;
        if (i == from)
            continue;
        used += (size_t)snprintf(text + used, size - used,
                                 from + 1 == i ? "%s%u" : "%s%u-%u",
                                 used ? "," : "", from, i - 1);
    }
    if (text)
        cst_list_add(command, "--array=%s", text);
    cst_free(text);
}

static void make_submit(struct cst_tickets *tickets, struct cst_batch *batch,
                        struct cst_errand *errand)
{
    struct cst_list *command = &errand->command;
    struct cst_list given;
    char name[CST_SLURM_NAME_SIZE];
    bool part;

    if (!batch->options || cst_list_split(batch->options, &given) != CASTELL_OK)
        given = (struct cst_list){.bad = true};
    cst_list_add(command, "sbatch");
    cst_list_add(command, "--parsable");
    part = cst_list_names_part(&given);
    if (!part)
        cst_list_add(command, "--exclusive");
    if (!part && !cst_list_names_memory(&given))
        cst_list_add(command, "--mem=0");
    for (size_t i = 0; i < given.count; i++)
        cst_list_add(command, "%s", given.list[i]);
    cst_tickets_name(tickets, batch, name, sizeof(name));
    cst_list_add(command, "--job-name=%s", name);
    cst_list_add(command, "--nodes=1");
    cst_list_add(command, "--no-requeue");
    cst_list_add(command, "--chdir=/");
    cst_list_add(command, "--output=/dev/null");
    if (batch->minutes > 0)
        cst_list_add(command, "--time=%u", batch->minutes);
    add_array(tickets, batch, command);
    command->bad = command->bad || given.bad;
    cst_list_release(&given);
    errand->kind = CST_ERRAND_SUBMIT;
    errand->first = batch->first;
    errand->input = make_script(tickets, batch);
    command->bad = command->bad || !errand->input;
}

/* ---- Look ---------------------------------------------------------------- */

static bool is_looked_for(const struct cst_batch *batch)
{
    return batch->state != CST_BATCH_QUEUED && !batch->merged;
}

static void add_names(const struct cst_tickets *tickets,
                      struct cst_list *command)
{
    struct cst_list names = {0};
    size_t size = 0;
    char *all;

    for (size_t i = 0; i < tickets->batches_count; i++) {
        struct cst_batch batch = tickets->batches[i];
        char name[CST_SLURM_NAME_SIZE];

        if (!is_looked_for(&batch))
            continue;
        /* What another helper has asked for may have been a job of its own. */
        do {
            cst_tickets_name(tickets, &batch, name, sizeof(name));
            cst_list_add(&names, "%s", name);
            size += strlen(name) + 1;
            batch.adopted = batch.adopted && batch.grown;
            batch.grown = false;
        } while (batch.adopted);
    }
    all = names.count > 0 && names.count <= NAMES_MAX ? cst_alloc(size) : NULL;
    if (all) {
        char *at = all;

        for (size_t i = 0; i < names.count; i++) {
            at = stpcpy(at, names.list[i]);
            *at++ = i + 1 < names.count ? ',' : '\0';
        }
        cst_list_add(command, "--name=%s", all);
        cst_free(all);
    }
    cst_list_release(&names);
}

static void make_look(const struct cst_tickets *tickets,
                      struct cst_errand *errand)
{
    struct cst_list *command = &errand->command;

    cst_list_add(command, "squeue");
    cst_list_add(command, "--noheader");
    cst_list_add(command, "--array");
    cst_list_add(command, "--states=all");
    cst_list_add(command, "--user=%u", tickets->options.user);
    add_names(tickets, command);
    cst_list_add(command, "--format=%s", CST_ANSWER_FORMAT);
    errand->kind = CST_ERRAND_LOOK;
}

static void make_own(const struct cst_tickets *tickets,
                     struct cst_errand *errand)
{
    struct cst_list *command = &errand->command;

    cst_list_add(command, "squeue");
    cst_list_add(command, "--noheader");
    cst_list_add(command, "--jobs=%s", tickets->options.own_job);
    cst_list_add(command, "--format=%s", CST_ANSWER_FORMAT);
    errand->kind = CST_ERRAND_OWN;
}

/* Of all that may happen, what happens soonest. */
static uint64_t choose_pause(const struct cst_tickets *tickets, uint64_t now_ns)
{
    uint64_t pause_ns = LOOKS_IN_LONGEST * tickets->options.look_ns;

    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].state == CST_BATCH_SENT ||
            (tickets->closed && is_looked_for(&tickets->batches[i])))
            return tickets->options.look_ns;
    for (size_t i = 0; i < tickets->tickets_count; i++) {
        const struct cst_ticket *ticket = &tickets->tickets[i];
        uint64_t wait_ns = (now_ns - ticket->since_ns) / 10;

        if ((ticket->over && !ticket->haunts) || !ticket->job[0] ||
            (ticket->is == CST_ANSWER_RUNS && !ticket->cancel))
            continue;
        if (ticket->is == CST_ANSWER_ENDING || ticket->cancel)
            wait_ns = 0;
        if (wait_ns < pause_ns)
            pause_ns = wait_ns;
    }
    return pause_ns < tickets->options.look_ns ? tickets->options.look_ns
                                               : pause_ns;
}

static bool has_to_look(const struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (is_looked_for(&tickets->batches[i]))
            return true;
    return false;
}

/* ---- Cancel -------------------------------------------------------------- */

/* When it may be cancelled; UINT64_MAX: not to be. */
static uint64_t cancel_at(const struct cst_ticket *ticket)
{
    if ((ticket->over && !ticket->haunts) || !ticket->cancel ||
        !ticket->job[0] || ticket->is == CST_ANSWER_ENDING)
        return UINT64_MAX;
    return ticket->cancelled_ns
               ? ticket->cancelled_ns + S_BETWEEN_CANCELS * NS_PER_S
               : 0;
}

static void make_cancel(struct cst_tickets *tickets, uint64_t now_ns,
                        struct cst_errand *errand)
{
    cst_list_add(&errand->command, "scancel");
    for (size_t i = 0;
         i < tickets->tickets_count && errand->command.count <= CANCELS_MAX;
         i++) {
        struct cst_ticket *ticket = &tickets->tickets[i];

        if (cancel_at(ticket) > now_ns)
            continue;
        ticket->cancelled_ns = now_ns;
        cst_list_add(&errand->command, "%s", ticket->job);
    }
    errand->kind = CST_ERRAND_CANCEL;
}

static uint64_t next_cancel(const struct cst_tickets *tickets)
{
    uint64_t at_ns = UINT64_MAX;

    for (size_t i = 0; i < tickets->tickets_count; i++) {
        uint64_t this_ns = cancel_at(&tickets->tickets[i]);

        at_ns = this_ns < at_ns ? this_ns : at_ns;
    }
    return at_ns;
}

/* ---- What next ----------------------------------------------------------- */

static struct cst_batch *find_queued(struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].state == CST_BATCH_QUEUED &&
            !tickets->batches[i].grown)
            return &tickets->batches[i];
    return NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What else there is to do can wait, and when. */
static uint64_t when_to_wake(const struct cst_tickets *tickets)
{
    uint64_t wake_ns = earlier(next_cancel(tickets), cst_expand_wake(tickets));

    if (has_to_look(tickets))
        wake_ns = earlier(wake_ns, tickets->look_ns);
    if (tickets->options.own_job && !tickets->closed)
        wake_ns = earlier(wake_ns, tickets->own_ns);
    return wake_ns;
}

void cst_tickets_errand(struct cst_tickets *tickets, uint64_t now_ns,
                        struct cst_errand *ret_errand, uint64_t *ret_wake_ns)
{
    struct cst_batch *queued;

    *ret_errand = (struct cst_errand){0};
    *ret_wake_ns = tickets->probe_ns;
    if (tickets->silent && now_ns < tickets->probe_ns)
        return;
    queued = find_queued(tickets);
    /* While SLURM is silent one question is enough, and nothing is submitted
       that may be lost. */
    if (tickets->silent) {
        tickets->probe_ns = now_ns + S_BETWEEN_PROBES * NS_PER_S;
        make_look(tickets, ret_errand);
    } else if (next_cancel(tickets) <= now_ns) {
        make_cancel(tickets, now_ns, ret_errand);
        tickets->look_ns = now_ns + tickets->options.look_ns / 4;
    } else if (cst_expand_errand(tickets, now_ns, ret_errand)) {
        CST_ASSERT(ret_errand->kind != CST_ERRAND_NONE);
    } else if (queued) {
        make_submit(tickets, queued, ret_errand);
        queued->state = CST_BATCH_SENT;
        queued->since_ns = now_ns;
    } else if (has_to_look(tickets) && now_ns >= tickets->look_ns) {
        make_look(tickets, ret_errand);
    } else if (tickets->options.own_job && !tickets->closed &&
               now_ns >= tickets->own_ns) {
        make_own(tickets, ret_errand);
    }
    if (ret_errand->kind == CST_ERRAND_LOOK)
        tickets->look_ns = now_ns + choose_pause(tickets, now_ns);
    *ret_wake_ns =
        ret_errand->kind != CST_ERRAND_NONE ? now_ns : when_to_wake(tickets);
}
