/* reach.c - read the memory of another process of the machine, where the system
   allows that; one copy in place of two, and only by who wants the data. */
#include "base/memory.h"
#include "shm/shm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct cst_shm_reach {
    pid_t pid;
    int pidfd; /* of it and of no later process with that number */
};

/* Is it the process that says so? Only that one has those bytes there. */
static bool is_it(const struct cst_shm_reach *reach, uint64_t address,
                  const uint8_t *token)
{
    uint8_t bytes[CST_SHM_TOKEN_SIZE];
    struct iovec here = {bytes, sizeof(bytes)};
    struct iovec there = {(void *)(uintptr_t)address, /* NOLINT */
                          sizeof(bytes)};

    return process_vm_readv(reach->pid, &here, 1, &there, 1, 0) ==
               (ssize_t)sizeof(bytes) &&
           memcmp(bytes, token, sizeof(bytes)) == 0;
}

struct cst_shm_reach *cst_shm_reach_create(int socket, uint64_t address,
                                           const uint8_t *token)
{
    struct ucred who = {0};
    socklen_t size = sizeof(who);
    struct cst_shm_reach *reach;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) ||
        who.pid <= 0)
        return NULL;
    reach = cst_alloc(sizeof(*reach));
    if (!reach)
        return NULL;
    reach->pid = who.pid;
    reach->pidfd = pidfd_open(who.pid, 0);
    if (reach->pidfd >= 0 && is_it(reach, address, token))
        return reach;
    cst_shm_reach_destroy(reach);
    return NULL;
}

void cst_shm_reach_destroy(struct cst_shm_reach *reach)
{
    if (!reach)
        return;
    if (reach->pidfd >= 0)
        close(reach->pidfd);
    cst_free(reach);
}

ssize_t cst_shm_reach_read(const struct cst_shm_reach *reach,
                           const struct iovec *into, int into_count,
                           const struct iovec *from, int from_count)
{
    struct pollfd end = {.fd = reach->pidfd, .events = POLLIN};
    ssize_t got = process_vm_readv(reach->pid, into, (unsigned long)into_count,
                                   from, (unsigned long)from_count, 0);

    /* It may be another by now that has the number. */
    if (got >= 0 && poll(&end, 1, 0) == 0)
        return got;
    if (got >= 0)
        errno = ESRCH;
    return -1;
}
