/*
 * gang_internal.h - what the files of gang/ share.
 *
 * Layer: gang, private to it.
 */
#ifndef CST_GANG_GANG_INTERNAL_H
#define CST_GANG_GANG_INTERNAL_H

#include "gang/gang.h"

#include <sys/types.h>

/* The exit status of a process that could not be a member, and has said why. */
enum { CST_GANG_NO_MEMBER = 126 };

struct cst_call;

/* join.c: what cst_gang_run() does with a crew that has ranks. */
bool cst_gang_lead_joined(const struct cst_gang_request *request,
                          const struct cst_call *call, char *how,
                          size_t how_size);

/* ---- spawn.c: another program ------------------------------------------- */

/* A list of words that ends in NULL; bad when there was no memory. */
struct cst_gang_words {
    char **list;
    size_t count;
    size_t max;
    bool bad;
};

void cst_gang_words_add(struct cst_gang_words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cst_gang_words_release(struct cst_gang_words *words);

/* Does a variable of the environment go to other hosts? */
bool cst_gang_goes_along(const char *variable);

/*
 * Ours, but for what belongs to the world or job step that this process is of
 * itself; hosts: mpirun is to find others, by SLURM where we are in a job.
 */
void cst_gang_environment(bool hosts, struct cst_gang_words *ret_environment);

/*
 * Start a program, which ends when the calling thread does, in a process group
 * of its own, without input and on all CPUs of this process.
 */
CASTELL_MUST_CHECK enum castell_status
cst_gang_spawn(char *const *argv, char *const *environment,
               const struct cst_topo *topo, pid_t *ret_child);

#endif
