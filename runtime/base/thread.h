/*
 * thread.h - threads of the runtime's own, and what the system says of errors.
 *
 * Layer: base. Any thread.
 */
#ifndef CST_BASE_THREAD_H
#define CST_BASE_THREAD_H

#include "castell.h"

#include <pthread.h>

/*
 * Start a thread that shows as `name` (15 letters at most) in ps and gdb. It
 * takes no signals from outside, so that the program's handlers run in the
 * program's own threads. It inherits the caller's CPU set. Fails with
 * CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_thread_start(const char *name, void *(*run)(void *argument), void *argument,
                 pthread_t *ret_thread);

/*
 * What errno means, as strerror() says it, but for any thread. The text is
 * valid until the thread's next call.
 */
const char *cst_reason(int error);

#endif
