/*
 * The run directory: the one thing that launcher and processes share.
 */
#include "conn/rundir.h"

#include "base/fail.h"
#include "base/thread.h"
#include "launch/launch_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME_PREFIX "castell."
#define ENDED       "ended"
#define SIGNALS     "signals"

enum {
    ID_SIZE = 6,
    ID_DIGITS = 2 * ID_SIZE,
    STALE_SECONDS = 7 * 24 * 3600,
    HOST_SIZE = 256,
};

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void cst_directory_remove(const char *path)
{
    /* Again, for what somebody wrote into it meanwhile. */
    for (int i = 0; i < 3; i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
        if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
            errno == ENOENT)
            return;
        if (access(path, F_OK) != 0)
            return;
    }
}

/* Reads "castell.ID.PID.HOST"; a directory with another name is not ours. */
static bool read_name(const char *name, long *ret_process,
                      const char **ret_host)
{
    char *end;

    if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
        return false;
    name += strlen(NAME_PREFIX);
    if (strspn(name, "0123456789abcdef") != ID_DIGITS || name[ID_DIGITS] != '.')
        return false;
    *ret_process = strtol(name + ID_DIGITS + 1, &end, 10);
    *ret_host = end + 1;
    return *ret_process > 0 && *ret_process <= INT_MAX && *end == '.';
}

/*
 * Is it of a run that was killed, so that nobody removed it: the launcher was
 * on this host and is gone, or was elsewhere and is silent for a week?
 */
static bool is_stale(const char *path, const char *name, const char *host)
{
    struct stat status;
    const char *whose;
    long process;

    if (!read_name(name, &process, &whose) || lstat(path, &status) != 0 ||
        !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return false;
    if (strcmp(whose, host) == 0)
        return kill((pid_t)process, 0) != 0 && errno == ESRCH;
    return time(NULL) - status.st_mtime > STALE_SECONDS;
}

static void remove_stale(const char *base, const char *host)
{
    DIR *directory = opendir(base);
    const struct dirent *entry;
    char path[CST_PATH_SIZE];

    if (!directory)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((entry = readdir(directory)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
        if (is_stale(path, entry->d_name, host))
            cst_directory_remove(path);
    }
    (void)closedir(directory);
}

static void hexadecimal(const unsigned char *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * size] = '\0';
}

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread */
static enum castell_status choose_base(bool shared, char *ret_base)
{
    const char *home = getenv("HOME");
    const char *session = getenv("XDG_RUNTIME_DIR");
    const char *temporary = getenv("TMPDIR");

    if (shared && (!home || home[0] != '/'))
        return cst_fail(CASTELL_ERR_INVALID,
                        "HOME is not set; say with --dir in which directory, "
                        "which all nodes see, the run may keep its files");
    if (shared)
        (void)snprintf(ret_base, CST_PATH_SIZE, "%s/.castell", home);
    else if (session && access(session, W_OK | X_OK) == 0)
        (void)snprintf(ret_base, CST_PATH_SIZE, "%s", session);
    else
        (void)snprintf(ret_base, CST_PATH_SIZE, "%s",
                       temporary ? temporary : "/tmp");
    if (mkdir(ret_base, 0700) != 0 && errno != EEXIST)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot make %s: %s", ret_base,
                        cst_reason(errno));
    return CASTELL_OK;
}
/* NOLINTEND(concurrency-mt-unsafe) */

/* In the directory `whole`, which is there. */
static enum castell_status create_in(const char *whole,
                                     struct cst_run_dir *ret_dir)
{
    enum castell_status status;
    unsigned char id[ID_SIZE];
    char host[HOST_SIZE] = "";
    int length;

    (void)gethostname(host, sizeof(host) - 1);
    remove_stale(whole, host);
    if (getrandom(id, sizeof(id), 0) != sizeof(id))
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "the system has no random bytes: %s",
                        cst_reason(errno));
    hexadecimal(id, sizeof(id), ret_dir->id);
    length = snprintf(ret_dir->path, sizeof(ret_dir->path), "%s/%s%s.%ld.%s",
                      whole, NAME_PREFIX, ret_dir->id, (long)getpid(), host);
    if (length >= CST_PATH_SIZE)
        return cst_fail(CASTELL_ERR_INVALID, "the path of %s is too long",
                        whole);
    if (mkdir(ret_dir->path, 0700) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot make a directory in %s: %s",
                        whole, cst_reason(errno));
    status = cst_rundir_make_secret(ret_dir->path);
    if (status < 0)
        cst_directory_remove(ret_dir->path);
    return status;
}

enum castell_status cst_run_dir_create(const char *base, bool shared,
                                       struct cst_run_dir *ret_dir)
{
    enum castell_status status = CASTELL_OK;
    char usual[CST_PATH_SIZE];
    char *whole;

    if (!base) {
        status = choose_base(shared, usual);
        if (status < 0)
            return status;
        base = usual;
    }
    whole = realpath(base, NULL);
    if (!whole)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot use the directory %s: %s",
                        base, cst_reason(errno));
    status = create_in(whole, ret_dir);
    free(whole); /* the C library's */
    return status;
}

bool cst_run_dir_read(const char *path, const char *name, char *text,
                      size_t size)
{
    char file[CST_PATH_SIZE];
    ssize_t count;
    int from;

    (void)snprintf(file, sizeof(file), "%s/%s", path, name);
    from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return false;
    count = read(from, text, size - 1);
    (void)close(from);
    text[count > 0 ? count : 0] = '\0';
    return count >= 0;
}

