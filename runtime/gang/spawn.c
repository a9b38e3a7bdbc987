#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "gang/gang_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOT_STARTED = 127 };

/* ---- Words ------------------------------------------------------------------ */

void cst_gang_words_add(struct cst_gang_words *words, const char *format, ...)
{
    char *word = NULL;
    va_list list;

    va_start(list, format);
    if (vasprintf(&word, format, list) < 0)
        word = NULL;
    va_end(list);
    if (word && words->count + 1 >= words->max) {
        size_t max = words->max ? 2 * words->max : 64;
        char **more = cst_realloc(words->list, max * sizeof(*more));

        if (more) {
            words->list = more;
            words->max = max;
        } else {
            free(word); /* NOLINT: of the C library */
            word = NULL;
        }
    }
    if (!word) {
        words->bad = true;
        return;
    }
    words->list[words->count++] = word;
    words->list[words->count] = NULL;
}

void cst_gang_words_release(struct cst_gang_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->list[i]); /* NOLINT: of the C library */
    cst_free(words->list);
    *words = (struct cst_gang_words){0};
}

/* ---- The environment --------------------------------------------------------- */

static bool begins_with_one(const char *variable, const char *const *prefixes)
{
    for (size_t i = 0; prefixes[i]; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Of Open MPI's own, what the user or the launcher has chosen. */
static bool is_choice(const char *variable)
{
    static const char *const prefixes[] = {
        "OMPI_ALLOW_RUN_AS_ROOT", "OMPI_MCA_pml",  "OMPI_MCA_btl",
        "OMPI_MCA_mtl",           "OMPI_MCA_osc",  "OMPI_MCA_coll",
        "OMPI_MCA_mpi_",          "OMPI_MCA_opal", NULL,
    };

    return begins_with_one(variable, prefixes);
}

bool cst_gang_goes_along(const char *variable)
{
    static const char *const prefixes[] = {
        "CASTELL_CONTAINER=",
        "CASTELL_MODULES=",
        "GOMP_",
        "KMP_",
        "MKL_",
        "UCX_",
        "PATH=",
        "LD_LIBRARY_PATH=",
        "OMP_PLACES=",
        "OMP_PROC_BIND=",
        NULL,
    };

    return begins_with_one(variable, prefixes);
}

static bool stays(const char *variable, bool hosts)
{
    static const char *const foreign[] = {
        "OMPI_", "PMIX_", "PMI_",         "ORTE_", "OPAL_",
        "PRTE_", "SLURM", "CASTELL_ROLE", NULL,
    };
    /* The job, but not the step that we are of. */
    static const char *const job[] = {
        "SLURM_JOB",  "SLURM_CONF",           "SLURM_NNODES",
        "SLURM_NODE", "SLURM_TASKS_PER_NODE", "SLURM_CLUSTER",
        NULL,
    };

    if (is_choice(variable) || !begins_with_one(variable, foreign))
        return true;
    return hosts && begins_with_one(variable, job);
}

void cst_gang_environment(bool hosts, struct cst_gang_words *ret_environment)
{
    for (char **variable = environ; *variable; variable++)
        if (stays(*variable, hosts))
            cst_gang_words_add(ret_environment, "%s", *variable);
    /* Two on one core must not wait for one another's time slice. */
    if (!getenv("OMPI_MCA_mpi_yield_when_idle")) /* NOLINT */
        cst_gang_words_add(ret_environment, "OMPI_MCA_mpi_yield_when_idle=1");
    if (geteuid() == 0) {
        cst_gang_words_add(ret_environment, "OMPI_ALLOW_RUN_AS_ROOT=1");
        cst_gang_words_add(ret_environment, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
    }
}

/* ---- The process ---------------------------------------------------------------- */

/* Where a program of that name is, to be freed; or NULL. */
static char *find(const char *name)
{
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */

    while (path && *path) {
        size_t size = strcspn(path, ":");
        char *file = cst_format("%.*s/%s", (int)size, path, name);

        if (file && access(file, X_OK) == 0)
            return file;
        cst_free(file);
        path += size + (path[size] == ':');
    }
    return NULL;
}

/* In the child, which shares our memory until it is another program: nothing
   but calls to the system. */
_Noreturn static void become(const char *file, char *const *argv,
                             char *const *environment,
                             const struct cst_topo *topo, pid_t parent)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    int input;

    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(NOT_STARTED);
    (void)sigaction(SIGPIPE, &normal, NULL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (topo)
        cst_topo_unbind(topo);
    input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input >= 0)
        (void)dup2(input, STDIN_FILENO);
    (void)execve(file, argv, environment);
    _exit(NOT_STARTED);
}

/* fork() would copy what other threads are in the middle of, and stop those of
   libraries; posix_spawn() can tie no child to its parent's life. */
static pid_t start(const char *file, char *const *argv,
                   char *const *environment, const struct cst_topo *topo)
{
    pid_t parent = getpid();
    pid_t child = vfork(); /* NOLINT */

    if (child == 0)
        become(file, argv, environment, topo, parent); /* NOLINT */
    return child;
}

enum castell_status cst_gang_spawn(char *const *argv, char *const *environment,
                                   const struct cst_topo *topo,
                                   pid_t *ret_child)
{
    char *file = find(argv[0]);
    sigset_t all, before;
    pid_t child;
    int error;

    if (!file)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "there is no %s in PATH: install Open MPI on each node",
                        argv[0]);
    /* No handler may run in the child. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    child = start(file, argv, environment, topo);
    error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    cst_free(file);
    if (child < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no process for %s: %s", argv[0],
                        cst_reason(error));
    *ret_child = child;
    return CASTELL_OK;
}
