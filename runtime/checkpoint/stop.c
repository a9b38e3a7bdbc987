/* Being asked to end. */
#include "checkpoint/checkpoint.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void note(int signal)
{
    (void)signal;
    asked = 1;
}

/* A signal that is ignored, as nohup does it, or handled stays so. */
static void catch_one(int signal, int flags)
{
    struct sigaction before;
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = note;
    action.sa_flags = flags;
    if (sigaction(signal, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        (void)sigaction(signal, &action, NULL);
}

static void catch_all(void)
{
    catch_one(SIGTERM, (int)(SA_RESTART | SA_RESETHAND));
    catch_one(SIGUSR1, SA_RESTART);
}

void cst_stop_watch(void)
{
    (void)pthread_once(&once, catch_all);
}

bool castell_stop_requested(void)
{
    cst_stop_watch();
    return asked != 0;
}