bool cst_run_dir_write(const char *path, const char *name, const char *text)
{
    char file[CST_PATH_SIZE];
    char temporary[CST_PATH_SIZE];
    size_t size = strlen(text);
    bool written;
    int to;

    (void)snprintf(file, sizeof(file), "%s/%s", path, name);
    (void)snprintf(temporary, sizeof(temporary), "%s/.%s.%ld", path, name,
                   (long)getpid());
    to = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return false;
    written = write(to, text, size) == (ssize_t)size;
    /* Over a network it is only here that an error may show. */
    written = close(to) == 0 && written;
    written = written && rename(temporary, file) == 0;
    if (!written)
        (void)unlink(temporary);
    return written;
}

static void read_ended(const char *path, struct cst_ended *ret_ended)
{
    char text[64];
    char how[16];
    int value;

    if (!cst_run_dir_read(path, ENDED, text, sizeof(text)) ||
        /* NOLINTNEXTLINE(cert-err34-c): we wrote it */
        sscanf(text, "%15s %d", how, &value) != 2)
        return;
    *ret_ended = (struct cst_ended){.known = true, .status = value};
    if (strcmp(how, "signal") == 0) {
        ret_ended->signal = value;
        ret_ended->status = CST_EXIT_SIGNAL + value;
    }
}

/*
 * The directory is opened and listed, rather than a file of it: NFS remembers
 * for half a minute that a file was not there, but looks again at a directory
 * that is opened.
 */
void cst_run_dir_look(const char *path, struct cst_run_look *ret_look)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    size_t prefix_size = strlen(CST_LAUNCH_PROCESS);

    *ret_look = (struct cst_run_look){0};
    if (!directory) {
        ret_look->gone = errno == ENOENT || errno == ESTALE;
        return;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, CST_LAUNCH_PROCESS, prefix_size) == 0)
            ret_look->processes++;
        else if (strcmp(entry->d_name, ENDED) == 0)
            read_ended(path, &ret_look->ended);
    }
    (void)closedir(directory);
}

void cst_run_dir_touch(const char *path)
{
    (void)utimensat(AT_FDCWD, path, NULL, 0);
}

struct cst_ended cst_ended_of(int wait_status)
{
    struct cst_ended ended = {.known = true};

    if (WIFSIGNALED(wait_status)) {
        ended.signal = WTERMSIG(wait_status);
        ended.status = CST_EXIT_SIGNAL + ended.signal;
    } else {
        ended.status = WEXITSTATUS(wait_status);
    }
    return ended;
}

void cst_ended_write(const char *path, struct cst_ended ended)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s %d\n",
                   ended.signal ? "signal" : "exit",
                   ended.signal ? ended.signal : ended.status);
    (void)cst_run_dir_write(path, ENDED, text);
}

void cst_run_dir_signal(const char *path, int signal)
{
    unsigned char byte = (unsigned char)signal;
    char file[CST_PATH_SIZE];
    int to;

    (void)snprintf(file, sizeof(file), "%s/" SIGNALS, path);
    to = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (to < 0)
        return;
    (void)!write(to, &byte, 1);
    (void)close(to);
}

int cst_run_dir_next_signal(const char *path, off_t *offset)
{
    unsigned char byte = 0;
    char file[CST_PATH_SIZE];
    int from;

    (void)snprintf(file, sizeof(file), "%s/" SIGNALS, path);
    from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return 0;
    if (pread(from, &byte, 1, *offset) == 1)
        (*offset)++;
    (void)close(from);
    return byte;
}

/* If nobody holds a lock on it, all who could remove it were killed. */
static void remove_if_left(const char *path)
{
    int file = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && status.st_uid == geteuid() &&
        flock(file, LOCK_EX | LOCK_NB) == 0)
        cst_directory_remove(path);
    (void)close(file);
}

static void remove_left(const char *base)
{
    DIR *directory = opendir(base);
    const struct dirent *entry;
    char path[CST_PATH_SIZE];

    if (!directory)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((entry = readdir(directory)) != NULL) {
        const char *id = entry->d_name + strlen(NAME_PREFIX);

        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 ||
            strspn(id, "0123456789abcdef") != ID_DIGITS || id[ID_DIGITS])
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
        remove_if_left(path);
    }
    (void)closedir(directory);
}

/*
 * All processes hold a shared lock on it, which the system drops however a
 * process ends; who gets it exclusively is the last.
 */
void cst_node_dir_open(const char *run_dir, struct cst_node_dir *ret_dir)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    const char *id = strrchr(run_dir, '/');
    struct stat opened;
    struct stat there;

    ret_dir->file = -1;
    id = id ? strchr(id, '.') : NULL;
    if (!id)
        return;
    remove_left(base);
    (void)snprintf(ret_dir->path, sizeof(ret_dir->path), "%s/castell%.*s", base,
                   ID_DIGITS + 1, id);
    for (int i = 0; i < 100; i++) {
        int file;

        if (mkdir(ret_dir->path, 0700) != 0 && errno != EEXIST)
            return;
        file = open(ret_dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (file < 0)
            continue;
        /* It may have been removed between our making and locking it. */
        if (flock(file, LOCK_SH) == 0 && fstat(file, &opened) == 0 &&
            opened.st_uid == geteuid() && lstat(ret_dir->path, &there) == 0 &&
            there.st_ino == opened.st_ino) {
            ret_dir->file = file;
            return;
        }
        (void)close(file);
    }
}

void cst_node_dir_close(struct cst_node_dir *dir)
{
    if (dir->file < 0)
        return;
    if (flock(dir->file, LOCK_EX | LOCK_NB) == 0)
        cst_directory_remove(dir->path);
    (void)close(dir->file);
    dir->file = -1;
}
