/* expand.c - nodes that become a part of the run's own job. */
#include "slurm/expand.h"

#include "base/fail.h"
#include "base/memory.h"
#include "slurm/tickets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
    LOOKS_BETWEEN = 30, /* the longest pause, in shortest ones */
    TEXT_SIZE = CST_SLURM_TEXT_SIZE + 100,
};

void cst_expand_forget_rest(struct cst_expand *expand)
{
    cst_free(expand->rest);
    expand->rest = NULL;
}

void cst_expand_drop_spare(struct cst_expand *expand, size_t i)
{
    cst_free(expand->spares[i].options);
    expand->spares[i] = expand->spares[--expand->spares_count];
    cst_expand_forget_rest(expand);
}

void cst_expand_release(struct cst_expand *expand)
{
    while (expand->spares_count > 0)
        cst_expand_drop_spare(expand, 0);
    cst_free(expand->spares);
    cst_free(expand->nodes);
    cst_free(expand->words);
    cst_expand_forget_rest(expand);
    *expand = (struct cst_expand){0};
}

/* From now on each node is a job of its own; those that came stay. */
void cst_expand_stop(struct cst_tickets *tickets, const char *why)
{
    char text[TEXT_SIZE];

    if (tickets->expand.state == CST_EXPAND_OFF)
        return;
    tickets->expand.state = CST_EXPAND_OFF;
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].state == CST_BATCH_QUEUED)
            tickets->batches[i].grown = false;
    (void)snprintf(text, sizeof(text),
                   "the run's job is not made larger, each node is a job of "
                   "its own: %s",
                   why);
    cst_tickets_tell_all(tickets, CST_SLURM_JOBS_ONLY, CST_SLURM_UNLIMITED,
                         text);
}

/* ---- What comes and goes ------------------------------------------------- */

/* The node is the run's, and its worker is to be started, or has been. */
void cst_expand_merged(struct cst_tickets *tickets, struct cst_ticket *ticket,
                       enum cst_part part, uint64_t now_ns)
{
    struct cst_batch *batch = cst_tickets_batch(tickets, ticket->first);
    uint64_t end_ns;

    batch->merged = true;
    batch->state = CST_BATCH_KNOWN;
    ticket->part = part;
    ticket->part_ns = now_ns;
    ticket->missing = 0;
    if (part == CST_PART_MERGED)
        ticket->job[0] = '\0';
    tickets->expand.fresh = false;
    tickets->expand.steps_ns = 0;
    cst_expand_forget_rest(&tickets->expand);
    ticket->end_ns = tickets->own_end_ns ? tickets->own_end_ns : UINT64_MAX;
    end_ns = now_ns + NS_PER_S * 60 * batch->minutes;
    if (batch->minutes > 0 && end_ns < ticket->end_ns)
        ticket->end_ns = end_ns;
    cst_tickets_tell(tickets, ticket, CST_SLURM_RUNNING, now_ns, "");
}

/* Its worker is not there any more. */
void cst_expand_leave(struct cst_tickets *tickets, struct cst_ticket *ticket,
                      uint64_t now_ns, bool good)
{
    struct cst_expand *expand = &tickets->expand;
    size_t capacity = expand->spares_capacity ? 2 * expand->spares_capacity : 8;
    const char *options = cst_tickets_batch(tickets, ticket->first)->options;
    struct cst_spare *spares = expand->spares;

    if (expand->spares_count == expand->spares_capacity) {
        spares = cst_realloc(spares, capacity * sizeof(*spares));
        if (spares) {
            expand->spares = spares;
            expand->spares_capacity = capacity;
        }
    }
    /* Without memory the node stays where it is. */
    if (spares && ticket->nodes[0]) {
        struct cst_spare *spare = &spares[expand->spares_count++];

        spare->options = good && options ? cst_strdup(options) : NULL;
        memcpy(spare->node, ticket->nodes, sizeof(spare->node));
        cst_expand_forget_rest(expand);
    }
    cst_tickets_tell(tickets, ticket, CST_SLURM_ENDED, now_ns,
                     !good           ? "its worker did not start"
                     : ticket->asked ? "it was cancelled, as asked"
                                     : "its worker has ended");
}

