/*
 * shm.h - memory that two processes of a machine share: a row of bytes each
 * way, and a bell for who sleeps.
 *
 * Layer: shm. May include base. Knows nothing of what the bytes mean.
 *
 * Every process has a *box*, one page that all its peers may write to: there is
 * mail; its owner sleeps, ring. A pair shares a *pipe*, one ring each way. Both
 * are files without a name (memfd), handed over by a socket: when the last
 * process that has them is gone, however it ended, so are they.
 *
 * No wake-up is lost: who brings mail first says so and then looks whether the
 * owner sleeps; who goes to sleep first says so and then looks for mail.
 *
 * A peer is of the same run and authenticated; but whatever it writes to the
 * memory, a reader here stays within the ring.
 *
 * Threads: a pipe belongs to one thread at a time. Of a box, cst_shm_box_word()
 * may be read, and cst_shm_box_doze() and cst_shm_box_rouse() called, by any.
 */
#ifndef CST_SHM_SHM_H
#define CST_SHM_SHM_H

#include "castell.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct cst_shm_box;
struct cst_shm_pipe;
struct cst_shm_reach;

enum {
    CST_SHM_RING_SIZE = 64 << 10, /* bytes under way, each way */
    CST_SHM_TOKEN_SIZE = 16,
};

/* ---- Boxes ---------------------------------------------------------------- */

/*
 * Our own. `bell` is an eventfd of the caller's that wakes the process, NULL
 * comes back, with a text, when the system gives none.
 */
struct cst_shm_box *cst_shm_box_create(int bell);
void cst_shm_box_destroy(struct cst_shm_box *box);

/* What the peers are handed; and the bell. */
int cst_shm_box_file(const struct cst_shm_box *box);
int cst_shm_box_bell(const struct cst_shm_box *box);

/* Not 0: there is mail. */
const _Atomic(uint32_t) *cst_shm_box_word(const struct cst_shm_box *box);

/* Is there mail? Then there is none any more: look at every pipe. */
bool cst_shm_box_take(struct cst_shm_box *box);

/* There is more to look at, or to write, next time. */
void cst_shm_box_put(struct cst_shm_box *box);

/* Before a sleep; false: do not, there is mail. And after it. */
bool cst_shm_box_doze(struct cst_shm_box *box);
void cst_shm_box_rouse(struct cst_shm_box *box);

/* ---- Pipes ---------------------------------------------------------------- */

/* Make one; *ret_file is to be handed to the other side and closed. NULL, with
   a text, when there is no memory. */
struct cst_shm_pipe *cst_shm_pipe_create(int *ret_file);

/* The other end of a pipe that was handed over. NULL when it is none. */
struct cst_shm_pipe *cst_shm_pipe_open(int file);

/*
 * The box of the other side, and its bell, which the pipe closes. False when it
 * is no box: then nothing was taken. Before anything is written or read.
 */
bool cst_shm_pipe_meet(struct cst_shm_pipe *pipe, int box_file, int bell);

/* NULL is allowed. */
void cst_shm_pipe_destroy(struct cst_shm_pipe *pipe);

/* Something will be written soon: ring for its reader now, if it sleeps; then
   true. */
bool cst_shm_nudge(struct cst_shm_pipe *pipe);

/*
 * As writev() and readv() that do not block: how many bytes, or -1 with EAGAIN
 * (full: mail comes when there is room; or empty), or with EPROTO (the other
 * side has spoilt it).
 */
ssize_t cst_shm_write(struct cst_shm_pipe *pipe, const struct iovec *pieces,
                      int count);
ssize_t cst_shm_read(struct cst_shm_pipe *pipe, const struct iovec *pieces,
                     int count);

/* Has the other side closed its end? Then what it offered is no more. */
bool cst_shm_pipe_is_closed(const struct cst_shm_pipe *pipe);

/* ---- Reach ---------------------------------------------------------------- */

/*
 * To read the memory of the process at the other end of a unix socket, which
 * has these CST_SHM_TOKEN_SIZE bytes at that address. NULL where the system
 * refuses (another user, another name space, ptrace_scope).
 */
struct cst_shm_reach *cst_shm_reach_create(int socket, uint64_t address,
                                           const uint8_t *token);
/* NULL is allowed. */
void cst_shm_reach_destroy(struct cst_shm_reach *reach);

/* As many bytes as both have. Returns how many, or -1 with errno: it has ended,
   or has no such memory. */
ssize_t cst_shm_reach_read(const struct cst_shm_reach *reach,
                           const struct iovec *into, int into_count,
                           const struct iovec *from, int from_count);

#endif
