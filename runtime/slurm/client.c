/* client.c - the master's side: it starts the helper, and asks and hears. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "slurm/command.h"
#include "slurm/message.h"
#include "slurm/slurm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    MS_FOR_LAST = 5000, /* for it to cancel the last jobs */
    S_TO_SEND = 2,      /* it reads at once, or does not live */
    STARTS_MAX = 3,     /* again and again, */
    MS_TO_LIVE = 60000, /* when it lives no longer than that */
    DEFAULT_LOOK_MS = 500,
    DEFAULT_COMMAND_MS = 20000,
};

#define NS_PER_MS UINT64_C(1000000)

/* What is known of a ticket here: what the next helper has to know, or whom to
   mourn, should this one be killed. */
struct ticket {
    uint32_t id;
    uint32_t first; /* those that were asked for together, */
    uint32_t count; /* so many */
    bool has_job;
    bool cancelled;
    bool alone;   /* it went its own way, as it was to become a part of a job */
    char job[32]; /* its number, as far as it fits */
};

struct cst_slurm {
    int socket;                       /* -1: the helper is gone */
    struct cst_slurm_options options; /* its strings are ours */
    bool expands;                     /* as far as is known */
    uint32_t starts;                  /* of helpers that did not live long */
    uint64_t started_ns;
    uint32_t next_id;
    struct ticket *tickets;
    size_t tickets_count;
    size_t tickets_capacity;
    uint8_t bytes[CST_MESSAGE_MAX]; /* of a message, for a moment */
};

const char *cst_slurm_state_name(enum cst_slurm_state state)
{
    static const char *const names[] = {
        [CST_SLURM_PENDING] = "PENDING",
        [CST_SLURM_RUNNING] = "RUNNING",
        [CST_SLURM_SUSPENDED] = "SUSPENDED",
        [CST_SLURM_RESUMED] = "RESUMED",
        [CST_SLURM_REQUEUED] = "REQUEUED",
        [CST_SLURM_ENDED] = "ENDED",
        [CST_SLURM_REFUSED] = "REFUSED",
        [CST_SLURM_OWN_JOB] = "OWN_JOB",
        [CST_SLURM_SILENT] = "SILENT",
        [CST_SLURM_ANSWERS] = "ANSWERS",
        [CST_SLURM_HELPED] = "HELPED",
        [CST_SLURM_JOBS_ONLY] = "JOBS_ONLY",
        [CST_SLURM_KEEPS] = "KEEPS",
    };
    size_t count = sizeof(names) / sizeof(names[0]);

    return (size_t)state < count && names[state] ? names[state] : "?";
}

/* ---- Start --------------------------------------------------------------- */

