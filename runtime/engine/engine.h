/*
 * engine.h - the one mind of a run: what is submitted, waits, runs and ends.
 *
 * Layer: engine.
 *
 * The engine's state (graph, data, ready queue, resources) belongs to whoever
 * holds the baton. A thread with news (a task submitted, a task done) puts it
 * on its desk and tries to take the baton; whoever has it reads every desk,
 * decides, and puts ready tasks on the desks of the executors. Nobody waits for
 * the baton: who does not get it leaves the news to who has it, and whoever
 * drops it looks for news once more.
 *
 * So there is no scheduler thread, and an executor that ends a task normally
 * finds the next one in the same step.
 */
#ifndef CST_ENGINE_ENGINE_H
#define CST_ENGINE_ENGINE_H

#include "castell.h"
#include "desk/desk.h"
#include "graph/task.h"
#include "sched/kind.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cst_depot;
struct cst_engine;
struct cst_reduction;
struct cst_trace;

enum {
    CST_PORTS_MAX = 512, /* threads that submit or run tasks */
    CST_SIZES_MAX = 50,  /* classes of task memory, see pool.c */
    CST_TALLIES_MAX =
        64, /* kinds that are counted; those past share the last */
};

/* What an executor must know of a reduction access. */
struct cst_leaf {
    const struct castell_reduction *operation;
    struct cst_reduction *reduction; /* set by the engine */
    uint32_t leaf;                   /* number in the fixed tree */
    uintptr_t whole; /* where that begins which this is a part of; 0: of none */
    size_t whole_size; /* parts begin and end together */
};

/*
 * Several cores for one task: the executors of `count` desks from `first` come
 * together; all but the leader's sleep until it has run the task. Where nobody
 * serves at a desk it counts as there. They are those of the cores that the
 * task gets; or all, where no body of another number of threads may run beside
 * it.
 */
struct cst_claim {
    uint32_t first;
    uint32_t count;
    uint32_t core;   /* the first that the task gets */
    uint32_t leader; /* desk; of the block, or of no executor */
    struct cst_task *task;
    _Atomic(uint32_t) arrived;
};

/* What a signal tells who waits for it. */
struct cst_outcome {
    enum castell_status status;
    const char *label; /* of the task that is to blame, or NULL */
    const char *where; /* it was submitted; may be NULL */
    bool failed;       /* it has; else it was cancelled */
};

struct cst_gang_crew;

/* What few tasks have. */
struct cst_task_extra {
    uint64_t deadline_ns;                 /* absolute; UINT64_MAX: none */
    struct castell_constraint constraint; /* in force, for the chosen body */
    bool has_constraint;                  /* of its own, for every body */
    bool outside; /* in no executor, and that counts: cst_threads_may_mix() */
    double cost;
    struct cst_outcome *outcome; /* SIGNAL: where to say how it went */
    uint64_t duration_ns;        /* of the last attempt, when measured */
    uint64_t size;               /* bytes that it accesses */
    uint32_t bypassed;           /* times that a later task was admitted */
    uint32_t device;             /* its number + 1; 0: none */
    uint32_t devices;            /* all that it gets, by number; 0: that one */
    uint32_t gpus_held;          /* ADMITTED, on cores: thousandths of one */
    bool laid;                   /* on the desk of its device, or beyond */
    uint32_t refused;            /* choices that cannot run it: their bits */
    uint64_t expected_ns;        /* what it was thought to take */
    void *guest;                 /* GUEST: its owner's */
    char *how;                   /* GUEST: it failed; the owner frees it */
    struct cst_gang_crew *crew;  /* GUEST: who runs it together; or NULL */
    struct cst_file_use *uses;   /* FILES: by access */
    struct cst_claim claim;
    struct cst_leaf leaves[]; /* REDUCES: one an access */
};

/* Free task memory of one thread. */
struct cst_cache {
    struct cst_task *free[CST_SIZES_MAX];
    _Atomic(uint64_t) allocated; /* bytes, in all */
};

