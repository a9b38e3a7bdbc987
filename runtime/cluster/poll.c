/*
 * Who hears what other nodes say, and when.
 *
 * Who has the baton polls the net, mostly an executor between two tasks or one
 * that looks for work. An executor that has found none sleeps in the net itself,
 * one of them: so what comes wakes the thread that will run it. While executors
 * run long tasks, or are none of ours (main() computes), a thread of the
 * cluster's own polls, and sleeps in the net; while they poll it looks only now
 * and then whether they still do, and while one of them sleeps there not at all.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/thread.h"
#include "cluster/cluster_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    POLL_NS = 1500,   /* between two looks at the net, at least */
    REST_NS = 100000, /* of the thread, while others poll */
    CALL_NS = 50000,  /* until it is called that is not needed at once */
    SLEEP_NS = 200000000,

    /* cluster->sleeper: who sleeps in the net, or is about to. */
    SLEEPER_NONE = 0,
    SLEEPER_THREAD,
    SLEEPER_EXECUTOR,

    /* cluster->resting */
    RESTS_NOT = 0,
    RESTS_A_WHILE,
    RESTS_LONG, /* until it is called, or sees for itself */
    RESTS_CALLED,
};

static __thread bool is_dozing;   /* this thread is about to sleep in the net */
static __thread bool has_stepped; /* since it was set to false */

void cst_poll_step(void *context)
{
    struct cst_cluster *cluster = context;
    uint64_t now = cst_clock_ns();
    uint32_t events = 0;

    has_stepped = true;
    if (cluster->hurries) {
        cluster->hurries = false;
        cst_master_step(cluster);
        cst_net_flush(cluster->net);
    }
    if (is_dozing || cst_engine_has_mail(cluster->engine) ||
        now - atomic_load_explicit(&cluster->polled_ns, memory_order_relaxed) >
            POLL_NS) {
        events = cst_net_poll(cluster->net);
        atomic_store_explicit(&cluster->polled_ns, now, memory_order_relaxed);
        if (!is_dozing)
            atomic_store_explicit(&cluster->others_ns, now,
                                  memory_order_relaxed);
    }
    cst_node_settle(cluster);
    cst_story_step(cluster, now);
    if (cluster->is_master) {
        cst_leave_step(cluster);
        cst_master_step(cluster);
        cst_look_step(cluster);
        cst_survey_step(cluster);
    } else {
        cst_leave_ask(cluster);
    }
    cst_net_flush(cluster->net);
    if (is_dozing)
        atomic_store(&cluster->dozes,
                     events == 0 && cst_net_doze(cluster->net));
}

/* ---- Sleep in the net -------------------------------------------------------- */

/* The place is the caller's, who polls once more before it sleeps. Returns true
   when it may. */
static bool doze(struct cst_cluster *cluster, struct cst_port *port)
{
    atomic_store(&cluster->dozes, false);
    has_stepped = false;
    is_dozing = true;
    cst_engine_poke(cluster->engine, port);
    is_dozing = false;
    return has_stepped && atomic_load(&cluster->dozes);
}

static bool take_place(struct cst_cluster *cluster, uint32_t who)
{
    uint32_t nobody = SLEEPER_NONE;

    return atomic_compare_exchange_strong(&cluster->sleeper, &nobody, who);
}

static void set_alarm(const struct cst_cluster *cluster, uint64_t after_ns)
{
    struct itimerspec time = {.it_value.tv_nsec = (long)after_ns};

    int error = timerfd_settime(cluster->alarm, 0, &time, NULL);

    CST_ASSERT(!error);
    (void)error;
}

/*
 * End the thread's rest; a short one only when it is `urgent`. Else in a while:
 * to wake a thread on another core costs more (20 us where that is a virtual
 * one) than most messages that an executor has to answer first.
 */
static void call_thread(struct cst_cluster *cluster, bool urgent)
{
    uint32_t rests = RESTS_LONG;

    if (urgent) {
        if (atomic_exchange(&cluster->resting, RESTS_NOT) != RESTS_NOT)
            set_alarm(cluster, 1);
    } else if (atomic_load(&cluster->resting) == RESTS_LONG &&
               atomic_compare_exchange_strong(&cluster->resting, &rests,
                                              RESTS_CALLED)) {
        set_alarm(cluster, CALL_NS);
    }
}

static void wake_net(void *context)
{
    const struct cst_cluster *cluster = context;

    cst_net_wake(cluster->net);
}