static bool is_in_path(const char *name)
{
    const char *path = cst_parse_environment("PATH");
    char candidate[CST_MESSAGE_PATH_SIZE];

    for (path = path ? path : "/usr/bin:/bin"; *path;) {
        size_t length = strcspn(path, ":");

        (void)snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length,
                       path, name);
        if (access(candidate, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static enum castell_status check(const struct cst_slurm_options *options)
{
    static const char *const programs[] = {"sbatch", "squeue",   "scancel",
                                           "salloc", "scontrol", "srun"};
    size_t count = options->expand ? 6 : 3;
    char *worker;
    bool there;

    for (size_t i = 0; i < count; i++)
        if (!is_in_path(programs[i]))
            return cst_fail(CASTELL_ERR_INVALID,
                            "there is no %s in PATH: more nodes can be had in "
                            "a SLURM cluster only",
                            programs[i]);
    if (strlen(options->run_dir) >= CST_MESSAGE_PATH_SIZE)
        return cst_fail(CASTELL_ERR_INVALID, "the run's directory has a name "
                                             "that is too long");
    worker = cst_format("%s/" CST_SLURM_WORKER, options->run_dir);
    if (!worker)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a name");
    there = access(worker, X_OK) == 0;
    cst_free(worker);
    if (!there)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s has no file " CST_SLURM_WORKER
                        ", which starts more workers; castell run makes it",
                        options->run_dir);
    return CASTELL_OK;
}

static bool send_order(struct cst_slurm *slurm, const struct cst_order *order)
{
    size_t size = cst_order_write(order, slurm->bytes);
    ssize_t sent;

    do
        sent = send(slurm->socket, slurm->bytes, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

static bool open_helper(struct cst_slurm *slurm)
{
    const struct cst_slurm_options *options = &slurm->options;
    static const struct timeval patience = {.tv_sec = S_TO_SEND};
    const char *job = cst_parse_environment("SLURM_JOB_ID");
    struct cst_order order = {
        .kind = CST_ORDER_OPEN,
        .expand = options->expand,
        .look_ms = options->look_ms ? options->look_ms : DEFAULT_LOOK_MS,
        .command_ms =
            options->command_ms ? options->command_ms : DEFAULT_COMMAND_MS,
    };

    (void)snprintf(order.text, sizeof(order.text), "%s", options->run_dir);
    (void)snprintf(order.job, sizeof(order.job), "%s", job ? job : "");
    (void)setsockopt(slurm->socket, SOL_SOCKET, SO_SNDTIMEO, &patience,
                     sizeof(patience));
    return send_order(slurm, &order);
}

static enum castell_status start(struct cst_slurm *slurm)
{
    enum castell_status status =
        cst_slurm_start_helper(slurm->options.castell, &slurm->socket);

    slurm->started_ns = cst_clock_ns();
    if (status != CASTELL_OK) {
        slurm->socket = -1;
    } else if (!open_helper(slurm)) {
        (void)close(slurm->socket);
        slurm->socket = -1;
        status = cst_fail(CASTELL_ERR_SYSTEM, "%s helper does not listen",
                          slurm->options.castell);
    }
    return status;
}

static void release(struct cst_slurm *slurm)
{
    cst_free((char *)(uintptr_t)slurm->options.run_dir);
    cst_free((char *)(uintptr_t)slurm->options.castell);
    cst_free(slurm->tickets);
    cst_free(slurm);
}

enum castell_status cst_slurm_create(const struct cst_slurm_options *options,
                                     struct cst_slurm **ret_slurm)
{
    struct cst_slurm *slurm;
    enum castell_status status = check(options);

    if (status != CASTELL_OK)
        return status;
    slurm = cst_zalloc(sizeof(*slurm));
    if (!slurm)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for SLURM's jobs");
    slurm->next_id = 1;
    slurm->expands = options->expand;
    slurm->options = *options;
    slurm->options.run_dir = cst_strdup(options->run_dir);
    slurm->options.castell = cst_strdup(options->castell);
    if (slurm->options.run_dir && slurm->options.castell)
        status = start(slurm);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for names");
    if (status == CASTELL_OK)
        *ret_slurm = slurm;
    else
        release(slurm);
    return status;
}

void cst_slurm_destroy(struct cst_slurm *slurm)
{
    uint64_t end_ns = cst_clock_ns() + MS_FOR_LAST * NS_PER_MS;

    if (!slurm)
        return;
    if (slurm->socket >= 0)
        (void)shutdown(slurm->socket, SHUT_WR);
    /* It closes its end when no job is left. */
    while (slurm->socket >= 0 && cst_clock_ns() < end_ns) {
        struct pollfd file = {.fd = slurm->socket, .events = POLLIN};

        if (poll(&file, 1, 100) > 0 &&
            recv(slurm->socket, slurm->bytes, sizeof(slurm->bytes),
                 MSG_DONTWAIT) <= 0)
            break;
    }
    if (slurm->socket >= 0)
        (void)close(slurm->socket);
    release(slurm);
}

int cst_slurm_fd(const struct cst_slurm *slurm)
{
    return slurm->socket;
}

/* ---- Ask, and hear ------------------------------------------------------- */

static bool make_room(struct cst_slurm *slurm, size_t more)
{
    size_t capacity = slurm->tickets_capacity ? slurm->tickets_capacity : 16;
    struct ticket *tickets;

    if (slurm->tickets_count + more <= slurm->tickets_capacity)
        return true;
    while (capacity < slurm->tickets_count + more)
        capacity *= 2;
    tickets = cst_realloc(slurm->tickets, capacity * sizeof(*tickets));
    if (!tickets)
        return false;
    slurm->tickets = tickets;
    slurm->tickets_capacity = capacity;
    return true;
}

enum castell_status cst_slurm_request(struct cst_slurm *slurm,
                                      const char *sbatch_options,
                                      uint32_t nodes, uint32_t minutes,
                                      uint32_t *ret_id)
{
    struct cst_order order = {
        .kind = CST_ORDER_REQUEST,
        .id = slurm->next_id,
        .nodes = nodes,
        .minutes = minutes,
    };
    enum castell_status status = cst_slurm_check_options(sbatch_options);

    if (status != CASTELL_OK)
        return status;
    if (nodes == 0 || nodes > CST_SLURM_NODES_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "one request is for 1 to %d nodes, not %u",
                        CST_SLURM_NODES_MAX, nodes);
    if (!make_room(slurm, nodes))
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u nodes", nodes);
    (void)snprintf(order.text, sizeof(order.text), "%s", sbatch_options);
    if (slurm->socket < 0 || !send_order(slurm, &order))
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "the helper that calls sbatch is gone");
    for (uint32_t i = 0; i < nodes; i++)
        slurm->tickets[slurm->tickets_count++] =
            (struct ticket){.id = slurm->next_id + i,
                            .first = slurm->next_id,
                            .count = nodes,
                            .alone = slurm->expands};
    *ret_id = slurm->next_id;
    slurm->next_id += nodes;
    return CASTELL_OK;
}

void cst_slurm_cancel(struct cst_slurm *slurm, uint32_t id)
{
    struct cst_order order = {.kind = CST_ORDER_CANCEL, .id = id};

    for (size_t i = 0; i < slurm->tickets_count; i++)
        slurm->tickets[i].cancelled |= slurm->tickets[i].id == id;
    /* Is it gone, then so are its orders, as cst_slurm_next() will tell. */
    if (slurm->socket >= 0)
        (void)send_order(slurm, &order);
}

static void remember(struct cst_slurm *slurm,
                     const struct cst_slurm_event *event)
{
    for (size_t i = 0; i < slurm->tickets_count; i++) {
        struct ticket *ticket = &slurm->tickets[i];

        if (ticket->id != event->id)
            continue;
        ticket->has_job = true;
        (void)snprintf(ticket->job, sizeof(ticket->job), "%.31s", event->job);
        if (event->state == CST_SLURM_ENDED ||
            event->state == CST_SLURM_REFUSED)
            *ticket = slurm->tickets[--slurm->tickets_count];
        return;
    }
}

/* ---- Another helper ------------------------------------------------------- */

static int compare_tickets(const void *a, const void *b)
{
    const struct ticket *left = a;
    const struct ticket *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* How many tickets from there on were asked for together. */
static size_t count_batch(const struct cst_slurm *slurm, size_t at)
{
    size_t count = 1;

    while (at + count < slurm->tickets_count &&
           slurm->tickets[at + count].first == slurm->tickets[at].first)
        count++;
    return count;
}

/* Was it an array that SLURM did not want, and was asked for one by one? */
static bool is_in_pieces(const struct ticket *tickets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tickets[i].alone)
            return true;
    for (size_t i = 0; i < count; i++)
        if (tickets[i].job[0] && !strchr(tickets[i].job, '_'))
            return true;
    return tickets->count == 1;
}

/* SLURM may have the jobs of these, by the batch's name; of those that are not
   among them none is wanted, should it turn up. */
static bool hand_over(struct cst_slurm *slurm, const struct ticket *tickets,
                      size_t count, uint32_t first, uint32_t nodes)
{
    struct cst_order order = {
        .kind = CST_ORDER_ADOPT, .id = first, .nodes = nodes};
    bool sent = send_order(slurm, &order);
    size_t at = 0;

    order.kind = CST_ORDER_CANCEL;
    for (uint32_t i = 0; i < nodes && sent; i++) {
        bool left = at < count && tickets[at].id == first + i;

        order.id = first + i;
        if (!left || tickets[at].cancelled)
            sent = send_order(slurm, &order);
        at += left;
    }
    return sent;
}

static void hand_over_all(struct cst_slurm *slurm)
{
    size_t count;
    bool sent = true;

    for (size_t at = 0; at < slurm->tickets_count && sent; at += count) {
        const struct ticket *tickets = &slurm->tickets[at];

        count = count_batch(slurm, at);
        if (!is_in_pieces(tickets, count))
            sent = hand_over(slurm, tickets, count, tickets->first,
                             tickets->count);
        else
            for (size_t i = 0; i < count && sent; i++)
                sent = hand_over(slurm, &tickets[i], 1, tickets[i].id, 1);
    }
}

/* The helper was killed: another one takes over. False: it cannot be. */
static bool help_again(struct cst_slurm *slurm)
{
    uint64_t lived_ns = cst_clock_ns() - slurm->started_ns;

    slurm->starts = lived_ns / NS_PER_MS > MS_TO_LIVE ? 1 : slurm->starts + 1;
    if (slurm->starts > STARTS_MAX || start(slurm) != CASTELL_OK)
        return false;
    if (slurm->tickets_count > 0)
        qsort(slurm->tickets, slurm->tickets_count, sizeof(*slurm->tickets),
              compare_tickets);
    hand_over_all(slurm);
    return true;
}

/* Without the helper nobody knows of the tickets that are left. */
static bool mourn(struct cst_slurm *slurm, struct cst_slurm_event *ret_event)
{
    const struct ticket *ticket;

    if (slurm->tickets_count == 0)
        return false;
    ticket = &slurm->tickets[--slurm->tickets_count];
    *ret_event = (struct cst_slurm_event){
        .id = ticket->id,
        .state = ticket->has_job ? CST_SLURM_ENDED : CST_SLURM_REFUSED,
        .text = "the helper that looks after SLURM's jobs was killed",
    };
    memcpy(ret_event->job, ticket->job, sizeof(ticket->job));
    return true;
}

bool cst_slurm_next(struct cst_slurm *slurm, struct cst_slurm_event *ret_event)
{
    ssize_t size;

    if (slurm->socket < 0)
        return mourn(slurm, ret_event);
    do
        size = recv(slurm->socket, slurm->bytes, sizeof(slurm->bytes),
                    MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN)
        return false;
    if (size > 0 && cst_event_read(slurm->bytes, (size_t)size, ret_event)) {
        slurm->expands &= ret_event->state != CST_SLURM_JOBS_ONLY;
        remember(slurm, ret_event);
        return true;
    }
    (void)close(slurm->socket);
    slurm->socket = -1;
    if (!help_again(slurm))
        return mourn(slurm, ret_event);
    *ret_event = (struct cst_slurm_event){
        .id = CST_SLURM_OWN,
        .state = CST_SLURM_HELPED,
        .text = "the helper that looks after SLURM's jobs was killed; another "
                "one goes on",
    };
    return true;
}
