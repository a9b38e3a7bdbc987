/*
 * Bodies in child processes where the kernel is old or forbids things: without
 * pidfd_open() or without process_vm_readv(), or both, all comes to the same.
 * Each case runs in a process of its own, which has the call taken away.
 */
#include "body/child.h"
#include "harness/tap.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 700, PITCH = 3000, SIZE = 1111, MS = 1000000 };

/* From now on the system call of that number fails. */
static bool refuse(unsigned number, unsigned error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(steps) / sizeof(steps[0]), steps};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int body(void *const *buffers, const void *argument)
{
    const char *how = argument;

    for (size_t i = 0; i < ROWS; i++)
        memset((char *)buffers[0] + i * PITCH, (int)(i % 100) + 1, PITCH);
    if (strcmp(how, "crash") == 0)
        abort();
    if (strcmp(how, "sleep") == 0) {
        for (;;)
            (void)pause();
    }
    return strcmp(how, "fail") == 0 ? 3 : 0;
}

/* How many bytes of the matrix are not as they should be? */
static int wrong_bytes(const char *matrix, bool written)
{
    int wrong = 0;

    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < PITCH; j++) {
            int want = written && j < SIZE ? (int)(i % 100) + 1 : 0;

            wrong += matrix[i * PITCH + j] != want;
        }
    }
    return wrong;
}

static bool ends(const char *how, enum cst_child_outcome outcome, int number)
{
    char *matrix = calloc(ROWS, PITCH);
    void *buffers[] = {matrix};
    struct cst_rows written = {matrix, SIZE, ROWS, PITCH};
    struct cst_child_request request = {.body = body,
                                        .buffers = buffers,
                                        .buffers_count = 1,
                                        .argument = how,
                                        .written = &written,
                                        .written_count = 1,
                                        .timeout_ns = UINT64_C(60000) * MS,
                                        .label = how};
    struct cst_child_result result;
    bool right;

    if (!matrix)
        return false;
    if (strcmp(how, "sleep") == 0)
        request.timeout_ns = UINT64_C(50) * MS;
    cst_child_run(&request, &result);
    right = result.outcome == outcome && result.number == number &&
            wrong_bytes(matrix, strcmp(how, "return") == 0) == 0;
    if (!right)
        printf("# %s: outcome %d, number %d\n", how, (int)result.outcome,
               result.number);
    free(matrix);
    return right;
}

static bool all_end_right(void)
{
    return ends("return", CST_CHILD_RETURNED, 0) &&
           ends("fail", CST_CHILD_RETURNED, 3) &&
           ends("crash", CST_CHILD_SIGNAL, SIGABRT) &&
           ends("sleep", CST_CHILD_TIMED_OUT, SIGKILL);
}

static void test_without(const char *name, bool read, bool pidfd)
{
    int status = -1;
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        bool refused = (!read || refuse(SYS_process_vm_readv, EPERM)) &&
                       (!pidfd || refuse(SYS_pidfd_open, ENOSYS));

        (void)close(STDERR_FILENO);
        status = !refused ? 2 : all_end_right() ? 0 : 1;
        (void)fflush(stdout);
        _exit(status);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        tap_bail("no process");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        tap_skip(name, "no filter of system calls here");
    else
        ok(status == 0, "%s", name);
}

int main(void)
{
    test_without("with all there is", false, false);
    test_without("without process_vm_readv()", true, false);
    test_without("without pidfd_open()", false, true);
    test_without("without both", true, true);
    return tap_done();
}