static bool take_spare(struct cst_tickets *tickets, struct cst_batch *batch,
                       uint64_t now_ns)
{
    struct cst_expand *expand = &tickets->expand;
    struct cst_ticket *ticket = cst_tickets_find(tickets, batch->first);

    for (size_t i = 0; i < expand->spares_count; i++) {
        struct cst_spare *spare = &expand->spares[i];

        if (!spare->options || !batch->options ||
            strcmp(spare->options, batch->options) != 0)
            continue;
        memcpy(ticket->nodes, spare->node, sizeof(ticket->nodes));
        cst_expand_drop_spare(expand, i);
        cst_expand_merged(tickets, ticket, CST_PART_MERGED, now_ns);
        return true;
    }
    return false;
}

void cst_expand_runs(struct cst_ticket *ticket)
{
    /* Whether a merger was asked for without an answer: it is not done. */
    ticket->part = CST_PART_GRANTED;
}

bool cst_expand_over(struct cst_tickets *tickets, struct cst_ticket *ticket,
                     uint64_t now_ns, const char *word)
{
    const struct cst_batch *batch = cst_tickets_batch(tickets, ticket->first);

    if (strcmp(word, "COMPLETED") != 0)
        return false;
    if (ticket->part == CST_PART_MERGING) {
        cst_expand_merged(tickets, ticket, CST_PART_MERGED, now_ns);
        return true;
    }
    /* Another helper has merged it, and maybe started its worker. */
    if (batch->adopted && ticket->part == CST_PART_NONE) {
        cst_expand_merged(tickets, ticket, CST_PART_STARTED, now_ns);
        ticket->job[0] = '\0';
        return true;
    }
    return false;
}

bool cst_expand_refused(struct cst_tickets *tickets, struct cst_batch *batch,
                        const char *text)
{
    /* What is wrong with its options sbatch says, too. */
    batch->state = CST_BATCH_QUEUED;
    batch->grown = false;
    if (strstr(text, "not supported") || strstr(text, "dependency"))
        cst_expand_stop(tickets, text);
    return true;
}

/* ---- Errands ------------------------------------------------------------- */

static void make_self(const struct cst_tickets *tickets,
                      struct cst_errand *errand)
{
    errand->kind = CST_ERRAND_SELF;
    cst_list_add(&errand->command, "scontrol");
    cst_list_add(&errand->command, "--oneliner");
    cst_list_add(&errand->command, "show");
    cst_list_add(&errand->command, "job");
    cst_list_add(&errand->command, "%s", tickets->options.own_job);
}

/* salloc's job has no step: only such a one can be merged. */
static void make_grant(struct cst_tickets *tickets, struct cst_batch *batch,
                       struct cst_errand *errand)
{
    const struct cst_expand *expand = &tickets->expand;
    struct cst_list *command = &errand->command;
    struct cst_list given = {0};
    struct cst_list like = {0};
    char name[CST_SLURM_NAME_SIZE];

    command->bad = !batch->options ||
                   cst_list_split(batch->options, &given) != CASTELL_OK ||
                   cst_list_split(expand->words, &like) != CASTELL_OK;
    cst_list_add(command, "salloc");
    cst_list_add(command, "--no-shell");
    if (!cst_list_names_part(&given))
        cst_list_add(command, "--ntasks=%u", expand->cores);
    for (size_t i = 0; i < like.count; i++)
        if (strncmp(like.list[i], "--mem", 5) != 0 ||
            !cst_list_names_memory(&given))
            cst_list_add(command, "%s", like.list[i]);
    for (size_t i = 0; i < given.count; i++)
        cst_list_add(command, "%s", given.list[i]);
    cst_tickets_name(tickets, batch, name, sizeof(name));
    cst_list_add(command, "--job-name=%s", name);
    cst_list_add(command, "--nodes=1");
    cst_list_add(command, "--exclude=%s", expand->nodes);
    cst_list_add(command, "--dependency=expand:%s", tickets->options.own_job);
    if (batch->minutes > 0)
        cst_list_add(command, "--time=%u", batch->minutes);
    cst_list_release(&given);
    cst_list_release(&like);
    errand->kind = CST_ERRAND_SUBMIT;
    errand->first = batch->first;
}

