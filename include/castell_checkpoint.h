/*
 * castell_checkpoint.h - save what a program has computed, and go on from it.
 *
 * For a program that runs longer than its job may, or must survive what ends
 * all of its nodes. Read castell.h first: its words and rules hold here too.
 *
 *     castell_checkpoint_create("state", &saved);
 *     castell_checkpoint_add(saved, "x", &x_region, sizeof(double));
 *     castell_checkpoint_restore(saved, &step);
 *     while (step < steps && !castell_stop_requested()) {
 *         ...                                  (tasks on x)
 *         if (++step % 100 == 0)
 *             castell_checkpoint_save(saved, step);
 *     }
 *     castell_checkpoint_save(saved, step);
 *     castell_checkpoint_wait(saved);
 *     return castell_stop() ? 1 : step < steps ? CASTELL_EXIT_RESUME : 0;
 *
 * A checkpoint is made by tasks: one for each named region reads it and writes
 * it to a file, on the node that has it, and a last one makes the checkpoint
 * valid. So it holds what the tasks submitted before it leave, and the run goes
 * on meanwhile. It is a directory PATH/NUMBER with a file for each region and a
 * manifest, with checksums (BLAKE2b) of all; it appears as a whole or not at
 * all. PATH must be seen by all nodes. Any number of nodes may read it.
 *
 * Files that tasks name are in no checkpoint. On disk is what main() has waited
 * for, by castell_wait_on() of the file, castell_barrier() or castell_stop();
 * what else tasks had written is lost with a run that is killed, also what
 * tasks before the checkpoint wrote. So wait for such files before
 * castell_checkpoint_save(). They may then be later than the checkpoint that a
 * run goes on from, whose tasks write them again: that is right for files that
 * are overwritten (file_out), and not for those that are changed (file_inout):
 * a line added twice. Keep what those hold in a region, or give each step a file
 * of its own.
 *
 * Main thread only, and not in a task's body.
 * Sequential: nothing is saved, nothing is there to restore, no stop is asked.
 */
#ifndef CASTELL_CHECKPOINT_H
#define CASTELL_CHECKPOINT_H

#include <castell.h>

#if !defined(CASTELL_SEQUENTIAL) && defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What main() returns to say: not finished, start me again. It is EX_TEMPFAIL;
   the script of `castell submit --requeue` puts the job back in the queue. */
#define CASTELL_EXIT_RESUME 75

/* Names of what is saved, and checkpoints of it in one directory. */
struct castell_checkpoint;

/*
 * Name the directory, which is made when the first checkpoint is. Fails with
 * CASTELL_ERR_INVALID (before castell_start(), no path) or NO_MEMORY.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_create(const char *path,
                          struct castell_checkpoint **ret_checkpoint);

/* Returns at once; what was begun goes on. NULL is allowed. */
CASTELL_API void
castell_checkpoint_destroy(struct castell_checkpoint *checkpoint);

/*
 * Add a region (mode and reduction are not read) of elements of that size. The
 * same names, sizes and order are needed to restore. Fails with
 * CASTELL_ERR_INVALID (a name that was added, is empty or has a character below
 * the blank; no region, or a file) or NO_MEMORY.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_add(struct castell_checkpoint *checkpoint, const char *name,
                       const struct castell_access *region,
                       size_t element_size);

/* Keep so many checkpoints, at least 1; 2 unless told. Older ones are removed,
   but not the one that was restored from. */
CASTELL_API void castell_checkpoint_keep(struct castell_checkpoint *checkpoint,
                                         uint32_t count);

/*
 * What program they are of; otherwise the names of all of its tasks tell.
 * The text is copied. Fails as castell_checkpoint_add() does.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_program(struct castell_checkpoint *checkpoint,
                           const char *program);

/*
 * Save what the tasks submitted so far leave in the regions; return at once.
 * `step` is given back by castell_checkpoint_restore(). As before any write of
 * main()'s, wait on a region before changing it without a task; and on the files
 * that tasks have written, which it does not save.
 *
 * When it cannot be written (the disk is full, a node does not see the
 * directory) that is said in one sentence, the run goes on, and the checkpoints
 * before it stay. Fails as castell_task_submit() does.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_save(struct castell_checkpoint *checkpoint, uint64_t step);

/*
 * Wait until all that was begun is on disk. Fails with CASTELL_ERR_SYSTEM when
 * the last could not be written, and as castell_wait_on() does.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_wait(struct castell_checkpoint *checkpoint);

/*
 * Restore the regions from the last checkpoint, and write its step to
 * *ret_step. All of it is verified first; one that is torn, damaged, of another
 * program, or has other names or sizes is refused, with a sentence on standard
 * error, and the one before is taken. The regions are then read by tasks, on
 * any nodes, and may be used as what any task writes.
 *
 * When there is no checkpoint this is CASTELL_OK, and changes nothing. Fails
 * with CASTELL_ERR_SYSTEM when there are some and none can be used, which changes
 * nothing either, and as castell_task_submit() does.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_restore(struct castell_checkpoint *checkpoint,
                           uint64_t *ret_step);

/*
 * The checkpoints in that directory that `#pragma castell checkpoint` and
 * `restore` mean: one of a path in a run, without the regions of the time before.
 * The runtime's: do not destroy it. Fails as castell_checkpoint_create() does.
 */
CASTELL_MUST_CHECK CASTELL_API enum castell_status
castell_checkpoint_at(const char *path,
                      struct castell_checkpoint **ret_checkpoint);

/*
 * Has the program been asked to end, by SIGTERM or SIGUSR1? These signals are
 * noted, and do nothing else, from the first call of any function of this file
 * on; a second SIGTERM ends the program. The launcher passes on to main() what
 * it is sent, as by a batch system before the time is over. Any thread.
 */
CASTELL_API bool castell_stop_requested(void);

#ifdef CASTELL_SEQUENTIAL

CASTELL_API enum castell_status
castell_checkpoint_create(const char *path,
                          struct castell_checkpoint **ret_checkpoint)
{
    (void)path;
    *ret_checkpoint = NULL;
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_checkpoint_at(const char *path,
                      struct castell_checkpoint **ret_checkpoint)
{
    return castell_checkpoint_create(path, ret_checkpoint);
}

CASTELL_API void
castell_checkpoint_destroy(struct castell_checkpoint *checkpoint)
{
    (void)checkpoint;
}

CASTELL_API enum castell_status
castell_checkpoint_add(struct castell_checkpoint *checkpoint, const char *name,
                       const struct castell_access *region, size_t element_size)
{
    (void)checkpoint;
    (void)name;
    (void)region;
    (void)element_size;
    return CASTELL_OK;
}

CASTELL_API void castell_checkpoint_keep(struct castell_checkpoint *checkpoint,
                                         uint32_t count)
{
    (void)checkpoint;
    (void)count;
}

CASTELL_API enum castell_status
castell_checkpoint_program(struct castell_checkpoint *checkpoint,
                           const char *program)
{
    (void)checkpoint;
    (void)program;
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_checkpoint_save(struct castell_checkpoint *checkpoint, uint64_t step)
{
    (void)checkpoint;
    (void)step;
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_checkpoint_wait(struct castell_checkpoint *checkpoint)
{
    (void)checkpoint;
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_checkpoint_restore(struct castell_checkpoint *checkpoint,
                           uint64_t *ret_step)
{
    (void)checkpoint;
    (void)ret_step;
    return CASTELL_OK;
}

CASTELL_API bool castell_stop_requested(void)
{
    return false;
}

#endif

#ifdef __cplusplus
}
#endif

#if !defined(CASTELL_SEQUENTIAL) && defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
