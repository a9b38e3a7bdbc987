#include "base/thread.h"

#include "base/fail.h"

#include <signal.h>
#include <string.h>

enum { REASON_SIZE = 128 };

enum castell_status cst_thread_start(const char *name,
                                     void *(*run)(void *argument),
                                     void *argument, pthread_t *ret_thread)
{
    /* Those that a thread brings on itself, and the profilers'. */
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,   SIGTRAP,
                              SIGABRT, SIGSYS, SIGPROF, SIGVTALRM};
    sigset_t blocked;
    sigset_t saved;
    pthread_t thread;
    int error;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        (void)sigdelset(&blocked, own[i]);
    /* The mask is inherited: no moment is left for a signal to get in. */
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &saved);
    error = pthread_create(&thread, NULL, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (error != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot start the thread %s: %s",
                        name, cst_reason(error));
    (void)pthread_setname_np(thread, name);
    *ret_thread = thread;
    return CASTELL_OK;
}

const char *cst_reason(int error)
{
    static _Thread_local char text[REASON_SIZE];

    return strerror_r(error, text, sizeof(text));
}
