/*
 * What becomes of each node that was asked for.
 */
#include "base/memory.h"
#include "grow/grow_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A job whose worker has left ends by itself in this time, or is cancelled; that
   of a node which is a part of the run's job is looked after sooner, as nothing
   else ends what that node costs. */
static const double end_s = 5;
static const double end_of_part_s = 2;

struct cst_ticket *cst_ticket_find(struct cst_grow *grow, uint32_t id)
{
    for (size_t i = 0; i < grow->tickets_count; i++)
        if (grow->tickets[i].id == id)
            return &grow->tickets[i];
    return NULL;
}

bool cst_ticket_add(struct cst_grow *grow, uint32_t id,
                    const struct cst_elastic_action *action)
{
    struct cst_ticket *tickets = cst_realloc(
        grow->tickets, (grow->tickets_count + 1) * sizeof(*grow->tickets));

    if (!tickets)
        return false;
    grow->tickets = tickets;
    tickets[grow->tickets_count++] = (struct cst_ticket){
        .id = id,
        .class = action->class,
        .minutes = action->minutes,
        .asked_s = grow->now_s,
        .started_s = -1,
        .until_s = HUGE_VAL,
        .idle_since_s = -1,
    };
    memcpy(tickets[grow->tickets_count - 1].why, action->reason,
           sizeof(action->reason));
    cst_grow_tell(grow, &tickets[grow->tickets_count - 1],
                  CST_TRACE_REQUEST_ASKED, action->reason);
    return true;
}

static double cost_of(const struct cst_grow *grow,
                      const struct cst_ticket *ticket)
{
    return ticket->started_s < 0 ? 0 : grow->now_s - ticket->started_s;
}

double cst_book_cost_s(const struct cst_grow *grow)
{
    double sum = grow->over_s;

    for (size_t i = 0; i < grow->tickets_count; i++)
        sum += cost_of(grow, &grow->tickets[i]);
    return sum;
}

/* ---- What SLURM says --------------------------------------------------------- */

static void end_ticket(struct cst_grow *grow, struct cst_ticket *ticket)
{
    grow->over_s += cost_of(grow, ticket);
    *ticket = grow->tickets[--grow->tickets_count];
}

static void set_time(struct cst_grow *grow, struct cst_ticket *ticket,
                     const struct cst_slurm_event *event)
{
    if (ticket->started_s < 0) {
        ticket->started_s = grow->now_s;
        cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_STARTED, event->nodes);
    }
    if (ticket->state == CST_TICKET_WAITS)
        ticket->state = CST_TICKET_STARTED;
    if (ticket->suspended)
        cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_RESUMED, NULL);
    ticket->suspended = false;
    ticket->until_s = event->seconds_left == CST_SLURM_UNLIMITED
                          ? HUGE_VAL
                          : grow->now_s + event->seconds_left;
}

static void hear_of_run(struct cst_grow *grow,
                        const struct cst_slurm_event *event)
{
    if (event->state == CST_SLURM_OWN_JOB)
        grow->end_s = event->seconds_left == CST_SLURM_UNLIMITED
                          ? HUGE_VAL
                          : grow->now_s + event->seconds_left;
    else if (event->state == CST_SLURM_SILENT)
        cst_grow_say(grow, "SLURM does not answer: %s; the run goes on",
                     event->text);
    else if (event->state == CST_SLURM_ANSWERS)
        cst_grow_say(grow, "SLURM answers again");
    else if (event->state == CST_SLURM_HELPED ||
             event->state == CST_SLURM_JOBS_ONLY ||
             event->state == CST_SLURM_KEEPS)
        cst_grow_say(grow, "%s", event->text);
}

static void hear_of_end(struct cst_grow *grow, struct cst_ticket *ticket,
                        const struct cst_slurm_event *event)
{
    const char *name = grow->specs[ticket->class].name;

    cst_grow_tell(grow, ticket,
                  event->state == CST_SLURM_REFUSED ? CST_TRACE_REQUEST_REFUSED
                                                    : CST_TRACE_REQUEST_ENDED,
                  event->text);
    if (event->state == CST_SLURM_REFUSED && !ticket->cancelled) {
        cst_grow_say(grow, "SLURM refuses a node of class %s: %s", name,
                     event->text);
        cst_elastic_refused(grow->policy, ticket->class, grow->now_s,
                            event->text);
    } else if (ticket->state < CST_TICKET_HERE && !ticket->cancelled &&
               !event->cancelled) {
        cst_grow_say(grow,
                     "job %s of class %s has ended before a worker came: "
                     "%s",
                     event->job, name, event->text);
        cst_elastic_failed(grow->policy, ticket->class, grow->now_s,
                           event->text);
    } else if (ticket->drains && ticket->drained_s > 0) {
        cst_elastic_left(grow->policy, grow->now_s - ticket->drained_s);
    }
    end_ticket(grow, ticket);
}

