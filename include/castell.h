/*
 * castell.h - run a sequential-looking C program as a graph of tasks.
 *
 * Read this file from top to bottom; it is the whole interface, and castellcc
 * writes calls to it and to nothing else.
 *
 *   1. Words and limits          5. Tasks
 *   2. Errors                    6. Waiting
 *   3. Starting and stopping     7. Groups and cancelling
 *   4. Data                      8. Looking inside
 *
 * Units: every size is in bytes, every duration in nanoseconds.
 * Ownership: the runtime frees what it created and nothing else. A pointer
 *   argument is read during the call only, unless its comment says "kept".
 * Threads: any thread may call any function between castell_start() and
 *   castell_stop(), a task's body too, except where a comment says "main thread
 *   only". What a call means by "the tasks submitted so far" are those of the
 *   caller: of the program when its own threads call, of the task when a body
 *   calls.
 * Sequential: compiled with -DCASTELL_SEQUENTIAL, by any C11 compiler and with
 *   no library, every function below is a plain one that runs tasks at once.
 */
#ifndef CASTELL_H
#define CASTELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CASTELL_VERSION_MAJOR 0
#define CASTELL_VERSION_MINOR 1
#define CASTELL_VERSION_PATCH 0

#if defined(__GNUC__)
#define CASTELL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CASTELL_MUST_CHECK
#endif

#ifdef CASTELL_SEQUENTIAL
#define CASTELL_API static inline __attribute__((unused))
#else
#define CASTELL_API extern
#endif

#if !defined(CASTELL_SEQUENTIAL) && defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Words and limits --------------------------------------------- */

/*
 * task       One submitted call of a function.
 * kind       What the tasks of one function have in common: its code, what a
 *            run of it needs, what to do when it fails.
 * body       The code of a kind, or of one more implementation of it.
 * region     A piece of the program's memory: some bytes, or rows of bytes at
 *            equal distances (a block of a matrix).
 * access     A region and what a task does to it. The order of tasks follows
 *            from their accesses: the result is that of running them one
 *            after another in the order of submission.
 * executor   A thread that runs tasks, bound to one core. The main thread is
 *            one while it waits.
 */

#define CASTELL_ACCESSES_MAX      (1u << 20) /* of one task */
#define CASTELL_ARGUMENT_SIZE_MAX (1u << 20) /* of one task */
#define CASTELL_NAME_SIZE_MAX     256 /* of a kind or group, with the 0 */

/* ---- 2. Errors ------------------------------------------------------- */

/*
 * What a call came to. Zero is success and every failure is negative, so
 * `if (status < 0)` is always the right test. A call that fails has changed
 * nothing and has written none of its ret_ arguments.
 */
enum castell_status {
    CASTELL_OK = 0,
    CASTELL_ERR_INVALID = -1,       /* the caller broke a rule of this file */
    CASTELL_ERR_NO_MEMORY = -2,     /* the system refused memory */
    CASTELL_ERR_LIMIT = -3,         /* a limit of section 1; not fatal */
    CASTELL_ERR_NODE_LOST = -4,     /* work was lost with its node */
    CASTELL_ERR_UNSATISFIABLE = -5, /* no node can give what a task needs */
    CASTELL_ERR_TASK_FAILED = -6,   /* a task failed for good */
    CASTELL_ERR_CANCELLED = -7,     /* a task was cancelled, or its input was */
    CASTELL_ERR_SYSTEM = -8,        /* a call to the system failed */
};

/*
 * Say in one English sentence why the last failing call of this thread failed.
 * The text stays valid until this thread's next castell_ call. Never NULL.
 */
CASTELL_API const char *castell_error_text(void);

/*
 * If status is a failure, print "castell: WHERE: " and the error text to
 * standard error and end the program with exit status 1. Generated code wraps
 * every call in it. `where` is "file.c:12", or NULL.
 */
CASTELL_API void castell_must(enum castell_status status, const char *where);