static void make_merger(struct cst_ticket *ticket, uint64_t now_ns,
                        struct cst_errand *errand)
{
    ticket->part = CST_PART_MERGING;
    ticket->part_ns = now_ns;
    errand->kind = CST_ERRAND_MERGE;
    errand->first = ticket->id;
    cst_list_add(&errand->command, "scontrol");
    cst_list_add(&errand->command, "update");
    cst_list_add(&errand->command, "JobId=%s", ticket->job);
    cst_list_add(&errand->command, "NumNodes=0");
}

/* srun goes on beside the helper, and after it. */
static void make_start(struct cst_tickets *tickets, struct cst_ticket *ticket,
                       uint64_t now_ns, struct cst_errand *errand)
{
    const struct cst_batch *batch = cst_tickets_batch(tickets, ticket->first);
    char *directory = cst_errand_quote(tickets->options.run_dir);
    char *features =
        batch->options ? cst_errand_features(batch->options) : NULL;
    char name[CST_SLURM_NAME_SIZE];

    cst_tickets_name(tickets, batch, name, sizeof(name));
    if (directory)
        errand->input = cst_format(
            "cd %s 2>/dev/null && [ -x ./" CST_SLURM_WORKER " ] || exit 1\n"
            "setsid srun --quiet --jobid=%s --job-name=%s --nodelist='%s' "
            "--nodes=1 "
            "--ntasks=1 --overlap --mem=0%s --mpi=none --no-kill --input=none "
            "--chdir=%s ./" CST_SLURM_WORKER
            " %u '%s' </dev/null >" CST_SLURM_OUTPUT "%u 2>" CST_SLURM_ERRORS
            "%u &\n",
            directory, tickets->options.own_job, name, ticket->nodes,
            tickets->expand.binds ? " --cpu-bind=none" : "", directory,
            ticket->id, features ? features : "", ticket->id, ticket->id);
    cst_free(directory);
    cst_free(features);
    errand->command.bad = !errand->input;
    errand->kind = CST_ERRAND_START;
    errand->first = ticket->id;
    cst_list_add(&errand->command, "sh");
    ticket->part = CST_PART_STARTED;
    ticket->part_ns = now_ns;
    ticket->missing = 0;
}

/* Of the tickets: the first that has to go on. */
static bool go_on(struct cst_tickets *tickets, uint64_t now_ns,
                  struct cst_errand *errand)
{
    for (size_t i = 0; i < tickets->tickets_count; i++) {
        struct cst_ticket *ticket = &tickets->tickets[i];

        if (ticket->over)
            continue;
        if (ticket->part >= CST_PART_MERGED && now_ns >= ticket->end_ns)
            ticket->cancel = true;
        if (ticket->part == CST_PART_GRANTED && !ticket->cancel)
            make_merger(ticket, now_ns, errand);
        else if (ticket->part == CST_PART_MERGED && ticket->cancel)
            cst_expand_leave(tickets, ticket, now_ns, true);
        else if (ticket->part == CST_PART_MERGED)
            make_start(tickets, ticket, now_ns, errand);
        if (errand->kind != CST_ERRAND_NONE)
            return true;
    }
    return false;
}

/* A worker is about to end: then its node can go with the others. Where SLURM
   takes none back it says so after seconds, in which nothing else is asked. */
static bool is_leaving(const struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->tickets_count; i++)
        if (!tickets->tickets[i].over && tickets->tickets[i].cancel &&
            tickets->tickets[i].part >= CST_PART_STARTED)
            return true;
    return false;
}

static bool give_back(const struct cst_tickets *tickets,
                      struct cst_errand *errand)
{
    const struct cst_expand *expand = &tickets->expand;

