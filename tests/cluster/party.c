#include "cluster/party.h"

#include "conn/rundir.h"
#include "harness/tap.h"
#include "net/net.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void party_attend(void)
{
    const char *role = getenv("CASTELL_ROLE");

    if (!role || strcmp(role, "worker") != 0)
        return;
    if (castell_start_with(NULL) != CASTELL_OK)
        (void)fprintf(stderr, "# a worker: %s\n", castell_error_text());
    _exit(3); /* a worker does not come back */
}

static void set(const char *name, const char *value)
{
    if (setenv(name, value, 1) != 0)
        tap_bail("no environment");
}

static void set_number(const char *name, int value)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", value);
    set(name, text);
}

void party_add(struct party *party, int cores)
{
    pid_t child = fork();

    if (child < 0)
        tap_bail("no process");
    if (child == 0) {
        char *const argv[] = {(char *)(uintptr_t) "worker", NULL};

        set("CASTELL_ROLE", "worker");
        set_number("CASTELL_CORES", cores);
        (void)execv("/proc/self/exe", argv);
        _exit(4);
    }
    party->workers[party->count++] = child;
}

void party_begin(struct party *party, int workers, int cores, int master_cores)
{
    const char *carrier = getenv("CASTELL_TEST_CARRIER");

    (void)fflush(stdout);
    memset(party, 0, sizeof(*party));
    (void)snprintf(party->directory, sizeof(party->directory),
                   "/tmp/castell-party.XXXXXX");
    if (!mkdtemp(party->directory) ||
        cst_rundir_make_secret(party->directory) != CASTELL_OK)
        tap_bail("no run directory");
    set("CASTELL_RUN_DIR", party->directory);
    set("CASTELL_CARRIER", carrier ? carrier : "auto");
    set_number("CASTELL_WORKERS", workers);
    for (int i = 0; i < workers; i++)
        party_add(party, cores);
    set("CASTELL_ROLE", "master");
    set("CASTELL_MASTER_TASKS", master_cores > 0 ? "1" : "0");
    set_number("CASTELL_CORES", master_cores > 0 ? master_cores : 1);
}

int party_end(struct party *party)
{
    char path[128];
    int bad = 0;

    for (int i = 0; i < party->count; i++) {
        int status = 0;

        (void)waitpid(party->workers[i], &status, 0);
        bad += status != 0;
    }
    (void)snprintf(path, sizeof(path), "%s/secret", party->directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/master", party->directory);
    (void)unlink(path);
    if (rmdir(party->directory) != 0)
        bad++;
    return bad;
}