/* ---- 3. Starting and stopping ---------------------------------------- */

/*
 * How to run. A member that is 0 or NULL takes the value of the environment
 * variable named beside it, and where that is unset, the default.
 */
struct castell_options {
    uint32_t cores;       /* CASTELL_CORES: executors; all cores of the
                             process's CPU set. More than that shares them. */
    uint64_t memory;      /* CASTELL_MEMORY ("8GiB"): what tasks may be promised
                             in all; nine tenths of the machine's memory */
    uint64_t storage;     /* CASTELL_STORAGE: the same for local disk; what is
                             free in $TMPDIR, or in /tmp */
    const char *features; /* CASTELL_FEATURES: "name,name": what this node says
                             of itself; none */
    uint32_t tasks_max;   /* CASTELL_TASKS_MAX: unfinished tasks at one time;
                             a submitter past it helps to run them; 4194304 */
    uint64_t tasks_memory; /* CASTELL_TASKS_MEMORY: the same for the memory they
                             take; a quarter of the machine's memory */
    const char *trace;     /* CASTELL_TRACE: directory for traces; none */
    const char *graph;     /* CASTELL_GRAPH: file for the graph in DOT; none */
};

/*
 * Start with the options of the environment. Main thread only, once, before
 * any other call. When it cannot start it says why in one sentence on standard
 * error and ends the program with exit status 2. argc and argv, main's own,
 * may be NULL; options of a launcher are taken out of them.
 */
CASTELL_API void castell_start(int *argc, char ***argv);

/*
 * The same with options of the caller's, NULL for none.
 * Fails with
 *   CASTELL_ERR_INVALID    it runs already, or an option or a variable of the
 *                          environment makes no sense; the text names it.
 *   CASTELL_ERR_NO_MEMORY, CASTELL_ERR_SYSTEM (a thread could not be made).
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_start_with(const struct castell_options *options);

/*
 * Wait for every task and stop; main thread only. Returns what main() should
 * return: 0, or 1 when a task failed for good, which was then also said on
 * standard error. castell_start_with() may be called again afterwards.
 */
CASTELL_API int castell_stop(void);

/* ---- 4. Data --------------------------------------------------------- */

/* What a task does with a region. */
enum castell_mode {
    CASTELL_IN = 1,          /* reads what the last writer left */
    CASTELL_OUT = 2,         /* overwrites all of it without reading */
    CASTELL_INOUT = 3,       /* reads, then overwrites */
    CASTELL_CONCURRENT = 4,  /* writes together with other CONCURRENT tasks:
                                the bodies synchronise among themselves */
    CASTELL_COMMUTATIVE = 5, /* as INOUT, but neighbouring COMMUTATIVE tasks may
                                run in any order, one at a time */
    CASTELL_REDUCTION = 6,   /* the body gets a private copy that holds the
                                identity; copies are combined in a fixed tree,
                                so that the result is the same bits whatever
                                the number of executors and nodes */
    CASTELL_IN_DELETE = 7,   /* reads, and nobody will again: the region's
                                content is undefined afterwards */
};

/*
 * How private copies of a reduction are made and combined; both run in any
 * thread, for any number of neighbouring elements; on nodes by blocks of 256 KiB.
 */
struct castell_reduction {
    size_t element_size;
    void (*identity)(void *into, size_t count);
    void (*combine)(void *into, const void *from, size_t count);
};

/*
 * A region and a mode. One row of `size` bytes at base or, with rows > 1, that
 * many, each `pitch` bytes after the one before, also in copies. A file is one
 * too: is_file, base its path (bodies get another); so is a directory.
 */
struct castell_access {
    const void *base;
    size_t size;
    size_t rows;  /* 0 means 1 */
    size_t pitch; /* at least size; not read when there is one row */
    enum castell_mode mode;
    bool is_file, is_directory;
    unsigned char pointer; /* not 0: the same in parts of one array */
    const struct castell_reduction *reduction; /* CASTELL_REDUCTION: kept */
};

