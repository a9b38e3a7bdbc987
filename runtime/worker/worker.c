#include "worker/worker.h"

#include "base/fail.h"
#include "base/memory.h"
#include "body/threads.h"
#include "depot/depot.h"
#include "gang/gang.h"
#include "worker/worker_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    STACK_SIZE = 64 << 20,   /* of executors: reserved, not used */
    STACK_SPARE = 256 << 10, /* left for one body, at the least */
};

/* Of the model that needs no call to find it: it is asked for at every turn. */
static _Thread_local struct cst_self self_here
    __attribute__((tls_model("initial-exec")));

/*
 * A thread of the program that ends frees its port for another to use, unless
 * the run has ended before. The lock keeps the run from ending meanwhile.
 */
static pthread_key_t leave_key;
static pthread_once_t leave_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t runs;        /* ever begun; guarded by run_lock */
static uint64_t run_of_port; /* that ports are of now; guarded by run_lock */

struct cst_self *cst_self(void)
{
    return &self_here;
}

static void leave(void *thread)
{
    struct cst_self *self = thread;

    (void)pthread_mutex_lock(&run_lock);
    if (self->run == run_of_port)
        atomic_store_explicit(&self->port->used, false, memory_order_release);
    (void)pthread_mutex_unlock(&run_lock);
}

static uint64_t begin_run(void)
{
    uint64_t number;

    (void)pthread_mutex_lock(&run_lock);
    run_of_port = number = ++runs;
    (void)pthread_mutex_unlock(&run_lock);
    return number;
}

static void end_run(void)
{
    (void)pthread_mutex_lock(&run_lock);
    run_of_port = UINT64_MAX; /* none */
    (void)pthread_mutex_unlock(&run_lock);
}

uint64_t cst_worker_run_number(const struct cst_worker *worker)
{
    return worker->run;
}

static void make_leave_key(void)
{
    (void)pthread_key_create(&leave_key, leave);
}

char *cst_worker_stack_low(void)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return NULL;
    (void)pthread_attr_getstack(&attributes, &low, &size);
    (void)pthread_attr_destroy(&attributes);
    if (size < 2 * (size_t)STACK_SPARE)
        return (char *)low + size / 2;
    return (char *)low + STACK_SPARE;
}

static enum castell_status enter(struct cst_worker *worker)
{
    struct cst_self *self = &self_here;
    enum castell_status status;
    struct cst_port *port;

    status = cst_engine_port(worker->engine, &port);
    if (status != CASTELL_OK)
        return status;
    memset(self, 0, sizeof(*self));
    self->run = worker->run;
    self->worker = worker;
    self->port = port;
    self->stack_low = cst_worker_stack_low();
    return CASTELL_OK;
}

enum castell_status cst_worker_enter(struct cst_worker *worker,
                                     struct cst_self **ret_self)
{
    enum castell_status status;

    (void)pthread_once(&leave_once, make_leave_key);
    status = enter(worker);
    if (status == CASTELL_OK)
        (void)pthread_setspecific(leave_key, &self_here);
    *ret_self = &self_here;
    return status;
}

void cst_worker_drop_frames(struct cst_self *self, struct cst_frame *outer)
{
    while (self->frames != outer) {
        struct cst_frame *frame = self->frames;

        self->frames = frame->outer;
        self->group = frame->group;
        cst_free(frame);
    }
}

struct start {
    struct cst_worker *worker;
    struct cst_port *port;
};

static void *executor(void *argument)
{
    struct start start = *(struct start *)argument;
    struct cst_self *self = &self_here;
    struct cst_wait wait = {&start.worker->stop, 1};
    char name[16];

    cst_free(argument);
    self->run = start.worker->run;
    self->worker = start.worker;
    self->port = self->seat = start.port;
    self->stack_low = cst_worker_stack_low();
    (void)snprintf(name, sizeof(name), "castell-%u", start.port->desk.index);
    (void)pthread_setname_np(pthread_self(), name);
    if (start.worker->trace)
        cst_trace_thread(start.worker->trace, start.port->desk.index);
    cst_topo_bind(start.worker->topo, start.port->desk.index, 1);
    cst_threads_use(1, true);
    cst_serve(self, &wait);
    return NULL;
}

/* Every executor looks at the ports of all, so they come before the first. */
static enum castell_status make_ports(struct cst_worker *worker)
{
    struct cst_depot *depot = cst_engine_depot(worker->engine);
    uint32_t count = worker->executors + (depot ? cst_depot_count(depot) : 0);
    enum castell_status status = CASTELL_OK;
    struct cst_port *port;

    for (uint32_t i = 0; i < count && status == CASTELL_OK; i++) {
        status = cst_engine_port(worker->engine, &port);
        if (status == CASTELL_OK && i > 0 &&
            i < worker->executors) /* the first is for who waits */
            atomic_store_explicit(&port->desk.serves, CST_SERVES,
                                  memory_order_relaxed);
    }
    return status;
}

static enum castell_status start_one(struct cst_worker *worker)
{
    struct start *start = cst_alloc(sizeof(*start));
    pthread_attr_t attributes;
    int error;

    if (!start)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for an executor");
    start->worker = worker;
    start->port = cst_engine_port_at(worker->engine, worker->threads_count + 1);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    error = pthread_create(&worker->threads[worker->threads_count], &attributes,
                           executor, start);
    (void)pthread_attr_destroy(&attributes);
    if (error != 0) {
        cst_free(start);
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "executor %u of %u could not be started: %s; ask for "
                        "fewer with CASTELL_CORES",
                        worker->threads_count + 2, worker->executors,
                        strerrordesc_np(error));
    }
    worker->threads_count++;
    return CASTELL_OK;
}

enum castell_status cst_worker_start(struct cst_engine *engine,
                                     const struct cst_topo *topo,
                                     uint32_t executors,
                                     struct cst_worker **ret_worker)
{
    struct cst_worker *worker = cst_zalloc(sizeof(*worker));
    enum castell_status status;

    if (!worker)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the executors");
    worker->threads = cst_zalloc(executors * sizeof(*worker->threads));
    if (!worker->threads) {
        cst_free(worker);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the executors");
    }
    worker->engine = engine;
    worker->trace = cst_engine_trace(engine);
    worker->topo = topo;
    worker->executors = executors;
    worker->run = begin_run();
    cst_gang_around(cst_gang_hide_run);
    status = make_ports(worker);
    if (status == CASTELL_OK)
        status = enter(worker);
    if (status == CASTELL_OK && worker->trace)
        cst_trace_thread(worker->trace, 0);
    for (uint32_t i = 1; i < executors && status == CASTELL_OK; i++)
        status = start_one(worker);
    if (status == CASTELL_OK && cst_engine_depot(engine))
        status = cst_hands_start(worker);
    if (status != CASTELL_OK) {
        cst_worker_stop(worker);
        return status;
    }
    *ret_worker = worker;
    return CASTELL_OK;
}

void cst_worker_stop(struct cst_worker *worker)
{
    end_run();
    atomic_store(&worker->stop, 1);
    cst_hands_stop(worker);
    for (uint32_t i = 0; i < worker->threads_count; i++)
        cst_desk_ring(&cst_engine_port_at(worker->engine, i + 1)->desk);
    for (uint32_t i = 0; i < worker->threads_count; i++)
        (void)pthread_join(worker->threads[i], NULL);
    cst_worker_drop_frames(&self_here, NULL);
    memset(&self_here, 0, sizeof(self_here));
    cst_free(worker->threads);
    cst_free(worker);
}