void cst_book_hear(struct cst_grow *grow, const struct cst_slurm_event *event)
{
    struct cst_ticket *ticket = cst_ticket_find(grow, event->id);

    if (event->id == CST_SLURM_OWN) {
        hear_of_run(grow, event);
        return;
    }
    if (!ticket)
        return;
    if (event->job[0])
        memcpy(ticket->job, event->job, sizeof(ticket->job));
    switch (event->state) {
    case CST_SLURM_PENDING:
        if (strcmp(ticket->reason, event->text) != 0)
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_PENDING, event->text);
        (void)snprintf(ticket->reason, sizeof(ticket->reason), "%s",
                       event->text);
        ticket->hopeless = event->hopeless;
        break;
    case CST_SLURM_RUNNING:
    case CST_SLURM_RESUMED:
        set_time(grow, ticket, event);
        break;
    case CST_SLURM_SUSPENDED:
        if (!ticket->suspended)
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_SUSPENDED,
                          event->text);
        ticket->suspended = true;
        break;
    case CST_SLURM_ENDED:
    case CST_SLURM_REFUSED:
        hear_of_end(grow, ticket, event);
        break;
    case CST_SLURM_REQUEUED:
    case CST_SLURM_OWN_JOB:
    case CST_SLURM_SILENT:
    case CST_SLURM_ANSWERS:
    case CST_SLURM_HELPED:
    case CST_SLURM_JOBS_ONLY:
    case CST_SLURM_KEEPS:
        break;
    }
}

/* ---- What the survey shows ----------------------------------------------------- */

static void see_node(struct cst_grow *grow, const struct cst_cluster_node *node)
{
    struct cst_ticket *ticket =
        node->ticket ? cst_ticket_find(grow, node->ticket) : NULL;

    if (!ticket)
        return;
    ticket->seen = true;
    if (ticket->state < CST_TICKET_HERE) {
        if (ticket->started_s < 0) {
            ticket->started_s = grow->now_s;
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_STARTED, NULL);
        }
        ticket->state = CST_TICKET_HERE;
        ticket->joined_s = grow->now_s;
        ticket->node = node->number;
        cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_CAME, node->name);
        cst_elastic_arrived(grow->policy, ticket->class,
                            ticket->started_s - ticket->asked_s,
                            grow->now_s - ticket->started_s, node->cores);
        cst_grow_learn(grow, ticket->class, node->number);
        cst_grow_say(grow,
                     "node %s (class %s) has come, %.1f s after it was asked "
                     "for",
                     node->name, grow->specs[ticket->class].name,
                     grow->now_s - ticket->asked_s);
    }
    ticket->cores = node->cores;
    if (node->drains && !ticket->drains)
        cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_LEAVES,
                      "its job is about to end, or somebody wanted it");
    ticket->drains |= node->drains;
    if (!node->idle)
        ticket->idle_since_s = -1;
    else if (ticket->idle_since_s < 0)
        ticket->idle_since_s = grow->now_s;
}

void cst_book_see(struct cst_grow *grow)
{
    for (size_t i = 0; i < grow->tickets_count; i++)
        grow->tickets[i].seen = false;
    for (size_t i = 0; i < grow->survey.nodes_count; i++)
        see_node(grow, &grow->survey.nodes[i]);
    for (size_t i = 0; i < grow->tickets_count; i++) {
        struct cst_ticket *ticket = &grow->tickets[i];

        if (ticket->state == CST_TICKET_HERE && !ticket->seen) {
            ticket->state = CST_TICKET_GONE;
            if (!ticket->drains)
                ticket->drained_s = grow->now_s;
        }
        if (ticket->state == CST_TICKET_GONE && !ticket->cancelled &&
            grow->now_s - ticket->drained_s >
                (grow->expands ? end_of_part_s : end_s)) {
            ticket->cancelled = true;
            cst_grow_tell(grow, ticket, CST_TRACE_REQUEST_CANCELLED,
                          "its worker has left, and its job goes on");
            cst_slurm_cancel(grow->slurm, ticket->id);
        }
    }
}