/*
 * Memory for data, aligned to a cache line, on huge pages when large, pinned when
 * GPUs copy it often. Tasks may use any other memory too; of this kind the runtime
 * knows when it was freed, and refuses tasks that name it then. Returns NULL, and
 * sets the error text, when there is none. castell_stop() takes what is left of it.
 */
CASTELL_API void *castell_alloc(size_t size);

/*
 * Free what castell_alloc() gave, when the tasks submitted so far that name it
 * are done; returns at once. NULL is allowed.
 */
CASTELL_API void castell_free(void *memory);

/* ---- 5. Tasks -------------------------------------------------------- */

/*
 * A body. buffers[i] is the memory of the task's i-th access (a file's path
 * for a file), valid until the body returns; argument is the submission's copy
 * of the argument. Return 0 for success, else the task has failed.
 */
typedef int castell_body(void *const *buffers, const void *argument);

/* What a body runs on. */
enum castell_device {
    CASTELL_CPU = 0,
    CASTELL_BINARY = 1, /* a body that runs another program; CPU cores */
    CASTELL_CUDA = 2,
    CASTELL_OPENCL = 3,
    CASTELL_MPI = 4, /* processes on several nodes; see castell_mpi_comm() */
    CASTELL_CONTAINER = 5, /* as BINARY */
};

/* What one run needs, held for it while it runs. 0 and NULL: no demand. */
struct castell_constraint {
    uint32_t cores; /* 0 means 1. OpenMP and OpenBLAS inside the body use as
                       many threads, on these cores */
    uint32_t nodes; /* 0 means 1 */
    float gpus;     /* of one kind: see castell_device.h */
    uint64_t memory;
    uint64_t gpu_memory;
    uint64_t storage;
    uint64_t wall_time_ns; /* must be left of the job's time limit */
    const char *arch;      /* "x86_64", "aarch64": as uname -m says */
    const char *feature;   /* one of the node's features */
};

/* What becomes of a task whose body failed. Retries come first. */
enum castell_failure {
    CASTELL_FAIL = 0,              /* the run ends: no further task starts */
    CASTELL_IGNORE = 1,            /* as if it had succeeded, once it ran */
    CASTELL_CANCEL_SUCCESSORS = 2, /* its readers, and theirs, are cancelled */
};

enum castell_kind_flags {
    CASTELL_ISOLATED = 1 << 0,    /* the body runs in a child process */
    CASTELL_REPLICATED = 1 << 1,  /* on each node: prepares the process */
    CASTELL_DISTRIBUTED = 1 << 2, /* over the nodes in turn */
    CASTELL_ASYNC = 1 << 3,       /* of a device: the body only enqueues */
};

/*
 * A kind of task. Kinds of one name are one: each file that sees an annotated
 * declaration has its own struct. Give it static storage: kept until
 * castell_stop(). What is not named below must be 0.
 */
struct castell_kind {
    const char *name;   /* unique in the program: the function's name */
    const char *label;  /* for messages and traces; NULL means name */
    const char *where;  /* "file.c:12", for messages; may be NULL */
    castell_body *body; /* may be NULL when implementations are registered */
    struct castell_constraint constraint; /* of body */
    enum castell_device device;           /* of body */
    enum castell_failure on_failure;
    uint32_t retries;    /* With retries, or a timeout, what the task writes is
                         copied first, to be put back for the next attempt */
    uint64_t timeout_ns; /* 0: none. A kind with a timeout is isolated */
    uint32_t flags;      /* of enum castell_kind_flags */
    const struct castell_reduction *const *reductions; /* NULL-terminated: its
                         accesses may name them; for several nodes; kept */
    void *known; /* the runtime's own; start with NULL */
};