/*
 * What a thread has done with tasks of one kind. The thread alone writes; of
 * bodies, those that have ended and those that run.
 */
struct cst_tally {
    _Atomic(uint64_t) submitted;
    _Atomic(uint64_t) started;
    _Atomic(uint64_t) ended;
    _Atomic(uint64_t) measured; /* of the ended: whose time was taken */
    _Atomic(uint64_t) measured_ns;
    uint64_t unmeasured_until; /* so many have started */
};

/* How tasks of one kind ended, as the baton's holder writes it. */
struct cst_ends {
    _Atomic(uint64_t) done; /* well, or their failure is ignored */
    _Atomic(uint64_t) failed;
    _Atomic(uint64_t) cancelled;
};

/* All tasks of one kind, as far as the caller sees. */
struct cst_kind_counts {
    const char *label; /* NULL: several kinds */
    uint64_t submitted;
    uint64_t running;
    uint64_t done;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t measured;
    uint64_t measured_ns;
};

/* A thread's connection to the engine. */
struct cst_port {
    struct cst_desk desk;
    struct cst_cache cache;
    struct cst_tally tallies[CST_TALLIES_MAX]; /* by id of the kind */
    uint64_t ids;                              /* given to tasks */
    _Atomic(bool) used;                        /* by a thread that lives */
};

struct cst_group {
    struct cst_group *next;  /* in the registry */
    struct cst_group *older; /* the same name, cancelled */
    _Atomic(bool) cancelled;
    _Atomic(uint64_t) submitted;
    _Atomic(uint64_t) finished;
    char name[CASTELL_NAME_SIZE_MAX];
};

/*
 * What is done otherwise when a run has several nodes; all with the baton. The
 * tasks of the program are then not run here when they wait for nothing, but
 * placed; and tasks that were placed here come in as guests.
 */
struct cst_engine_many {
    void *context;
    /* Not 0: others have said something that nobody has heard. Or NULL. */
    const _Atomic(uint32_t) *mail;
    /* A task of the program, or a fold of its, waits for nothing any more. Its
       holds are satisfied until cst_engine_leave(). */
    void (*place)(void *context, struct cst_task *task);
    /* The same, of a signal with accesses or CST_TASK_HOME. */
    void (*signal)(void *context, struct cst_task *task);
    /* A guest's body and all its children are done; it is freed afterwards. */
    void (*guest_done)(void *context, struct cst_task *task);
    /* After a pause somebody is about to submit. Or NULL. */
    void (*resume)(void *context);
    /* News was read: hear what others say, decide, tell them. */
    void (*step)(void *context);
    /* Without the baton: a thread that looked for work, and so what others say,
       is about to sleep. */
    void (*asleep)(void *context);
    /* The same, of one that looks again afterwards and dozes at its desk: sleep
       until it is rung, or others say something. False: not so. */
    bool (*sleep)(void *context, struct cst_port *port, struct cst_desk *desk);
    /* A thread begins, or ends, to look for work. */
    void (*look)(void *context, bool begins);
};

struct cst_engine_options {
    const struct cst_limits *limits; /* kept */
    uint64_t tasks_max;
    uint64_t tasks_memory;
    const char *graph;       /* path of a DOT file, or NULL */
    struct cst_trace *trace; /* kept; NULL: none */
    struct cst_depot *depot; /* kept; NULL: no devices */
};

CASTELL_MUST_CHECK enum castell_status
cst_engine_create(const struct cst_engine_options *options,
                  struct cst_engine **ret_engine);
void cst_engine_destroy(struct cst_engine *engine);

/* Make a port for a thread; freed with the engine. Any thread. */
CASTELL_MUST_CHECK enum castell_status
cst_engine_port(struct cst_engine *engine, struct cst_port **ret_port);

/* The trace of the run, or NULL. */
struct cst_trace *cst_engine_trace(struct cst_engine *engine);

struct cst_port *cst_engine_port_at(struct cst_engine *engine, uint32_t index);
uint32_t cst_engine_ports_count(struct cst_engine *engine);
struct cst_kinds *cst_engine_kinds(struct cst_engine *engine);
const struct cst_limits *cst_engine_limits(struct cst_engine *engine);

