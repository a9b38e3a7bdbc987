/*
 * launch_internal.h - the parts of the program `castell` for each other.
 *
 * Layer: launch, private.
 *
 * Threads: one. So the environment may be changed, and what is made at start is
 * freed at the end of the process only.
 *
 *   1. Words and options   3. The run directory   5. One process of a run
 *   2. Subcommands         4. Plan, start, watch
 */
#ifndef CST_LAUNCH_LAUNCH_INTERNAL_H
#define CST_LAUNCH_LAUNCH_INTERNAL_H

#include "castell.h"
#include "launch/launch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CST_PATH_SIZE = 1024, /* of a path of ours, with its end */
    CST_EXIT_USAGE = 2,
    CST_EXIT_CANNOT_RUN =
        126, /* as of a shell: it is there, but does not run */
    CST_EXIT_NOT_FOUND = 127,
    CST_EXIT_SIGNAL = 128, /* + the signal that killed it */
    CST_LOOK_MS = 150,     /* how often the run directory is looked at */
};

/* ---- 1. Words and options ----------------------------------------------- */

/* Words, as of a command: list is NULL-terminated when there are any. */
struct cst_words {
    char **list;
    size_t count;
    size_t size;
};

/* Ends the process, with a sentence, where there is no memory. */
void cst_words_add(struct cst_words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cst_words_add_all(struct cst_words *words, char *const *list);
void cst_words_release(struct cst_words *words);

/* The pieces of text between the separators, without empty ones. */
void cst_words_split(struct cst_words *words, const char *text,
                     const char *separators);

/* One word, quoted for a POSIX shell where that is needed. */
void cst_words_add_quoted(struct cst_words *words, const char *text);

/* All words of `from`, with a character between, as one. */
void cst_words_add_joined(struct cst_words *words, const struct cst_words *from,
                          char between);

/* An option; `set` gets the value, or NULL when it takes none. */
struct cst_option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what the help calls its value; NULL: takes none */
    enum castell_status (*set)(void *target, const char *name,
                               const char *value);
};

/*
 * Read options up to the first word that is none, or behind "--"; *ret_rest is
 * where that is in argv. The array ends with an entry without name.
 * Fails with CASTELL_ERR_INVALID; the text names the nearest option.
 */
CASTELL_MUST_CHECK enum castell_status
cst_options_read(const struct cst_option *options, void *target, char **argv,
                 char ***ret_rest);

/*
 * The same for commands that run no program: options may stand before, between
 * and behind the other words, up to "--". *ret_rest is those words, by argv,
 * which is put in order.
 */
CASTELL_MUST_CHECK enum castell_status
cst_options_read_all(const struct cst_option *options, void *target,
                     char **argv, char ***ret_rest);

/* How many letters must be changed, added, removed or swapped; 99: too many. */
uint32_t cst_word_distance(const char *a, const char *b);

/* Is b near enough to a to be what was meant? */
bool cst_word_is_near(const char *a, const char *b);

/* "castell: " and the sentence, on the standard error stream. */
void cst_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with castell_error_text(); returns CST_EXIT_USAGE. */
int cst_say_usage(const char *command);

/* Set a variable of our environment, or unset it (NULL). */
void cst_environment_set(const char *name, const char *value);

/* Set it unless the user has. */
void cst_environment_default(const char *name, const char *value);

/* Within a job, sbatch would take much of that one for another. */
void cst_environment_forget_job(void);

/* Does a variable go along to other machines? */
bool cst_environment_goes_along(const char *variable);

/* Find a program as execvp() does; ret_path has CST_PATH_SIZE bytes. */
CASTELL_MUST_CHECK bool cst_find_program(const char *name, char *ret_path);

/* The same; when there is none, say so, and return the exit status for that. */
CASTELL_MUST_CHECK int cst_check_program(const char *name, char *ret_path);

/* Our own path. */
void cst_find_self(char *ret_path);

/*
 * Run a command and read what it says, on both streams, up to size - 1 bytes.
 * Returns its exit status, or -1.
 */
int cst_capture(const char *const *command, char *text, size_t size);

/* Handle a signal so: SIG_IGN or SIG_DFL. */
void cst_signal_set(int signal, void (*handler)(int));

/* Was this process started to ignore the signal, as nohup does it? */
bool cst_signal_is_ignored(int signal);

/* Become a command; returns only if that cannot be, with errno set. */
void cst_become(char *const *command);

/* ---- 2. Subcommands ------------------------------------------------------ */

/* argv[0] is the name of the subcommand; the result is the exit status. */
int cst_run_main(char **argv);
int cst_submit_main(char **argv);
int cst_report_main(char **argv); /* look.c */
int cst_explain_main(char **argv);
int cst_top_main(char **argv); /* live.c */
int cst_ctl_main(char **argv);
int cst_drain_main(char **argv);
int cst_devices_main(char **argv);
int cst_process_main(char **argv); /* one process of a run */
int cst_remote_main(char **argv);  /* what mpirun calls to reach a host */

/* Tell the program, which this process becomes, what devices of the node are for
   it; part.c. */
void cst_part_set(uint32_t number);

/* ---- 3. The run directory ------------------------------------------------ */

struct cst_run_dir {
    char path[CST_PATH_SIZE];
    char id[16]; /* unlike that of any other run */
};

/* How the master ended. */
struct cst_ended {
    bool known;
    int status; /* to exit with */
    int signal; /* that killed it; 0: it returned */
};

/* What lies in a run directory. */
struct cst_run_look {
    bool gone; /* the directory itself */
    struct cst_ended ended;
    uint32_t processes; /* that have started and not ended */
};