/*
 * Make a kind known before it is used: on several nodes each kind must be, on
 * every node, before castell_start(); castellcc does it from constructors. Once
 * is enough. kind is kept, and must not change any more. Fails with
 * CASTELL_ERR_INVALID (no name, or another's has the same hash) or NO_MEMORY.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_kind_declare(struct castell_kind *kind);

/* One more body for a kind; the runtime measures which one is best. */
struct castell_implementation {
    const char *name;
    castell_body *body;
    enum castell_device device;
    struct castell_constraint constraint;
    uint32_t flags; /* CASTELL_ASYNC */
};

/*
 * Register one more implementation of the kind of that name, also before
 * castell_start(), as from a constructor. It is kept. Fails with
 * CASTELL_ERR_INVALID (no body, no such device in this build) or NO_MEMORY.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_kind_implement(const char *kind_name,
                       const struct castell_implementation *implementation);

/* A call to be made. Start from {0}; only kind is needed. */
struct castell_submission {
    struct castell_kind *kind;
    const struct castell_access *accesses;
    size_t accesses_count;
    const void *argument; /* copied, aligned to 16 */
    size_t argument_size;
    const struct castell_constraint *constraint; /* in place of the kind's,
                                                    for every body */
    int32_t priority;                            /* higher first */
    uint64_t deadline_ns; /* after submission; earlier first, before priority;
                             0: none */
    double cost;          /* abstract work units; 0: unknown. Durations are
                             compared per unit */
    bool undeferred;      /* run it now, in this thread, when what it waits for
                             is done; return after it (an `if` that is false) */
    bool final;           /* tasks that its body submits are undeferred */
    const char *where;    /* "file.c:31", for messages; kept; may be NULL */
};

/* A task, as submitting it told. Never invalid: a finished task stays so. */
struct castell_task {
    void *slot;
    uint64_t id;
};

/*
 * Submit a task; return at once, before it runs. ret_task may be NULL.
 *
 * Two accesses of one task may overlap only if both are CASTELL_IN (or
 * IN_DELETE): else this fails. Parts of a region may be named in any way, by
 * overlapping regions too.
 *
 * Fails with
 *   CASTELL_ERR_INVALID       before castell_start(), no body, a NULL or empty
 *                             region, memory that castell_free() took, accesses
 *                             that overlap; the text says which.
 *   CASTELL_ERR_UNSATISFIABLE no node could ever run it; the text names the
 *                             task, the demand and the nearest node.
 *   CASTELL_ERR_TASK_FAILED   the run has failed; nothing starts any more.
 *   CASTELL_ERR_NO_MEMORY, CASTELL_ERR_LIMIT.
 *
 * Blocks, running tasks meanwhile, while tasks_max are unfinished; in no body.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_task_submit(const struct castell_submission *submission,
                    struct castell_task *ret_task);

/*
 * For bodies that are other programs: run argv[0] (looked up in $PATH) with
 * argv, NULL-terminated, its standard streams bound to the files named (NULL: as
 * ours; output replaced, not appended to). Return its exit status, 128 + the
 * signal that ended it, or 127 when it could not be started, both said as well.
 */
CASTELL_API int castell_execute(const char *const *argv, const char *in_path,
                                const char *out_path, const char *err_path);

/*
 * The same in a container of that image, by the first of apptainer, singularity,
 * podman and docker in $PATH, or by CASTELL_CONTAINER; 127 without any. It sees,
 * under their own names, the current directory and those of the files in paths
 * (NULL-terminated, or NULL). Sequential: without the container.
 */
CASTELL_API int castell_execute_in(const char *image, const char *const *argv,
                                   const char *const *paths,
                                   const char *in_path, const char *out_path,
                                   const char *err_path);

/*
 * In a body of device(mpi): write the communicator of those that run it, one on
 * each of constraint(nodes=) nodes, to *ret_comm, an MPI_Comm. They are fresh
 * processes or, by --gangs=inside, workers, submit no tasks, and each gets what
 * the task reads; what rank 0 writes is the result, and who fails fails it.
 * Elsewhere it ends the program. Sequential: MPI_COMM_SELF; needs <mpi.h>.
 */
