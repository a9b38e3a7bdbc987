#include "base/thread.h"

#include "base/fail.h"

#include <semaphore.h>
#include <signal.h>
#include <string.h>

enum { REASON_SIZE = 128 };

/*
 * AddressSanitizer takes locks of its own while a thread begins, and a process
 * that is forked meanwhile never gets them: there, wait until that is over.
 */
#ifdef __SANITIZE_ADDRESS__
struct beginning {
    void *(*run)(void *argument);
    void *argument;
    sem_t over;
};

static void *begin(void *beginning_)
{
    struct beginning *shared = beginning_;
    struct beginning own = *shared;

    (void)sem_post(&shared->over);
    return own.run(own.argument);
}

static int create(pthread_t *ret_thread, void *(*run)(void *argument),
                  void *argument)
{
    struct beginning beginning = {.run = run, .argument = argument};
    int error;

    (void)sem_init(&beginning.over, 0, 0);
    error = pthread_create(ret_thread, NULL, begin, &beginning);
    while (error == 0 && sem_wait(&beginning.over) != 0)
        ; /* a signal came */
    (void)sem_destroy(&beginning.over);
    return error;
}
#else
static int create(pthread_t *ret_thread, void *(*run)(void *argument),
                  void *argument)
{
    return pthread_create(ret_thread, NULL, run, argument);
}
#endif

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
    error = create(&thread, run, argument);
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