/*
 * Make a run directory with a secret in `base` (NULL: in the place for it),
 * after removing those of runs on this host that were killed. `shared`: other
 * machines must see it.
 */
CASTELL_MUST_CHECK enum castell_status
cst_run_dir_create(const char *base, bool shared, struct cst_run_dir *ret_dir);

/* Remove a directory, whatever is in it. */
void cst_directory_remove(const char *path);

/* Look at it afresh, whatever the file system has in its caches. */
void cst_run_dir_look(const char *path, struct cst_run_look *ret_look);

/*
 * Read up to size - 1 bytes of a file of the directory; false when there is
 * none. Write one, so that readers see all of it or nothing.
 */
CASTELL_MUST_CHECK bool cst_run_dir_read(const char *path, const char *name,
                                         char *text, size_t size);
bool cst_run_dir_write(const char *path, const char *name, const char *text);

/* Show those who remove what was left that we are still here. */
void cst_run_dir_touch(const char *path);

/* Pass a signal on to the master; read those from *offset on, 0 at the end. */
void cst_run_dir_signal(const char *path, int signal);
int cst_run_dir_next_signal(const char *path, off_t *offset);

/* How its exit status, as of waitpid(), is told and read. */
struct cst_ended cst_ended_of(int wait_status);
void cst_ended_write(const char *path, struct cst_ended ended);

/* A directory in this node's memory, for as long as processes of the run are
   here. */
struct cst_node_dir {
    int file; /* -1: there is none */
    char path[64];
};

/*
 * Is there a network that is faster by MPI than by TCP (InfiniBand and its
 * like), and up? `sys` is "/sys".
 */
bool cst_fabric_find(const char *sys);

/* Make it, or join those who have. */
void cst_node_dir_open(const char *run_dir, struct cst_node_dir *ret_dir);

/* Leave; the last one removes it. */
void cst_node_dir_close(struct cst_node_dir *dir);

/* ---- 4. Plan, start, watch ------------------------------------------------ */

enum cst_launch_place {
    CST_PLACE_HERE = 0,
    CST_PLACE_HOSTS,
    CST_PLACE_SLURM,
};

struct cst_launch_plan {
    enum cst_launch_place place;
    bool mpirun; /* starts all; else srun, ssh or fork() do */
    bool pmix;   /* srun makes an MPI world */
    uint32_t workers;
    uint32_t nodes; /* of the allocation */
    uint32_t share; /* processes with tasks on the fullest node */
    bool workers_given;
    bool master_tasks;
    bool label;
    bool grows;         /* more workers may come while it goes on */
    bool expands;       /* ... as parts of the job that it is in */
    uint32_t nodes_min; /* 0: not given */
    uint32_t nodes_max;
    const char *node_hours;   /* NULL: not given */
    struct cst_words classes; /* of nodes, as they are written */
    bool help;
    uint32_t cores_per_worker; /* 0: not given */
    uint32_t master_cores;
    const char *carrier;
    const char *gangs;
    const char *trace; /* a directory, or NULL */
    const char *base;  /* where the run directory is made; NULL: usual place */
    struct cst_words hosts;
    char **application; /* program and arguments */
    char castell[CST_PATH_SIZE];
    struct cst_run_dir run_dir;
    struct cst_node_dir node_dir;
};

/* A command that the launcher runs; start number 0 gets the standard input. */
struct cst_child {
    struct cst_words command;
    pid_t process; /* 0: has ended */
};

struct cst_watch {
    const struct cst_launch_plan *plan;
    struct cst_child *children;
    size_t children_count;
};

/* Set the environment of the run, and say which commands start it. */
void cst_launch_commands(const struct cst_launch_plan *plan,
                         struct cst_watch *ret_watch);
void cst_launch_release(struct cst_watch *watch);

/* grow.c: for a run that grows. Its options; do they make sense together? Tell
   the master of them; what starts one more worker, CST_SLURM_WORKER. */
CASTELL_MUST_CHECK enum castell_status
cst_launch_set_growth(void *target, const char *name, const char *value);
CASTELL_MUST_CHECK enum castell_status
cst_launch_check_growth(struct cst_launch_plan *plan);
void cst_launch_tell_growth(const struct cst_launch_plan *plan);
void cst_launch_write_worker(const struct cst_launch_plan *plan);

/*
 * Pass on what such workers have printed since the last call: whole lines, or,
 * at the end, all.
 */
void cst_tail_pass_on(const char *run_dir, bool all);

/* Start them, see to them until the run is over; returns its exit status. */
int cst_watch_run(struct cst_watch *watch);

/* ---- 5. One process of a run --------------------------------------------- */

/* Variables from `castell run` for `castell process`, not for the program. */
#define CST_LAUNCH_LABEL        "CASTELL_RUN_LABEL" /* "host" or "number" */
#define CST_LAUNCH_SHARE        "CASTELL_RUN_SHARE"
#define CST_LAUNCH_TOGETHER     "CASTELL_RUN_TOGETHER"
#define CST_LAUNCH_WORKER_CORES "CASTELL_RUN_WORKER_CORES"
#define CST_LAUNCH_MASTER_CORES "CASTELL_RUN_MASTER_CORES"

/* Where a stream of lines comes from and goes to, and what is put before each. */
struct cst_label {
    int from; /* -1: at its end */
    int to;
    size_t used;
    size_t prefix_size;
    char prefix[300];
    char line[64 << 10];
};

/* A pipe whose writing end becomes *ret_write. */
CASTELL_MUST_CHECK bool cst_label_open(struct cst_label *label, int to,
                                       const char *name, int *ret_write);

/* Pass on what is there; at its end the rest and -1 in `from`. */
void cst_label_pump(struct cst_label *label);

#endif
