/* rundir.c - the directory of a run: its secret, and where the master is. */
#include "conn/rundir.h"

#include "base/built.h"
#include "base/fail.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CST_WHERE_TEXT_MAX = 1024 };

static const char *const SECRET = "secret";
static const char *const MASTER = "master";
static const char *const MASTER_NEW = "master.new";

/* Is it ours, and closed to all others? */
static enum castell_status check_private(const struct stat *status,
                                         const char *directory,
                                         const char *file)
{
    if (status->st_uid != geteuid())
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s%s%s belongs to user %u, and we are user %u: it is "
                        "not a secret",
                        directory, *file ? "/" : "", file, status->st_uid,
                        geteuid());
    if (status->st_mode & (S_IRWXG | S_IRWXO))
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s%s%s has mode %04o, which lets others in; it must "
                        "be %s",
                        directory, *file ? "/" : "", file,
                        status->st_mode & 07777, *file ? "0600" : "0700");
    return CASTELL_OK;
}

/* Open the directory, if it is good. */
static enum castell_status open_directory(const char *directory, int *ret_fd)
{
    struct stat status;
    enum castell_status checked;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "the run's directory %s cannot be opened: %s",
                        directory, cst_reason(errno));
    if (fstat(fd, &status)) {
        int error = errno;

        close(fd);
        return cst_fail(CASTELL_ERR_SYSTEM, "fstat: %s", cst_reason(error));
    }
    checked = check_private(&status, directory, "");
    if (checked) {
        close(fd);
        return checked;
    }
    *ret_fd = fd;
    return CASTELL_OK;
}

/* Read all of a file that must be shorter than `capacity`; -1 with errno. */
static ssize_t read_all(int fd, void *bytes, size_t capacity)
{
    size_t size = 0;

    while (size < capacity) {
        ssize_t got = read(fd, (char *)bytes + size, capacity - size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

static int write_all(int fd, const void *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = write(fd, (const char *)bytes + done, size - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        done += (size_t)put;
    }
    return fsync(fd);
}

static enum castell_status read_secret(int fd, const char *directory,
                                       uint8_t *ret_secret)
{
    uint8_t bytes[CST_SECRET_SIZE + 1];
    struct stat status;
    enum castell_status checked;
    ssize_t size;

    if (fstat(fd, &status))
        return cst_fail(CASTELL_ERR_SYSTEM, "fstat: %s", cst_reason(errno));
    checked = check_private(&status, directory, SECRET);
    if (checked)
        return checked;
    size = S_ISREG(status.st_mode) ? read_all(fd, bytes, sizeof(bytes)) : 0;
    if (size != CST_SECRET_SIZE)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s/%s is not a secret: it must be a file of %d bytes",
                        directory, SECRET, CST_SECRET_SIZE);
    memcpy(ret_secret, bytes, CST_SECRET_SIZE);
    sodium_memzero(bytes, sizeof(bytes));
    return CASTELL_OK;
}

enum castell_status cst_rundir_secret(const char *directory,
                                      uint8_t *ret_secret)
{
    enum castell_status status;
    int dir;
    int fd;

    status = open_directory(directory, &dir);
    if (status)
        return status;
    fd = openat(dir, SECRET, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        status = cst_fail(CASTELL_ERR_INVALID, "%s/%s cannot be opened: %s",
                          directory, SECRET, cst_reason(errno));
    else
        status = read_secret(fd, directory, ret_secret);
    if (fd >= 0)
        close(fd);
    close(dir);
    return status;
}

enum castell_status cst_rundir_make_secret(const char *directory)
{
    uint8_t secret[CST_SECRET_SIZE];
    enum castell_status status;
    int dir;
    int fd;

    if (sodium_init() < 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        CST_BUILT_SODIUM
                            ? "libsodium cannot be used"
                            : "several processes need libsodium, which castell "
                              "was built without");
    status = open_directory(directory, &dir);
    if (status)
        return status;
    fd = openat(dir, SECRET, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    randombytes_buf(secret, sizeof(secret));
    if (fd < 0 || write_all(fd, secret, sizeof(secret)))
        status = cst_fail(CASTELL_ERR_SYSTEM, "%s/%s cannot be written: %s",
                          directory, SECRET, cst_reason(errno));
    sodium_memzero(secret, sizeof(secret));
    if (fd >= 0)
        close(fd);
    close(dir);
    return status;
}

enum castell_status cst_rundir_write(const char *directory,
                                     const struct cst_where *where)
{
    char text[CST_WHERE_TEXT_MAX];
    enum castell_status status;
    int dir;
    int fd;

    status = open_directory(directory, &dir);
    if (status)
        return status;
    cst_print_where(where, text, sizeof(text));
    fd = openat(dir, MASTER_NEW,
                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, text, strlen(text)) ||
        renameat(dir, MASTER_NEW, dir, MASTER))
        status = cst_fail(CASTELL_ERR_SYSTEM, "%s/%s cannot be written: %s",
                          directory, MASTER, cst_reason(errno));
    if (fd >= 0)
        close(fd);
    close(dir);
    return status;
}

enum castell_status cst_rundir_read(const char *directory,
                                    struct cst_where *ret_where)
{
    char text[CST_WHERE_TEXT_MAX];
    enum castell_status status;
    ssize_t size = -1;
    int dir;
    int fd;

    status = open_directory(directory, &dir);
    if (status)
        return status;
    fd = openat(dir, MASTER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        size = read_all(fd, text, sizeof(text) - 1);
    if (size < 0) {
        status = cst_fail(CASTELL_ERR_NODE_LOST, "%s/%s cannot be read: %s",
                          directory, MASTER, cst_reason(errno));
    } else {
        text[size] = '\0';
        if (!cst_parse_where(text, ret_where))
            status = cst_fail(CASTELL_ERR_INVALID,
                              "%s/%s does not say where a master of this "
                              "version is",
                              directory, MASTER);
    }
    if (fd >= 0)
        close(fd);
    close(dir);
    return status;
}
