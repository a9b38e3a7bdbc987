/*
 * threads.h - how many threads OpenMP and OpenBLAS use inside of a body, and
 * on which cores.
 *
 * Layer: body. May include base.
 *
 * Both are found in the running program, if it has them: libcastell is linked
 * with neither. What they do decides what is possible:
 *
 *   libgomp, libomp     keep a number, and threads, for each thread that opens
 *                       parallel regions: any bodies may run at once.
 *   OpenBLAS on OpenMP  follows them, but has one set of buffers, as many as
 *                       the last number above 1 that it has seen. Bodies of
 *                       different numbers above 1 at the same time give wrong
 *                       results; those of equal numbers wait for one another
 *                       inside of it.
 *   OpenBLAS on its     (Debian's default) has one number and one set of
 *   own threads         threads for the whole process: all bodies that run at
 *                       once get the same number, and wait as above. So the
 *                       engine runs a body of several threads alone.
 *
 * And fork() makes OpenBLAS end its threads, which hangs for good while they
 * are at work, or free its buffers, which others may then get. So a body of
 * several threads is marked as such from cst_threads_use(n) to
 * cst_threads_use(1), and a process that has OpenBLAS is forked only while
 * there is none: see cst_threads_fork_begin(). For that to come about, a body
 * that waits for tasks must not be marked meanwhile.
 *
 * All of this was seen with OpenBLAS 0.3.21; README.md says how.
 */
#ifndef CST_BODY_THREADS_H
#define CST_BODY_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Look for the libraries that are loaded; at start. The calling thread uses one
 * thread from now on, as any thread does that is in no body. No function here
 * fails: what is missing is left out.
 */
void cst_threads_init(void);

/* Give back the numbers there were; the same thread, after all bodies. */
void cst_threads_release(void);

/*
 * From now on, what OpenMP and OpenBLAS do in the calling thread uses `count`
 * threads, at least 1. With cores_changed, and a count above 1, those threads
 * are bound to the calling thread's CPU set of now. Costs next to nothing when
 * neither has changed since this thread's last call.
 */
void cst_threads_use(uint32_t count, bool cores_changed);

/*
 * May bodies with these numbers of threads run at the same time? Where not,
 * and they do and call OpenBLAS: on OpenMP results may be wrong, on its own
 * threads bodies use more or fewer cores than they hold. The answers do not
 * change between init() and release().
 */
bool cst_threads_may_mix(uint32_t count, uint32_t other);

/*
 * Around fork(), which is safe between them; the second in parent and child.
 * What the calling thread itself is at does not count.
 */
void cst_threads_fork_begin(void);
void cst_threads_fork_end(bool in_child);

/*
 * In a child, before anything that may call OpenBLAS. The variant on OpenMP takes
 * a lock for each of its buffers; a thread that held one in the parent is not in
 * the child to give it back. Then this never returns: the parent has to notice,
 * and fork again.
 */
void cst_threads_child_try(void);

#endif