#ifndef CASTELL_SEQUENTIAL
CASTELL_API void castell_mpi_comm(void *ret_comm);
#endif

/* ---- 6. Waiting ------------------------------------------------------ */

/*
 * All of these run tasks while they wait. In a body they wait for the tasks
 * that this body submitted, and the cores, memory and so on that the task
 * holds are lent to others meanwhile.
 *
 * They fail with CASTELL_ERR_TASK_FAILED when the run has failed.
 */

/* Wait for all tasks submitted so far, and theirs. */
CASTELL_MUST_CHECK CASTELL_API enum castell_status castell_barrier(void);

/*
 * Wait until the caller may read these regions (mode and reduction are not
 * read): until each task submitted so far that writes some of their bytes is
 * done. Fails with CASTELL_ERR_CANCELLED when a cancelled or failed task was to
 * write some of them.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_wait_on(const struct castell_access *regions, size_t regions_count);

/*
 * Wait for one task. Fails with CASTELL_ERR_CANCELLED when it was cancelled, and
 * with CASTELL_ERR_TASK_FAILED when it failed, also where that is ignored; but
 * when later ones were submitted, or its node died, this may not be known.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_task_wait(struct castell_task task);

/*
 * Say that the content of these regions will not be read again, in the order
 * of submission: copies elsewhere are dropped, and the runtime forgets them.
 * Returns at once; the memory itself is the caller's and may be freed after a
 * wait. Fails with CASTELL_ERR_INVALID for a region that none of the caller's
 * tasks has named, or none since it was deleted, as far as is remembered: of
 * many regions the runtime forgets idle ones, and then accepts any.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_delete(const struct castell_access *regions, size_t regions_count);

/* ---- 7. Groups and cancelling ---------------------------------------- */

/*
 * Between begin and end, which nest, the tasks that this thread submits belong
 * to the group of that name (the innermost). A name may be used again: its
 * group then goes on. Fail with CASTELL_ERR_INVALID (name too long or empty; no
 * begin; a group no task has been in) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_group_begin(const char *name);
CASTELL_MUST_CHECK CASTELL_API enum castell_status castell_group_end(void);

/* Wait for the group's tasks. Fails as castell_barrier() does. */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_group_wait(const char *name);

/*
 * Cancel the group's tasks that have not started; return at once. Tasks that
 * would read what they were to write are cancelled as well, unless something
 * overwrites it first.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_group_cancel(const char *name);

/* ---- 8. Looking inside ----------------------------------------------- */

/* The cores that the calling body holds; 1 outside of a body. */
CASTELL_API uint32_t castell_task_cores(void);

/* The executor that runs the caller, from 0; 0 for threads that are none. */
CASTELL_API uint32_t castell_executor(void);

/* The number of executors. */
CASTELL_API uint32_t castell_executors_count(void);

/* The attempt that the calling body is, from 1; 0 outside of a body. */
CASTELL_API uint32_t castell_task_attempt(void);

/* What has happened since castell_start(). A snapshot: sums may be off by the
   tasks in motion. */
struct castell_counters {
    uint64_t submitted;
    uint64_t finished; /* with the failed and cancelled ones */
    uint64_t failed;   /* for good */
    uint64_t cancelled;
    uint64_t retried;
    uint64_t running;
    uint64_t task_memory; /* bytes that unfinished tasks take */
    uint64_t regions;     /* that the runtime keeps track of */
};
CASTELL_API void castell_counters(struct castell_counters *ret_counters);

/* Put a text into the trace (CASTELL_TRACE), if any, at this moment of this
   thread. Texts like "loss = 0.35" become a curve in castell report's page. */
CASTELL_API void castell_mark(const char *text);

/* "0.1.0". */
CASTELL_API const char *castell_version(void);

#ifdef __cplusplus
}
#endif

#if !defined(CASTELL_SEQUENTIAL) && defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef CASTELL_SEQUENTIAL
#include "castell_sequential.h"
#endif

#endif
