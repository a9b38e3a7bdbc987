/*
 * A node leaves the run because somebody outside wants it to: the plan is told,
 * takes from it what it has, and says when it may go; then it is ordered to
 * leave the net, which it does when all that it has sent has come.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "cluster/cluster_internal.h"
#include "trace/progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t wait_ns = UINT64_C(5000000000);

/* ---- A worker whose job is to end ------------------------------------------------ */

/* SLURM sends SIGTERM some time before it ends a job. Of the process. */
static _Atomic(bool) has_to_go;

static void on_signal(int signal)
{
    (void)signal;
    atomic_store(&has_to_go, true);
}

void cst_leave_watch(const struct cst_cluster *cluster)
{
    struct sigaction action;

    if (cluster->is_master || cluster->options.ticket == 0 ||
        sigaction(SIGTERM, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
        return;
    action =
        (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
}

void cst_leave_ask(struct cst_cluster *cluster)
{
    if (!atomic_load_explicit(&has_to_go, memory_order_relaxed) ||
        !atomic_exchange(&has_to_go, false))
        return;
    (void)cst_begin(cluster, CST_MESSAGE_LEAVE);
    cst_cluster_send(cluster, CST_NET_MASTER);
}

bool cst_leave_asked(struct cst_cluster *cluster, uint32_t node)
{
    char said[80];

    if (cst_plan_drain(cluster->plan, node) != CASTELL_OK)
        return true;
    (void)snprintf(said, sizeof(said),
                   "node %u leaves: its job is about to end", node);
    cst_progress_say(said);
    return true;
}

/* ---- The master, with the baton ------------------------------------------------ */

void cst_leave_step(struct cst_cluster *cluster)
{
    struct cst_leave *leave = &cluster->leave;
    uint32_t asked = atomic_load_explicit(&leave->asked, memory_order_acquire);

    if (asked == 0)
        return;
    leave->status = cst_plan_drain(cluster->plan, asked - 1);
    if (leave->status != CASTELL_OK)
        (void)snprintf(leave->why, sizeof(leave->why), "%s",
                       castell_error_text());
    atomic_store(&leave->asked, 0);
    cst_futex_wake(&leave->asked);
}

void cst_order_leave(void *cluster_, uint32_t node)
{
    struct cst_cluster *cluster = cluster_;

    (void)cst_begin(cluster, CST_MESSAGE_LEAVE);
    cst_order_give(cluster, node);
}

/* ---- Who wants it --------------------------------------------------------------- */

static bool is_meant(const struct cst_member *member, const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);

    if (*name >= '0' && *name <= '9' && *end == '\0')
        return number == member->number;
    return strcmp(name, member->hello.name) == 0 &&
           member->number != CST_NET_MASTER;
}

static enum castell_status find(struct cst_cluster *cluster, const char *name,
                                uint32_t *ret_number)
{
    uint32_t found = 0;

    cst_lock_take(&cluster->members_lock);
    for (const struct cst_member *member = cluster->members; member;
         member = member->next)
        if (is_meant(member, name)) {
            *ret_number = member->number;
            found++;
        }
    cst_lock_drop(&cluster->members_lock);
    if (found == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "no worker of the run is called \"%s\"", name);
    if (found > 1)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%u workers of the run are on \"%s\": give the number "
                        "of one, as castell top shows it",
                        found, name);
    return CASTELL_OK;
}

enum castell_status cst_cluster_drain(struct cst_cluster *cluster,
                                      struct cst_port *port, const char *name)
{
    struct cst_leave *leave = &cluster->leave;
    uint64_t end = cst_clock_ns() + wait_ns;
    uint64_t now = end - wait_ns;
    uint32_t asked = 0;
    enum castell_status status = find(cluster, name, &asked);

    if (status != CASTELL_OK)
        return status;
    asked++;
    atomic_store(&leave->asked, asked);
    cst_engine_want(cluster->engine, port);
    while (atomic_load(&leave->asked) == asked && now < end) {
        cst_futex_wait_for(&leave->asked, asked, end - now);
        now = cst_clock_ns();
    }
    if (atomic_compare_exchange_strong(&leave->asked, &asked, 0))
        return cst_fail(CASTELL_ERR_SYSTEM, "the run does not look");
    return leave->status == CASTELL_OK
               ? CASTELL_OK
               : cst_fail(leave->status, "%s", leave->why);
}
