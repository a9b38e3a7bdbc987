/*
 * Where the sockets of runs are, and who may be at the other end.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "base/thread.h"
#include "watch/watch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAKING_SECONDS = 60 };

bool cst_watch_directory(size_t n, char *ret_path)
{
    const char *runtime = cst_parse_environment("XDG_RUNTIME_DIR");
    int length = 0;

    if (n == 0 && runtime && runtime[0] == '/')
        length = snprintf(ret_path, CST_WATCH_PATH_MAX, "%s/castell", runtime);
    else if (n <= 1)
        length = snprintf(ret_path, CST_WATCH_PATH_MAX, "/run/user/%u/castell",
                          geteuid());
    else if (n == 2)
        length = snprintf(ret_path, CST_WATCH_PATH_MAX, "/tmp/castell-%u",
                          geteuid());
    else
        return false;
    if (length >= CST_WATCH_PATH_MAX)
        *ret_path = '\0';
    return true;
}

bool cst_watch_is_private(const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0) {
        cst_fail_text("%s: %s", path, cst_reason(errno));
        return false;
    }
    if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
        (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return true;
    cst_fail_text("%s is not a directory of ours alone (mode 0700)", path);
    return false;
}

bool cst_watch_is_ours(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           peer.uid == geteuid();
}

enum castell_status cst_watch_connect(const char *path, int *ret_socket,
                                      int *ret_error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret_error = errno;
    if (made < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no socket: %s", cst_reason(errno));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(made, (struct sockaddr *)&address, sizeof(address)) != 0) {
        *ret_error = errno;
        (void)close(made);
        return cst_fail(CASTELL_ERR_SYSTEM, "%s: %s", path,
                        cst_reason(*ret_error));
    }
    if (!cst_watch_is_ours(made)) {
        (void)close(made);
        *ret_error = EACCES;
        return cst_fail(CASTELL_ERR_SYSTEM, "%s belongs to another user", path);
    }
    *ret_socket = made;
    return CASTELL_OK;
}

bool cst_watch_read_name(const char *name, size_t *ret_program, long *ret_pid)
{
    const char *dot = strrchr(name, '.');
    char *end;

    if (!dot || dot == name || dot[1] < '1' || dot[1] > '9')
        return false;
    *ret_pid = strtol(dot + 1, &end, 10);
    *ret_program = (size_t)(dot - name);
    return *end == '\0';
}

/*
 * Does nobody listen there any more? One that is being made has a name with a
 * point before it, for a moment.
 */
static bool is_abandoned(const char *path, const char *name)
{
    struct stat status;
    int made, error;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    if (name[0] == '.')
        return time(NULL) - status.st_mtime > MAKING_SECONDS;
    if (cst_watch_connect(path, &made, &error) != CASTELL_OK)
        return error == ECONNREFUSED;
    (void)close(made);
    return false;
}

void cst_watch_clean(const char *directory)
{
    DIR *open = opendir(directory);
    const struct dirent *entry;
    char path[CST_WATCH_PATH_MAX];
    size_t program;
    long pid;

    if (!open)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours */
    while ((entry = readdir(open))) {
        int length =
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);

        if (length < CST_WATCH_PATH_MAX &&
            cst_watch_read_name(entry->d_name, &program, &pid) &&
            is_abandoned(path, entry->d_name))
            (void)unlink(path);
    }
    (void)closedir(open);
}
