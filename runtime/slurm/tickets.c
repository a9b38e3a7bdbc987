/* tickets.c - which tickets and batches there are, and what is told of them. */
#include "slurm/tickets.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

void cst_tickets_init(struct cst_tickets *tickets,
                      const struct cst_tickets_options *options)
{
    *tickets = (struct cst_tickets){.options = *options};
    if (options->expand && options->own_job)
        tickets->expand.state = CST_EXPAND_SITE;
}

void cst_tickets_release(struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->batches_count; i++)
        cst_free(tickets->batches[i].options);
    cst_free(tickets->batches);
    cst_free(tickets->tickets);
    cst_expand_release(&tickets->expand);
    *tickets = (struct cst_tickets){0};
}

struct cst_batch *cst_tickets_batch(struct cst_tickets *tickets, uint32_t first)
{
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].first == first)
            return &tickets->batches[i];
    return NULL;
}

/* Tickets are in the order of their numbers. */
struct cst_ticket *cst_tickets_find(struct cst_tickets *tickets, uint32_t id)
{
    size_t from = 0;
    size_t to = tickets->tickets_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (tickets->tickets[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < tickets->tickets_count && tickets->tickets[from].id == id
               ? &tickets->tickets[from]
               : NULL;
}

void cst_tickets_name(const struct cst_tickets *tickets,
                      const struct cst_batch *batch, char *ret_name,
                      size_t size)
{
    (void)snprintf(ret_name, size, "castell-%s-%s%u", tickets->options.run,
                   batch->grown ? "part-" : "", batch->first);
}

struct cst_batch *cst_tickets_find_named(struct cst_tickets *tickets,
                                         const char *name)
{
    const char *last = strrchr(name, '-');
    char expected[CST_SLURM_NAME_SIZE];
    unsigned long first = last ? strtoul(last + 1, NULL, 10) : 0;
    struct cst_batch *batch = first <= UINT32_MAX
                                  ? cst_tickets_batch(tickets, (uint32_t)first)
                                  : NULL;

    if (!batch)
        return NULL;
    cst_tickets_name(tickets, batch, expected, sizeof(expected));
    if (strcmp(expected, name) == 0)
        return batch;
    if (!batch->adopted || !batch->grown || batch->state != CST_BATCH_SENT)
        return NULL;
    batch->grown = false;
    cst_tickets_name(tickets, batch, expected, sizeof(expected));
    batch->grown = strcmp(expected, name) != 0;
    return batch->grown ? NULL : batch;
}

/* ---- What is told -------------------------------------------------------- */

static uint32_t seconds_until(uint64_t end_ns, uint64_t now_ns)
{
    if (end_ns == UINT64_MAX)
        return CST_SLURM_UNLIMITED;
    return end_ns > now_ns ? (uint32_t)((end_ns - now_ns) / NS_PER_S) : 0;
}

void cst_tickets_tell_all(struct cst_tickets *tickets,
                          enum cst_slurm_state state, uint32_t seconds_left,
                          const char *text)
{
    struct cst_slurm_event event = {
        .id = CST_SLURM_OWN, .state = state, .seconds_left = seconds_left};

    (void)snprintf(event.text, sizeof(event.text), "%s", text);
    tickets->options.tell(tickets->options.owner, &event);
}

void cst_tickets_tell(struct cst_tickets *tickets, struct cst_ticket *ticket,
                      enum cst_slurm_state state, uint64_t now_ns,
                      const char *text)
{
    struct cst_slurm_event event = {
        .id = ticket->id,
        .state = state,
        .hopeless = state == CST_SLURM_PENDING && cst_answer_is_hopeless(text),
        .seconds_left = seconds_until(ticket->end_ns, now_ns),
    };

    ticket->told = state;
    ticket->since_ns = now_ns;
    memcpy(event.job, ticket->job, sizeof(event.job));
    memcpy(event.nodes, ticket->nodes, sizeof(event.nodes));
    (void)snprintf(event.text, sizeof(event.text), "%s", text);
    if (state == CST_SLURM_ENDED || state == CST_SLURM_REFUSED) {
        event.cancelled = ticket->asked;
        ticket->over = true;
        cst_tickets_batch(tickets, ticket->first)->left--;
    }
    tickets->options.tell(tickets->options.owner, &event);
}

void cst_tickets_refuse(struct cst_tickets *tickets,
                        const struct cst_batch *batch, uint64_t now_ns,
                        const char *text)
{
    uint32_t first = batch->first;
    uint32_t count = batch->count;

    for (uint32_t i = 0; i < count; i++) {
        struct cst_ticket *ticket = cst_tickets_find(tickets, first + i);

        if (ticket && !ticket->over)
            cst_tickets_tell(tickets, ticket,
                             batch->adopted ? CST_SLURM_ENDED
                                            : CST_SLURM_REFUSED,
                             now_ns, text);
    }
}

void cst_tickets_sweep(struct cst_tickets *tickets)
{
    size_t kept = 0;

    for (size_t i = 0; i < tickets->tickets_count; i++) {
        const struct cst_batch *batch =
            cst_tickets_batch(tickets, tickets->tickets[i].first);

        if (batch->left > 0 || batch->watched)
            tickets->tickets[kept++] = tickets->tickets[i];
    }
    tickets->tickets_count = kept;
    kept = 0;
    for (size_t i = 0; i < tickets->batches_count; i++) {
        struct cst_batch *batch = &tickets->batches[i];

        if (batch->left > 0 || batch->watched)
            tickets->batches[kept++] = *batch;
        else
            cst_free(batch->options);
    }
    tickets->batches_count = kept;
}

/* ---- What is asked ------------------------------------------------------- */

/* Room for one more; the memory of `list`, grown, or NULL. */
static void *grow(void *list, size_t size, size_t count, size_t *capacity)
{
    size_t wanted = *capacity ? 2 * *capacity : 16;

    if (count <= *capacity && list)
        return list;
    while (wanted < count)
        wanted *= 2;
    list = cst_realloc(list, wanted * size);
    if (list)
        *capacity = wanted;
    return list;
}

bool cst_tickets_make_room(struct cst_tickets *tickets, size_t batches,
                           size_t more_tickets)
{
    void *list =
        grow(tickets->batches, sizeof(*tickets->batches),
             tickets->batches_count + batches, &tickets->batches_capacity);

    if (!list)
        return false;
    tickets->batches = list;
    list =
        grow(tickets->tickets, sizeof(*tickets->tickets),
             tickets->tickets_count + more_tickets, &tickets->tickets_capacity);
    if (!list)
        return false;
    tickets->tickets = list;
    return true;
}

/* One batch of so many; false: no memory. */
static bool add_batch(struct cst_tickets *tickets,
                      const struct cst_batch *wanted, const char *options)
{
    char *copy = cst_strdup(options);
    struct cst_batch *batch;

    if (!copy || !cst_tickets_make_room(tickets, 1, wanted->count)) {
        cst_free(copy);
        return false;
    }
    batch = &tickets->batches[tickets->batches_count++];
    *batch = *wanted;
    batch->left = wanted->count;
    batch->options = copy;
    for (uint32_t i = 0; i < wanted->count; i++)
        tickets->tickets[tickets->tickets_count++] =
            (struct cst_ticket){.id = wanted->first + i,
                                .first = wanted->first,
                                .end_ns = UINT64_MAX};
    if (tickets->closed)
        cst_tickets_refuse(tickets, batch, 0, "the run is over");
    return true;
}

/* What is asked for together is one batch, but where each goes its own way. */
static enum castell_status add_all(struct cst_tickets *tickets,
                                   const struct cst_batch *wanted,
                                   const char *options)
{
    struct cst_batch batch = *wanted;
    uint32_t end = wanted->first + wanted->count;

    CST_ASSERT(wanted->count > 0 && wanted->count <= CST_SLURM_NODES_MAX);
    CST_ASSERT(tickets->tickets_count == 0 ||
               wanted->first > tickets->tickets[tickets->tickets_count - 1].id);
    batch.grown = tickets->expand.state != CST_EXPAND_OFF;
    batch.piece = batch.grown;
    if (batch.grown)
        batch.count = 1;
    for (; batch.first < end; batch.first += batch.count)
        if (!add_batch(tickets, &batch, options))
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u tickets",
                            wanted->count);
    if (tickets->closed)
        cst_tickets_sweep(tickets);
    return CASTELL_OK;
}

enum castell_status cst_tickets_add(struct cst_tickets *tickets, uint32_t first,
                                    uint32_t count, uint32_t minutes,
                                    const char *options)
{
    const struct cst_batch batch = {
        .first = first, .count = count, .minutes = minutes};

    return add_all(tickets, &batch, options);
}

enum castell_status cst_tickets_adopt(struct cst_tickets *tickets,
                                      uint32_t first, uint32_t count,
                                      uint64_t now_ns)
{
    const struct cst_batch batch = {
        .state = CST_BATCH_SENT,
        .first = first,
        .count = count,
        .since_ns = now_ns,
        .adopted = true,
    };

    tickets->look_ns = 0;
    return add_all(tickets, &batch, "");
}

void cst_tickets_cancel(struct cst_tickets *tickets, uint32_t id)
{
    struct cst_ticket *ticket = cst_tickets_find(tickets, id);

    if (!ticket || ticket->over)
        return;
    ticket->asked = true;
    ticket->cancel = true;
    ticket->cancelled_ns = 0;
    if (cst_tickets_batch(tickets, ticket->first)->state == CST_BATCH_QUEUED) {
        cst_tickets_tell(tickets, ticket, CST_SLURM_REFUSED, 0,
                         "it was taken back before SLURM was asked");
        cst_tickets_sweep(tickets);
    }
}

void cst_tickets_close(struct cst_tickets *tickets)
{
    tickets->closed = true;
    tickets->look_ns = 0;
    for (size_t i = 0; i < tickets->tickets_count; i++)
        tickets->tickets[i].cancel = true;
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].state == CST_BATCH_QUEUED)
            cst_tickets_refuse(tickets, &tickets->batches[i], 0,
                               "the run is over");
    cst_tickets_sweep(tickets);
}

bool cst_tickets_done(const struct cst_tickets *tickets)
{
    for (size_t i = 0; i < tickets->batches_count; i++)
        if (tickets->batches[i].left > 0)
            return false;
    for (size_t i = 0; i < tickets->tickets_count; i++)
        if (tickets->tickets[i].haunts)
            return false;
    return true;
}