bool cst_poll_sleep(void *context, struct cst_port *port, struct cst_desk *desk)
{
    struct cst_cluster *cluster = context;

    if (!take_place(cluster, SLEEPER_EXECUTOR)) {
        if (atomic_load(&cluster->sleeper) == SLEEPER_THREAD) {
            cst_net_wake(cluster->net); /* it makes room for us */
            return true;
        }
        cst_net_attend(cluster->net, false); /* another hears for us */
        return false;
    }
    /* A deadline of the net's own, as for a heartbeat, is no news. */
    if (cst_desk_doze_elsewhere(desk, wake_net, cluster))
        while (doze(cluster, port) && cst_desk_is_asleep(desk) &&
               !cst_engine_has_news(cluster->engine))
            if (cst_net_sleep(cluster->net, SLEEP_NS))
                break; /* look: there is something, or is about to be */
    atomic_store(&cluster->sleeper, SLEEPER_NONE);
    return true;
}

void cst_poll_asleep(void *context)
{
    struct cst_cluster *cluster = context;

    cst_net_attend(cluster->net, false);
    atomic_store(&cluster->called, true);
    call_thread(cluster, true);
}

void cst_poll_look(void *context, bool begins)
{
    struct cst_cluster *cluster = context;
    uint32_t sleeper = atomic_load(&cluster->sleeper);

    if (sleeper != SLEEPER_NONE)
        cst_net_attend(cluster->net, begins);
    if (!begins && sleeper != SLEEPER_EXECUTOR)
        call_thread(cluster, false);
}

/* ---- The thread ---------------------------------------------------------------- */

static void wait_for_alarm(const struct cst_cluster *cluster, long longest_ns)
{
    struct pollfd file = {.fd = cluster->alarm, .events = POLLIN};
    struct timespec time = {0, longest_ns};
    uint64_t count;

    (void)ppoll(&file, 1, &time, NULL);
    if (read(cluster->alarm, &count, sizeof(count)) < 0)
        return; /* it was not for the alarm that the wait ended */
}

/* Until an executor sleeps without the net; or for a while. */
static void rest(struct cst_cluster *cluster, uint32_t how)
{
    atomic_store(&cluster->resting, how);
    if (!atomic_load(&cluster->called) && !atomic_load(&cluster->stop)) {
        if (how == RESTS_A_WHILE)
            wait_for_alarm(cluster, REST_NS);
        else if (atomic_load(&cluster->sleeper) == SLEEPER_EXECUTOR)
            wait_for_alarm(cluster, SLEEP_NS);
    }
    atomic_store(&cluster->resting, RESTS_NOT);
}

/* Poll; then sleep in the net until somebody says something. */
static void watch_net(struct cst_cluster *cluster, struct cst_port *port)
{
    if (!take_place(cluster, SLEEPER_THREAD))
        return;
    if (doze(cluster, port))
        (void)cst_net_sleep(cluster->net, SLEEP_NS);
    atomic_store(&cluster->sleeper, SLEEPER_NONE);
    if (!has_stepped)
        rest(cluster, RESTS_A_WHILE); /* who has the baton may need our core */
}

static void *watch(void *argument)
{
    struct cst_cluster *cluster = argument;
    struct cst_port *port = NULL;

    if (cst_engine_port(cluster->engine, &port) != CASTELL_OK)
        return NULL;
    while (!atomic_load(&cluster->stop)) {
        bool called = atomic_exchange(&cluster->called, false);
        uint64_t now = cst_clock_ns();

        if (atomic_load(&cluster->sleeper) == SLEEPER_EXECUTOR)
            rest(cluster, RESTS_LONG);
        else if (!called && now - atomic_load(&cluster->others_ns) < REST_NS)
            rest(cluster, RESTS_A_WHILE);
        else
            watch_net(cluster, port);
    }
    atomic_store(&port->used, false);
    return NULL;
}

enum castell_status cst_cluster_watch(struct cst_cluster *cluster)
{
    enum castell_status status;

    cluster->alarm =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (cluster->alarm < 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "no timer for the thread that hears: %s",
                        strerrordesc_np(errno));
    status = cst_thread_start("castell-net", watch, cluster, &cluster->thread);
    cluster->has_thread = status == CASTELL_OK;
    if (status != CASTELL_OK)
        (void)close(cluster->alarm);
    return status;
}

void cst_cluster_stop(struct cst_cluster *cluster)
{
    if (!cluster->has_thread)
        return;
    atomic_store(&cluster->stop, true);
    cst_net_wake(cluster->net);
    call_thread(cluster, true);
    (void)pthread_join(cluster->thread, NULL);
    (void)close(cluster->alarm);
    cluster->has_thread = false;
    cst_members_say_losses(cluster);
}
