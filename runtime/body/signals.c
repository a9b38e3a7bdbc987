#include "body/signals.h"

#include <signal.h>
#include <stddef.h>

struct signal_text {
    int number;
    const char *text;
};

static const struct signal_text texts[] = {
    {SIGABRT, "SIGABRT (abort() was called)"},
    {SIGALRM, "SIGALRM (a timer ran out)"},
    {SIGBUS, "SIGBUS (memory that is not there)"},
    {SIGFPE, "SIGFPE (arithmetic error)"},
    {SIGHUP, "SIGHUP (the terminal is gone)"},
    {SIGILL, "SIGILL (illegal instruction)"},
    {SIGINT, "SIGINT (interrupted from the keyboard)"},
    {SIGKILL, "SIGKILL (killed, perhaps because memory ran out)"},
    {SIGPIPE, "SIGPIPE (nobody reads what it wrote)"},
    {SIGQUIT, "SIGQUIT (ended from the keyboard)"},
    {SIGSEGV, "SIGSEGV (invalid memory reference)"},
    {SIGSYS, "SIGSYS (a system call that is not allowed)"},
    {SIGTERM, "SIGTERM (told to end)"},
    {SIGTRAP, "SIGTRAP (breakpoint)"},
    {SIGUSR1, "SIGUSR1"},
    {SIGUSR2, "SIGUSR2"},
    {SIGXCPU, "SIGXCPU (limit of processor time)"},
    {SIGXFSZ, "SIGXFSZ (limit of a file's size)"},
};

const char *cst_signal_text(int number)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].number == number)
            return texts[i].text;
    }
    return "an unnamed signal";
}
