/*
 * command.h - start processes: one command, run beside what its caller does
 * meanwhile; and the helper, who calls them.
 *
 * Layer: slurm, private. Owner: the caller, who has one thread.
 */
#ifndef CST_SLURM_COMMAND_H
#define CST_SLURM_COMMAND_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CST_COMMAND_NONE = 127,   /* the status where there is no such command */
    CST_COMMAND_SIGNAL = 128, /* + the signal that ended it */
};

/* What it has written: text, with an end; what is too long is cut. */
struct cst_command_text {
    int from; /* -1: at its end */
    size_t size;
    size_t capacity;
    char *text; /* NULL: nothing */
};

struct cst_command {
    pid_t process; /* 0: it does not run */
    uint64_t deadline_ns;
    bool timed_out;
    int status;
    struct cst_command_text texts[2]; /* standard output, and error */
};

/*
 * Start it, in a process group of its own, with `input` (may be NULL) to read.
 * Fails with CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_command_start(struct cst_command *command, char *const *words,
                  const char *input, uint64_t deadline_ns);

/*
 * Read what is there, kill it when its time is over; returns true when it has
 * ended. To be called when a descriptor of texts[] is readable, on SIGCHLD, and
 * at the deadline.
 */
bool cst_command_step(struct cst_command *command, uint64_t now_ns);

/* Its output, 0, or its errors, 1; "" for none. */
const char *cst_command_text(const struct cst_command *command, int which);

/* Kill it if it still runs; free what it said. */
void cst_command_release(struct cst_command *command);

enum { CST_HELPER_FILE = 3 }; /* where the helper finds its socket */

/*
 * Start `castell helper`; *ret_socket is our end. It leaves our family at once:
 * its first process ends. Fails with CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_slurm_start_helper(const char *castell, int *ret_socket);

#endif