/* The task that stands for main(): the parent of what the program submits. */
/* The devices of the node, or NULL. The ports of their threads come right behind
   those of the executors. */
struct cst_depot *cst_engine_depot(struct cst_engine *engine);

/* Is there an implementation of the task's kind, on this node, that has not
   refused it, nor is for a device that is lost? Any thread. */
bool cst_engine_may_choose(struct cst_engine *engine,
                           const struct cst_task *task);

/* Can tasks of that kind run in the thread that submits them? */
bool cst_engine_may_inline(const struct cst_kind *kind);

struct cst_task *cst_engine_root(struct cst_engine *engine);

/*
 * Memory for a task, all zero but for what only grows; or NULL. By the port's
 * own thread. leaves < 0: without extra.
 */
struct cst_task *cst_engine_task_new(struct cst_engine *engine,
                                     struct cst_port *port,
                                     uint32_t accesses_count,
                                     size_t argument_size, int64_t leaves);

/* Give back a task that was never submitted. */
void cst_engine_task_discard(struct cst_engine *engine, struct cst_port *port,
                             struct cst_task *task);

/* The port's thread is about to submit: the first after a pause may be told of. */
void cst_engine_expect(struct cst_engine *engine, struct cst_port *port);

/*
 * Say something from the port's thread, and try the baton when that is worth
 * it: somebody is idle, the thread has nothing else to do, or much has been
 * said since the last try.
 */
void cst_engine_tell(struct cst_engine *engine, struct cst_port *port,
                     enum cst_news what, struct cst_task *task);

/* Try the baton, and if it is free deal with all news. */
void cst_engine_poke(struct cst_engine *engine, struct cst_port *port);

/*
 * The same for a thread that has begun to look for work: if another has the
 * baton it looks once more, for what it has laid aside when nobody was there.
 */
void cst_engine_want(struct cst_engine *engine, struct cst_port *port);

/* Once, before anything is submitted. NULL hooks are not called; kept. */
void cst_engine_set_many(struct cst_engine *engine,
                         const struct cst_engine_many *many);

/* Does it run on several nodes? */
bool cst_engine_is_many(const struct cst_engine *engine);

/* For the hooks; with the baton. The task leaves its places. */
void cst_engine_leave(struct cst_engine *engine, struct cst_task *task);
/* After that: what it was the last to read (IN_DELETE) is forgotten, before
   what is written there next is placed. */
void cst_engine_delete(struct cst_engine *engine, struct cst_task *task);
/* A task that has left them ends; flags say how. Its memory stays. */
void cst_engine_end(struct cst_engine *engine, struct cst_task *task);
void cst_engine_free(struct cst_engine *engine, struct cst_task *task);
/* A signal, or a task that will not be placed, leaves its places, ends and is
   freed. */
void cst_engine_end_unplaced(struct cst_engine *engine, struct cst_task *task);
/* Memory for a guest, with extra, or NULL; and give it to the executors. */
struct cst_task *cst_engine_guest_new(struct cst_engine *engine,
                                      uint32_t accesses_count,
                                      size_t argument_size, bool reduces);
void cst_engine_guest_ready(struct cst_engine *engine, struct cst_task *task);
/* Free a guest that was not made ready, or was recalled. */
void cst_engine_guest_discard(struct cst_engine *engine, struct cst_task *task);
/* Take a guest back that is ready; false: it has been started. */
bool cst_engine_guest_recall(struct cst_engine *engine, struct cst_task *task);
/* Deal with all tasks that wait for nothing any more; false: there was none. */
bool cst_engine_settle(struct cst_engine *engine);
/* Of a fold: what it ends, and of how many leaves; else false. */
bool cst_engine_fold(const struct cst_engine *engine, struct cst_task *task,
                     struct cst_reduction **ret_reduction,
                     uint32_t *ret_leaves);
struct cst_data *cst_engine_data(struct cst_engine *engine);