    if (cst_expand_done(tickets) || is_leaving(tickets))
        return false;
    if (!expand->fresh) {
        make_self(tickets, errand);
        return true;
    }
    cst_list_add(&errand->command, "scontrol");
    if (expand->rest) {
        errand->kind = CST_ERRAND_SHRINK;
        cst_list_add(&errand->command, "update");
        cst_list_add(&errand->command, "JobId=%s", tickets->options.own_job);
        cst_list_add(&errand->command, "NodeList=%s", expand->rest);
    } else {
        errand->kind = CST_ERRAND_NAMES;
        cst_list_add(&errand->command, "show");
        cst_list_add(&errand->command, "hostnames");
        cst_list_add(&errand->command, "%s", expand->nodes);
    }
    return true;
}

/* The next ticket that wants a node. */
static bool grow(struct cst_tickets *tickets, uint64_t now_ns,
                 struct cst_errand *errand)
{
    for (size_t i = 0; i < tickets->batches_count; i++) {
        struct cst_batch *batch = &tickets->batches[i];

        if (batch->state != CST_BATCH_QUEUED || !batch->grown)
            continue;
        if (take_spare(tickets, batch, now_ns))
            return go_on(tickets, now_ns, errand);
        if (!tickets->expand.fresh) {
            make_self(tickets, errand);
            return true;
        }
        make_grant(tickets, batch, errand);
        batch->state = CST_BATCH_SENT;
        batch->since_ns = now_ns;
        return true;
    }
    return false;
}

static bool has_steps(const struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->tickets_count; i++)
        if (!tickets->tickets[i].over &&
            tickets->tickets[i].part >= CST_PART_STARTED)
            return true;
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].adopted && tickets->batches[i].grown &&
            tickets->batches[i].state == CST_BATCH_SENT)
            return true;
    return false;
}

/* Something is about to happen, or nothing is. */
uint64_t cst_expand_pause(const struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->tickets_count; i++) {
        const struct cst_ticket *ticket = &tickets->tickets[i];

        if (!ticket->over && ticket->part >= CST_PART_STARTED &&
            (ticket->part == CST_PART_STARTED || ticket->cancel ||
             ticket->missing > 0))
            return tickets->options.look_ns;
    }
    return LOOKS_BETWEEN * tickets->options.look_ns;
}

bool cst_expand_errand(struct cst_tickets *tickets, uint64_t now_ns,
                       struct cst_errand *ret_errand)
{
    struct cst_expand *expand = &tickets->expand;

    if (expand->state == CST_EXPAND_SITE && !tickets->closed) {
        ret_errand->kind = CST_ERRAND_SITE;
        cst_list_add(&ret_errand->command, "scontrol");
        cst_list_add(&ret_errand->command, "show");
        cst_list_add(&ret_errand->command, "config");
        return true;
    }
    if (expand->state == CST_EXPAND_SELF && !tickets->closed) {
        make_self(tickets, ret_errand);
        return true;
    }
    if (go_on(tickets, now_ns, ret_errand))
        return true;
    if (has_steps(tickets) && now_ns >= expand->steps_ns) {
        expand->steps_ns = now_ns + cst_expand_pause(tickets);
        ret_errand->kind = CST_ERRAND_STEPS;
        cst_list_add(&ret_errand->command, "squeue");
        cst_list_add(&ret_errand->command, "--noheader");
        cst_list_add(&ret_errand->command, "--steps");
        cst_list_add(&ret_errand->command, "--jobs=%s",
                     tickets->options.own_job);
        cst_list_add(&ret_errand->command, "--format=%s", CST_ANSWER_STEPS);
        return true;
    }
    return grow(tickets, now_ns, ret_errand) || give_back(tickets, ret_errand);
}

uint64_t cst_expand_wake(const struct cst_tickets *tickets)
{
    uint64_t wake_ns =
        has_steps(tickets) ? tickets->expand.steps_ns : UINT64_MAX;

    for (size_t i = 0; i < tickets->tickets_count; i++) {
        const struct cst_ticket *ticket = &tickets->tickets[i];

        if (!ticket->over && !ticket->cancel &&
            ticket->part >= CST_PART_MERGED && ticket->end_ns < wake_ns)
            wake_ns = ticket->end_ns;
    }
    return wake_ns;
}

bool cst_expand_done(const struct cst_tickets *tickets)
{
    return tickets->expand.spares_count == 0 || tickets->expand.keeps;
}