/* Is there anything that nobody has dealt with? */
bool cst_engine_has_news(struct cst_engine *engine);

/* Has another node said something that nobody has heard? It costs a look at a
   word, and may miss what comes another way: see cst_engine_is_due(). */
bool cst_engine_has_mail(const struct cst_engine *engine);

/* Should somebody who is idle look what others nodes say? */
bool cst_engine_is_due(struct cst_engine *engine);

/* An executor begins (+1) or ends (-1) looking for work, or sleeping. */
void cst_engine_count_idle(struct cst_engine *engine, int change);
void cst_engine_count_asleep(struct cst_engine *engine, int change);

/* A thread that dozes at that desk, and looks for work afterwards, sleeps. */
void cst_engine_sleep(struct cst_engine *engine, struct cst_port *port,
                      struct cst_desk *desk);
/* The same of one that waits for something else. */
void cst_engine_sleep_deaf(struct cst_engine *engine, struct cst_desk *desk);

/* Take a task from somebody else's desk, or NULL. */
struct cst_task *cst_engine_steal(struct cst_engine *engine,
                                  struct cst_port *thief);

/* The same from somebody who has more than enough. */
struct cst_task *cst_engine_steal_spare(struct cst_engine *engine,
                                        struct cst_port *thief);

/* Has the run failed? Then the status, and the text in `ret_text`. */
enum castell_status cst_engine_status(struct cst_engine *engine,
                                      const char **ret_text);

/* End the run: no further task starts. The first call's text is kept. */
void cst_engine_fail(struct cst_engine *engine, enum castell_status status,
                     const char *text);

/* A task's failure counts; all from the thread that ran it. */
void cst_engine_count_retry(struct cst_engine *engine);

void cst_engine_counters(struct cst_engine *engine,
                         struct castell_counters *ret_counters);

/* ---- Looking from outside: any thread, at any time; see tally.c ------------ */

/* Fill in the n-th kind; false: there are no more. */
bool cst_engine_kind_counts(struct cst_engine *engine, uint32_t n,
                            struct cst_kind_counts *ret_counts);

/* What the executors do. */
struct cst_engine_use {
    uint32_t busy;    /* cores on which a body runs */
    uint64_t running; /* bodies */
    uint64_t ready;   /* tasks that wait for nothing but a core */
};
void cst_engine_use(struct cst_engine *engine, struct cst_engine_use *ret_use);

static inline uint32_t cst_tally_index(const struct cst_task *task)
{
    return task->kind->id < CST_TALLIES_MAX ? task->kind->id
                                            : CST_TALLIES_MAX - 1;
}

/* Only its thread adds. */
static inline void cst_tally_add(_Atomic(uint64_t) *counter, uint64_t by)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
        memory_order_release);
}

/* Tasks submitted by the program itself, so far, and ends of its reductions. */
uint64_t cst_engine_submitted(struct cst_engine *engine);

/*
 * May the program go on submitting? The first, which costs nothing, is to be
 * asked before each submission; the second when it says that it may not.
 */
bool cst_engine_may_lack_room(struct cst_engine *engine, struct cst_port *port);
bool cst_engine_has_room(struct cst_engine *engine, struct cst_port *port);

/* The program's own tasks that have not ended, as far as the caller sees. */
uint64_t cst_engine_unfinished(struct cst_engine *engine);

/* A group by name, made where there is none and `make`; NULL without. */
struct cst_group *cst_engine_group(struct cst_engine *engine, const char *name,
                                   bool make);
void cst_engine_group_cancel(struct cst_engine *engine,
                             struct cst_group *group);
/* How many groups were cancelled so far. */
uint64_t cst_engine_cancels(struct cst_engine *engine);

/* Is the body of a task, which an executor has taken, not to run? */
static inline bool cst_task_is_off(const struct cst_task *task)
{
    return (task->flags & CST_TASK_CANCELLED) ||
           (task->group && atomic_load_explicit(&task->group->cancelled,
                                                memory_order_relaxed));
}

#endif
